"""Scores of findings from embedded examples: one small classifier a function, fitted anew for each question.

Each takes features (n, f) and findings (n,) as numbers 0…c-1, each present, and returns scores (m, c) of others (m, f):
the higher, the likelier.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import InputError

Head = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
#: Of ridge regression and of the support vector machine, for features whose squares sum to about one.
PENALTY, SLACK = 1.0, 1.0


def scored(head: str, features: np.ndarray, findings: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Scores (m, c) by the head of that name in HEADS, of features in units of their deviation over the examples."""
    return HEADS[head](in_units(features, features), findings, in_units(features, others))


def in_units(examples: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Features less their mean over the examples, in units of their deviation there, scaled so that the squares of an
    example sum to about one.
    """
    deviation = examples.std(0)
    varies = deviation > 1e-6 * np.abs(examples).max(0)
    units = (features - examples.mean(0))[:, varies] / deviation[varies]
    return units / np.sqrt(max(1, varies.sum()))


def prototype_scores(features: np.ndarray, findings: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Minus the squared distance to the mean of each finding (Snell et al., arXiv 1703.05175)."""
    means = _means(features, findings)
    return -((others[:, None] - means[None]) ** 2).sum(2)


def ridge_scores(features: np.ndarray, findings: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Ridge regression to ±1 of each finding against the others, all findings weighing the same, however many examples
    they have (Bertinetto et al., arXiv 1805.08136).
    """
    means = _means(features, findings)
    centre, count = means.mean(0), len(means)
    centred, asked = features - centre, others - centre
    rarity = np.bincount(findings)[findings] * count / len(findings)
    sides = np.where(findings[:, None] == np.arange(count), 1.0, -1.0 / (count - 1))
    weights = np.linalg.solve(centred @ centred.T + PENALTY * np.diag(rarity), sides)
    return asked @ centred.T @ weights


def svm_scores(features: np.ndarray, findings: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The linear support vector machine of scikit-learn; InputError where that is not installed."""
    try:
        from sklearn.svm import SVC
    except ImportError:
        raise InputError("the head svm needs scikit-learn: pip install 'metasegment[diagnose]'") from None
    machine = SVC(kernel="linear", C=SLACK, class_weight="balanced", decision_function_shape="ovr")
    scores = machine.fit(features, findings).decision_function(others)
    return scores if scores.ndim == 2 else np.stack([-scores, scores], 1)


HEADS: dict[str, Head] = {"ridge": ridge_scores, "prototypes": prototype_scores, "svm": svm_scores}


def _means(features: np.ndarray, findings: np.ndarray) -> np.ndarray:
    return np.stack([features[findings == c].mean(0) for c in range(findings.max() + 1)])
