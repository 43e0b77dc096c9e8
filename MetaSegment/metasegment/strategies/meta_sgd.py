"""Meta-SGD: start and step sizes are learnt together, by first-order meta-gradients.

Li, Zhou, Chen & Li, Meta-SGD, 2017 (arXiv 1707.09835), with one step size for each tensor and step, as MAML++'s LSLR
(Antoniou, Edwards & Storkey, How to train your MAML, ICLR 2019, arXiv 1810.09502). The gradient of a step size is exact
to first order; second order would cost twice the time for each task.
"""

from __future__ import annotations

from .gradient import GradientStrategy

STRATEGY = GradientStrategy("meta_sgd", learns_rates=True)
