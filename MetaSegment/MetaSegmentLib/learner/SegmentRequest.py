"""What is asked of the learner about annotated slices: all that the worker thread needs, nothing of the scene."""

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
from metasegment.volume import Volume


@dataclass(frozen=True, eq=False)
class SegmentRequest:
    """`segmentIDs` says which segment each label of the annotation is. Example::

    request = session.segmentRequest(Budget(seconds=12))
    answer = request.answeredBy(learner, Progress(), preview)         # in a worker thread
    """

    volume: Volume
    annotation: Annotation
    segmentIDs: Mapping[int, str]
    budget: Budget

    @property
    def colors(self) -> Mapping[int, Color]:
        """By label, the structures' colours."""
        return self.annotation.colors

    def answeredBy(self, learner: Learner, progress: Progress, preview: Callable[[np.ndarray], None]) -> Segmentation:
        """Ask; raises what `Learner.segment` does."""
        return learner.segment(self.volume, self.annotation, self.budget, progress=progress, preview=preview)

    def segmentsIn(self, segmentationNode: slicer.vtkMRMLSegmentationNode) -> Mapping[int, str]:
        """By label of the answer, the segment that it is for."""
        return self.segmentIDs
