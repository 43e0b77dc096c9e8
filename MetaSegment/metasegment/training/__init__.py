"""Meta-training: configuration, loop, checkpoints, curves."""

from .config import Config, read_config
from .loop import train

__all__ = ["Config", "read_config", "train"]
