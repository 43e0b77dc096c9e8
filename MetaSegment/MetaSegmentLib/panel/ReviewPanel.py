"""Section 4 of the panel: what was found, how it is drawn, where to draw next, and whether it is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import qt
import slicer
from slicer.i18n import tr as _

from metasegment.segmentation import Segmentation

from ..work.Plausibility import familiarityInWords, warningsOf
from ..work.Status import Activity
from ..work.Workflow import Workflow
from .ResultTable import ResultTable

#: As many warnings are told one by one.
_MOST_LINES = 2


class ReviewPanel:
    """The result, its look, and what becomes of it. Example::

    panel = ReviewPanel(ui, workflow)
    panel.update()                       # whenever the workflow changed
    """

    def __init__(self, ui: SimpleNamespace, workflow: Workflow) -> None:
        self._ui = ui
        self._workflow = workflow
        self._table = ResultTable(ui.resultTable)
        self._shown: tuple[Segmentation | None, Mapping[int, str]] = (None, {})
        self._show()
        ui.nextSliceButton.connect("clicked()", workflow.nextSlice)
        ui.acceptButton.connect("clicked()", self.accept)
        ui.discardButton.connect("clicked()", workflow.discard)
        self._table.onChosen = workflow.goToLeastSure
        ui.surfacesBox.connect("clicked(bool)", self._onSurfaces)

    def update(self) -> None:
        """Show what is true now."""
        ui, workflow = self._ui, self._workflow
        for button in (ui.acceptButton, ui.discardButton):
            button.enabled = workflow.isPreviewing
        isPossible = workflow.suggestion or (workflow.session and workflow.session.slices.entries())
        ui.nextSliceButton.enabled = bool(isPossible) and workflow.activity in (Activity.IDLE, Activity.SUGGESTING)
        answer, names = self._shown
        if workflow.answer is not answer or workflow.names != names:
            self._show()

    def accept(self) -> None:
        """Write the ticked structures into the segments, undoable in the segment editor; all while nothing is ticked
        yet, as of a first answer.
        """
        editor = self._ui.segmentEditor
        labels = self._table.ticked() if self._workflow.answer else None
        self._workflow.accept(editor.mrmlSegmentEditorNode(), editor.saveStateForUndo, labels)

    def _show(self) -> None:
        answer, names = self._shown = self._workflow.answer, self._workflow.names
        warnings = warningsOf(answer) if answer else {}
        self._table.show(answer, names, self._workflow.colors, warnings)
        structures = answer.structures if answer else ()
        names = {structure.label: names.get(structure.label, structure.name) for structure in structures}
        lines = _linesOf({names[label]: text for label, text in warnings.items()})
        notes = [note[:1].upper() + note[1:] for note in answer.notes] if answer else []
        familiarity = answer.familiarity if answer else None
        self._showLine(self._ui.familiarityLabel, "" if familiarity is None else familiarityInWords(familiarity))
        self._showLine(self._ui.warningLabel, "\n".join([*lines, *notes]))

    def _showLine(self, label: qt.QLabel, text: str) -> None:
        label.text = text
        label.visible = bool(text)

    def _onSurfaces(self, checked: bool) -> None:
        if checked and self._workflow.answer and slicer.app.layoutManager():
            slicer.app.layoutManager().resetThreeDViews()


def _linesOf(warnings: Mapping[str, str]) -> list[str]:
    """Warnings by structure's name, as lines; many as one, for each is in the tip of its row."""
    if len(warnings) <= _MOST_LINES:
        return [_("{structure}: {warning}").format(structure=name, warning=text) for name, text in warnings.items()]
    text = _("{count} structures need a look: {names}. Point at their rows for the reason.")
    return [text.format(count=len(warnings), names=", ".join(warnings))]
