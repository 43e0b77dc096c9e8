"""The demo's phantom: it must look like a CT, hold anatomy, and be hard enough to be worth segmenting."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from metasegment.annotation import AnnotatedSlice, annotation_from_labels
from metasegment.cli import main
from metasegment.demo.phantom import Phantom, abdomen_phantom, annotate, choose_slices
from metasegment.measures.dice import dice

# Volumes of healthy adults (ml), generously; the stomach is full of a meal or not.
ADULT = {
    "liver": (800, 2000),
    "spleen": (80, 350),
    "right kidney": (90, 230),
    "left kidney": (90, 230),
    "stomach": (100, 700),
    "gallbladder": (15, 70),
}


@pytest.fixture(scope="module")
def patients() -> list[Phantom]:
    return [abdomen_phantom(seed) for seed in (0, 1)]


@pytest.fixture(params=[0, 1])
def phantom(patients: list[Phantom], request: pytest.FixtureRequest) -> Phantom:
    return patients[request.param]


def mask_of(phantom: Phantom, name: str) -> np.ndarray:
    label = next(label for label, given in phantom.names.items() if given == name)
    return phantom.labels == label


def centre_of(phantom: Phantom, name: str) -> np.ndarray:
    """Centroid in mm to the patient's left, back and head."""
    index = np.append(np.argwhere(mask_of(phantom, name)).mean(axis=0)[::-1], 1)
    return (phantom.volume.geometry.index_to_world @ index)[:3]


def test_the_same_seed_gives_the_same_voxels_and_another_seed_another_patient(patients: list[Phantom]) -> None:
    first, second = patients
    again = abdomen_phantom(0)
    assert np.array_equal(first.volume.array, again.volume.array)
    assert np.array_equal(first.labels, again.labels)
    assert all(dice(mask_of(first, name), mask_of(second, name)) < 0.97 for name in ADULT)


def test_it_needs_neither_torch_nor_anything_of_the_training_episodes() -> None:
    program = "import sys, metasegment.demo.phantom; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "metasegment.demo.phantom" in loaded
    assert not [module for module in loaded if module.startswith(("torch", "monai", "metasegment.episodes"))]


def test_image_and_labels_are_a_ct_and_a_label_map_on_its_grid(phantom: Phantom) -> None:
    assert phantom.volume.array.dtype == np.int16
    assert phantom.labels.dtype == np.uint8
    assert phantom.volume.array.shape == phantom.labels.shape == phantom.volume.geometry.shape
    assert set(np.unique(phantom.labels)) == {0, *phantom.names}
    assert phantom.names.keys() == phantom.colors.keys()
    assert {1, 2, 3, 4, 5, 6} == set(phantom.names)


def test_tissues_have_the_attenuation_they_have_in_contrast_enhanced_ct(phantom: Phantom) -> None:
    hu = {name: np.median(phantom.volume.array[mask_of(phantom, name)]) for name in ADULT}
    assert 90 < hu["liver"] < 125
    assert 90 < hu["spleen"] < 140
    assert 140 < hu["left kidney"] < 220
    assert 140 < hu["right kidney"] < 220
    assert 0 < hu["gallbladder"] < 25
    outside = phantom.volume.array[phantom.labels == 0]
    assert np.percentile(outside, 1) < -950  # air
    assert ((outside > -130) & (outside < -70)).mean() > 0.1  # fat
    assert ((outside > 300) & (outside < 1500)).mean() > 0.005  # bone


def test_organs_lie_where_they_do_in_a_patient(phantom: Phantom) -> None:
    left, back, head = 0, 1, 2
    centre = {name: centre_of(phantom, name) for name in ADULT}
    assert centre["liver"][left] < 0 < centre["spleen"][left]
    assert centre["right kidney"][left] < 0 < centre["left kidney"][left]
    assert centre["left kidney"][head] > centre["right kidney"][head]
    assert centre["liver"][head] > centre["right kidney"][head]
    assert centre["stomach"][back] < centre["left kidney"][back]
    assert centre["gallbladder"][back] < centre["right kidney"][back]


@pytest.mark.parametrize("name", ADULT)
def test_an_organ_has_the_size_of_an_adults_and_is_one_piece(phantom: Phantom, name: str) -> None:
    mask = mask_of(phantom, name)
    millilitres = mask.sum() * np.prod(phantom.volume.geometry.spacing) / 1000
    smallest, largest = ADULT[name]
    assert smallest < millilitres < largest
    pieces = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8))))
    assert pieces.max() == 1


def test_the_gas_in_the_stomach_lies_in_front_of_the_fluid_and_ends_at_one_level(phantom: Phantom) -> None:
    stomach = mask_of(phantom, "stomach")
    gas = stomach & (phantom.volume.array < -500)
    fluid = stomach & (phantom.volume.array > 0) & (phantom.volume.array < 60)
    both = (gas.sum(axis=(1, 2)) > 100) & (fluid.sum(axis=(1, 2)) > 100)
    levels = [int(np.flatnonzero(plane.any(axis=1)).max()) for plane in gas[both]]
    assert max(levels) - min(levels) <= 1
    assert np.argwhere(fluid)[:, 1].mean() > max(levels)


def test_intensity_alone_does_not_tell_an_organ_from_its_surroundings(phantom: Phantom) -> None:
    for name in ("liver", "spleen", "stomach"):
        mask = mask_of(phantom, name)
        low, high = np.percentile(phantom.volume.array[mask], (5, 95))
        alike = (phantom.volume.array >= low) & (phantom.volume.array <= high)
        assert dice(alike, mask) < 0.7


def test_noise_is_correlated_between_neighbours_as_in_a_reconstructed_image(phantom: Phantom) -> None:
    inside = sitk.GetArrayFromImage(
        sitk.BinaryErode(sitk.GetImageFromArray(mask_of(phantom, "spleen").astype(np.uint8)), (3, 3, 3))
    ).astype(bool)
    pairs = inside[:, :, 1:] & inside[:, :, :-1]
    one, next_one = phantom.volume.array[:, :, 1:][pairs], phantom.volume.array[:, :, :-1][pairs]
    assert 5 < one.std() < 20
    assert 0.3 < np.corrcoef(one, next_one)[0, 1] < 0.95


def test_three_slices_are_evenly_spaced_and_show_every_structure(phantom: Phantom) -> None:
    first, middle, last = choose_slices(phantom.labels)
    assert middle - first == last - middle >= 8
    assert set(np.unique(phantom.labels[[first, middle, last]])) == {0, *phantom.names}


def test_repeating_the_nearest_annotated_slice_is_far_from_the_truth(phantom: Phantom) -> None:
    slices = np.array(choose_slices(phantom.labels))
    planes = np.arange(len(phantom.labels))
    nearest = slices[np.abs(planes[:, None] - slices).argmin(axis=1)]
    unseen = ~np.isin(planes, slices)
    repeated, truth = phantom.labels[nearest][unseen], phantom.labels[unseen]
    assert all(dice(repeated == label, truth == label) < 0.85 for label in phantom.names)


def test_the_annotation_knows_its_slices_and_nothing_else(phantom: Phantom) -> None:
    slices = choose_slices(phantom.labels)
    labels = annotate(phantom.labels, slices)
    found = annotation_from_labels(labels, phantom.volume.geometry, phantom.names)
    assert found.slices == tuple(AnnotatedSlice(0, k) for k in slices)
    assert found.structures == tuple(phantom.names)
    assert np.array_equal(np.where(labels == 255, 0, labels)[list(slices)], phantom.labels[list(slices)])
    assert not np.delete(labels, slices, axis=0).any()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 29), st.integers(1, 20)), min_size=1, max_size=4), st.integers(1, 4))
def test_chosen_slices_show_every_structure_or_none_are_chosen(spans: list[tuple[int, int]], count: int) -> None:
    labels = np.zeros((30, 4, 1), np.uint8)
    for column, (start, height) in enumerate(spans):
        labels[start : start + height, column] = column + 1
    try:
        slices = choose_slices(labels, count)
    except ValueError:
        middles = np.linspace(0, 29, count).round().astype(int)  # one even set that must then fail too
        assert len(set(np.unique(labels[middles])) - {0}) < len(spans) or len(set(np.diff(middles))) > 1
        return
    assert len(slices) == count
    assert len(set(np.diff(slices))) <= 1
    assert set(np.unique(labels[list(slices)])) >= set(range(1, len(spans) + 1))


def test_structures_that_no_single_slice_shows_are_refused() -> None:
    labels = np.zeros((6, 2, 2), np.uint8)
    labels[1], labels[4] = 1, 2
    with pytest.raises(ValueError, match="no 1 evenly spaced"):
        choose_slices(labels, count=1)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [(["2", "--image", "own.nrrd"], "leave out --image"), (["0"], "from 1 to"), (["1000000"], "from 1 to")],
)
def test_patients_to_try_commands_on_are_phantoms_and_few(
    wrong: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--output", str(tmp_path / "new"), "--patients", *wrong]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
