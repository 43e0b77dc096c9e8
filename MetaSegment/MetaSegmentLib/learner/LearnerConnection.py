"""Asks the learner in a worker thread and tells the answers on the GUI thread. Touches neither MRML nor widgets."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Protocol

import numpy as np

from metasegment.client import Connection, ServiceLearner
from metasegment.progress import Progress
from metasegment.regrid import bounding_box
from metasegment.segmentation import NextSlice, Region, Segmentation
from metasegment.task import Task
from metasegment.volume import Volume

from .ApplyRequest import ApplyRequest
from .Background import Background, Job
from .LearnerChoice import LearnerChoice
from .SegmentRequest import SegmentRequest
from .TeachRequest import TeachRequest

_OnProgress = Callable[[str, float], None]


class LearnerListener(Protocol):
    """Hears of one request, on the GUI thread. After `onAnswer` or `onFailure` comes nothing more."""

    def onProgress(self, stage: str, share: float) -> None:
        """A stage in words and the share of it that is done, 0…1."""

    def onFirstAnswer(self, labels: np.ndarray, region: Region) -> None:
        """Labels uint8 (k, j, i) of the whole volume, 0 outside `region`; the answer follows."""

    def onAnswer(self, answer: Segmentation) -> None:
        """The answer."""

    def onFailure(self, error: Exception) -> None:
        """LearnerError or InputError with a sentence for the user, or Cancelled; anything else is a defect."""


class LearnerConnection:
    """One learner, kept until another is chosen, and one request at a time. Example::

        connection = LearnerConnection(settings.learnerChoice)
        connection.segment(request, listener)         # returns at once
        connection.segment(newer, listener)            # nothing more is heard of the one before
        connection.cancel()
        connection.close()                             # ends the local learner's process

    `choose` is asked before each request; `open` makes the learner that was chosen.
    """

    def __init__(
        self,
        choose: Callable[[], LearnerChoice],
        open: Callable[[LearnerChoice], ServiceLearner] = lambda choice: choice.open(),
        background: Background | None = None,
    ) -> None:
        self._choose = choose
        self._open = open
        self._background = background or Background()
        self.learner: ServiceLearner | None = None
        self._choice: LearnerChoice | None = None
        self._job: Job | None = None

    @property
    def isBusy(self) -> bool:
        """Whether a request is being answered."""
        return self._job is not None

    def segment(self, request: SegmentRequest | ApplyRequest, listener: LearnerListener) -> None:
        """Ask for the structures of a volume; raises LearnerError where the choice of learner is impossible."""
        learner = self._chosenLearner()

        def work(job: Job) -> Segmentation:
            def show(labels: np.ndarray) -> None:
                region = boxOf(labels)
                job.tell(lambda: listener.onFirstAnswer(labels, region))

            return request.answeredBy(learner, _progressOf(job, listener.onProgress), show)

        self._ask(work, listener.onAnswer, listener.onFailure)

    def teach(
        self,
        request: TeachRequest,
        onProgress: _OnProgress,
        done: Callable[[Task], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Have a task taught; raises as `segment` does."""
        learner = self._chosenLearner()
        self._ask(lambda job: request.taughtTo(learner, _progressOf(job, onProgress)), done, failed)

    def suggest(
        self, request: SegmentRequest, done: Callable[[NextSlice | None], None], failed: Callable[[Exception], None]
    ) -> None:
        """Ask for the slice most worth annotating; raises as `segment` does."""
        learner = self._chosenLearner()

        def work(job: Job) -> NextSlice | None:
            return learner.suggest(request.volume, request.annotation, Progress(cancelled=lambda: job.isAbandoned))

        self._ask(work, done, failed)

    def prepare(self, volume: Volume) -> None:
        """Have the learner started and a volume sent, beside what is under way, and say nothing of it; raises as
        `segment` does.
        """
        learner = self._chosenLearner()

        def work(job: Job) -> None:
            learner.prepare(volume, Progress(cancelled=lambda: job.isAbandoned))

        self._background.start(work, lambda done: None, lambda error: None)

    def test(self, done: Callable[[Connection], None], failed: Callable[[Exception], None]) -> None:
        """Ask whether the learner can be used; a request under way goes on. Sends nothing of any patient."""
        learner = self._chosenLearner()
        self._background.start(lambda job: learner.test_connection(), done, failed)

    def cancel(self) -> None:
        """Give up the request; the listener hears nothing more."""
        if self._job:
            self._job.abandon()
        self._job = None

    def close(self) -> None:
        """Give up everything; the local learner's process ends. What is asked later begins anew."""
        self.cancel()
        self._background.stop()
        if self.learner:
            self.learner.close()
        self.learner = self._choice = None

    def _ask(self, work: Callable, done: Callable, failed: Callable[[Exception], None]) -> None:
        def ended(tell: Callable) -> Callable:
            def end(outcome: object) -> None:
                self._job = None
                tell(outcome)

            return end

        self.cancel()
        self._job = self._background.start(work, ended(done), ended(failed))

    def _chosenLearner(self) -> ServiceLearner:
        choice = self._choose()
        if self.learner is None or choice != self._choice:
            before, self.learner = self.learner, self._open(choice)
            self._choice = choice
            if before:  # ending a process may take two seconds
                Thread(target=before.close, name="MetaSegment farewell", daemon=True).start()
        return self.learner


def _progressOf(job: Job, onProgress: _OnProgress) -> Progress:
    """Tells the progress of a job on the GUI thread, and ends it once nobody waits for it."""
    return Progress(lambda stage, share: job.tell(lambda: onProgress(stage, share)), lambda: job.isAbandoned)


def boxOf(labels: np.ndarray) -> Region:
    """The smallest box (k, j, i) with all labels that are not 0; one voxel where there are none."""
    k, j, i = (part if part.stop else slice(0, 1) for part in bounding_box(labels))
    return k, j, i
