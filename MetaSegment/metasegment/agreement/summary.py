"""Per structure: mean agreement, and the limits between which volumes differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean, stdev

from .pairs import Agreed

#: Standard deviations that hold 95 % of normally distributed differences.
_LIMIT = 1.96


@dataclass(frozen=True)
class Summary:
    """One structure over its studies.

    `bias_ml` is the mean difference of volumes, the second reader's minus the first's; between `low_ml` and `high_ml`
    lie 95 % of differences (limits of agreement, Bland and Altman, Lancet 1986), None for fewer than two studies.
    """

    structure: str
    studies: int
    dice: float
    least_dice: float
    nsd: float
    bias_ml: float
    low_ml: float | None
    high_ml: float | None


def summaries_of(rows: Iterable[Agreed]) -> tuple[Summary, ...]:
    """One summary a structure, by name."""
    by_structure: dict[str, list[Agreed]] = {}
    for row in rows:
        by_structure.setdefault(row.structure, []).append(row)
    return tuple(_summary(name, found) for name, found in sorted(by_structure.items()))


def _summary(name: str, rows: list[Agreed]) -> Summary:
    differences = [row.volume_b_ml - row.volume_a_ml for row in rows]
    bias = mean(differences)
    spread = _LIMIT * stdev(differences) if len(rows) > 1 else None
    return Summary(
        structure=name,
        studies=len(rows),
        dice=mean(row.dice for row in rows),
        least_dice=min(row.dice for row in rows),
        nsd=mean(row.nsd for row in rows),
        bias_ml=bias,
        low_ml=None if spread is None else bias - spread,
        high_ml=None if spread is None else bias + spread,
    )
