"""How sure an answer is: probabilities fitted to examples left out, and conformal p-values."""

from __future__ import annotations

import numpy as np

from .heads import in_units, scored

#: Steepnesses tried for the probabilities; 0 means that scores say nothing.
STEEPNESSES = (0.0, *np.geomspace(0.1, 100.0, 31).tolist())
#: Nearest examples of a finding to which a distance is measured.
NEAREST = 3


def fitted_steepness(head: str, features: np.ndarray, findings: np.ndarray) -> float | None:
    """The steepness at which softmax probabilities are likeliest on examples, each scored by the others.

    None where a finding has one example: nothing is left of it to score by. Temperature scaling (Guo et al., arXiv
    1706.04599) on the leave-one-out scores of (n, f) features and (n,) findings, with Platt's targets (1999): with n
    examples of a finding its own is not 1 but (n + 1) / (n + 2), so that few never make sure.
    """
    if np.bincount(findings).min() < 2:
        return None
    kept = ~np.eye(len(findings), dtype=bool)
    left_out = [scored(head, features[others], findings[others], features[[n]]) for n, others in enumerate(kept)]
    scores = np.concatenate(left_out)
    counts = np.bincount(findings)
    own = (counts + 1) / (counts + 2)
    rest = (1 - own) / (len(counts) - 1)
    is_own = findings[:, None] == np.arange(len(counts))
    targets = np.where(is_own, own[findings, None], rest[findings, None]) / counts[findings, None]
    losses = [-(targets * np.log(probabilities(scores, s) + 1e-9)).sum() for s in STEEPNESSES]
    return STEEPNESSES[int(np.argmin(losses))]


def probabilities(scores: np.ndarray, steepness: float) -> np.ndarray:
    """Softmax (m, c) of scores times a steepness: of findings that are equally frequent."""
    powers = steepness * (scores - scores.max(1, keepdims=True))
    return np.exp(powers) / np.exp(powers).sum(1, keepdims=True)


def p_values(features: np.ndarray, findings: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """For each finding (c,), how usual a subject (f,) would be among its examples (n, f): 1/(examples + 1)…1.

    Full conformal prediction within each class (Vovk et al., Algorithmic Learning in a Random World, 2005): where the
    subject is drawn as the examples of its finding were, its p-value is at most ε in at most a share ε of cases. What
    is compared are mean distances to the nearest others of that finding.
    """
    every = np.concatenate([features, asked[None]])
    every = in_units(every, every)  # with the subject: it must be treated as the examples are
    found = []
    for finding in range(findings.max() + 1):
        bag = every[np.append(findings == finding, True)]
        distances = np.linalg.norm(bag[:, None] - bag[None], axis=2)
        np.fill_diagonal(distances, np.inf)
        nearest = np.sort(distances, 1)[:, : min(NEAREST, len(bag) - 1)].mean(1)
        found.append((nearest >= nearest[-1]).mean())
    return np.array(found)


def least_examples(level: float) -> int:
    """Examples of a finding from which on a p-value can be as low as a level, 0…1."""
    return int(np.ceil(1 / level - 1e-9)) - 1
