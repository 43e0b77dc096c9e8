"""Is the structure still there? One answer a plane, across each axis, from what the network's last layer sees in it.

What a plane holds as a whole says where a structure ends, which no cell's own surroundings say. The answer also shifts
the logits of its plane: it cuts, and it extends.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .channels import CHANNELS

#: Numbers that describe a plane beside the means of the features, and the width of the two layers.
OWN, WIDTH = 7, 32
DISTANCE, LIKELIHOOD, CARRIED, CHANGE = (CHANNELS.index(n) for n in ("distance", "likelihood", "carried", "change"))
SHOWN = CHANNELS.index("structure")


class PresenceHead(nn.Module):
    """For `features` channels of the last layer: a logit of presence for each plane, and a shift of its logits."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(2 * features + OWN, WIDTH, 3, padding=1)
        self.second = nn.Conv1d(WIDTH, WIDTH, 5, padding=2)
        self.present = nn.Conv1d(WIDTH, 1, 1)
        self.shift = nn.Conv1d(WIDTH, 1, 1)
        nn.init.zeros_(self.shift.weight)
        assert self.shift.bias is not None
        nn.init.zeros_(self.shift.bias)

    def forward(self, features: Tensor, logits: Tensor, channels: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Returns the logits (n, 1, k, j, i) shifted, and the logits of presence (n, planes) across k, j and i.

        `features` (n, f, k, j, i) and `logits` are of the same pass, `channels` (n, c, k, j, i) its input.
        """
        features, logits, channels = (_at_least_single(x) for x in (features, logits, channels))
        present, shifted = [], logits
        for axis in range(3):
            hidden = torch.relu(self.first(_described(features, logits, channels, axis)))
            hidden = torch.relu(self.second(hidden))
            present.append(_at_least_single(self.present(hidden)[:, 0]))
            shape = [len(logits), 1, *(-1 if a == axis else 1 for a in range(3))]
            shifted = shifted + self.shift(hidden).view(shape)
        return shifted, tuple(present)


def _described(features: Tensor, logits: Tensor, channels: Tensor, axis: int) -> Tensor:
    """Each plane across an axis as numbers (n, 2 f + OWN, planes)."""
    across = [d for d in (2, 3, 4) if d != axis + 2]
    probability = torch.sigmoid(logits)
    area = probability.mean(across)
    inside = (probability * features).mean(across) / (area + 1e-3)
    likely = (probability * channels[:, [LIKELIHOOD]]).mean(across) / (area + 1e-3)
    carried = (channels[:, [CARRIED]] > 0).to(channels.dtype)
    carried_area = carried.mean(across)
    change = (carried * channels[:, [CHANGE]]).mean(across) / (carried_area + 1e-3)
    widest = channels[:, [SHOWN]].mean(across).amax(-1, keepdim=True).clamp(min=0).sqrt()
    reach = torch.log1p(channels[:, [DISTANCE]].mean(across).clamp(min=0) / (widest + 0.05))
    peak = logits.amax(across).clamp(-8, 8) / 8
    own = [(area + 1e-6).sqrt(), peak, likely, carried_area.sqrt(), change, reach, widest.expand_as(area)]
    return torch.cat([features.mean(across), inside, *own], 1)


def _at_least_single(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
