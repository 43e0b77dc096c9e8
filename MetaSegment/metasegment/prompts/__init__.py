"""From annotated slices to the network's input channels, classical answers included."""

from .channels import CHANNELS, OPTIONAL, PREVIOUS, Prompt, Scene, known_fractions, make_channels, make_prompt
from .extent import structure_box

__all__ = [
    "CHANNELS",
    "OPTIONAL",
    "PREVIOUS",
    "Prompt",
    "Scene",
    "known_fractions",
    "make_channels",
    "make_prompt",
    "structure_box",
]
