"""Widget classes that Slicer's own Python only compares with, as slicer/parameterNodeWrapper/guiConnectors.py does.

They have no stand-in: a .ui file does not know them, and making one raises.
"""

from __future__ import annotations

from typing import Any


def named(header: str) -> type:
    """A class for `type(widget) in (…)`, named like the C++ class that the header declares."""
    name = header.rpartition("/")[2].removesuffix(".h")

    def refuse(self: Any, *given: Any) -> None:
        raise NotImplementedError(f"{name} is not in the test host")

    return type(name, (), {"_follows": header, "__init__": refuse})
