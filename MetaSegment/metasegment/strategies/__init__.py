"""Ways to adapt to annotated slices, one file each. A new file with a `STRATEGY` is all it takes to add one."""

from __future__ import annotations

import importlib
import pkgutil

from .base import MetaStrategy, MetaTask, Query, State, Strategy, Support, TrainingSlice

__all__ = [
    "MetaStrategy",
    "MetaTask",
    "Query",
    "State",
    "Strategy",
    "Support",
    "TrainingSlice",
    "all_meta_strategies",
    "all_strategies",
]


def all_strategies() -> dict[str, Strategy]:
    """Returns every strategy of this folder, by name."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    strategies = (module.STRATEGY for module in modules if hasattr(module, "STRATEGY"))
    return {strategy.name: strategy for strategy in strategies}


def all_meta_strategies() -> dict[str, MetaStrategy]:
    """Returns those of them that have meta-parameters of their own, by name."""
    return {name: strategy for name, strategy in all_strategies().items() if isinstance(strategy, MetaStrategy)}
