"""From annotated slices to the network's input channels, classical answers included."""

from .channels import Prompt, Scene, known_fractions, make_channels, make_prompt, sharpened
from .extent import Extent, annotated_extent, box_limits, holding, structure_box
from .interpolation import annotated_planes, distance_to_known
from .prior import prior_box, prior_channels

__all__ = [
    "Extent",
    "Prompt",
    "Scene",
    "annotated_extent",
    "annotated_planes",
    "box_limits",
    "distance_to_known",
    "holding",
    "known_fractions",
    "make_channels",
    "make_prompt",
    "prior_box",
    "prior_channels",
    "sharpened",
    "structure_box",
]
