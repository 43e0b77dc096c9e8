"""From annotated slices to a segmentation: first answer, adaptation, gate, quality estimate, next slice."""

from .gate import Budget
from .next_slice import NextSlice
from .segmenter import AUTO, Segmentation, Segmenter, StructureResult
from .watch import Watch

__all__ = ["AUTO", "Budget", "NextSlice", "Segmentation", "Segmenter", "StructureResult", "Watch"]
