"""ANIL: almost no inner loop; the start is learnt as in MAML, but only the head adapts to a task.

Raghu, Raghu, Bengio & Vinyals, Rapid Learning or Feature Reuse?, ICLR 2020 (arXiv 1909.09157).
"""

from __future__ import annotations

from .gradient import GradientStrategy

STRATEGY = GradientStrategy("anil", second_order=True, adapts=lambda name: name.startswith("output_block."))
