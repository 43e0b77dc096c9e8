"""Stand-in for Slicer's segment editor, wired to real nodes and the real vtkSlicerSegmentEditorLogic; no effects.

Segments can be added, removed, selected, shown in 3D, undone and redone. Painting is not here: tests write strokes
through MRML. An effect's button sets the active effect's name in the parameter node and does nothing more.
"""

from __future__ import annotations

from typing import Any

import slicer
from PySide6 import QtCore

from .. import qt
from ..observers import Observers
from ..standin import follows, forwarded, held
from .effect_buttons import EFFECTS, EffectButtons
from .qMRMLNodeComboBox import qMRMLNodeComboBox
from .qMRMLSegmentationShow3DButton import qMRMLSegmentationShow3DButton
from .qMRMLSegmentsTableView import qMRMLSegmentsTableView
from .qMRMLWidget import qMRMLWidget


@follows("Slicer/Modules/Loadable/Segmentations/Widgets/qMRMLSegmentEditorWidget.h")
class qMRMLSegmentEditorWidget(qMRMLWidget):
    """Set the parameter node first, then the scene, then segmentation and source volume, as with the real one."""

    currentSegmentIDChanged = QtCore.Signal(str)
    sourceVolumeNodeChanged = QtCore.Signal(object)
    masterVolumeNodeChanged = QtCore.Signal(object)
    segmentationNodeChanged = QtCore.Signal(object)
    _signals = {
        "currentSegmentIDChanged(QString)": "currentSegmentIDChanged",
        "sourceVolumeNodeChanged(vtkMRMLVolumeNode*)": "sourceVolumeNodeChanged",
        "masterVolumeNodeChanged(vtkMRMLVolumeNode*)": "masterVolumeNodeChanged",
        "segmentationNodeChanged(vtkMRMLSegmentationNode*)": "segmentationNodeChanged",
    }
    segmentationNodeSelectorVisible, setSegmentationNodeSelectorVisible = held(
        "segmentationNodeSelectorVisible", True, "_rows"
    )
    sourceVolumeNodeSelectorVisible, setSourceVolumeNodeSelectorVisible = held(
        "sourceVolumeNodeSelectorVisible", True, "_rows"
    )
    switchToSegmentationsButtonVisible, setSwitchToSegmentationsButtonVisible = held(
        "switchToSegmentationsButtonVisible", True
    )
    autoShowSourceVolumeNode, setAutoShowSourceVolumeNode = held("autoShowSourceVolumeNode", True)
    undoEnabled, setUndoEnabled = held("undoEnabled", True, "_rows")
    maximumNumberOfUndoStates, setMaximumNumberOfUndoStates = held("maximumNumberOfUndoStates", 5, "_undo_states")
    readOnly, setReadOnly = held("readOnly", False, "_rows")
    effectColumnCount, setEffectColumnCount = held("effectColumnCount", 2, "updateEffectList")
    unorderedEffectsVisible, _setUnorderedEffectsVisible = held("unorderedEffectsVisible", True, "updateEffectList")
    defaultTerminologyEntry, _setDefaultTerminologyEntry = held("defaultTerminologyEntry", "")
    defaultTerminologyEntrySettingsKey, _setDefaultTerminologyKey = held(
        "defaultTerminologyEntrySettingsKey", "Segmentations/DefaultTerminologyEntry"
    )
    jumpToSelectedSegmentEnabled = forwarded("_table", "jumpToSelectedSegmentEnabled", bool)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._parameters: Any = None
        self._logic: Any = None
        self._order: list[str] = []
        self._effect_style = qt.Qt.ToolButtonTextBesideIcon
        self._updating = False
        self._observed: tuple[Any, Any] = (None, None)
        self._scene_events, self._parameter_events, self._segment_events = (Observers(self) for _ in range(3))
        self._build()
        self.updateEffectList()

    def _build(self) -> None:
        self._segmentations, self._volumes = qMRMLNodeComboBox(), qMRMLNodeComboBox()
        self._segmentations.nodeTypes = ["vtkMRMLSegmentationNode"]
        self._volumes.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        self._volumes.hideChildNodeTypes = ["vtkMRMLLabelMapVolumeNode"]
        self._volumes.noneEnabled = True
        self._volumes.addEnabled = self._volumes.removeEnabled = False
        self._form = qt.QFormLayout()
        self._form.addRow("Segmentation:", self._segmentations)
        self._form.addRow("Source volume:", self._volumes)
        self._add, self._remove = qt.QPushButton("Add"), qt.QPushButton("Remove")
        self._show3d = qMRMLSegmentationShow3DButton()
        self._undo, self._redo = qt.QPushButton("Undo"), qt.QPushButton("Redo")
        self._table = qMRMLSegmentsTableView()
        self._effects = EffectButtons(self.setActiveEffectByName)
        buttons, history = qt.QHBoxLayout(), qt.QHBoxLayout()
        for button in (self._add, self._remove, self._show3d):
            buttons.addWidget(button)
        for button in (self._undo, self._redo):
            history.addWidget(button)
        column = qt.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for layout in (self._form, buttons):
            column.addLayout(layout)
        column.addWidget(self._table, 1)
        column.addWidget(self._effects)
        column.addLayout(history)
        self._segmentations.currentNodeChanged.connect(self._segmentation_chosen)
        self._volumes.currentNodeChanged.connect(self._volume_chosen)
        self._table.selectionChanged.connect(self._row_selected)
        self._add.clicked.connect(self._add_segment)
        self._remove.clicked.connect(self._remove_segment)
        self._undo.clicked.connect(self.undo)
        self._redo.clicked.connect(self.redo)

    # nodes

    def setMRMLScene(self, scene: Any) -> None:
        super().setMRMLScene(scene)
        self._updating = True  # what the selectors choose by themselves now does not count
        self._segmentations.setMRMLScene(scene)
        self._volumes.setMRMLScene(scene)
        self._updating = False
        self._scene_events.clear()
        self._scene_events.add(scene, slicer.vtkMRMLScene.EndBatchProcessEvent, self._batch_ended)
        self.updateWidgetFromMRML()

    def _batch_ended(self) -> None:
        """onMRMLSceneEndBatchProcessEvent of the .cxx: the selectors win over the parameter node."""
        if self._parameters:
            self.setSegmentationNode(self._segmentations.currentNode())
            self.setSourceVolumeNode(self._volumes.currentNode())
        self.updateWidgetFromMRML()

    def mrmlSegmentEditorNode(self) -> Any:
        return self._parameters

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        self._parameter_events.clear()
        self._parameters = node
        self._logic = None
        if node:
            self._logic = slicer.vtkSlicerSegmentEditorLogic()
            self._logic.SetMRMLScene(node.GetScene())
            self._logic.SetSegmentEditorNode(node)
            self._logic.SetSegmentationHistory(slicer.vtkSegmentationHistory())
            self._undo_states()
            self._parameter_events.add(node, "ModifiedEvent", self.updateWidgetFromMRML)
            self._parameter_events.add(
                self._logic, slicer.vtkSlicerSegmentEditorLogic.SegmentationHistoryChangedEvent, self._rows
            )
        self.updateWidgetFromMRML()

    def segmentationNode(self) -> Any:
        return self._segmentations.currentNode()

    def _edited(self) -> Any:
        return self._parameters.GetSegmentationNode() if self._parameters else None

    def segmentationNodeID(self) -> str:
        return self.segmentationNode().GetID() if self.segmentationNode() else ""

    def sourceVolumeNode(self) -> Any:
        return self._parameters.GetSourceVolumeNode() if self._parameters else None

    def sourceVolumeNodeID(self) -> str:
        return self.sourceVolumeNode().GetID() if self.sourceVolumeNode() else ""

    def currentSegmentID(self) -> str:
        return (self._parameters.GetSelectedSegmentID() or "") if self._parameters else ""

    def setSegmentationNode(self, node: Any) -> None:
        if self._parameters and not self._updating and node is not self._edited():
            self._logic.SetSegmentationNode(node)
            if node and node.GetDisplayNode() is None:
                node.CreateDefaultDisplayNodes()
            if node and not self.currentSegmentID() and node.GetSegmentation().GetNumberOfSegments():
                self.setCurrentSegmentID(node.GetSegmentation().GetNthSegmentID(0))

    def _segmentation_chosen(self, node: Any) -> None:
        if not self.mrmlScene().IsBatchProcessing():
            self.setSegmentationNode(node)

    def _volume_chosen(self, node: Any) -> None:
        if not self.mrmlScene().IsBatchProcessing():
            self.setSourceVolumeNode(node)

    def setSegmentationNodeID(self, nodeID: str) -> None:
        self.setSegmentationNode(self.mrmlScene().GetNodeByID(nodeID))

    def setSourceVolumeNode(self, node: Any) -> None:
        if self._parameters and not self._updating and node is not self.sourceVolumeNode():
            self._logic.SetSourceVolumeNode(node)
            segmentation = self._edited()
            if node and segmentation and not segmentation.GetNodeReference("referenceImageGeometryRef"):
                segmentation.SetReferenceImageGeometryParameterFromVolumeNode(node)
            if node and self.autoShowSourceVolumeNode:
                self.showSourceVolumeInSliceViewers(True, False)

    def setSourceVolumeNodeID(self, nodeID: str) -> None:
        self.setSourceVolumeNode(self.mrmlScene().GetNodeByID(nodeID))

    def setCurrentSegmentID(self, segmentID: str) -> None:
        if self._parameters:
            self._parameters.SetSelectedSegmentID(segmentID)

    def showSourceVolumeInSliceViewers(self, forceShowInBackground: bool = False, fitSlice: bool = False) -> None:
        volume = self.sourceVolumeNode()
        if volume:
            slicer.util.setSliceViewerLayers(background=volume, foreground=None, label=None, fit=fitSlice)

    def rotateSliceViewsToSegmentation(self) -> None:
        reference = self.sourceVolumeNode()
        for name in slicer.app.layoutManager().sliceViewNames() if reference else ():
            slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode().RotateToVolumePlane(reference)

    # effects, which are not here

    def activeEffect(self) -> None:
        return None

    def availableEffectNames(self) -> tuple[str, ...]:
        return EFFECTS[1:]

    def effectByName(self, name: str) -> Any:
        raise NotImplementedError("segment editor effects are not in the test host; write strokes through MRML")

    def setActiveEffectByName(self, effectName: str) -> None:
        if self._parameters:
            self._parameters.SetActiveEffectName(effectName if effectName in EFFECTS[1:] else "")

    def setEffectNameOrder(self, effectNames: list[str]) -> None:
        self._order = list(effectNames)
        self.updateEffectList()

    def effectNameOrder(self) -> tuple[str, ...]:
        return tuple(self._order)

    def setEffectButtonStyle(self, style: Any) -> None:
        self._effect_style = style
        self.updateEffectList()

    def updateEffectList(self) -> None:
        rest = [name for name in EFFECTS if name not in self._order] if self.unorderedEffectsVisible else []
        self._effects.fill([*self._order, *rest], self.effectColumnCount, self._effect_style)

    def setupViewObservations(self) -> None:
        pass  # only effects listen to the views

    def removeViewObservations(self) -> None:
        pass

    def installKeyboardShortcuts(self, parent: Any = None) -> None:
        pass  # they only select effects and segments

    def uninstallKeyboardShortcuts(self) -> None:
        pass

    # undo

    def saveStateForUndo(self) -> None:
        if self._logic and self.undoEnabled:
            self._logic.SaveStateForUndo()

    def undo(self) -> None:
        self._logic.Undo()

    def redo(self) -> None:
        self._logic.Redo()

    def _undo_states(self) -> None:
        if self._logic:
            self._logic.SetMaximumNumberOfUndoStates(self.maximumNumberOfUndoStates)

    def updateWidgetFromMRML(self) -> None:
        scene = self.mrmlScene()
        if not scene or scene.IsClosing() or scene.IsBatchProcessing():
            return
        segmentation, volume = self._edited(), self.sourceVolumeNode()
        self._updating = True
        self._segmentations.setCurrentNode(segmentation)
        self._volumes.setCurrentNode(volume)
        self._table.setSegmentationNode(segmentation)
        self._show3d.setSegmentationNode(segmentation)
        chosen = self.currentSegmentID()
        if list(self._table.selectedSegmentIDs()) != [chosen]:
            self._table.setSelectedSegmentIDs([chosen] if chosen else [])
        self._updating = False
        self._effects.mark((self._parameters.GetActiveEffectName() or "") if self._parameters else "")
        self._rows()
        self._announce((segmentation, volume))

    def _announce(self, now: tuple[Any, Any]) -> None:
        before, self._observed = self._observed, now
        if now[0] is not before[0]:
            self._watch_segments(now[0])
            self.segmentationNodeChanged.emit(now[0])
        if now[1] is not before[1]:
            self.sourceVolumeNodeChanged.emit(now[1])
            self.masterVolumeNodeChanged.emit(now[1])

    def _watch_segments(self, segmentation: Any) -> None:
        self._segment_events.clear()
        if segmentation:
            for event in (slicer.vtkSegmentation.SegmentAdded, slicer.vtkSegmentation.SegmentRemoved):
                self._segment_events.add(segmentation, event, self._segments_changed)

    def _segments_changed(self) -> None:
        segmentation = self._edited()
        known = segmentation.GetSegmentation().GetSegmentIDs() if segmentation else ()
        if self.currentSegmentID() not in known:
            self.setCurrentSegmentID(known[0] if known else "")
        self.updateWidgetFromMRML()

    def _rows(self) -> None:
        self._form.setRowVisible(self._segmentations, self.segmentationNodeSelectorVisible)
        self._form.setRowVisible(self._volumes, self.sourceVolumeNodeSelectorVisible)
        editable = not self.readOnly and self._edited() is not None
        self._add.setEnabled(editable and self.sourceVolumeNode() is not None)
        self._remove.setEnabled(editable and bool(self.currentSegmentID()))
        self._undo.setEnabled(bool(self._logic and self._logic.CanUndo()))
        self._redo.setEnabled(bool(self._logic and self._logic.CanRedo()))
        for button in (self._undo, self._redo):
            button.setVisible(self.undoEnabled)

    def _row_selected(self) -> None:
        """onSegmentSelectionChanged of the .cxx: the signal is for choices in the table alone, not for what the
        parameter node is told (setCurrentSegmentID, the Add button, undo).
        """
        chosen = self._table.selectedSegmentIDs()
        if not self._updating and chosen and chosen[0] != self.currentSegmentID():
            self.setCurrentSegmentID(chosen[0])
            self.currentSegmentIDChanged.emit(chosen[0])

    def _add_segment(self) -> None:
        self.setCurrentSegmentID(self._logic.AddEmptySegment(""))

    def _remove_segment(self) -> None:
        self._logic.RemoveSelectedSegment()
