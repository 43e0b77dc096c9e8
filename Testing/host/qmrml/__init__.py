"""The qMRML and qSlicer widget classes that Slicer's Python offers in `slicer`: those with a stand-in or named only."""

from ..named import named
from .qMRMLNodeComboBox import qMRMLNodeComboBox
from .qMRMLSegmentationShow3DButton import qMRMLSegmentationShow3DButton
from .qMRMLSegmentEditorWidget import qMRMLSegmentEditorWidget
from .qMRMLSegmentsTableView import qMRMLSegmentsTableView
from .qMRMLSliderWidget import qMRMLSliderWidget
from .qMRMLWidget import qMRMLWidget
from .qSlicerWidget import qSlicerWidget

qMRMLRangeWidget = named("Slicer/Libs/MRML/Widgets/qMRMLRangeWidget.h")
qMRMLSpinBox = named("Slicer/Libs/MRML/Widgets/qMRMLSpinBox.h")

__all__ = [
    "qMRMLNodeComboBox",
    "qMRMLRangeWidget",
    "qMRMLSegmentEditorWidget",
    "qMRMLSegmentationShow3DButton",
    "qMRMLSegmentsTableView",
    "qMRMLSliderWidget",
    "qMRMLSpinBox",
    "qMRMLWidget",
    "qSlicerWidget",
]
