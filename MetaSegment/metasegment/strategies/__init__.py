"""Ways to adapt to annotated slices, one file each. A new file with a `STRATEGY` is all it takes to add one."""

from __future__ import annotations

import importlib
import pkgutil

from .base import Lesson, MetaStrategy, MetaTask, Query, State, Strategy, Support

__all__ = ["Lesson", "MetaStrategy", "MetaTask", "Query", "State", "Strategy", "Support", "all_strategies"]


def all_strategies() -> dict[str, Strategy]:
    """Every strategy of this folder, by name."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    strategies = (module.STRATEGY for module in modules if hasattr(module, "STRATEGY"))
    return {strategy.name: strategy for strategy in strategies}
