"""The class-agnostic binary 3D U-Net: prompt channels in, one logit out; and its weights on disk.

MONAI's DynUNet with residual blocks and GroupNorm: BatchNorm would leak statistics between tasks, InstanceNorm has no
channels-last kernel in PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from monai.networks.blocks.dynunet_block import UnetResBlock
from monai.networks.nets.dynunet import DynUNet
from torch import Tensor, nn

from ..errors import InputError
from .channels import CHANNELS, COUNTS
from .convolution import by_one_dnn
from .presence import PresenceHead
from .weights_file import read_tensors, write_tensors

#: Filters of each level by size: "M" (1.4 M parameters) for CPUs, "L0" (5.6 M) for GPUs.
FILTERS = {"M": (16, 32, 64, 128), "L0": (32, 64, 128, 256)}
NORM_GROUPS = 8
#: Cells along the shortest side of the deepest level's input, halved there, on which its weight gradients may be wrong.
WRONG_INPUT = 4
#: Says which code can read a weights file.
WEIGHTS_FORMAT = "metasegment-weights-1"
#: The released weights.
RELEASED = Path(__file__).parents[1] / "weights" / "metasegment-m.safetensors"


class DeepestBlock(UnetResBlock):
    """The block of the deepest level, trained in fp32 on a CPU where it has two cells along a side.

    There torch 2.13 on AMD (Zen 4 and 5) returns for the weight gradients of its second convolution in bf16 what the
    memory held before. All others are right (within 5 % of fp32 in 30 of 30 runs on each of nine grid shapes), and
    the whole network in fp32 takes three to seven times as long.
    """

    def forward(self, inp: Tensor) -> Tensor:
        if inp.device.type != "cpu" or not torch.is_grad_enabled() or min(inp.shape[2:]) > WRONG_INPUT:
            return super().forward(inp)
        with torch.autocast("cpu", enabled=False):
            return super().forward(inp.to(torch.promote_types(inp.dtype, torch.float32)))


class FewShotUNet(DynUNet):
    """Channels (n, c, k, j, i) to logits (n, 1, k, j, i); of the channels it takes the first `in_channels`.

    `presence`, where it has one, says of each plane whether the structure is there.
    """

    def __init__(self, size: str, channels: int, presence: bool) -> None:
        filters = FILTERS[size]
        levels = len(filters)
        super().__init__(
            spatial_dims=3,
            in_channels=channels,
            out_channels=1,
            kernel_size=[3] * levels,
            strides=[1] + [2] * (levels - 1),
            upsample_kernel_size=[2] * (levels - 1),
            filters=filters,
            norm_name=("GROUP", {"num_groups": NORM_GROUPS}),
            res_block=True,
        )
        self.presence = PresenceHead(filters[0]) if presence else None
        by_one_dnn(self)

    def get_bottleneck(self) -> nn.Module:
        levels = (self.filters[-2], self.filters[-1], self.kernel_size[-1], self.strides[-1])
        return DeepestBlock(self.spatial_dims, *levels, self.norm_name, self.act_name)

    def forward(self, x: Tensor) -> Tensor:
        return self.with_presence(x)[0]

    def with_presence(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Logits, and those of presence for the planes across k, j and i, each (n, planes); none without a head."""
        x = x[:, : self.in_channels]
        features = self.skip_layers(x)
        logits: Tensor = self.output_block(features)
        return (logits, ()) if self.presence is None else self.presence(features, logits, x)


def build_network(size: str = "M", channels: int = len(CHANNELS), presence: bool = True) -> FewShotUNet:
    """Returns a freshly initialised network for so many of CHANNELS; k, j, i are from grid.CELL_COUNTS."""
    return FewShotUNet(size, channels, presence)


def load_network(path: Path = RELEASED) -> FewShotUNet:
    """Reads a network with the weights of a file; InputError where it is absent, damaged or made for
    another version.
    """
    tensors, metadata = read_tensors(path)
    channels = metadata.get("channels", "").split(",")
    known = len(channels) in COUNTS and channels == list(CHANNELS[: len(channels)])
    if metadata.get("format") != WEIGHTS_FORMAT or not known or metadata.get("size") not in FILTERS:
        raise InputError(
            f"weights {path} are of another version ({metadata.get('format', 'no format named')}): "
            f"this MetaSegment reads {WEIGHTS_FORMAT}; install the matching package or train again"
        )
    network = build_network(metadata["size"], len(channels), any(name.startswith("presence.") for name in tensors))
    set_parameters(network, tensors)
    return network.eval()


def save_weights(path: Path, size: str, tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> None:
    """Writes a weights file with its size, input channels, checksum and facts as metadata; appears at once when
    complete.
    """
    first = next(t for name, t in tensors.items() if name.startswith("input_block.conv1"))
    channels = ",".join(CHANNELS[: first.shape[1]])
    write_tensors(path, tensors, {"format": WEIGHTS_FORMAT, "size": size, "channels": channels, **facts})


def set_parameters(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copies named parameters into a network in place."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(tensors[name])


def widened(network: FewShotUNet, size: str) -> FewShotUNet:
    """Returns a network with all of CHANNELS and a presence head that answers as the given one: what is new weighs
    nothing.
    """
    wide = build_network(size)
    own = dict(network.named_parameters())
    with torch.no_grad():
        for name, parameter in wide.named_parameters():
            if name not in own:
                continue
            given = own[name]
            if given.shape != parameter.shape:  # the first convolutions
                parameter.zero_()
                parameter[:, : given.shape[1]] = given
            else:
                parameter.copy_(given)
    return wide
