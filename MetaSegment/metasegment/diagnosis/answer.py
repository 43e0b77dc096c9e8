"""Asks labelled examples about other subjects: scores, probabilities, p-values, and the examples nearest to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .confidence import fitted_steepness, least_examples, p_values, probabilities
from .heads import in_units, scored

#: The nearest examples that are shown as the reason.
SHOWN = 3


@dataclass(frozen=True)
class Likelihood:
    """What speaks for a finding: the head's score, its probability (None with too few examples) if all findings were
    equally frequent, and its conformal p-value.
    """

    finding: str
    score: float
    probability: float | None
    p_value: float


@dataclass(frozen=True)
class Answer:
    """Findings, likeliest first, and the nearest examples as indices, nearest first.

    `is_none` says that the subject is unlike the examples of every finding, at the level asked for.
    """

    findings: tuple[Likelihood, ...]
    is_none: bool
    nearest: tuple[int, ...]


def answer(
    examples: np.ndarray, findings: Sequence[str], asked: np.ndarray, head: str, level: float
) -> tuple[tuple[Answer, ...], tuple[str, ...]]:
    """Answers for subjects (m, f) by examples (n, f) and their findings, and notes for the user.

    `level`, 0…1, is the p-value up to which a finding is given up. Raises InputError with less than two findings.
    """
    names = sorted(set(findings))
    if len(names) < 2:
        raise InputError("all examples have the same finding; label examples of at least two")
    numbers = np.array([names.index(finding) for finding in findings])
    scores = scored(head, examples, numbers, asked)
    steepness = fitted_steepness(head, examples, numbers)
    shares = [None] * len(asked) if steepness is None else list(probabilities(scores, steepness))
    places, others = in_units(examples, examples), in_units(examples, asked)
    answers = []
    for n, (row, share) in enumerate(zip(scores, shares, strict=True)):
        likely = p_values(examples, numbers, asked[n])
        order = np.argsort(-row, kind="stable")
        found = tuple(
            Likelihood(names[c], float(row[c]), None if share is None else float(share[c]), float(likely[c]))
            for c in order
        )
        nearest = np.argsort(np.linalg.norm(places - others[n], axis=1), kind="stable")[:SHOWN]
        answers.append(Answer(found, bool(likely.max() <= level), tuple(nearest.tolist())))
    return tuple(answers), tuple(_notes(np.bincount(numbers), level))


def _notes(counts: np.ndarray, level: float) -> list[str]:
    notes = []
    if counts.min() < 2:
        notes.append("no probabilities: they need two examples of each finding")
    needed = least_examples(level)
    if counts.min() < needed:
        notes.append(f"'none of these' cannot be said at level {level:g} with less than {needed} examples of a finding")
    return notes
