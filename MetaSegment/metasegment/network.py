"""The class-agnostic binary 3D U-Net: prompt channels in, one logit out.

MONAI's DynUNet with residual blocks and GroupNorm: BatchNorm would leak statistics between tasks, InstanceNorm has no
channels-last kernel in PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from monai.networks.nets import DynUNet
from safetensors.torch import save_file
from torch import Tensor, nn

from .prompts import CHANNELS

#: Filters of each level by size: "M" (1.4 M parameters) for CPUs, "L0" (5.6 M) for GPUs.
FILTERS = {"M": (16, 32, 64, 128), "L0": (32, 64, 128, 256)}
NORM_GROUPS = 8
#: Says which code can read a weights file.
WEIGHTS_FORMAT = "metasegment-weights-1"


def build_network(size: str = "M") -> nn.Module:
    """A freshly initialised network: (n, 8, k, j, i) channels to (n, 1, k, j, i) logits; k, j, i multiples of 8, at least 16."""
    filters = FILTERS[size]
    levels = len(filters)
    return DynUNet(
        spatial_dims=3,
        in_channels=len(CHANNELS),
        out_channels=1,
        kernel_size=[3] * levels,
        strides=[1] + [2] * (levels - 1),
        upsample_kernel_size=[2] * (levels - 1),
        filters=filters,
        norm_name=("GROUP", {"num_groups": NORM_GROUPS}),
        res_block=True,
    )


def set_parameters(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copies named parameters into a network in place."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(tensors[name])


def save_weights(path: Path, size: str, tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> None:
    """Writes a weights file with its size, input channels and facts as metadata; appears at once when complete."""
    metadata = {"format": WEIGHTS_FORMAT, "size": size, "channels": ",".join(CHANNELS), **facts}
    beside = path.with_suffix(".incomplete")
    save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, beside, metadata)
    beside.replace(path)
