"""One thread for each device: takes jobs in turn and does them with a segmenter of its own. Survives whatever happens.

Knows nothing of HTTP; reports to `Jobs`.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import Cancelled, InputError
from ..io.task_file import to_bytes
from ..memory import is_out_of_memory
from ..progress import Progress
from ..wire import messages
from ..wire.messages import JobRequest, Problem
from ..wire.results import encode_preview, encode_result, encode_suggestion
from .job import Job, Work
from .jobs import Body, Jobs

if TYPE_CHECKING:
    from ..segmenter import Segmenter

#: Makes the segmenter of one device: imports torch and reads the weights, which takes seconds.
Factory = Callable[[], "Segmenter"]
_log = logging.getLogger("metasegment.service")
#: Calls at the end of a traceback that tell where a defect is.
_FRAMES = 4


class Worker(threading.Thread):
    """Runs until the jobs are closed; a daemon, so that a long step never keeps the process alive."""

    def __init__(self, jobs: Jobs, factory: Factory, name: str) -> None:
        super().__init__(name=f"worker {name}", daemon=True)
        self._jobs = jobs
        self._factory = factory
        self._segmenter: Segmenter | None = None

    def run(self) -> None:
        self._load()  # before the first job asks for it
        while (job := self._jobs.take()) is not None:
            self._jobs.finish(job, self._outcome(job))

    def _load(self) -> Problem | None:
        """Loads the learner unless it is there; what went wrong may be over by the next job."""
        if self._segmenter is None:
            try:
                self._segmenter = self._factory()
            except Exception as error:
                # These speak of devices, weights and packages, and of nothing else.
                why = str(error) if isinstance(error, (InputError, ImportError)) else described(error)
                _log.error("the learner could not be loaded: %s", why)
                return Problem(messages.FAILED, f"the learner could not be loaded: {why}")
        return None

    def _outcome(self, job: Job) -> Body | Problem:
        try:
            return self._load() or self._done(job)
        except Cancelled:
            return Problem(messages.CANCELLED, "the job was cancelled")
        except InputError as error:
            return Problem(messages.INVALID, str(error))
        except Exception as error:
            if is_out_of_memory(error):
                self._segmenter = None
                return Problem(
                    messages.OUT_OF_MEMORY, "the service ran out of memory on this volume: crop or downsample it"
                )
            _log.error("a job failed: %s", described(error))
            return Problem(messages.FAILED, "the learner failed on this request; this is a defect, please report it")

    def _done(self, job: Job) -> Body:
        segmenter, work = self._segmenter, job.work
        assert segmenter and work  # held until the worker leaves the job
        progress = Progress(partial(self._jobs.progress, job), partial(self._jobs.is_over, job))
        with ThreadPoolExecutor(1, "preview") as aside:  # the learner goes on meanwhile

            def preview(labels: np.ndarray) -> None:
                aside.submit(self._preview, job, labels)

            body = _answer(segmenter, job.request, work, progress, preview)
        if segmenter.engine.notes:
            # It gave way to a full memory for good (smaller tiles, the CPU): the next job begins afresh.
            self._segmenter = None
        return body

    def _preview(self, job: Job, labels: np.ndarray) -> None:
        self._jobs.preview(job, encode_preview(labels))


def _answer(
    segmenter: Segmenter, request: JobRequest, work: Work, progress: Progress, preview: Callable[[np.ndarray], None]
) -> Body:
    volume, annotation, task, budget, seed = work.volume, work.annotation, work.task, request.budget, request.seed
    if request.kind == "apply":
        assert task
        return encode_result(segmenter.apply(task, volume, annotation, budget, seed, progress, preview))
    assert annotation  # only a task finds something where nothing is drawn
    if request.kind == "teach":
        return [to_bytes(segmenter.teach(volume, annotation, task, progress, seed))]
    if request.kind == "suggest":
        return encode_suggestion(segmenter.suggest(volume, annotation, progress))
    return encode_result(segmenter.segment(volume, annotation, budget, request.strategy, seed, progress, preview))


def described(error: BaseException) -> str:
    """Returns an error by its type and the last places it came through; its text may hold what is private, and is left
    out.
    """
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {places}"
