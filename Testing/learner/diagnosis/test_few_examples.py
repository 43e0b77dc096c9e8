"""Heads, probabilities and p-values on features whose truth is known."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from metasegment.diagnosis.answer import answer
from metasegment.diagnosis.confidence import fitted_steepness, p_values, probabilities
from metasegment.diagnosis.heads import HEADS, scored
from metasegment.errors import InputError

FEATURES = 40


def clusters(rng: np.random.Generator, counts: tuple[int, ...], apart: float) -> tuple[np.ndarray, np.ndarray]:
    """Normal features, of unlike scales, around a centre for each finding; how many of each."""
    findings = np.repeat(np.arange(len(counts)), counts)
    centres = np.random.default_rng(99).normal(0, apart, (len(counts), FEATURES))
    return (centres[findings] + rng.normal(size=(len(findings), FEATURES))) * np.geomspace(
        0.01, 100, FEATURES
    ), findings


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("examples", [1, 5])
def test_each_head_tells_three_findings_apart_whatever_the_units(head: str, examples: int) -> None:
    if head == "svm":
        pytest.importorskip("sklearn", reason="the extra `diagnose` is not installed")
    rng = np.random.default_rng(0)
    features, findings = clusters(rng, (examples,) * 3, apart=1.5)
    others, truth = clusters(rng, (30,) * 3, apart=1.5)
    assert (scored(head, features, findings, others).argmax(1) == truth).mean() > 0.9


@pytest.mark.parametrize("counts", [(30, 3), (3, 30)])
def test_a_rare_finding_and_a_frequent_one_are_both_recognised(counts: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    features, findings = clusters(rng, counts, apart=1.0)
    others, truth = clusters(rng, (100, 100), apart=1.0)
    said = scored("ridge", features, findings, others).argmax(1)
    assert (said[truth == 0] == 0).mean() > 0.9
    assert (said[truth == 1] == 1).mean() > 0.9


def test_without_scikit_learn_the_svm_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.svm", None)
    features, findings = clusters(np.random.default_rng(0), (2, 2), 1.0)
    with pytest.raises(InputError, match=r"pip install 'metasegment\[diagnose\]'"):
        scored("svm", features, findings, features)


def test_a_true_finding_is_given_up_no_more_often_than_the_level_says() -> None:
    rng = np.random.default_rng(2)
    given_up = []
    for _ in range(400):
        features, findings = clusters(rng, (10, 11), apart=0.2)
        given_up.append(p_values(features[:20], findings[:20], features[20])[1] <= 0.1)
    assert 0.05 < np.mean(given_up) < 0.13  # one in eleven: ranks of eleven alike


def test_what_is_unlike_all_examples_is_none_of_them() -> None:
    rng = np.random.default_rng(3)
    features, findings = clusters(rng, (12, 12), apart=1.0)
    names = ["healthy" if f else "ill" for f in findings]
    asked = np.stack([features[0] * 1.001, features[0] + 50 * features.std(0)])
    (like, unlike), notes = answer(features, names, asked, "ridge", 0.1)
    assert not like.is_none and like.findings[0].finding == "ill" and like.nearest[0] == 0
    assert unlike.is_none
    assert not notes


def test_few_examples_never_make_sure_and_more_do() -> None:
    rng = np.random.default_rng(4)
    surest = []
    for count in (2, 5, 20):
        features, findings = clusters(rng, (count, count), apart=2.0)
        steepness = fitted_steepness("ridge", features, findings)
        assert steepness is not None
        surest.append(probabilities(scored("ridge", features, findings, features), steepness).max())
    assert surest == sorted(surest)
    assert surest[0] < 0.95


def test_probabilities_of_findings_that_look_alike_are_even() -> None:
    rng = np.random.default_rng(5)
    features, findings = clusters(rng, (20, 20), apart=0.0)
    (found, *_), _ = answer(features, findings.astype(str).tolist(), clusters(rng, (5, 5), 0.0)[0], "ridge", 0.1)
    assert found.findings[0].probability == pytest.approx(0.5, abs=0.15)


def test_one_example_a_finding_gives_an_order_without_probabilities_and_says_so() -> None:
    features, _ = clusters(np.random.default_rng(6), (1, 1), apart=2.0)
    (found,), notes = answer(features, ["a", "b"], features[:1], "prototypes", 0.1)
    assert [f.finding for f in found.findings] == ["a", "b"]
    assert {f.probability for f in found.findings} == {None}
    assert not found.is_none
    assert "two examples" in notes[0] and "9 examples" in notes[1]
