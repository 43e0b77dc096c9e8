"""Stand-in for Slicer's slider with units."""

from __future__ import annotations

from typing import Any

from ..ctk import ctkSliderWidget
from ..standin import follows, held


@follows("Slicer/Libs/MRML/Widgets/qMRMLSliderWidget.h")
class qMRMLSliderWidget(ctkSliderWidget):
    """A ctkSliderWidget that knows a scene; units are not applied here."""

    quantity, setQuantity = held("quantity", "")

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._scene: Any = None

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
