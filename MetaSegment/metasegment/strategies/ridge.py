"""Ridge regression to ±1 on the cells of hidden slices, in closed form (R2D2, Bertinetto et al., arXiv 1805.08136)."""

from __future__ import annotations

import torch
from torch import Tensor

from .linear_head import linear_head


def ridge_weights(features: Tensor, sides: Tensor, shares: Tensor, penalty: Tensor, prior: Tensor) -> Tensor:
    """Minimises the weighted mean of (side - features · w)² plus penalty · (w - prior)²; (f,), differentiable.

    Arguments as for linear_head.Solver. The small system is solved in float64.
    """
    weighted = features * shares[:, None]
    normal = (weighted.T @ features).double() + torch.diag(penalty.double())
    right = (weighted.T @ sides).double() + penalty.double() * prior
    return torch.linalg.solve(normal, right).to(features.dtype)


STRATEGY = linear_head("ridge", ridge_weights)
