"""Lower part of section 5 of the panel: saving the scene and exporting the segments."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import qt
import slicer
from slicer.i18n import tr as _

from metasegment.errors import InputError

from ..learner.Background import Background
from ..learner.LearnerChoice import LearnerChoice
from ..scene.SegmentExport import SegmentExport
from ..work.DicomExport import SEGMENTATION, STRUCTURE_SET, DicomExport
from ..work.Workflow import Workflow
from .ChosenFile import fileToWrite


class ExportPanel:
    """Save and export. Example::

    panel = ExportPanel(ui, workflow, background, settings.choice)
    panel.update()                       # whenever the workflow changed
    """

    def __init__(
        self, ui: SimpleNamespace, workflow: Workflow, background: Background, choose: Callable[[], LearnerChoice]
    ) -> None:
        self._ui = ui
        self._choose = choose
        self._workflow = workflow
        self._background = background
        self._menu = qt.QMenu(ui.exportButton)
        for text, action in (
            (_("Segmentation (.seg.nrrd)…"), self._toSegmentation),
            (_("Label map (.nii.gz)…"), self._toLabelMap),
            (_("Surfaces (STL)…"), self._toSurfaces),
            (_("For an archive (DICOM SEG)…"), lambda: self._toDicom(SEGMENTATION)),
            (_("For a planning system (RTSTRUCT)…"), lambda: self._toDicom(STRUCTURE_SET)),
        ):
            self._menu.addAction(text).connect("triggered()", action)
        ui.exportButton.setMenu(self._menu)
        ui.saveButton.connect("clicked()", self._onSave)

    def update(self) -> None:
        """Show what is true now."""
        self._ui.exportButton.enabled = self._workflow.session is not None

    def _onSave(self) -> None:
        slicer.util.openSaveDataDialog()

    def _toSegmentation(self) -> None:
        path = fileToWrite(_("Export segments"), _("Segmentation (*.seg.nrrd)"), ".seg.nrrd")
        self._write(path, SegmentExport.toSegmentation)

    def _toLabelMap(self) -> None:
        path = fileToWrite(_("Export segments"), _("Label map (*.nii.gz *.nrrd)"), ".nii.gz")
        self._write(path, SegmentExport.toLabelMap)

    def _toSurfaces(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(None, _("Folder for one STL file a structure"))
        self._write(folder, SegmentExport.toSurfaces)

    def _write(self, path: str, write: Callable[[SegmentExport, str], None]) -> None:
        session = self._workflow.session
        if not (path and session):
            return
        with slicer.util.tryWithErrorDisplay(_("The segments could not be exported."), waitCursor=True):
            write(SegmentExport(session.volumeNode, session.segmentationNode), path)
            self._sayWritten(path)

    def _toDicom(self, kind: str) -> None:
        path = fileToWrite(_("Export segments"), _("DICOM (*.dcm)"), ".dcm")
        session = self._workflow.session
        if not (path and session):
            return
        try:
            export = DicomExport(session.volumeNode, session.segmentationNode, self._choose().python())
        except (InputError, RuntimeError) as error:
            self._workflow.refuse(error)
            return
        self._workflow.say(_("Writing {path}…").format(path=path))
        self._background.start(
            lambda job: export.write(path, kind), lambda done: self._sayWritten(path), self._workflow.refuse
        )

    def _sayWritten(self, path: str) -> None:
        self._workflow.say(_("Exported to {path}").format(path=path))
