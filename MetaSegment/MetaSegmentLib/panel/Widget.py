"""The panel: makes its parts, ties them together, and follows the scene. What the buttons do is in Workflow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from ..learner.Background import Background
from ..learner.Installer import Installer
from ..learner.LearnerConnection import LearnerConnection
from ..learner.UserSettings import UserSettings
from ..scene.Parameters import Parameters, connectWidgets
from ..scene.SceneNodes import sliceViewsOf
from ..scene.SegmentationOf import belongsTo, segmentationOf
from ..scene.VolumeGrid import Plane
from ..work.Autosave import Autosave
from ..work.Preparation import Preparation
from ..work.TaskKeeping import TaskKeeping
from ..work.Workflow import Workflow
from .BrushObserver import BrushObserver
from .Consent import Consent
from .ExportPanel import ExportPanel
from .LearnerPanel import LearnerPanel
from .ReviewPanel import ReviewPanel
from .SegmentPanel import SegmentPanel
from .Shortcuts import Shortcuts
from .SlicesPanel import SlicesPanel
from .SliceViewObserver import SliceViewObserver
from .TaskPanel import TaskPanel
from .VolumePanel import VolumePanel

_AUTOSAVE_MS = 60_000
_EDITOR_TAG = "MetaSegment.SegmentEditor"
#: The effects that draw and correct; the Segment Editor module has the others.
_EFFECTS = ("Paint", "Draw", "Erase", "Level tracing", "Threshold", "Scissors", "Islands", "Smoothing")


class Part(Protocol):
    """What goes with the workflow: the sections of the panel, and what happens behind them."""

    def update(self) -> None:
        """The workflow has changed."""


class Widget(VTKObservationMixin):
    """The parts of the panel and the scene that they show. Example::

    widget = Widget(ui, makeParameters=lambda: Parameters(logic.getParameterNode()))
    widget.enter(); widget.exit()
    widget.close()                       # before the panel goes away
    """

    def __init__(self, ui: SimpleNamespace, makeParameters: Callable[[], Parameters]) -> None:
        super().__init__()
        self.ui = ui
        self._makeParameters = makeParameters
        self.parameters: Any = None  # Parameters, with what the decorator adds to it
        self._guiTag: object = None
        self._volume: slicer.vtkMRMLScalarVolumeNode | None = None
        self._refused: slicer.vtkMRMLScalarVolumeNode | None = None  # chosen, but not to be worked on
        self.settings = UserSettings()
        self.background = Background()
        self.connection = LearnerConnection(self.settings.choice, background=self.background)
        consent = Consent(self.settings)
        self.workflow = Workflow(
            self.connection,
            mayUpload=consent.ask,
            onChanged=self._update,
            onJumped=self._onJumped,
            later=lambda do: qt.QTimer.singleShot(0, do),
        )
        self.tasks = TaskKeeping(
            self.workflow, self.connection, mayUpload=consent.ask, mayReplace=slicer.util.confirmOkCancelDisplay
        )
        self.watch = SliceViewObserver(slicer.mrmlScene, self._onViewsChanged)
        self.slices = SlicesPanel(ui, self.workflow, self.watch)
        self._brush = BrushObserver(self.slices.beginMending)
        self.look = ReviewPanel(ui, self.workflow)
        self.learner = LearnerPanel(
            ui, self.settings, self.connection, Installer(self.settings.choice, self.background)
        )
        self._parts: list[Part] = [
            VolumePanel(ui, self.workflow),
            self.slices,
            SegmentPanel(ui, self.workflow),
            self.look,
            TaskPanel(ui, self.workflow, self.tasks),
            ExportPanel(ui, self.workflow, self.background, self.settings.choice),
            Preparation(self.workflow, self.connection, lambda: self.settings.choice().destination()),
        ]
        self._autosave = Autosave(self.workflow, Path(slicer.app.temporaryPath) / "MetaSegment")
        self._parts.append(self._autosave)
        self.saving = qt.QTimer()
        self.saving.setInterval(_AUTOSAVE_MS)
        self.saving.connect("timeout()", self._autosave.save)
        self.saving.start()
        ui.segmentEditor.setEffectNameOrder(list(_EFFECTS))
        ui.segmentEditor.setEffectButtonStyle(qt.Qt.ToolButtonIconOnly)
        self._shortcuts = Shortcuts(
            {
                "Ctrl+Return": ui.segmentButton,
                "Ctrl+.": ui.cancelButton,
                "Ctrl+Shift+N": ui.nextSliceButton,
                "Ctrl+Shift+D": ui.doneButton,
                "Ctrl+Shift+B": ui.absentButton,
                "Ctrl+Shift+E": ui.endsButton,
                "Ctrl+Shift+K": ui.takeButton,
                "Ctrl+Shift+Return": ui.acceptButton,
                "Ctrl+Shift+Backspace": ui.discardButton,
            }
        )
        self._followScene()
        self._begin()

    def enter(self) -> None:
        """The module is shown."""
        if self.parameters is None:
            self._begin()
        self._chooseFirstVolume()
        self._onParameters()  # what was wrong with the volume may have been put right in another module
        self.watch.refresh()
        self._onViewsChanged()
        self.learner.update()
        self.ui.segmentEditor.setupViewObservations()
        self.ui.segmentEditor.installKeyboardShortcuts()
        self._shortcuts.install()
        self._brush.install()

    def exit(self) -> None:
        """Another module is shown: keys and mouse are its own; the learner goes on."""
        self._shortcuts.uninstall()
        self._brush.uninstall()
        self.ui.segmentEditor.setActiveEffectByName("")
        self.ui.segmentEditor.uninstallKeyboardShortcuts()
        self.ui.segmentEditor.removeViewObservations()

    def close(self) -> None:
        """The panel goes away: nothing of it may run or listen any more."""
        self.exit()
        self.watch.release()
        self.saving.stop()
        self._end()
        self.removeObservers()
        self._autosave.forget()
        self.connection.close()
        self.background.stop()

    # the scene

    def _followScene(self) -> None:
        scene = slicer.mrmlScene
        for event in (scene.StartCloseEvent, scene.StartImportEvent):
            self.addObserver(scene, event, self._onSceneGoes)
        for event in (scene.EndCloseEvent, scene.EndImportEvent):
            self.addObserver(scene, event, self._onSceneReplaced)
        self.addObserver(scene, scene.EndBatchProcessEvent, self._onBatchEnded)
        self.addObserver(scene, scene.NodeRemovedEvent, self._onNodeRemoved)

    def _onSceneGoes(self, caller: object, event: str) -> None:
        """An import counts too: it empties the node selectors (qMRMLSceneModel::updateScene), and would the parameters
        with them; and what they refer to is not there yet.
        """
        self._end()

    def _onSceneReplaced(self, caller: object, event: str) -> None:
        self._end()
        self._begin()

    def _onBatchEnded(self, caller: object, event: str) -> None:
        """The segment editor now takes what its own, hidden selectors show, and has missed what it was told meanwhile
        (qMRMLSegmentEditorWidget::onMRMLSceneEndBatchProcessEvent): tell it again.
        """
        self._onParameters()

    def _onEditorModified(self, caller: object, event: str) -> None:
        self.slices.updateRole()

    def _onNodeRemoved(self, caller: object, event: str) -> None:
        session = self.workflow.session
        if session and not (session.volumeNode.GetScene() and session.segmentationNode.GetScene()):
            self._onParameters()

    def _begin(self) -> None:
        """Take up the parameters that the scene holds now."""
        scene = slicer.mrmlScene
        editorNode = scene.GetSingletonNode(_EDITOR_TAG, "vtkMRMLSegmentEditorNode")
        if editorNode is None:
            editorNode = scene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            editorNode.UnRegister(None)
            editorNode.SetSingletonTag(_EDITOR_TAG)
            editorNode = scene.AddNode(editorNode)
        self.ui.segmentEditor.setMRMLSegmentEditorNode(editorNode)
        if not self.hasObserver(editorNode, vtk.vtkCommand.ModifiedEvent, self._onEditorModified):
            self.addObserver(editorNode, vtk.vtkCommand.ModifiedEvent, self._onEditorModified)
        self.parameters = self._makeParameters()
        self._guiTag = connectWidgets(self.parameters, self.ui)
        self.addObserver(self.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParameters)
        self.watch.refresh()
        self._onParameters()

    def _end(self) -> None:
        """Let go of the scene's nodes."""
        if self.parameters is None:
            return
        parameters, self.parameters = self.parameters, None
        self.removeObserver(parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParameters)
        parameters.disconnectGui(self._guiTag)
        self.tasks.setParameters(None)
        self.workflow.setParameters(None)
        self.ui.segmentEditor.setSegmentationNode(None)
        self.ui.segmentEditor.setSourceVolumeNode(None)

    def _chooseFirstVolume(self) -> None:
        if self.parameters and self.parameters.volume is None:
            self.parameters.volume = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")

    def _onParameters(self, caller: object = None, event: str = "") -> None:
        parameters = self.parameters
        if parameters is None:
            return
        if self._isKeptBack(parameters):
            return
        isOther = parameters.volume is not self._volume
        self._volume = parameters.volume
        if self._volume and self._wantsSegmentation(parameters.segmentation, isOther):
            parameters.segmentation = segmentationOf(self._volume)  # comes back here
            return
        before = self.workflow.session
        self.ui.segmentEditor.setSegmentationNode(parameters.segmentation)
        self.ui.segmentEditor.setSourceVolumeNode(parameters.volume)
        self.tasks.setParameters(parameters)
        self.workflow.setParameters(parameters)
        if self.workflow.session is not before:
            self.slices.onSession()
            self._offerAutosave()

    def _offerAutosave(self) -> None:
        """What was drawn in this volume when Slicer ended without saving it."""
        path = self._autosave.found()
        if path is None or self._volume is None:
            return
        question = _("Slices drawn in '{volume}' were not saved when Slicer ended. Take them up again?")
        if slicer.util.confirmYesNoDisplay(question.format(volume=self._volume.GetName())):
            self._autosave.restore(path)
        else:
            self._autosave.dismiss(path)

    def _isKeptBack(self, parameters: Parameters) -> bool:
        """Whether the user keeps the volume of a result that was neither accepted nor discarded."""
        session = self.workflow.session
        if session is None or not self.workflow.isPreviewing or parameters.volume in (None, session.volumeNode):
            return False
        if parameters.volume is self._refused:
            return True
        question = _("The result for '{volume}' has not been accepted. Leave it, and lose it?")
        if slicer.util.confirmOkCancelDisplay(question.format(volume=session.volumeNode.GetName())):
            self.workflow.discard()
            return False
        self._refused = parameters.volume
        qt.QTimer.singleShot(0, self._takeBackVolume)  # the selector is still telling of its choice
        return True

    def _takeBackVolume(self) -> None:
        self._refused = None
        if self.parameters and self.workflow.session:
            self.parameters.volume = self.workflow.session.volumeNode

    def _wantsSegmentation(self, chosen: slicer.vtkMRMLSegmentationNode | None, isOtherVolume: bool) -> bool:
        """Whether a segmentation has to be found: the user may choose any, but not by choosing a volume."""
        return chosen is None or (isOtherVolume and not belongsTo(chosen, self._volume))

    # changes

    def _update(self) -> None:
        for part in self._parts:
            part.update()

    def _onViewsChanged(self) -> None:
        self._brush.install()  # another layout may have further views
        self.slices.onViewsChanged()

    def _onJumped(self, plane: Plane) -> None:
        """The user works in the view that shows what was jumped to."""
        session = self.workflow.session
        if session is None:
            return
        for view in sliceViewsOf(slicer.mrmlScene):
            if session.views.shownPlanes(view)[:1] == [plane]:
                self.watch.setView(view)
                return
