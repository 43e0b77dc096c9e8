"""Convolutions of one image at a time in fp32, by oneDNN whatever their size.

For one image of up to 20,480 values in all but its last dimension PyTorch takes a native kernel, which is two to five
times slower than oneDNN: 0.34 instead of 0.16 s for an answer on 48 cells cubed on one core of a Zen 4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class OneImageConv3d(nn.Conv3d):
    """nn.Conv3d, for answers without gradients in fp32 on a CPU by oneDNN."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        single = input.device.type == "cpu" and input.dtype == weight.dtype == torch.float32
        learning = torch.is_grad_enabled() or torch.is_autocast_enabled("cpu")
        if learning or not single or not torch.backends.mkldnn.is_available():
            return super()._conv_forward(input, weight, bias)
        out: Tensor = torch.ops.aten.mkldnn_convolution(
            input, weight, bias, self.padding, self.stride, self.dilation, self.groups
        )
        return out


def by_one_dnn(network: nn.Module) -> None:
    """Turns the convolutions that a network was built with into those above; parameters and names stay."""
    for module in network.modules():
        if type(module) is nn.Conv3d:
            module.__class__ = OneImageConv3d
