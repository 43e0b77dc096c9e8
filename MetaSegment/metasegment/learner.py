"""What a learner can be asked, wherever it runs: in this process, in a child of it, or on a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from .annotation import Annotation
from .progress import Progress
from .segmentation import AUTO, Budget, NextSlice, Segmentation
from .task import Task
from .volume import Volume


class Learner(Protocol):
    """The methods that `Segmenter`, `LearnerClient` and `LocalLearner` share; `Segmenter` says what they do."""

    def segment(
        self,
        volume: Volume,
        annotation: Annotation,
        budget: Budget = ...,
        strategy: str = AUTO,
        seed: int = 0,
        progress: Progress | None = None,
        preview: Callable[[np.ndarray], None] | None = None,
    ) -> Segmentation:
        """Segments every annotated structure of a volume."""
        ...

    def suggest(self, volume: Volume, annotation: Annotation, progress: Progress | None = None) -> NextSlice | None:
        """Finds the next slice worth annotating."""
        ...

    def teach(
        self,
        volume: Volume,
        annotation: Annotation,
        earlier: Task | None = None,
        progress: Progress | None = None,
        seed: int = 0,
    ) -> Task:
        """Makes a task from a whole segmentation."""
        ...

    def apply(
        self,
        task: Task,
        volume: Volume,
        annotation: Annotation | None = None,
        budget: Budget = ...,
        seed: int = 0,
        progress: Progress | None = None,
        preview: Callable[[np.ndarray], None] | None = None,
    ) -> Segmentation:
        """Finds a task's structures in a volume."""
        ...
