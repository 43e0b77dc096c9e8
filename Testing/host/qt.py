"""The module `qt` of Slicer's Python: every class of QtCore, QtGui, QtWidgets and QtNetwork under one roof.

Names that only Qt 5 or only PySide6 has are not invented: they raise as an unknown attribute does.
"""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtNetwork, QtWidgets

from . import pythonqt
from .uiloader import UiLoader

pythonqt.install()
for _module in (QtCore, QtGui, QtWidgets, QtNetwork):
    globals().update({name: getattr(_module, name) for name in dir(_module) if name.startswith("Q")})
QUiLoader = UiLoader
