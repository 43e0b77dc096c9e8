"""Where the learner's own environment lies, and the variables under which its programs run; makes nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: Variables that lead a Python into another one's packages and libraries, as Slicer's do.
_FOREIGN = ("LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV", "CONDA_PREFIX", "TCL_LIBRARY", "TK_LIBRARY")
_FOREIGN_BEGINNINGS = ("PYTHON", "DYLD_", "QT_")


@dataclass(frozen=True)
class Environment:
    """A folder of the user's with all that is installed: environment, uv and what uv keeps for the next time."""

    folder: Path

    @property
    def root(self) -> Path:
        """The virtual environment. Names are short: Windows counts the characters of a path."""
        return self.folder / "env"

    @property
    def python(self) -> Path:
        """The program that runs the learner."""
        return self.root / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def uv(self) -> Path:
        """The folder that uv's wheel is installed in."""
        return self.folder / "uv"

    @property
    def cache(self) -> Path:
        """What uv has downloaded."""
        return self.folder / "cache"

    @property
    def pythons(self) -> Path:
        """Pythons that uv has downloaded, or that came in a bundle."""
        return self.folder / "python"


def default_environment() -> Environment:
    """That of this user, in the folder that the system keeps for programs' data."""
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return Environment(base / "MetaSegment")


def without_foreign_python(variables: Mapping[str, str]) -> dict[str, str]:
    """Variables under which another Python than this process's finds its own packages and libraries."""
    kept = {k: v for k, v in variables.items() if k not in _FOREIGN and not k.startswith(_FOREIGN_BEGINNINGS)}
    return {**kept, "PYTHONNOUSERSITE": "1"}
