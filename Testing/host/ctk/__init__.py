"""The module `ctk` of Slicer's Python: the widgets that have a stand-in or are named only; any other name raises."""

from ..named import named
from .ctkCollapsibleButton import ctkCollapsibleButton
from .ctkCollapsibleGroupBox import ctkCollapsibleGroupBox
from .ctkComboBox import ctkComboBox
from .ctkDirectoryButton import ctkDirectoryButton
from .ctkDoubleSpinBox import ctkDoubleSpinBox
from .ctkMessageBox import ctkMessageBox
from .ctkPathLineEdit import ctkPathLineEdit
from .ctkRangeWidget import ctkRangeWidget
from .ctkSliderWidget import ctkSliderWidget

ctkCheckablePushButton = named("CTK/Libs/Widgets/ctkCheckablePushButton.h")
ctkCheckBox = named("CTK/Libs/Widgets/ctkCheckBox.h")
ctkColorPickerButton = named("CTK/Libs/Widgets/ctkColorPickerButton.h")
ctkDoubleRangeSlider = named("CTK/Libs/Widgets/ctkDoubleRangeSlider.h")
ctkDoubleSlider = named("CTK/Libs/Widgets/ctkDoubleSlider.h")

__all__ = [
    "ctkCheckBox",
    "ctkCheckablePushButton",
    "ctkCollapsibleButton",
    "ctkCollapsibleGroupBox",
    "ctkColorPickerButton",
    "ctkComboBox",
    "ctkDirectoryButton",
    "ctkDoubleRangeSlider",
    "ctkDoubleSlider",
    "ctkDoubleSpinBox",
    "ctkMessageBox",
    "ctkPathLineEdit",
    "ctkRangeWidget",
    "ctkSliderWidget",
]
