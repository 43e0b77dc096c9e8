"""The class-agnostic binary 3D U-Net: prompt channels in, one logit out; and its weights on disk.

MONAI's DynUNet with residual blocks and GroupNorm: BatchNorm would leak statistics between tasks, InstanceNorm has no
channels-last kernel in PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from monai.networks.nets.dynunet import DynUNet
from torch import Tensor, nn

from ..errors import InputError
from .channels import CHANNELS
from .weights_file import read_tensors, write_tensors

#: Filters of each level by size: "M" (1.4 M parameters) for CPUs, "L0" (5.6 M) for GPUs.
FILTERS = {"M": (16, 32, 64, 128), "L0": (32, 64, 128, 256)}
NORM_GROUPS = 8
#: Says which code can read a weights file.
WEIGHTS_FORMAT = "metasegment-weights-1"
#: The released weights.
RELEASED = Path(__file__).parents[1] / "weights" / "metasegment-m.safetensors"


def build_network(size: str = "M") -> nn.Module:
    """A freshly initialised network: (n, 8, k, j, i) channels to (n, 1, k, j, i) logits; k, j, i from
    grid.CELL_COUNTS.
    """
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


def load_network(path: Path = RELEASED) -> nn.Module:
    """A network with the weights of a file; InputError where it is absent, damaged or made for another version."""
    tensors, metadata = read_tensors(path)
    made_for = (metadata.get("format"), metadata.get("channels"))
    if made_for != (WEIGHTS_FORMAT, ",".join(CHANNELS)) or metadata.get("size") not in FILTERS:
        raise InputError(
            f"weights {path} are of another version ({metadata.get('format', 'no format named')}): "
            f"this MetaSegment reads {WEIGHTS_FORMAT}; install the matching package or train again"
        )
    network = build_network(metadata["size"])
    set_parameters(network, tensors)
    return network.eval()


def save_weights(path: Path, size: str, tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> None:
    """Writes a weights file with its size, input channels, checksum and facts as metadata; appears at once when
    complete.
    """
    write_tensors(path, tensors, {"format": WEIGHTS_FORMAT, "size": size, "channels": ",".join(CHANNELS), **facts})


def set_parameters(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copies named parameters into a network in place."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(tensors[name])
