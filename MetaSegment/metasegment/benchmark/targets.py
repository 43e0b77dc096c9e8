"""What MetaSegment set out to reach on unseen structures, and whether a run reached it. Judges, measures nothing."""

from __future__ import annotations

from dataclasses import dataclass

from .cross_volume import Across
from .methods.metasegment import NAME
from .methods.registration import NAME as REGISTRATION
from .statistics import Estimate
from .summary import MethodSummary, Summary

#: Floor: points of Dice above the best single classical peer, and the ambition for the mean Dice, by slices.
LEAD = {1: 0.14, 3: 0.09, 5: 0.05}
AMBITION = {1: 0.80, 3: 0.90, 5: 0.93}
#: Share of tasks worse than that peer by more than half a point.
HARM = 0.20
#: Share of its failures.
FAILURES = 0.5
#: Mean distance of the estimated from the true Dice.
ESTIMATE = 0.08
#: Until the first answer, on two cores.
FIRST_SECONDS = 2.0
GROW = "grow_from_seeds"
#: On another patient's volume, with so many slices of it: points of Dice above copying by registration, and above
#: three slices without anything taught.
ACROSS_LEAD, ACROSS_GAIN = {0: 0.05}, {1: 0.0}


@dataclass(frozen=True)
class Target:
    """`met` is None for what this run cannot tell."""

    wanted: str
    measured: str
    met: bool | None


def judged(summary: Summary) -> list[Target]:
    """Returns every target; empty where MetaSegment itself was not run, or for structures it may have seen."""
    ours = summary.methods.get(NAME)
    if ours is None:
        return []
    peer, copied = (summary.methods.get(name or "") for name in (summary.best_peer, REGISTRATION))
    found = _across(ours.across, copied.across if copied else None) if ours.across else []
    if summary.unseen:
        found += [*_leads(ours, peer), *_others(ours, peer, summary.methods.get(GROW)), *_ambitions(ours)]
    return found


def _across(ours: Across, copied: Across | None) -> list[Target]:
    found = []
    for count, points in ACROSS_LEAD.items():
        lead = copied.lead.get(count) if copied else None
        wanted = f"task of another patient, {_slices(count)}: Dice above registration by at least {points:+.2f}"
        found.append(Target(wanted, _signed(lead), lead.mean >= points if lead else None))
    for count, points in ACROSS_GAIN.items():
        gain = ours.gain.get(count)
        wanted = f"task of another patient, {_slices(count)}: at least the Dice of 3 slices without it"
        found.append(Target(wanted, _signed(gain), gain.mean >= points if gain else None))
    return found


def _leads(ours: MethodSummary, peer: MethodSummary | None) -> list[Target]:
    found = []
    for count, points in LEAD.items():
        lead = peer.lead.get(count) if peer else None
        label = peer.label if peer else "the best classical peer"
        wanted = f"Dice above {label}, {_slices(count)}: at least +{points:.2f}"
        found.append(Target(wanted, _signed(lead), lead.mean >= points if lead else None))
    return found


def _others(ours: MethodSummary, peer: MethodSummary | None, grow: MethodSummary | None) -> list[Target]:
    limit = FAILURES * peer.failure if peer and peer.failure is not None else None
    error, first = ours.estimate_error, ours.first
    theirs = grow.answer if grow else None
    return [
        Target(
            f"worse than that peer by over half a point on under {HARM:.0%} of tasks",
            _percent(ours.harm),
            ours.harm < HARM if ours.harm is not None else None,
        ),
        Target(
            "failures (Dice < 0.5) at most half of that peer's" + (f": {limit:.1%}" if limit is not None else ""),
            _percent(ours.failure),
            ours.failure <= limit if ours.failure is not None and limit is not None else None,
        ),
        Target(
            f"estimated Dice within {ESTIMATE:g} of the truth on average",
            f"{error.mean:.3f}" if error else "–",
            error.mean <= ESTIMATE if error else None,
        ),
        Target(
            f"first answer within {FIRST_SECONDS:g} s (95 % of these tasks, on this machine)",
            f"{first.late:.1f} s" if first else "–",
            first.late <= FIRST_SECONDS if first else None,
        ),
        Target(
            "first answer sooner than Slicer's Grow from seeds" + (f": {theirs.median:.2f} s" if theirs else ""),
            f"{first.median:.2f} s (medians of small volumes; a full-size CT:  Testing/measure/speed.py)"
            if first
            else "–",
            first.median < theirs.median if first and theirs else None,
        ),
    ]


def _ambitions(ours: MethodSummary) -> list[Target]:
    return [
        Target(
            f"ambition: mean Dice {dice:.2f} with {_slices(count)}",
            f"{found.mean:.3f} ({found.low:.3f} to {found.high:.3f})" if (found := ours.dice.get(count)) else "–",
            found.mean >= dice if found else None,
        )
        for count, dice in AMBITION.items()
    ]


def _slices(count: int) -> str:
    return f"{count} slice{'s' * (count != 1)}"


def _signed(found: Estimate | None) -> str:
    return f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})" if found else "–"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
