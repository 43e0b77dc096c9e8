"""Runs a module that draws with VTK in a process of its own; knows nothing of what is drawn.

VTK ends its process where no OpenGL is found, and cannot be asked beforehand: so a child draws, and its death is the
answer.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_PATIENCE = 120  # seconds; a software renderer needs 3 for six organs


class NoDrawing(Exception):
    """VTK cannot draw here; the message says why and what would help, in one line."""


def draw_in_child(module: str, scene: Path, product: Path) -> None:
    """Runs `python -m module scene product`, which reads the first file and writes the second; raises NoDrawing."""
    package_parent = str(Path(__file__).parents[2])
    path = os.pathsep.join([package_parent, *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        child = subprocess.run(
            [sys.executable, "-m", module, str(scene), str(product.resolve())],
            cwd=scene.parent,  # where a core dump, if any, is removed
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoDrawing(f"VTK did not finish within {_PATIENCE} s") from None
    if child.returncode or not product.exists():
        raise NoDrawing(_why(child.returncode, child.stderr))


def _why(code: int, errors: str) -> str:
    last = errors.strip().splitlines()[-1:]
    if code == 1 and last:  # a Python exception, such as a library that VTK links to and the system lacks
        return f"VTK cannot draw: {last[0]}"
    hint = "on Debian or Ubuntu: apt install libegl1 libgl1-mesa-dri"
    return f"VTK cannot draw (exit code {code}), most likely for want of OpenGL; {hint}"
