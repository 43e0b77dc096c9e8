"""From annotated slices to a segmentation: first answer, adaptation, gate, quality estimate, next slice."""

from .segmenter import Segmenter

__all__ = ["Segmenter"]
