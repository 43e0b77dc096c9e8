"""A small scripted module, written as an extension's author writes one, that the host's tests drive end to end."""

from __future__ import annotations

from pathlib import Path

_UI = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0">
 <class>Sample</class>
 <widget class="qMRMLWidget" name="Sample">
  <layout class="QVBoxLayout" name="column">
   <item>
    <widget class="ctkCollapsibleButton" name="inputs">
     <property name="text"><string>Inputs</string></property>
     <layout class="QFormLayout" name="form">
      <item row="0" column="1">
       <widget class="qMRMLNodeComboBox" name="volumeSelector">
        <property name="nodeTypes"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
        <property name="noneEnabled"><bool>true</bool></property>
        <property name="SlicerParameterName" stdset="0"><string>volume</string></property>
       </widget>
      </item>
      <item row="1" column="1">
       <widget class="ctkSliderWidget" name="opacitySlider">
        <property name="singleStep"><double>0.05</double></property>
        <property name="SlicerParameterName" stdset="0"><string>opacity</string></property>
       </widget>
      </item>
     </layout>
    </widget>
   </item>
   <item><widget class="qMRMLSegmentEditorWidget" name="editor"/></item>
   <item>
    <widget class="QCheckBox" name="automaticBox">
     <property name="text"><string>Automatic</string></property>
     <property name="SlicerParameterName" stdset="0"><string>automatic</string></property>
    </widget>
   </item>
   <item>
    <widget class="QPushButton" name="applyButton"><property name="text"><string>Apply</string></property></widget>
   </item>
  </layout>
 </widget>
 <connections>
  <connection>
   <sender>Sample</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
   <receiver>volumeSelector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot>
  </connection>
  <connection>
   <sender>Sample</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
   <receiver>editor</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot>
  </connection>
  <connection>
   <sender>automaticBox</sender><signal>toggled(bool)</signal>
   <receiver>applyButton</receiver><slot>setDisabled(bool)</slot>
  </connection>
 </connections>
</ui>
"""

_MODULE = """
from typing import Annotated

import qt
import slicer
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin


class Sample(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Sample")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.startups = 0
        slicer.app.connect("startupCompleted()", self.onStartup)

    def onStartup(self):
        self.startups += 1


@parameterNodeWrapper
class SampleParameterNode:
    volume: vtkMRMLScalarVolumeNode
    opacity: Annotated[float, WithinRange(0, 1)] = 0.5
    automatic: bool = False


class SampleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.log = []
        self._parameterNode = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/Sample.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = SampleLogic()
        self.ui.editor.setMRMLSegmentEditorNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.setParameterNode(self.logic.getParameterNode())
        self.log.append("setup")

    def cleanup(self):
        self.removeObservers()
        self.log.append("cleanup")

    def enter(self):
        self.log.append("enter")

    def exit(self):
        self.log.append("exit")

    def onSceneStartClose(self, caller, event):
        self.setParameterNode(None)
        self.log.append("close")

    def setParameterNode(self, parameterNode):
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._tag)
        self._parameterNode = parameterNode
        if parameterNode:
            self._tag = parameterNode.connectGui(self.ui)

    def onApply(self):
        with slicer.util.tryWithErrorDisplay(_("Failed to apply."), waitCursor=True):
            if self._parameterNode.volume is None:
                raise ValueError("no volume")
            if slicer.util.confirmOkCancelDisplay(_("Really?")):
                qt.QTimer.singleShot(10, lambda: self.log.append("applied"))


class SampleLogic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return SampleParameterNode(super().getParameterNode())
"""


def write_sample(folder: Path) -> Path:
    """Writes Sample.py and its .ui file, as they lie in an extension; returns the path of Sample.py."""
    (folder / "Resources" / "UI").mkdir(parents=True)
    (folder / "Resources" / "UI" / "Sample.ui").write_text(_UI)
    path = folder / "Sample.py"
    path.write_text(_MODULE)
    return path
