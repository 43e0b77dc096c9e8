"""Installs the learner's packages into Slicer's Python, when the user presses the button and agrees; never by itself.

Torch comes through the PyTorch extension, which knows the graphics card's driver; the others through pip.
"""

from __future__ import annotations

import importlib.metadata
import logging
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from metasegment.errors import InputError

from .Background import Background
from .LearnerChoice import slicerPython

_REQUIREMENTS = Path(__file__).parents[2] / "Resources" / "requirements.txt"
_TORCH = "torch"
#: Torch 2.9 needs several times the memory for 3D convolutions.
_TORCH_VERSION = ">=2.6,!=2.9.*"
#: Seconds in which the installed packages load: torch from a cold network drive takes a minute.
_VERIFY_SECONDS = 180


class Installer:
    """What is installed, and how the rest gets there. Example::

    installer = Installer(background)
    installer.missing()                                         # ("torch", "monai>=1.4")
    installer.install(done=lambda problem: ...)                 # asks the user first; None: all is well
    """

    def __init__(self, background: Background) -> None:
        self._background = background

    def installed(self) -> dict[str, str]:
        """Versions by package, of those that are there; nothing is imported."""
        return {name: version for name in map(_nameOf, _wanted()) if (version := _versionOf(name))}

    def missing(self) -> tuple[str, ...]:
        """Requirements that are not met, torch first."""
        return tuple(each for each in _wanted() if not _isMet(each))

    def install(self, done: Callable[[str | None], None]) -> None:
        """Ask, install what is missing, and check in another Python process that it loads.

        `done` is called once, later, with a sentence about what went wrong or None. Raises InputError where the user
        does not agree or the PyTorch extension is not there.
        """
        missing = self.missing()
        if missing:
            _askFor(missing)
            if _nameOf(missing[0]) == _TORCH:
                _installTorch()
        others = [each for each in missing if _nameOf(each) != _TORCH]

        def check(code: int) -> None:
            if code:
                done(_("pip failed (exit code {code}): Slicer's error log says why.").format(code=code))
            else:
                self._background.start(lambda task: _verify(), done, lambda error: done(str(error)))

        if others:
            _pipInstall(others, check)
        else:
            check(0)


def _wanted() -> list[str]:
    lines = _REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return [f"{_TORCH}{_TORCH_VERSION}", *(line for line in lines if line and not line.startswith("#"))]


def _nameOf(requirement: str) -> str:
    return re.split(r"[<>=!~ ]", requirement)[0]


def _versionOf(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _isMet(requirement: str) -> bool:
    from packaging.requirements import Requirement  # Slicer bundles it, a bare Python need not

    version = _versionOf(_nameOf(requirement))
    return version is not None and Requirement(requirement).specifier.contains(version, prereleases=True)


def _askFor(missing: tuple[str, ...]) -> None:
    question = _(
        "The learner needs these Python packages in Slicer:\n\n{packages}\n\nThey are downloaded from the internet "
        "(torch: up to 3 GB for an NVIDIA card, 200 MB without). Install them now?"
    )
    if not slicer.util.confirmOkCancelDisplay(question.format(packages="\n".join(missing))):
        raise InputError(_("Nothing was installed."))


def _installTorch() -> None:
    try:
        import PyTorchUtils
    except ImportError:
        raise InputError(
            _("Torch comes with Slicer's PyTorch extension: install that in the Extensions Manager, restart Slicer.")
        ) from None
    try:  # raises where the download fails, and at the end imports what it installed
        torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(torchVersionRequirement=_TORCH_VERSION)
    except (subprocess.CalledProcessError, ImportError):
        logging.exception("MetaSegment: torch could not be installed")
        torch = None
    if torch is None:
        raise InputError(_("Torch could not be installed: Slicer's error log says why."))


def _pipInstall(requirements: list[str], done: Callable[[int], None]) -> None:
    """Calls `done` with pip's exit code: later, in Slicer 5.12, which can be used meanwhile; 5.10 waits for pip."""
    try:
        from slicer.packaging import pip_install
    except ImportError:
        try:
            slicer.util.pip_install(requirements)
        except subprocess.CalledProcessError as error:
            done(error.returncode)
        else:
            done(0)
    else:
        pip_install(requirements, requester="MetaSegment", blocking=False, completedCallback=done)


def _verify() -> str | None:
    """What keeps the learner from starting, in one sentence; None where it would."""
    modules = "torch, monai, safetensors, nibabel, fastapi, uvicorn, httptools, pydicom, highdicom, skimage"
    try:
        subprocess.run(
            [slicerPython(), "-c", f"import {modules}"],
            capture_output=True,
            check=True,
            timeout=_VERIFY_SECONDS,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # PythonSlicer.exe would open a console
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr.decode(errors="replace").strip().splitlines() or [""])[-1]
        return _("The packages are installed but do not load: {reason}").format(reason=last)
    except (OSError, subprocess.TimeoutExpired) as error:
        return _("The packages could not be checked: {reason}").format(reason=error)
    return None
