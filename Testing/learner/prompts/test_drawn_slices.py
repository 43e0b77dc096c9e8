"""Slices as users draw them: how many, in which planes, and with a hand's errors."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from metasegment.annotation import BACKGROUND
from metasegment.episodes.slices import STRUCTURE, annotate
from metasegment.episodes.targets import eroded
from metasegment.prompts import annotated_extent
from metasegment.prompts.interpolation import annotated_planes


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def drawings(a_blob: Tensor) -> list[Tensor]:
    """What 400 users draw on the blob."""
    return [annotate(a_blob, seeded(seed)) for seed in range(400)]


def slices_of(labels: Tensor) -> list[list[int]]:
    return [planes.tolist() for planes in annotated_planes(labels != 0)]


def test_one_to_seven_slices_are_drawn_and_few_more_often(drawings: list[Tensor]) -> None:
    counts = [sum(map(len, slices_of(labels))) for labels in drawings]
    assert set(counts) >= {1, 2, 3, 4, 5, 6, 7}
    assert max(counts) <= 9  # seven, and one without the structure at either end
    assert sum(c <= 3 for c in counts) > 0.6 * len(counts)


def test_slices_lie_in_every_plane_and_sometimes_cross(drawings: list[Tensor]) -> None:
    used = [tuple(bool(planes) for planes in slices_of(labels)) for labels in drawings]
    for axis in range(3):
        assert sum(axes == tuple(a == axis for a in range(3)) for axes in used) > 0.08 * len(used)
    assert 0.05 < sum(sum(axes) > 1 for axes in used) / len(used) < 0.25


def test_a_few_slices_are_oblique(drawings: list[Tensor]) -> None:
    oblique = [labels for labels in drawings if not any(slices_of(labels))]
    assert 0.02 < len(oblique) / len(drawings) < 0.12
    for labels in oblique:
        # A sheet as a digital plane without tunnels is: at most three voxels along the axis it crosses most steeply.
        thickness = min(int((labels != 0).sum(axis).max()) for axis in range(3))
        assert thickness <= 3
        assert (labels != 0).sum() > 300


def test_some_users_say_where_the_structure_is_absent(a_blob: Tensor, drawings: list[Tensor]) -> None:
    low, high = a_blob.nonzero().amin(0).tolist(), a_blob.nonzero().amax(0).tolist()
    beyond = 0
    for labels in drawings:
        extent = annotated_extent(labels, STRUCTURE)
        assert extent is not None
        ends = [p for a in range(3) for p in extent.empty[a] if p < low[a] or p > high[a]]
        assert len(ends) <= 2
        beyond += bool(ends)
    assert 0.1 < beyond / len(drawings) < 0.3


def test_what_is_drawn_is_the_structure_apart_from_a_hands_error(a_blob: Tensor, drawings: list[Tensor]) -> None:
    exact = 0
    for labels in drawings:
        known = labels != 0
        assert set(labels.unique().tolist()) <= {0, STRUCTURE, BACKGROUND}
        wrong = int(((labels == STRUCTURE) != a_blob)[known].sum())
        exact += wrong == 0
        # Next to the outline, never elsewhere.
        far = known & (eroded(a_blob, 1) | eroded(~a_blob, 1))
        assert torch.equal((labels == STRUCTURE)[far], a_blob[far])
    assert 0.6 < exact / len(drawings) < 0.9
