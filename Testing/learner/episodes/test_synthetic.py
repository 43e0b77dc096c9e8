"""Synthetic anatomy: procedural label maps and the images rendered from them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from metasegment.episodes.rendering import render
from metasegment.episodes.shapes import procedural_labels
from metasegment.fields.smooth import along_axes, smooth_field

SIDE = 48
SEEDS = range(16)


def seeded(seed: int) -> Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def maps() -> list[Tensor]:
    return [procedural_labels((SIDE, SIDE, SIDE), seeded(seed)) for seed in SEEDS]


@pytest.fixture(scope="module")
def images(maps: list[Tensor]) -> list[Tensor]:
    return [render(labels, seeded(seed)) for seed, labels in zip(SEEDS, maps, strict=True)]


def two_halves() -> Tensor:
    labels = torch.ones(16, 16, 16, dtype=torch.uint8)
    labels[:, :, 8:] = 2
    return labels


def roughness(image: Tensor, axis: int) -> float:
    """Mean difference of neighbours along an axis: low where the image is blurred."""
    return float(image.diff(dim=axis).abs().mean())


def separation(image: Tensor, labels: Tensor) -> float:
    """Share of the image's variance that its labels explain."""
    within = sum(float(((image[labels == v] - image[labels == v].mean()) ** 2).sum()) for v in labels.unique())
    return 1 - within / float(((image - image.mean()) ** 2).sum())


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[st.integers(16, 40)] * 3), st.integers(0, 2**31))
def test_any_map_has_6_to_30_labels_numbered_without_gaps(shape: tuple[int, int, int], seed: int) -> None:
    labels = procedural_labels(shape, seeded(seed))
    present = labels.unique().tolist()
    assert labels.shape == shape
    assert labels.dtype == torch.uint8
    assert 6 <= len(present) <= 30
    assert present in (list(range(len(present))), list(range(1, len(present) + 1)))


def test_a_seed_gives_the_same_map_and_image_every_time() -> None:
    first, second = seeded(7), seeded(7)
    labels, again = (procedural_labels((32, 40, 24), g) for g in (first, second))
    assert torch.equal(labels, again)
    assert torch.equal(render(labels, first), render(again, second))


def test_other_seeds_give_other_maps_and_images(maps: list[Tensor]) -> None:
    assert not torch.equal(maps[0], maps[1])
    assert not torch.allclose(render(maps[0], seeded(0)), render(maps[0], seeded(1)), atol=0.1)


def test_some_maps_have_air_around_the_body_and_some_do_not(maps: list[Tensor]) -> None:
    with_air = [bool((labels == 0).any()) for labels in maps]
    assert any(with_air)
    assert not all(with_air)


def test_structures_span_from_small_to_large(maps: list[Tensor]) -> None:
    volumes = torch.cat([labels.unique(return_counts=True)[1] for labels in maps])
    diameters = (volumes * 6 / torch.pi) ** (1 / 3) / SIDE
    assert diameters.min() < 0.08
    assert diameters.max() > 0.6
    assert ((diameters > 0.1) & (diameters < 0.4)).float().mean() > 0.3


def test_some_structures_are_long_and_thin(maps: list[Tensor]) -> None:
    def is_long_and_thin(mask: Tensor) -> bool:
        found = mask.nonzero()
        reach = float((found.amax(0) - found.amin(0)).max())
        return reach > 0.5 * SIDE and len(found) < 0.01 * SIDE**3

    assert sum(is_long_and_thin(labels == v) for labels in maps for v in labels.unique()) >= 5


def test_a_map_too_small_for_anatomy_is_refused() -> None:
    with pytest.raises(ValueError, match="16 voxels"):
        procedural_labels((8, 40, 40), seeded(0))


def test_images_are_finite_and_standardised(images: list[Tensor]) -> None:
    for image in images:
        assert image.dtype == torch.float32
        assert image.isfinite().all()
        assert abs(float(image.mean())) < 1e-3
        assert float(image.std()) == pytest.approx(1, abs=1e-3)


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[st.integers(1, 24)] * 3), st.sampled_from([(1, 1, 1), (5, 0.7, 0.7)]), st.integers(0, 2**31))
def test_any_map_of_one_label_gives_a_finite_image(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], seed: int
) -> None:
    image = render(torch.zeros(shape, dtype=torch.uint8), seeded(seed), spacing)
    assert image.shape == shape
    assert image.isfinite().all()


def test_freesurfer_numbers_are_rendered() -> None:
    labels = two_halves().short()
    labels[:8] = 599
    image = render(labels, seeded(3))
    assert image.shape == labels.shape
    assert image.isfinite().all()


def test_labels_explain_the_image_in_most_cases_but_not_in_all(maps: list[Tensor], images: list[Tensor]) -> None:
    explained = torch.tensor([separation(image, labels) for image, labels in zip(images, maps, strict=True)])
    assert (explained > 0.3).float().mean() > 0.6
    assert explained.min() < 0.6


def test_touching_labels_sometimes_share_their_intensity() -> None:
    labels = two_halves()
    explained = torch.tensor([separation(render(labels, seeded(seed)), labels) for seed in range(60)])
    alike = float((explained < 0.05).float().mean())
    assert 0.1 < alike < 0.6


def test_the_image_is_less_blurred_along_an_axis_whose_voxels_are_longer() -> None:
    labels = torch.randint(1, 60, (24, 24, 24), generator=seeded(0))
    found = [render(labels, seeded(seed), (1, 1, 8)) for seed in range(20)]
    across, along = (sum(roughness(image, axis) for image in found) for axis in (0, 2))
    assert along > 1.2 * across


def test_some_images_have_thick_slices(images: list[Tensor]) -> None:
    ratios = []
    for image in images:
        per_axis = [roughness(image, axis) for axis in range(3)]
        ratios.append(max(per_axis) / min(per_axis))
    assert max(ratios) > 2
    assert min(ratios) < 1.3


def test_a_smooth_field_has_unit_variance_and_changes_slowly() -> None:
    fields = smooth_field((20, 30, 25), 6.0, seeded(0), channels=64)
    assert fields.shape == (64, 20, 30, 25)
    assert float(fields.var()) == pytest.approx(1, abs=0.1)
    assert float(fields.diff(dim=1).std()) < 0.3


def test_each_axis_gets_its_own_matrix() -> None:
    values = torch.randn(2, 3, 4, 5, generator=seeded(0))
    for_k, for_i = torch.randn(6, 3, generator=seeded(1)), torch.randn(7, 5, generator=seeded(2))
    expected = torch.einsum("ckji,Kk,Ii->cKjI", values, for_k, for_i)
    assert torch.allclose(along_axes(values, [for_k, None, for_i]), expected, atol=1e-5)
