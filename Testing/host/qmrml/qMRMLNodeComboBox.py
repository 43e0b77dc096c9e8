"""Stand-in for Slicer's node selector, wired to the real scene."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6 import QtCore

from .. import qt
from ..observers import Observers
from ..standin import follows, forwarded, held

_NODE_EVENTS = ("NodeAddedEvent", "NodeRemovedEvent")
_SCENE_EVENTS = ("EndCloseEvent", "EndImportEvent")


@follows("Slicer/Libs/MRML/Widgets/qMRMLNodeComboBox.h")
class qMRMLNodeComboBox(qt.QWidget):
    """Lists the scene's nodes of some types, None, and the actions create, rename and delete."""

    currentNodeChanged = QtCore.Signal(object)
    currentNodeIDChanged = QtCore.Signal(str)
    currentNodeRenamed = QtCore.Signal(str)
    nodeActivated = QtCore.Signal(object)
    nodeAdded = QtCore.Signal(object)
    nodeAddedByUser = QtCore.Signal(object)
    nodeAddedByUserAction = QtCore.Signal(object)
    nodeAboutToBeRemoved = QtCore.Signal(object)
    nodeAboutToBeEdited = QtCore.Signal(object)
    _validity = QtCore.Signal(bool)
    _signals = {
        "currentNodeChanged(vtkMRMLNode*)": "currentNodeChanged",
        "currentNodeChanged(bool)": "_validity",
        "currentNodeIDChanged(QString)": "currentNodeIDChanged",
        "currentNodeRenamed(QString)": "currentNodeRenamed",
        "nodeActivated(vtkMRMLNode*)": "nodeActivated",
        "nodeAdded(vtkMRMLNode*)": "nodeAdded",
        "nodeAddedByUser(vtkMRMLNode*)": "nodeAddedByUser",
        "nodeAddedByUserAction(vtkMRMLNode*)": "nodeAddedByUserAction",
        "nodeAboutToBeRemoved(vtkMRMLNode*)": "nodeAboutToBeRemoved",
        "nodeAboutToBeEdited(vtkMRMLNode*)": "nodeAboutToBeEdited",
    }
    nodeTypes, _setNodeTypes = held("nodeTypes", [], "_update")
    hideChildNodeTypes, _setHideChildNodeTypes = held("hideChildNodeTypes", [], "_update")
    showHidden, _setShowHidden = held("showHidden", False, "_update")
    showChildNodeTypes, _setShowChildNodeTypes = held("showChildNodeTypes", True, "_update")
    baseName, _setBaseName = held("baseName", "")
    noneEnabled, _setNoneEnabled = held("noneEnabled", False, "_update")
    noneDisplay, _setNoneDisplay = held("noneDisplay", "None", "_update")
    addEnabled, _setAddEnabled = held("addEnabled", True, "_update")
    removeEnabled, _setRemoveEnabled = held("removeEnabled", True, "_update")
    editEnabled, _setEditEnabled = held("editEnabled", False, "_update")
    renameEnabled, _setRenameEnabled = held("renameEnabled", False, "_update")
    selectNodeUponCreation, _setSelectNodeUponCreation = held("selectNodeUponCreation", True)
    interactionNodeSingletonTag, _setInteractionTag = held("interactionNodeSingletonTag", "Singleton")
    sizeAdjustPolicy = forwarded("_combo", "sizeAdjustPolicy", int)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._current = ""
        self._listed: list[str] = []
        self._attributes: list[tuple[str, str, str | None]] = []
        self._labels: dict[str, str] = {}
        self._actions: list[Any] = []
        self._scene_events, self._node_events = Observers(self), Observers(self)
        self._combo = qt.QComboBox()
        self._combo.setSizeAdjustPolicy(qt.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        self._combo.setMinimumContentsLength(12)
        row = qt.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._combo)
        self._combo.activated.connect(self._activated)
        self.setEnabled(False)

    # scene and filter

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        self._scene_events.clear()
        self._scene = scene
        for events, method in ((_NODE_EVENTS, self._scene_changed), (_SCENE_EVENTS, self._scene_replaced)):
            for event in events if scene else ():
                self._scene_events.add(scene, getattr(slicer.vtkMRMLScene, event), method)
        self._scene_events.add(scene, slicer.vtkMRMLScene.EndBatchProcessEvent, self._show)
        self._scene_events.add(scene, slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, self._node_leaves, True)
        self.setEnabled(scene is not None)
        self._update()

    def addAttribute(self, nodeType: str, attributeName: str, attributeValue: Any = None) -> None:
        self._attributes.append((nodeType, attributeName, None if attributeValue is None else str(attributeValue)))
        self._update()

    def removeAttribute(self, nodeType: str, attributeName: str) -> None:
        self._attributes = [each for each in self._attributes if each[:2] != (nodeType, attributeName)]
        self._update()

    def setNodeTypeLabel(self, label: str, nodeType: str) -> None:
        self._labels[nodeType] = label
        self._update()

    def nodeTypeLabel(self, nodeType: str) -> str:
        return self._labels.get(nodeType) or slicer.mrmlScene.GetTagByClassName(nodeType)

    def addMenuAction(self, action: Any) -> None:
        self._actions.append(action)
        self._update()

    # current node

    def nodeCount(self) -> int:
        return len(self._listed)

    def nodeFromIndex(self, index: int) -> Any:
        return self._scene.GetNodeByID(self._listed[index]) if 0 <= index < len(self._listed) else None

    def currentNode(self) -> Any:
        return self._scene.GetNodeByID(self._current) if self._scene and self._current else None

    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentNodeID(node if isinstance(node, str) else node.GetID() if node else "")

    def setCurrentNodeID(self, nodeID: str | None) -> None:
        self._select(nodeID if nodeID in self._listed else "")

    def setCurrentNodeIndex(self, index: int) -> None:
        self.setCurrentNode(self.nodeFromIndex(index))

    currentNodeID = QtCore.Property(
        "QString", lambda self: self._current, lambda self, value: self.setCurrentNodeID(value)
    )

    # actions

    def addNode(self, nodeType: str = "") -> Any:
        kind = nodeType or (self.nodeTypes[0] if self.nodeTypes else "")
        if not self._scene or kind not in self.nodeTypes:
            return None
        base = self.baseName or self._scene.GetTagByClassName(kind)
        node = self._scene.CreateNodeByClass(kind)
        node.UnRegister(None)
        node.SetName(self._scene.GetUniqueNameByString(base))
        for of_type, name, value in self._attributes:
            if of_type == kind and value is not None:
                node.SetAttribute(name, value)
        self._scene.AddNode(node)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUserAction.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        if self.currentNode():
            self._scene.RemoveNode(self.currentNode())

    def renameCurrentNode(self) -> None:
        node = self.currentNode()
        if node:
            name = qt.QInputDialog.getText(self, "Rename", "New name:", qt.QLineEdit.Normal, node.GetName())
            if name:
                node.SetName(name)
                self.currentNodeRenamed.emit(name)

    def editCurrentNode(self) -> None:
        if self.currentNode():
            self.nodeAboutToBeEdited.emit(self.currentNode())

    # machinery

    def _accepts(self, node: Any) -> bool:
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        for kind in self.nodeTypes:
            fits = node.IsA(kind) if self.showChildNodeTypes else node.GetClassName() == kind
            if fits and not any(node.IsA(hidden) for hidden in self.hideChildNodeTypes):
                return all(self._has(node, *each[1:]) for each in self._attributes if each[0] == kind)
        return False

    @staticmethod
    def _has(node: Any, name: str, value: str | None) -> bool:
        found = node.GetAttribute(name)
        return found is not None and (value is None or found == value)

    def _scene_changed(self) -> None:
        """Libs/MRML/Widgets/qMRMLSceneModel.cxx, onMRMLSceneNodeAdded and onMRMLSceneNodeRemoved."""
        if not self._scene.IsImporting() and not self._scene.IsClosing():
            self._refill()

    def _scene_replaced(self) -> None:
        """The same file, updateScene: all nodes are taken out and put in again, so that none is selected any more."""
        self._select("")
        self._refill(choose_first=False)

    def _refill(self, choose_first: bool = True) -> None:
        before = set(self._listed)
        self._update(choose_first=choose_first)
        for added in [each for each in self._listed if each not in before]:
            self.nodeAdded.emit(self._scene.GetNodeByID(added))

    def _node_leaves(self, node: Any) -> None:
        if node is not None and node.GetID() in self._listed:
            self.nodeAboutToBeRemoved.emit(node)
            if not self._scene.IsClosing():
                self._update(without=node.GetID())

    def _update(self, *_: Any, without: str = "", choose_first: bool = True) -> None:
        nodes = []
        if self._scene:
            every = [self._scene.GetNthNode(index) for index in range(self._scene.GetNumberOfNodes())]
            nodes = [node for node in every if node.GetID() != without and self._accepts(node)]
        self._listed = [node.GetID() for node in nodes]
        self._node_events.clear()
        for node in nodes:
            self._node_events.add(node, "ModifiedEvent", self._show)
        current = self._current if self._current in self._listed else ""
        if not current and not self.noneEnabled and self._listed and choose_first:
            current = self._listed[0]
        self._show()
        self._select(current)

    def _show(self, *_: Any) -> None:
        if self._scene.IsBatchProcessing() if self._scene else False:
            return
        entries = [(self.noneDisplay, "")] if self.noneEnabled else []
        entries += [(self._scene.GetNodeByID(each).GetName() or "", each) for each in self._listed]
        self._combo.clear()
        for text, node_id in entries:
            self._combo.addItem(text, node_id)
        for text, action in self._menu():
            self._combo.addItem(text, action)
        self._mark()

    def _menu(self) -> list[tuple[str, Any]]:
        menu: list[tuple[str, Any]] = []
        if self.renameEnabled:
            menu.append(("Rename current node", self.renameCurrentNode))
        if self.addEnabled:
            menu += [
                (f"Create new {self.nodeTypeLabel(kind)}", lambda kind=kind: self.addNode(kind))
                for kind in self.nodeTypes
            ]
        if self.removeEnabled:
            menu.append(("Delete current node", self.removeCurrentNode))
        if self.editEnabled:
            menu.append(("Edit current node", self.editCurrentNode))
        return menu + [(action.text, action.trigger) for action in self._actions]

    def _mark(self) -> None:
        data = [self._combo.itemData(index) for index in range(self._combo.count)]
        self._combo.setCurrentIndex(data.index(self._current) if self._current in data else -1)

    def _select(self, node_id: str) -> None:
        changed = node_id != self._current
        self._current = node_id
        self._mark()
        if changed:
            self.currentNodeChanged.emit(self.currentNode())
            self._validity.emit(bool(node_id))
            self.currentNodeIDChanged.emit(node_id)

    def _activated(self, index: int) -> None:
        chosen = self._combo.itemData(index)
        if callable(chosen):
            self._mark()
            chosen()
        else:
            self._select(chosen)
            self.nodeActivated.emit(self.currentNode())
