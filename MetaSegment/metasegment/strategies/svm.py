"""A support vector machine on the cells of hidden slices: squared hinge in the primal, few Newton steps.

The idea is MetaOptNet's (Lee et al., arXiv 1904.03758), the solver Chapelle's (Neural Computation 2007): no quadratic
program.
"""

from __future__ import annotations

from torch import Tensor

from .linear_head import linear_head
from .ridge import ridge_weights

#: Newton steps, of the 5 to 10 that are usual; the tests see the optimum reached.
STEPS = 8


def svm_weights(features: Tensor, sides: Tensor, shares: Tensor, penalty: Tensor, prior: Tensor) -> Tensor:
    """Minimises the weighted mean of max(0, 1 - side · features · w)² plus penalty · (w - prior)²; (f,).

    Arguments as for linear_head.Solver. A Newton step is a ridge regression on the cells within the margin. Which
    these are does not change with small changes, so the derivative of the last step is that of the optimum.
    """
    weights = prior
    for _ in range(STEPS):
        active = sides * (features @ weights.detach()) < 1
        weights = ridge_weights(features, sides, shares * active, penalty, prior)
    return weights


STRATEGY = linear_head("svm", svm_weights)
