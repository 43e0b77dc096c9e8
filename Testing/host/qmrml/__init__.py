"""The qMRML and qSlicer widget classes that Slicer's Python offers in `slicer`: only those that have a stand-in."""

from .qMRMLNodeComboBox import qMRMLNodeComboBox
from .qMRMLSegmentationShow3DButton import qMRMLSegmentationShow3DButton
from .qMRMLSegmentEditorWidget import qMRMLSegmentEditorWidget
from .qMRMLSegmentsTableView import qMRMLSegmentsTableView
from .qMRMLSliderWidget import qMRMLSliderWidget
from .qMRMLWidget import qMRMLWidget
from .qSlicerWidget import qSlicerWidget

__all__ = [
    "qMRMLNodeComboBox",
    "qMRMLSegmentEditorWidget",
    "qMRMLSegmentationShow3DButton",
    "qMRMLSegmentsTableView",
    "qMRMLSliderWidget",
    "qMRMLWidget",
    "qSlicerWidget",
]
