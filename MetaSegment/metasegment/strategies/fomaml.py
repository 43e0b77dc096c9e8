"""First-order MAML: the query's gradient where the inner steps end, taken for the gradient where they start.

Finn, Abbeel & Levine 2017 (arXiv 1703.03400), section 5.2; named in Nichol, Achiam & Schulman 2018 (arXiv 1803.02999).
"""

from __future__ import annotations

from .gradient import GradientStrategy

STRATEGY = GradientStrategy("fomaml")
