"""What Slicer has around it: the program PythonSlicer on the PATH; and folders for settings, data and caches, which are
temporary here, for child processes too.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

_FOLDERS = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")


class Environment:
    """In force from its making to `restore`."""

    def __init__(self, folder: Path) -> None:
        self._before = {name: os.environ.get(name) for name in ("PATH", *_FOLDERS)}
        programs = folder / "bin"
        programs.mkdir()
        program = programs / "PythonSlicer"
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        program.chmod(0o755)
        os.environ["PATH"] = os.pathsep.join([str(programs), os.environ.get("PATH", "")])
        for name in _FOLDERS:
            os.environ[name] = str(folder / name.lower())

    def restore(self) -> None:
        """Gives the variables their former values."""
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
