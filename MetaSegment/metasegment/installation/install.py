"""Installs, repairs and removes the learner's environment. Repairing is installing anew, from what is there already.

Whether it is well is never written down: `check` tries. Whatever interrupts an installation, the next one succeeds.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..progress import Progress
from .bundle_folder import Bundle
from .check import Findings, check
from .downloads import Downloads
from .environment import Environment, without_foreign_python
from .machine import Machine, this_machine
from .programs import cancellation, run_program
from .requirements import LISTS

#: Older ones know fewer of torch's builds (`--torch-backend`).
UV = "uv>=0.11"
#: Variables by which an organisation names its own package index: torch's builds are taken from there too.
_OWN_INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_FIND_LINKS")


@dataclass(frozen=True)
class Installation:
    """What an installation is made of: the place, a command that runs `pip` (to fetch uv), the process's variables with
    the proxy in them, and a `bundle` where nothing is to be fetched from the network.
    """

    environment: Environment
    pip: Sequence[str]
    variables: Mapping[str, str]
    bundle: Bundle | None = None

    @property
    def clean(self) -> dict[str, str]:
        """Variables for uv and for the Python that it makes."""
        place = self.environment
        mine = {"UV_CACHE_DIR": str(place.cache), "UV_PYTHON_INSTALL_DIR": str(place.pythons), "UV_NO_PROGRESS": "1"}
        return {"UV_SYSTEM_CERTS": "1", **without_foreign_python(self.variables), **mine}


def install(wanted: Installation, progress: Progress, machine: Machine | None = None) -> Findings:
    """Makes the environment anew and returns what is in it. Raises InputError with one sentence, or Cancelled."""
    machine = machine or this_machine()
    machine.refuse()
    if wanted.bundle:
        wanted.bundle.refuse(machine)
    _make_room(wanted.environment.folder, machine)
    uv = _fetch_uv(wanted, progress)
    found = _build(uv, wanted, machine, progress)
    if not found.is_well:  # uv links files from its cache: what is damaged here is damaged there
        _remove(wanted.environment.cache)
        found = _build(uv, wanted, machine, progress)
    if not found.is_well:
        raise InputError(f"everything was installed, but {found.sentence}")
    progress.report("installed", 1.0)
    return found


def remove(environment: Environment) -> None:
    """Removes everything that was installed; raises InputError where a file is in use."""
    _remove(environment.folder)


def _build(uv: Path, wanted: Installation, machine: Machine, progress: Progress) -> Findings:
    place, bundle = wanted.environment, wanted.bundle
    progress.report("making the environment", 0.05)
    _remove(place.root)
    python = bundle.python_for(place.pythons) if bundle else machine.python
    heard = Downloads(place.folder)
    check_cancelled = cancellation(progress.cancelled)

    def tell(line: str) -> None:
        heard.hear(line)

    def look() -> None:
        check_cancelled()
        progress.report(heard.stage, 0.1 + 0.8 * heard.share)

    _run([str(uv), "venv", "--python", python, str(place.root)], wanted, tell, check_cancelled)
    lists = [word for each in LISTS for word in ("-r", str(each))]
    if bundle:
        source = ["--no-index", "--find-links", str(bundle.wheels)]
    elif any(name in wanted.clean for name in _OWN_INDEX):
        source = []
    else:
        source = ["--torch-backend", machine.backend]
    _run([str(uv), "pip", "install", "--python", str(place.python), *lists, *source], wanted, tell, look)
    progress.report("trying the packages", 0.95)
    return check(place.python, wanted.clean)


def _run(command: list[str], wanted: Installation, tell: Callable[[str], None], look: Callable[[], None]) -> None:
    run_program(command, wanted.clean, tell, look)


def _make_room(folder: Path, machine: Machine) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise InputError(f"cannot install in {folder}: {error.strerror or error}") from None
    free += _size(folder)  # an installation that is replaced
    if free < machine.bytes_needed:
        need, have = machine.bytes_needed / 1e9, free / 1e9
        raise InputError(f"the learner needs {need:.0f} GB on the disk of {folder}, {have:.1f} GB are free: free some")


def _size(folder: Path) -> int:
    """Bytes in a folder; files that are linked count once."""
    seen = {}
    for root, _folders, names in os.walk(folder):
        for name in names:
            entry = os.lstat(os.path.join(root, name))  # noqa: PTH118  (a hundred thousand files)
            seen[entry.st_dev, entry.st_ino] = entry.st_size
    return sum(seen.values())


def _fetch_uv(wanted: Installation, progress: Progress) -> Path:
    """The program uv, installed by pip in a folder of its own unless one that runs is there."""
    folder = wanted.environment.uv
    uv = folder / "bin" / ("uv.exe" if os.name == "nt" else "uv")
    check_cancelled = cancellation(progress.cancelled)
    progress.report("fetching uv (20 MB)", 0.0)
    try:
        _run([str(uv), "--version"], wanted, lambda line: None, check_cancelled)
    except InputError:
        _remove(folder)
        source = ["--no-index", "--find-links", str(wanted.bundle.wheels)] if wanted.bundle else []
        command = [*wanted.pip, "install", "--quiet", "--no-deps", "--target", str(folder), *source, UV]
        run_program(command, wanted.variables, lambda line: None, check_cancelled)
    return uv


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise InputError(f"{error.filename} cannot be removed: close what uses it, and try again") from None
