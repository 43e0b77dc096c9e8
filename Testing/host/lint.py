"""Finds what PySide6 accepts in a module's source and Slicer's PythonQt with Qt 5 does not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from enum import EnumMeta

from . import qt

_METHODS = {  # called as methods in PySide6 only
    "exec": "PythonQt knows exec_",
    "sizeHint": "a property in PythonQt",
    "minimumSizeHint": "a property in PythonQt",
}


def strangers(source: str) -> list[str]:
    """One line `12: qt.Qt.Orientation.Horizontal: …` for each finding in Python source, in the order of the lines.

    Enum values named with their enum's name, keyword arguments of Qt's constructors, and the methods above.
    """
    found = [(line, text) for node in ast.walk(ast.parse(source)) for line, text in _complaints(node)]
    return [f"{line}: {text}" for line, text in sorted(found)]


def _complaints(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Attribute):
        chain = _chain(node)
        if chain[:1] == ["qt"] and _is_scoped(chain[1:]):
            yield node.lineno, f"{'.'.join(chain)}: leave out the enum's name"
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        chain = _chain(node.func)
        if len(chain) == 2 and chain[0] == "qt" and node.keywords:
            yield node.lineno, f"{'.'.join(chain)}({node.keywords[0].arg}=…): no keyword arguments"
        elif node.func.attr in _METHODS:
            yield node.lineno, f"{node.func.attr}(): {_METHODS[node.func.attr]}"


def _chain(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Attribute):
        start = _chain(node.value)
        return [*start, node.attr] if start else []
    return [node.id] if isinstance(node, ast.Name) else []


def _is_scoped(names: list[str]) -> bool:
    if len(names) < 3:
        return False
    found = getattr(qt, names[0], None)
    for name in names[1:-1]:
        found = getattr(found, name, None)
    return isinstance(found, EnumMeta)
