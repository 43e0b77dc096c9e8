"""Slicer's light and dark looks: the Fusion style with a palette. Follows Base/QTGUI/qSlicerStyle.cxx in spirit, not in
every shade.
"""

from __future__ import annotations

from . import qt

_DARK = {
    "Window": "#353535",
    "WindowText": "#e8e8e8",
    "Base": "#232323",
    "AlternateBase": "#2d2d2d",
    "Text": "#e8e8e8",
    "Button": "#404040",
    "ButtonText": "#e8e8e8",
    "BrightText": "#ff5555",
    "ToolTipBase": "#404040",
    "ToolTipText": "#e8e8e8",
    "Highlight": "#3a6ea5",
    "HighlightedText": "#ffffff",
    "PlaceholderText": "#9a9a9a",
    "Link": "#6ab0f3",
}
_DISABLED = ("WindowText", "Text", "ButtonText")


def use(dark: bool) -> None:
    """Gives the whole application the dark look, or the light one."""
    application = qt.QApplication.instance()
    application.setStyle("Fusion")
    palette = application.style().standardPalette()
    for role, colour in _DARK.items() if dark else ():
        palette.setColor(getattr(qt.QPalette, role), qt.QColor(colour))
        if role in _DISABLED:
            palette.setColor(qt.QPalette.Disabled, getattr(qt.QPalette, role), qt.QColor("#808080"))
    application.setPalette(palette)
