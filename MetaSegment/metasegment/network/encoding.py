"""What the network's encoder makes of an input at each of its levels; the decoder is left out."""

from __future__ import annotations

import torch
from torch import Tensor

from .engine import Engine
from .unet import FewShotUNet


@torch.no_grad()
def encoded(engine: Engine, channels: Tensor) -> list[Tensor]:
    """Features (n, k, j, i) float32 on the CPU of each level, the bottleneck last, for channels (12, k, j, i).

    Each level has twice the features of the one before and half its cells along each axis. For small grids: there are
    no tiles.
    """
    network = engine.network
    assert isinstance(network, FewShotUNet)
    batch = channels[None, : network.in_channels].to(engine.device)
    seen = batch.contiguous(memory_format=engine.precision.memory_format)
    levels = []
    with engine.precision.autocast(engine.device):
        for block in (network.input_block, *network.downsamples, network.bottleneck):
            seen = block(seen)
            levels.append(seen[0].float().cpu())
    return levels
