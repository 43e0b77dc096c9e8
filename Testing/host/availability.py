"""Whether the host can run here, and draw here: asked of a child process, since VTK ends its process without OpenGL.

Imports nothing that may be missing. Asks without Slicer's own Python files: where the host cannot run with them, tests
have to fail.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from . import SLICER_PYTHON

_PATIENCE = 120  # seconds; importing slicer takes 2 on a free machine and 25 on a crowded one
_DRAW = """
from host import start_host
host = start_host()
assert host.grab_view("Red", (80, 60)).shape == (60, 80, 3)
host.close()
"""


@cache
def missing() -> str:
    """Why the host cannot run here; empty where it can."""
    for module, package in (("PySide6", "PySide6-Essentials"), ("slicer", "slicer-core"), ("vtk", "vtk")):
        if find_spec(module) is None:
            return f"{package} is not installed"
    return _child(
        "from host import start_host; start_host().close()", "libgl1 libxkbcommon0 libfontconfig1 libdbus-1-3"
    )


@cache
def undrawable() -> str:
    """Why views cannot be drawn here; empty where they can."""
    return missing() or _child(_DRAW, "libegl1 libgl1-mesa-dri")


def _child(program: str, packages: str) -> str:
    path = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {path!r})\n{program}"]
    without = {name: value for name, value in os.environ.items() if name != SLICER_PYTHON}
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False, env=without)
    except subprocess.TimeoutExpired:
        return f"the host did not start within {_PATIENCE} s"
    if child.returncode == 0:
        return ""
    last = (child.stderr.strip().splitlines() or ["no message"])[-1]
    return f"the host failed with exit code {child.returncode} ({last}); on Debian: apt install {packages}"
