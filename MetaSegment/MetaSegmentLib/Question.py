"""What is asked of the learner: everything that the worker thread needs, and nothing of the scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metasegment.annotation import Annotation
from metasegment.segmentation import Budget
from metasegment.volume import Volume


@dataclass(frozen=True, eq=False)
class Question:
    """`segmentIDs` says which segment each label of the annotation is. Example::

    question = session.question(Budget(seconds=12))
    """

    volume: Volume
    annotation: Annotation
    segmentIDs: Mapping[int, str]
    budget: Budget
