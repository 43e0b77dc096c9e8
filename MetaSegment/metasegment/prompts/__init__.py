"""From annotated slices to the network's input channels, classical answers included."""

from .channels import CHANNELS, OPTIONAL, PREVIOUS, Prompt, Scene, known_fractions, make_channels, make_prompt
from .extent import Extent, annotated_extent, box_limits, extrapolation, structure_box

__all__ = [
    "CHANNELS",
    "OPTIONAL",
    "PREVIOUS",
    "Extent",
    "Prompt",
    "Scene",
    "annotated_extent",
    "box_limits",
    "extrapolation",
    "known_fractions",
    "make_channels",
    "make_prompt",
    "structure_box",
]
