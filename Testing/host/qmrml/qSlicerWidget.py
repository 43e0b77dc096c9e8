"""Stand-in for the root widget of Slicer's .ui files."""

from __future__ import annotations

from ..standin import follows
from .qMRMLWidget import qMRMLWidget


@follows("Slicer/Base/QTGUI/qSlicerWidget.h")
class qSlicerWidget(qMRMLWidget):
    """A widget with a scene; the real one also has slots for scene events."""
