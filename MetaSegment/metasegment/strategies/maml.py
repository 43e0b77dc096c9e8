"""MAML: a start from which a few gradient steps do well, learnt by differentiating through the steps.

Finn, Abbeel & Levine, Model-Agnostic Meta-Learning, ICML 2017 (arXiv 1703.03400), algorithm 2.
"""

from __future__ import annotations

from .gradient import GradientStrategy

STRATEGY = GradientStrategy("maml", second_order=True)
