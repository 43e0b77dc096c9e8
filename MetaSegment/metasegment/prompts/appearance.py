"""What the visible slices say about intensity: the standardisation of the image and a log-likelihood ratio,
structure to background.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

BINS = 32
#: Fractions of known cells are counted in units of one over this.
UNIT = 2.0**20
#: Percentiles at which intensities are clipped before anything else: metal and air must not set the scale.
CLIP = (0.005, 0.995)
#: Values looked at for the percentiles; their error is then far below a histogram bin.
PERCENTILE_SAMPLE = 65536
#: Voxels of uniform prior added to each histogram, so that a rare intensity is weak evidence.
PRIOR = 4.0
#: Natural-log units at which the ratio saturates; the channel is divided by it.
RATIO_LIMIT = 4.0


@dataclass(frozen=True)
class Appearance:
    """Intensity statistics of a ROI. `ratio` (BINS,) is the log-likelihood ratio over low…high, or empty before
    `learn`.
    """

    low: float
    high: float
    mean: float
    std: float
    ratio: Tensor

    def standardise(self, image: Tensor) -> Tensor:
        """Clips and z-scores intensities of any shape."""
        return (image.clamp(self.low, self.high) - self.mean) / self.std

    def likelihood_ratio(self, image: Tensor) -> Tensor:
        """Log-likelihood ratio at each intensity, -1…1, by linear interpolation between bins."""
        position = ((image - self.low) / (self.high - self.low) * BINS - 0.5).clamp(0, BINS - 1)
        below = position.floor().clamp(max=BINS - 2).long()
        return torch.lerp(self.ratio[below], self.ratio[below + 1], position - below)


def learn_appearance(image: Tensor, fg: Tensor, bg: Tensor) -> Appearance:
    """Appearance from a ROI's intensities and the fractions of structure and background on its known cells (all k,
    j, i).
    """
    values = image.flatten()
    values = values[:: max(1, len(values) // PERCENTILE_SAMPLE)].sort().values
    low, high = (float(values[round(q * (len(values) - 1))]) for q in CLIP)
    if high <= low:
        high = low + max(1.0, abs(low))
    clipped = image.clamp(low, high)
    bins = ((clipped - low) / (high - low) * BINS).long().clamp(max=BINS - 1)
    # Whole numbers: their sum is the same in any order, which a GPU does not promise.
    weights = [(w * UNIT).round().double() for w in (fg, bg)]
    counts = [_smoothed(torch.bincount(bins[w > 0], w[w > 0], minlength=BINS) / UNIT) for w in weights]
    inside, outside = ((c + PRIOR / BINS) / (c.sum() + PRIOR) for c in counts)
    ratio = (inside / outside).log().clamp(-RATIO_LIMIT, RATIO_LIMIT) / RATIO_LIMIT
    return Appearance(low, high, float(clipped.mean()), max(float(clipped.std()), 1e-6 * (high - low)), ratio)


def _smoothed(histogram: Tensor) -> Tensor:
    for _ in range(2):
        histogram = avg_pool1d(histogram.float()[None, None], 3, stride=1, padding=1, count_include_pad=False)[0, 0]
    return histogram
