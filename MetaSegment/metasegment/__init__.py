"""MetaSegment's learner: a few annotated slices in, a 3D segmentation out. Knows nothing of Slicer or Qt."""

__version__ = "0.1.0"
