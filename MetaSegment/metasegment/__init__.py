"""MetaSegment's learner: a few annotated slices in, a 3D segmentation out. Knows nothing of Slicer or Qt.

What a script needs is here; each name is loaded when it is first used, so that a client needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import LearnerClient, LocalLearner
    from .io.annotation_file import read_annotation
    from .io.volume_file import read_volume
    from .learner import Learner
    from .segmenter.load import load_segmenter

__version__ = "0.1.0"
__all__ = ["Learner", "LearnerClient", "LocalLearner", "load_segmenter", "read_annotation", "read_volume"]

_ORIGINS = {
    "Learner": "learner",
    "LearnerClient": "client",
    "LocalLearner": "client",
    "load_segmenter": "segmenter.load",
    "read_annotation": "io.annotation_file",
    "read_volume": "io.volume_file",
}


def __getattr__(name: str) -> Any:
    if name not in _ORIGINS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_ORIGINS[name]}", __name__), name)
