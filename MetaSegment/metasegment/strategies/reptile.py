"""Reptile: the start moves towards where the inner steps end; no query and no second derivative is needed.

Nichol, Achiam & Schulman, On First-Order Meta-Learning Algorithms, 2018 (arXiv 1803.02999).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..network.engine import Engine
from .base import OFFSET, MetaTask
from .gradient import GradientStrategy, Parameters, query_loss, starting_point


class Reptile(GradientStrategy):
    """The query is looked at for the curves alone."""

    def meta_gradient(self, meta: Mapping[str, Tensor], task: MetaTask, engine: Engine) -> tuple[float, Parameters]:
        """Returns the query's loss after the inner loop, and start minus end, which an optimiser may take for a
        gradient.
        """
        end = self.adapted(meta, task, engine)
        with torch.no_grad():
            loss = float(query_loss(end, task, engine))
            start = starting_point(meta, engine.network)
            return loss, {OFFSET + name: start[name] - end[name] for name in start}


STRATEGY = Reptile("reptile")
