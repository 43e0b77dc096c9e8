"""The class-agnostic binary 3D U-Net: prompt channels in, one logit out; and its weights on disk.

MONAI's DynUNet with residual blocks and GroupNorm: BatchNorm would leak statistics between tasks, InstanceNorm has no
channels-last kernel in PyTorch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from monai.networks.nets.dynunet import DynUNet
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from .errors import InputError
from .files import written_beside
from .prompts import CHANNELS

#: Filters of each level by size: "M" (1.4 M parameters) for CPUs, "L0" (5.6 M) for GPUs.
FILTERS = {"M": (16, 32, 64, 128), "L0": (32, 64, 128, 256)}
NORM_GROUPS = 8
#: Says which code can read a weights file.
WEIGHTS_FORMAT = "metasegment-weights-1"
#: The released weights.
RELEASED = Path(__file__).parent / "weights" / "metasegment-m.safetensors"


def build_network(size: str = "M") -> nn.Module:
    """A freshly initialised network: (n, 8, k, j, i) channels to (n, 1, k, j, i) logits; k, j, i from
    roi.CELL_COUNTS.
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
    tensors, metadata = _read(path)
    made_for = (metadata.get("format"), metadata.get("channels"))
    if made_for != (WEIGHTS_FORMAT, ",".join(CHANNELS)) or metadata.get("size") not in FILTERS:
        raise InputError(
            f"weights {path} are of another version ({metadata.get('format', 'no format named')}): "
            f"this MetaSegment reads {WEIGHTS_FORMAT}; install the matching package or train again"
        )
    if metadata.get("sha256") != _checksum(tensors):
        raise InputError(
            f"weights {path} are damaged (checksum differs): install the package again or copy the file again"
        )
    network = build_network(metadata["size"])
    set_parameters(network, tensors)
    return network.eval()


def save_weights(path: Path, size: str, tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> None:
    """Writes a weights file with its size, input channels, checksum and facts as metadata; appears at once when
    complete.
    """
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    metadata = {
        "format": WEIGHTS_FORMAT,
        "size": size,
        "channels": ",".join(CHANNELS),
        "sha256": _checksum(plain),
        **facts,
    }
    with written_beside(path) as draft:
        save_file(plain, draft, metadata)


def set_parameters(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copies named parameters into a network in place."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(tensors[name])


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"no weights at {path}: install the package again or name a weights file") from None
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"weights {path} are damaged ({error}): install the package again or copy the file again"
        ) from None


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()
