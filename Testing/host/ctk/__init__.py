"""The module `ctk` of Slicer's Python: only the widgets that have a stand-in; any other name raises."""

from .ctkCollapsibleButton import ctkCollapsibleButton
from .ctkCollapsibleGroupBox import ctkCollapsibleGroupBox
from .ctkComboBox import ctkComboBox
from .ctkDirectoryButton import ctkDirectoryButton
from .ctkDoubleSpinBox import ctkDoubleSpinBox
from .ctkMessageBox import ctkMessageBox
from .ctkPathLineEdit import ctkPathLineEdit
from .ctkRangeWidget import ctkRangeWidget
from .ctkSliderWidget import ctkSliderWidget

__all__ = [
    "ctkCollapsibleButton",
    "ctkCollapsibleGroupBox",
    "ctkComboBox",
    "ctkDirectoryButton",
    "ctkDoubleSpinBox",
    "ctkMessageBox",
    "ctkPathLineEdit",
    "ctkRangeWidget",
    "ctkSliderWidget",
]
