"""Installs the learner's packages into Slicer's own Python: for those who want them there.

Torch comes through the PyTorch extension, which knows the graphics card's driver; the others through pip.
"""

from __future__ import annotations

import importlib.metadata
import logging
import subprocess
from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from metasegment.errors import InputError
from metasegment.installation.requirements import package_of, requirements

_TORCH = "torch"
#: What Slicer brings and its other modules rely on: never replaced.
_SLICERS = ("numpy", "SimpleITK")


def wantedInSlicer() -> tuple[str, ...]:
    """Requirements for this system, without what Slicer brings."""
    from packaging.requirements import Requirement  # Slicer bundles it, a bare Python need not

    here = (each for each in requirements() if (marker := Requirement(each).marker) is None or marker.evaluate())
    return tuple(each.partition(";")[0].strip() for each in here if package_of(each) not in _SLICERS)


def missingInSlicer() -> tuple[str, ...]:
    """Requirements that are not met; imports none of them."""
    return tuple(each for each in wantedInSlicer() if not _isMet(each))


def installIntoSlicer(done: Callable[[str | None], None]) -> None:
    """Ask, and install what is missing; `done` is called once with a sentence about what went wrong, or None.

    Raises InputError where the user does not agree, or torch could not be installed.
    """
    missing = missingInSlicer()
    if not missing:
        done(None)
        return
    _askFor(missing)
    torch = [each for each in missing if package_of(each) == _TORCH]
    if torch:
        _installTorch(torch[0].removeprefix(_TORCH))
    if others := [each for each in missing if each not in torch]:
        failed = _("pip failed (exit code {code}): Slicer's error log says why.")
        _pipInstall(others, lambda code: done(failed.format(code=code) if code else None))
    else:
        done(None)


def _isMet(requirement: str) -> bool:
    from packaging.requirements import Requirement

    try:
        version = importlib.metadata.version(package_of(requirement))
    except importlib.metadata.PackageNotFoundError:
        return False
    return Requirement(requirement).specifier.contains(version, prereleases=True)


def _askFor(missing: tuple[str, ...]) -> None:
    question = _(
        "The learner needs these Python packages in Slicer:\n\n{packages}\n\nThey are downloaded from the internet "
        "(torch: up to 3 GB for an NVIDIA card, 200 MB without). Install them now?"
    )
    if not slicer.util.confirmOkCancelDisplay(question.format(packages="\n".join(missing))):
        raise InputError(_("Nothing was installed."))


def _installTorch(version: str) -> None:
    try:
        import PyTorchUtils
    except ImportError:
        raise InputError(
            _("Torch comes with Slicer's PyTorch extension: install that in the Extensions Manager, restart Slicer.")
        ) from None
    try:
        torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(torchVersionRequirement=version)
    except Exception:  # CalledProcessError, ImportError, TypeError where light-the-torch finds nothing, and others
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
