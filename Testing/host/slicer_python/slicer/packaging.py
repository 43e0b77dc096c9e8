"""Python packages in Slicer's Python; nothing is installed here: the host notes what pip was asked for (host.pip).

Follows Slicer 5.12's Base/Python/slicer/packaging.py; its arguments and refusals, none of its progress windows.
Slicer 5.10 has no such module: set sys.modules["slicer.packaging"] to None to see a module's fallback.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import slicer
from packaging.requirements import Requirement
from slicer.i18n import tr as _

_inProgress = False


def _toRequirements(given):
    if isinstance(given, str):
        return [Requirement(each) for each in given.split()]
    if isinstance(given, Requirement):
        return [given]
    return [Requirement(each) if isinstance(each, str) else each for each in given]


def load_requirements(path):
    lines = (line.strip() for line in Path(path).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def pip_check(req):
    """Whether the requirements are met by what is installed; extras are not followed."""
    return all(_isMet(each) for each in _toRequirements(req))


def _isMet(requirement):
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    try:
        return importlib.metadata.version(requirement.name) in requirement.specifier
    except importlib.metadata.PackageNotFoundError:
        return False


def isPipInstallInProgress():
    return _inProgress


def pip_ensure(
    requirements,
    constraints=None,
    skip_packages=None,
    prompt_install=True,
    prompt_restart=True,
    requester=None,
    skip_in_testing=True,
    show_progress=True,
):
    missing = [each for each in _toRequirements(requirements) if not _isMet(each)]
    if not missing:
        return None
    if prompt_install:
        listed = "\n".join(f"- {each}" for each in missing)
        question = _("{count} Python packages need to be installed. Continue?").format(count=len(missing))
        if not slicer.util.confirmOkCancelDisplay(question, requester, detailedText=listed):
            raise RuntimeError("User declined package installation")
    return pip_install([str(each) for each in missing], constraints, skip_packages=skip_packages, requester=requester)


def pip_install(
    requirements,
    constraints=None,
    no_deps_requirements=None,
    skip_packages=None,
    blocking=True,
    show_progress=True,
    requester=None,
    parent=None,
    logCallback=None,
    completedCallback=None,
):
    if skip_packages is not None and (no_deps_requirements is not None or not blocking):
        raise ValueError("skip_packages goes with neither no_deps_requirements nor blocking=False")
    args = ["install", *(requirements.split() if isinstance(requirements, str) else requirements)]
    if blocking:
        slicer.util.executePythonModule("pip", args)
    else:
        _installLater(args, logCallback, completedCallback)
    return list(skip_packages) if skip_packages is not None else None


def _installLater(args, logCallback, completedCallback):
    global _inProgress
    if _inProgress:
        raise RuntimeError("A non-blocking pip_install is already in progress.")
    _inProgress = True

    def finish(code):
        global _inProgress
        _inProgress = False
        if completedCallback:
            completedCallback(code)

    slicer.util.executePythonModule("pip", args, blocking=False, logCallback=logCallback, completedCallback=finish)


def pip_uninstall(requirements):
    slicer.util.executePythonModule("pip", ["uninstall", *requirements.split(), "--yes"])
