"""Segmentations to files, one format a module; `to_file` chooses by the file's name. Does not resample."""

from .label_map import write_segmentation
from .structures import Structures, default_color, default_name, read_structures
from .to_file import Written, to_file

__all__ = ["Structures", "Written", "default_color", "default_name", "read_structures", "to_file", "write_segmentation"]
