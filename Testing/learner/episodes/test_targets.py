"""What training tasks ask for: structures, parts and unions of them, supervoxels, never what is withheld."""

from __future__ import annotations

import dataclasses

import pytest
import SimpleITK as sitk
import torch
from torch import Generator, Tensor

from metasegment.episodes import sources
from metasegment.episodes.bank import Bank, LabelledVolume
from metasegment.episodes.supervoxels import slic
from metasegment.episodes.targets import eroded, labelled_target, redrawn

EDGE = 36


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


# --- targets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["volumes", "label_maps"])
def test_a_withheld_structure_is_never_a_target_not_even_in_a_union(bank: Bank, source: str) -> None:
    volume = bank.volumes["ct"][0] if source == "volumes" else bank.label_maps[0]
    withheld = volume.targets[1]
    volume = dataclasses.replace(volume, targets=tuple(t for t in volume.targets if t != withheld))
    generator = seeded(0)
    drawn = torch.zeros_like(volume.labels, dtype=torch.bool)
    for _ in range(150):
        drawn |= labelled_target(volume, generator)
    assert not drawn[volume.labels == withheld].any()
    assert set(volume.labels[drawn].unique().tolist()) == set(volume.targets)


def test_structures_that_touch_are_sometimes_united(bank: Bank) -> None:
    volume = bank.volumes["ct"][0]
    parts = []
    for seed in range(100):
        mask = labelled_target(volume, seeded(seed))
        labels = volume.labels[mask].unique().tolist()
        parts.append(len(labels))
        for label in labels:
            own, others = volume.labels == label, mask & (volume.labels != label)
            assert len(labels) == 1 or (~eroded(~own, 1) & others).any()
    assert 0.08 < sum(n > 1 for n in parts) / len(parts) < 0.35


def test_a_target_is_now_and_then_cut_hollowed_widened_or_tightened(a_blob: Tensor) -> None:
    image = torch.randn(a_blob.shape, generator=seeded(0))
    masks = [redrawn(a_blob, image, seeded(seed)) for seed in range(200)]
    shares = torch.tensor([float(m.sum() / a_blob.sum()) for m in masks])
    as_it_is = torch.tensor([torch.equal(m, a_blob) for m in masks])
    assert 0.5 < as_it_is.float().mean() < 0.7
    assert ((shares > 0.45) & (shares < 0.55)).float().mean() > 0.06  # cut in two
    assert any(torch.equal(m, eroded(a_blob, 1)) for m in masks)
    assert any(torch.equal(m, ~eroded(~a_blob, 1)) for m in masks)
    assert any(torch.equal(m, a_blob & ~eroded(a_blob, 3)) for m in masks)


def test_erosion_takes_whole_layers() -> None:
    cube = torch.zeros(12, 12, 12, dtype=torch.bool)
    cube[2:10, 2:10, 2:10] = True
    smaller = torch.zeros_like(cube)
    smaller[4:8, 4:8, 4:8] = True
    assert torch.equal(eroded(cube, 2), smaller)


def test_supervoxel_tasks_do_not_look_at_labels(bank: Bank) -> None:
    blind = {
        name: [dataclasses.replace(v, labels=torch.zeros_like(v.labels), targets=()) for v in volumes]
        for name, volumes in bank.volumes.items()
    }
    for seed in range(4):
        one, other = (sources.supervoxels(b, 40**3, seeded(seed)) for b in (bank, Bank(blind, [])))
        assert torch.equal(one.mask, other.mask)
        assert torch.equal(one.image, other.image)


def test_the_image_of_a_labelled_task_belongs_to_its_mask() -> None:
    k, j, i = torch.meshgrid(*(torch.arange(EDGE) - EDGE / 2 for _ in range(3)), indexing="ij")
    ball = (k**2 + j**2 + i**2).sqrt() < 10
    volume = LabelledVolume("ct", "ball", (1000 * ball).short(), ball.short(), (2.0, 1.0, 1.0), (1,))
    samples = [sources.labelled(Bank({"ct": [volume]}, []), 40**3, seeded(seed)) for seed in range(16)]
    usable = [sample for sample in samples if sample.usable]
    assert len(usable) > 10
    for sample in usable:
        inside, outside = sample.image[sample.mask], sample.image[~sample.mask]
        assert abs(float(inside.median() - outside.median())) > outside.std()


@pytest.mark.parametrize(("voxels", "usable"), [(29, False), (30, True), (500, True), (501, False)])
def test_structures_too_small_or_too_large_for_their_image_are_not_used(voxels: int, usable: bool) -> None:
    mask = torch.zeros(1000, dtype=torch.bool)
    mask[:voxels] = True
    assert sources.Sample(torch.zeros(10, 10, 10), mask.view(10, 10, 10), (1, 1, 1)).usable == usable


# --- supervoxels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("edge", "compactness"), [(6, 5.0), (10, 2.0), (10, 20.0)])
def test_supervoxels_are_as_many_and_as_large_as_itks_and_follow_the_image_as_well(
    bank: Bank, edge: int, compactness: float
) -> None:
    image = bank.volumes["ct"][1].image
    assert image is not None
    image = image.float()
    standardised = 100 * (image - image.mean()) / image.std()
    reference = sitk.SLIC(sitk.GetImageFromArray(standardised.numpy()), [edge] * 3, compactness, 3, False)
    theirs = torch.from_numpy(sitk.GetArrayFromImage(reference).astype("int64"))
    ours = slic(image, edge, compactness)
    sizes = [torch.bincount(regions.flatten()) for regions in (ours, theirs)]
    sizes = [s[s > 0].double() for s in sizes]
    assert len(sizes[0]) == pytest.approx(len(sizes[1]), rel=0.05)
    assert sizes[0].median() == pytest.approx(float(sizes[1].median()), rel=0.3)
    within = [spread_within(regions, image) for regions in (ours, theirs)]
    assert within[0] < 1.5 * within[1]


def spread_within(regions: Tensor, image: Tensor) -> float:
    """Share of the image's variance that is left within its regions."""
    index = regions.flatten()
    means = torch.bincount(index, image.flatten()) / torch.bincount(index).clamp(min=1)
    return float((image - means[regions]).square().mean() / image.var())
