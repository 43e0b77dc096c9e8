"""Installs, checks, repairs and removes what the learner of this computer needs; only when the user says so."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Event

import slicer
from slicer.i18n import tr as _
from slicer.util import startupEnvironment

from metasegment.errors import InputError
from metasegment.installation.bundle_folder import read_bundle
from metasegment.installation.check import Findings, check
from metasegment.installation.environment import default_environment
from metasegment.installation.install import Installation, install, remove
from metasegment.installation.requirements import requirements
from metasegment.progress import Progress

from .Background import Background, Job
from .LearnerChoice import OTHER, OWN, SLICERS, LearnerChoice, slicerPython
from .SlicerPackages import installIntoSlicer, wantedInSlicer

_OnProgress = Callable[[str, float], None]
_OnFound = Callable[[Findings], None]
_OnFailed = Callable[[Exception], None]


class Installer:
    """What the chosen way needs, and how it gets there. Example::

    installer = Installer(settings.choice, background)
    installer.check(done=lambda findings: ..., failed=showError)
    installer.install("", onProgress, done, failed)             # asks the user first; "": from the internet
    installer.stop()                                            # `failed` hears of Cancelled

    `done` and `failed` are called once, later, on the GUI thread.
    """

    def __init__(self, choose: Callable[[], LearnerChoice], background: Background) -> None:
        self._choose = choose
        self._background = background
        self._stopped = Event()

    @property
    def isThere(self) -> bool:
        """Whether the program that would run the learner exists; whether it can, only `check` knows."""
        return bool(shutil.which(self._choose().python().program))

    def check(self, done: _OnFound, failed: _OnFailed) -> None:
        """Try every import in the Python that was chosen."""
        choice = self._choose()
        python = choice.python()
        wanted = wantedInSlicer() if choice.way == SLICERS else requirements()
        self._background.start(lambda job: check(python.program, python.variables, wanted), done, failed)

    def install(self, folder: str, onProgress: _OnProgress, done: _OnFound, failed: _OnFailed) -> None:
        """Install or repair, from a folder that `metasegment bundle` made or from the internet.

        Raises InputError where the user does not agree, or this way installs nothing.
        """
        way = self._choose().way
        if way == OTHER:
            raise InputError(
                _("In a Python of your own you install MetaSegment's packages yourself; Check tries them.")
            )
        if way == SLICERS:
            installIntoSlicer(lambda why: failed(InputError(why)) if why else self.check(done, failed))
            return
        wanted = Installation(
            default_environment(),
            (slicerPython(), "-m", "pip"),
            startupEnvironment(),
            read_bundle(Path(folder)) if folder else None,
        )
        if not folder:
            _ask(str(wanted.environment.folder))
        self._stopped.clear()

        def work(job: Job) -> Findings:
            progress = Progress(
                lambda stage, share: job.tell(lambda: onProgress(stage, share)),
                lambda: job.isAbandoned or self._stopped.is_set(),
            )
            return install(wanted, progress)

        self._background.start(work, done, failed)

    def stop(self) -> None:
        """End the installation that is under way; the next one begins anew."""
        self._stopped.set()

    def remove(self, done: Callable[[None], None], failed: _OnFailed) -> None:
        """Remove the learner's own environment. Raises InputError where the user does not agree, or has another way."""
        environment = default_environment()
        if self._choose().way != OWN:
            raise InputError(_("Only the learner's own environment is removed from here."))
        question = _("Remove the learner's packages from this computer?\n\n{folder}")
        if not slicer.util.confirmOkCancelDisplay(question.format(folder=environment.folder)):
            raise InputError(_("Nothing was removed."))
        self._background.start(lambda job: remove(environment), done, failed)


def _ask(folder: str) -> None:
    question = _(
        "The learner and its packages will be downloaded from the internet (up to 4 GB for an NVIDIA card, 300 MB "
        "without) into a folder of their own; Slicer's Python stays as it is:\n\n{folder}\n\nInstall them now?"
    )
    if not slicer.util.confirmOkCancelDisplay(question.format(folder=folder)):
        raise InputError(_("Nothing was installed."))
