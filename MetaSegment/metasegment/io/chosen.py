"""Structures chosen by name, of those that a file holds. Looks at no voxel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import InputError

_SHOWN = 20  # names in a message


def chosen(available: Sequence[str], wanted: Sequence[str]) -> tuple[int, ...]:
    """Returns positions in `available` of the names that are wanted, all where none is; letters' case does not count.

    Raises InputError, with the names that there are, for one that is absent.
    """
    if not wanted:
        return tuple(range(len(available)))
    known = [_plain(name) for name in available]
    for name in wanted:
        if _plain(name) not in known:
            raise InputError(f"it has no structure '{name}'; it has {listed(available)}")
    picked = {_plain(name) for name in wanted}
    return tuple(n for n, name in enumerate(known) if name in picked)


def listed(names: Iterable[str]) -> str:
    """Returns names for a sentence, the first ones where there are many."""
    every = [f"'{name}'" for name in names]
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
