"""Annotated slices carried along the image."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from metasegment.measures.dice import dice
from metasegment.prompts import flow
from metasegment.prompts.propagation import Propagation, propagate

SHAPE, SPACING = (20, 72, 64), (4.0, 1.0, 1.0)


def a_drifting_disc(radius: float = 12, hole: float = 0, shrinking: float = 0) -> tuple[Tensor, Tensor]:
    """An image of a bright disc, or ring, that moves two pixels a slice over texture; and its mask."""
    generator = Generator().manual_seed(4)
    texture = torch.nn.functional.avg_pool2d(torch.randn(1, *SHAPE[1:], generator=generator), 5, 1, 2)[0]
    rows, columns = torch.arange(SHAPE[1])[:, None], torch.arange(SHAPE[2])
    masks = []
    for k in range(SHAPE[0]):
        distance = ((rows - 18 - 2 * k) ** 2 + (columns - 32) ** 2).sqrt()
        masks.append((distance < radius - shrinking * k) & (distance >= hole - shrinking * k))
    mask = torch.stack(masks)
    noise = 0.1 * torch.randn(SHAPE, generator=generator)
    return texture + 2 * mask + noise, mask


def carried(image: Tensor, mask: Tensor, *slices: int) -> Propagation:
    known = torch.zeros_like(mask)
    known[list(slices)] = True
    found = propagate(image, mask & known, known, SPACING)
    assert found is not None
    return found


@pytest.mark.parametrize("method", ["_dis", "_demons"])
def test_a_structure_that_moves_is_followed(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "_dis", getattr(flow, method))
    image, mask = a_drifting_disc()
    found = carried(image, mask, 2, 17).surface > 0
    standing_still = mask[2].expand(SHAPE)
    assert dice(found[3:17], mask[3:17]) > 0.75
    assert dice(standing_still[3:17], mask[3:17]) < 0.5


def test_a_ring_that_shrinks_stays_a_ring() -> None:
    image, mask = a_drifting_disc(radius=15, hole=10, shrinking=0.2)
    assert dice((carried(image, mask, 3, 16).surface > 0)[4:16], mask[4:16]) > 0.7


def test_an_empty_slice_ends_it_exactly_and_nothing_tapers_before() -> None:
    image, mask = a_drifting_disc()
    ended = mask.clone()
    ended[14:] = False
    found = carried(image, ended, 4, 14).surface > 0
    assert not found[14:].any()
    areas = found.flatten(1).sum(1)
    assert areas[13] > 0.7 * areas[5]


def test_only_visible_slices_are_seen() -> None:
    image, mask = a_drifting_disc()
    lied = mask.clone()
    lied[10] = ~lied[10]
    told, other = carried(image, mask, 3, 16), carried(image, lied, 3, 16)
    assert torch.equal(told.surface, other.surface)
    assert torch.equal(told.change, other.change)


def test_the_change_grows_with_the_way_and_lies_in_0_to_1() -> None:
    image, mask = a_drifting_disc()
    change = carried(image, mask, 10).change
    assert 0 <= float(change.min()) <= float(change.max()) <= 1
    assert float(change[10].max()) == 0
    means = change.flatten(1).mean(1)
    assert (means[10:].diff() > 0).all() and (means[:11].diff() < 0).all()


def test_crossing_families_meet_and_what_was_drawn_stays() -> None:
    image, mask = a_drifting_disc()
    known = torch.zeros_like(mask)
    known[10], known[:, :, 32] = True, True
    found = propagate(image, mask & known, known, SPACING)
    assert found is not None
    assert dice((found.surface > 0)[known], mask[known]) > 0.98
    assert dice(found.surface > 0, mask) > 0.75


def test_a_constant_image_and_a_structure_at_the_border_are_no_reason_for_nan() -> None:
    mask = torch.zeros(SHAPE, dtype=torch.bool)
    mask[:, :9, :7] = True
    found = carried(torch.zeros(SHAPE), mask, 0, 19)
    assert found.surface.isfinite().all() and found.change.isfinite().all()
    assert dice(found.surface > 0, mask) > 0.9


def test_nothing_is_carried_from_slices_without_the_structure() -> None:
    image, mask = a_drifting_disc()
    known = torch.zeros_like(mask)
    assert propagate(image, mask & known, known, SPACING) is None
    known[5] = True
    assert propagate(image, torch.zeros_like(mask), known, SPACING) is None
