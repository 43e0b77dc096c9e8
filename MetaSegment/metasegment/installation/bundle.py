"""Makes a folder with all that an installation without a network needs: wheels, weights and, if it can, a Python.

uv resolves for the other platform, which pip cannot (its markers are those of the computer it runs on); pip fetches.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from ..errors import InputError
from ..progress import Progress
from .bundle_folder import FACTS, PYTHON, WEIGHTS, WHEELS, checksum_of
from .install import UV
from .machine import PLATFORMS
from .programs import cancellation, run_program
from .requirements import LISTS

#: Pythons by platform as uv names them: `cpython-3.12-…`.
_PYTHONS = {
    "linux-x86_64": "linux-x86_64-gnu",
    "windows-x86_64": "windows-x86_64-none",
    "macos-arm64": "macos-aarch64-none",
}


def make_bundle(folder: Path, platform: str, python: str, backend: str, weights: Path, progress: Progress) -> list[str]:
    """Fills a new folder; returns notes for the user.

    `platform` as in PLATFORMS, `python` a minor version such as 3.12, `backend` one of torch's builds as uv names them
    (cpu, cu126, cu130, …) or "" for that of the package index; `weights` the folder of the released weights. Raises
    InputError, and leaves no folder then.
    """
    uv = find_uv()
    if refusal := PLATFORMS[platform].refusal:
        raise InputError(refusal)
    if folder.exists():
        raise InputError(f"{folder} is there already: name a new folder")
    draft = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        _fetch_wheels(uv, draft, platform, python, backend, progress)
        shutil.copytree(weights, draft / WEIGHTS)
        notes = _fetch_python(uv, draft, platform, python, progress)
        wheels = {path.name: checksum_of(path) for path in sorted((draft / WHEELS).iterdir())}
        facts = {"platform": platform, "python": python, "torch": backend, "wheels": wheels}
        (draft / FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")
        draft.rename(folder)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    progress.report("bundle made", 1.0)
    return notes


def find_uv() -> str:
    """The program uv of this Python's packages, or on the PATH; raises InputError where there is none."""
    if find_spec("uv"):
        import uv

        return str(uv.find_uv_bin())
    if program := shutil.which("uv"):
        return program
    raise InputError("uv is needed and not installed: pip install uv")


def resolve(uv: str, platform: str, python: str, backend: str, check: Callable[[], None]) -> list[str]:
    """The exact versions that uv finds for a platform and Python, a requirement each; raises InputError."""
    source = ["--torch-backend", backend] if backend else []
    command = [uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-build", *source]
    target = ["--python-platform", PLATFORMS[platform].uv, "--python-version", python]
    found: list[str] = []
    run_program([*command, *target, *map(str, LISTS)], os.environ, found.append, check)
    return found


def _fetch_wheels(uv: str, draft: Path, platform: str, python: str, backend: str, progress: Progress) -> None:
    check = cancellation(progress.cancelled)
    exact = draft / "exact.txt"
    progress.report("resolving", 0.05)
    lines = [UV, *resolve(uv, platform, python, backend, check)]
    exact.write_text("\n".join(lines), encoding="utf-8")
    tag = python.replace(".", "")
    marks = [f"--platform={each}" for each in PLATFORMS[platform].tags]
    abis = [f"--abi={each}" for each in (f"cp{tag}", "abi3", "none")]
    index = [f"--extra-index-url=https://download.pytorch.org/whl/{backend}"] if backend else []
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--progress-bar=off"]
    words = [f"--python-version={python}", "--implementation=cp", *abis, *marks, *index]
    fetched: list[str] = []

    def tell(line: str) -> None:
        if line.startswith(("Collecting ", "Processing ")):
            fetched.append(line)
            share = 0.1 + 0.8 * len(fetched) / len(lines)
            progress.report(f"fetching {Path(line.split()[1]).name} ({len(fetched)} of {len(lines)})", share)

    run_program([*command, *words, "-r", str(exact), "-d", str(draft / WHEELS)], os.environ, tell, check)
    exact.unlink()


def _fetch_python(uv: str, draft: Path, platform: str, python: str, progress: Progress) -> list[str]:
    """Notes: that the folder has no Python where none could be fetched; then the other computer has to have one."""
    progress.report(f"fetching Python {python}", 0.95)
    variables = {**os.environ, "UV_PYTHON_INSTALL_DIR": str(draft / PYTHON)}
    command = [uv, "python", "install", "--no-bin", f"cpython-{python}-{_PYTHONS[platform]}"]
    try:
        run_program(command, variables, lambda line: None, cancellation(progress.cancelled))
    except InputError:
        shutil.rmtree(draft / PYTHON, ignore_errors=True)
        return [f"no Python could be fetched into the folder: the other computer needs Python {python}"]
    return []
