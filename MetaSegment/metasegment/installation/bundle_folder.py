"""A folder with all wheels of an installation, to install from where there is no network; made by `bundle`."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from .machine import Machine

#: What describes the folder, and the folders in it.
FACTS, WHEELS, WEIGHTS, PYTHON = "bundle.json", "wheels", "weights", "python"


@dataclass(frozen=True)
class Bundle:
    """A folder for one `platform` and minor version of `python`, with the SHA-256 of each of its wheels by name."""

    folder: Path
    platform: str
    python: str
    checksums: dict[str, str]

    @property
    def wheels(self) -> Path:
        return self.folder / WHEELS

    def refuse(self, machine: Machine) -> None:
        """Raises InputError where the folder is for another computer, or incomplete."""
        if self.platform != machine.platform:
            raise InputError(
                f"{self.folder} is for {self.platform} and this computer is {machine.platform}: make one with "
                f"`metasegment bundle --platform {machine.platform}`"
            )
        for name, checksum in self.checksums.items():
            path = self.wheels / name
            if not path.is_file() or checksum_of(path) != checksum:
                raise InputError(f"{path} is missing or damaged: copy the folder {self.folder} again")

    def python_for(self, pythons: Path) -> str:
        """The Python to ask uv for: that in the folder, copied into `pythons`, or any of the version."""
        own = self.folder / PYTHON
        if not own.is_dir():
            return self.python
        shutil.copytree(own, pythons, symlinks=True, dirs_exist_ok=True)
        programs = [*sorted(pythons.glob("*/bin/python3")), *sorted(pythons.glob("*/python.exe"))]
        if not programs:
            raise InputError(f"{own} holds no Python: copy the folder {self.folder} again")
        return str(programs[0])


def read_bundle(folder: Path) -> Bundle:
    """The bundle in a folder; raises InputError where there is none."""
    try:
        facts: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        wheels = {str(name): str(checksum) for name, checksum in facts["wheels"].items()}
        return Bundle(folder, str(facts["platform"]), str(facts["python"]), wheels)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{folder} is no folder that `metasegment bundle` made ({FACTS} is missing there)") from None


def checksum_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
