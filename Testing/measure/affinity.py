"""A learnt affinity between neighbouring slices, as an alternative to optical flow.

After Sli2Vol (Yeung et al., arXiv 2105.12722): an encoder of 2D slices is trained, without labels, to rebuild a slice
from the one beside it by a softmax over a window of similarities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize, pad, smooth_l1_loss

from metasegment.prompts.flow import LEAST_PIXELS

#: Pixels that the window reaches to each side; pairs a step; slices between the two of a pair, at most.
RADIUS, PAIRS, FARTHEST = 4, 2, 3


class Affinity(nn.Module):
    """Where the pixels of one slice lie in another, by the likeness of features of 2D slices."""

    def __init__(self, width: int = 24):
        super().__init__()
        layers: list[nn.Module] = []
        for before, dilation in ((1, 1), (width, 1), (width, 2), (width, 4)):
            layers += [nn.Conv2d(before, width, 3, padding=dilation, dilation=dilation), nn.LeakyReLU(0.1)]
        self.encoder = nn.Sequential(*layers[:-1])
        self.sharpness = nn.Parameter(torch.tensor(20.0))

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Weights (n, window, rows, columns) of the source's pixels around each pixel of the target (n, 1, …)."""
        keys, queries = (normalize(self.encoder(x), dim=1) for x in (source, target))
        likeness = torch.stack([(key * queries).sum(1) for key in shifted(keys)], 1)
        return (self.sharpness * likeness).softmax(1)

    @torch.no_grad()
    def flows(self, source: Tensor, target: Tensor) -> Tensor:
        """As `metasegment.prompts.flow.flows`: the mean of the window's offsets by their weights.

        A signed distance is nearly linear across the window, so that carrying it along the mean offset is the same as
        averaging it by the weights.
        """
        rows, columns = source.shape[1:]
        scale = max(1.0, LEAST_PIXELS / min(rows, columns))
        size = (round(rows * scale), round(columns * scale))
        reach = torch.arange(-RADIUS, RADIUS + 1.0)
        offsets = torch.cartesian_prod(reach, reach)
        found = []
        for a, b in zip(source, target, strict=True):
            one, other = (interpolate(x[None, None], size=size, mode="bilinear") for x in (a, b))
            flow = torch.tensordot(self(one, other), offsets, ([1], [0])).movedim(3, 1)
            found.append(interpolate(flow, size=(rows, columns), mode="area") / scale)
        return torch.cat(found)


def shifted(fields: Tensor) -> list[Tensor]:
    """Fields (n, c, rows, columns) moved so that each pixel of the window in turn lies at the centre, row by row."""
    rows, columns = fields.shape[2:]
    padded = pad(fields, [RADIUS] * 4, mode="replicate")
    reach = range(2 * RADIUS + 1)
    return [padded[:, :, r : r + rows, c : c + columns] for r in reach for c in reach]


def train(images: Sequence[Tensor], steps: int, say: Callable[[str], None], seed: int = 1) -> Affinity:
    """Trains on standardised images (k, j, i): slices of all three families, one to three apart, contrast altered."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    affinity = Affinity()
    optimiser = torch.optim.AdamW(affinity.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        pairs = torch.stack([_pair(images, generator) for _ in range(PAIRS)])
        source, target = pairs[:, :1], pairs[:, 1:]
        weights = affinity(_altered(source, generator), _altered(target, generator))
        rebuilt = (weights * torch.cat(shifted(source), 1)).sum(1, keepdim=True)
        loss = smooth_l1_loss(rebuilt, target, beta=0.3)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            plain = smooth_l1_loss(source, target, beta=0.3)
            say(f"affinity, step {step}: {loss.item():.4f}, the slice beside it as it is {plain.item():.4f}")
    return affinity


def _pair(images: Sequence[Tensor], generator: torch.Generator) -> Tensor:
    image = images[_below(len(images), generator)].movedim(_below(3, generator), 0)
    gap = min(1 + _below(FARTHEST, generator), len(image) - 1)
    first = _below(len(image) - gap, generator)
    slices = image[[first, first + gap]][None]
    shorter = min(slices.shape[2:])
    slices = interpolate(slices, scale_factor=max(1.0, LEAST_PIXELS / shorter), mode="bilinear")
    row, column = (_below(max(1, n - LEAST_PIXELS + 1), generator) for n in slices.shape[2:])
    crop = slices[0, :, row : row + LEAST_PIXELS, column : column + LEAST_PIXELS]
    return crop if _below(2, generator) else crop.flip(0)


def _altered(slices: Tensor, generator: torch.Generator) -> Tensor:
    gain, offset = (torch.randn(len(slices), 1, 1, 1, generator=generator) * s for s in (0.1, 0.1))
    return slices * (1 + gain) + offset + 0.05 * torch.randn(slices.shape, generator=generator)


def _below(n: int, generator: torch.Generator) -> int:
    return int(torch.randint(n, (1,), generator=generator))
