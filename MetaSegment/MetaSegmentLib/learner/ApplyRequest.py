"""What is asked of the learner about a volume with a task: as SegmentRequest, with slices or without."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import slicer

from metasegment.annotation import Annotation
from metasegment.learner import Learner
from metasegment.progress import Progress
from metasegment.segmentation import Budget, Segmentation
from metasegment.structure import Color
from metasegment.task import Task
from metasegment.volume import Volume

from ..scene.TaskSegments import segmentsWith


@dataclass(frozen=True, eq=False)
class ApplyRequest:
    """Labels of the annotation, if any slice is annotated, are the task's. Example::

    request = session.applyRequest(task, Budget())
    answer = request.answeredBy(learner, Progress(), preview)      # in a worker thread
    """

    task: Task
    volume: Volume
    annotation: Annotation | None
    budget: Budget

    @property
    def colors(self) -> Mapping[int, Color]:
        """By label, the structures' colours."""
        return self.task.colors

    def answeredBy(self, learner: Learner, progress: Progress, preview: Callable[[np.ndarray], None]) -> Segmentation:
        """Ask; raises what `Learner.apply` does."""
        return learner.apply(self.task, self.volume, self.annotation, self.budget, progress=progress, preview=preview)

    def segmentsIn(self, segmentationNode: slicer.vtkMRMLSegmentationNode) -> Mapping[int, str]:
        """By label of the answer, the segment that it is for; those that are missing are made."""
        return segmentsWith(self.task, segmentationNode)
