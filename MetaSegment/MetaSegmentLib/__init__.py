"""Slicer side of MetaSegment: one class a file, named after it. Never imports torch or monai."""
