"""Meta-training of the network and of strategies on top of it: configuration, loops, checkpoints, curves."""

from .adaptation import meta_train
from .config import AdaptationConfig, Config, read_config
from .loop import train

__all__ = ["AdaptationConfig", "Config", "meta_train", "read_config", "train"]
