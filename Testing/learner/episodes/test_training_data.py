"""Training and validation data on disk: how they are read, and that no structure kept for evaluation is a target."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import SimpleITK as sitk
import torch
from torch import Tensor

from metasegment.episodes.bank import Bank, LabelledVolume, load_bank
from metasegment.episodes.held_out import UNSEEN, held_out_tasks
from metasegment.episodes.withheld import LARGEST, withheld_tasks
from metasegment.errors import InputError
from metasegment.prompts.interpolation import annotated_planes
from metasegment.training.config import read_config

#: The names in the data folder's README of what no training label may be called. "Cord" is not "accord".
NEVER_A_TARGET = [
    "hippocampus",
    "liver",
    "spleen",
    "lung",
    "lungs",
    "heart",
    "atrium",
    "ventricle_left",
    "ventricle_right",
    "myocardium",
    "disc",
    "discs",
    "prostate",
    "mandible",
    "larynx",
    "cord",
    "portal",
    "kidney",
    "stomach",
]


def slices_of(labels: Tensor) -> list[list[int]]:
    return [planes.tolist() for planes in annotated_planes(labels != 0)]


def write(path: Path, array: Tensor, spacing: tuple[float, float, float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array.numpy())
    image.SetSpacing(spacing[::-1])
    sitk.WriteImage(image, str(path))


def write_case(folder: Path, volume: LabelledVolume) -> None:
    assert volume.image is not None
    write(folder / "image.nii.gz", volume.image, volume.spacing)
    write(folder / "labels.nii.gz", volume.labels.to(torch.uint8), volume.spacing)
    (folder.parent / "dataset.json").write_text(json.dumps({"name": folder.parent.name}))


def test_a_bank_is_read_as_it_lies_on_disk(bank: Bank, tmp_path: Path) -> None:
    thick, _ = bank.volumes["ct"]
    write_case(tmp_path / "train" / "ct" / "one", thick)
    write(tmp_path / "labelmaps" / "maps" / "a.nii.gz", bank.label_maps[0].labels, (1.0, 1.0, 1.0))
    (tmp_path / "labelmaps" / "maps" / "dataset.json").write_text("{}")
    withheld = {"ct": [thick.targets[0]], "maps": [2, 3]}
    found = load_bank(tmp_path, withheld)
    (volume,), (label_map,) = found.volumes["ct"], found.label_maps
    assert volume.image is not None and thick.image is not None
    assert torch.equal(volume.image, thick.image)
    assert torch.equal(volume.labels, thick.labels)
    assert volume.spacing == thick.spacing
    assert volume.targets == thick.targets[1:]
    assert label_map.image is None
    assert (label_map.labels == 2).any()
    assert not {2, 3} & set(label_map.targets)


def test_a_folder_without_training_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no training data in .*train/<dataset>/dataset\.json"):
        load_bank(tmp_path, {})


def test_held_out_slices_are_evenly_spaced_and_only_the_rest_is_scored(tmp_path: Path) -> None:
    labels = torch.zeros(110, 20, 20, dtype=torch.int16)
    labels[5:106, 4:14, 4:14] = 1
    volume = LabelledVolume("la", "case", torch.zeros_like(labels), labels, (1.0, 1.0, 1.0), (1,))
    write_case(tmp_path / "validation" / "la2018_left_atrium" / "case", volume)
    tasks = {task.slices: task for task in held_out_tasks(tmp_path, (1, 3, 5))}
    drawn = {n: slices_of(task.scene.labels)[0] for n, task in tasks.items()}
    assert drawn == {1: [55], 3: [17, 55, 93], 5: [17, 36, 55, 74, 93]}
    task = tasks[3]
    only_where_drawn = task.mask & (task.scene.labels != 0)
    assert task.dice(only_where_drawn) == 0
    assert task.dice(task.mask & (task.scene.labels == 0)) == 1
    half = task.mask.clone()
    half[:, :, 9:] = False
    assert task.dice(half) == pytest.approx(2 / 3)


def test_held_out_tasks_need_a_validation_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no validation data"):
        next(held_out_tasks(tmp_path, (1,)))


def a_volume_with(label: int, edge: int, image: bool) -> LabelledVolume:
    """A cube of that label in the middle of a cube of label 1 that is three times as wide."""
    labels = torch.ones(3 * edge, 3 * edge, 3 * edge, dtype=torch.int16)
    labels[edge : 2 * edge, edge : 2 * edge, edge : 2 * edge] = label
    return LabelledVolume("d", "c", 9 * labels if image else None, labels, (1.0, 1.0, 1.0), (1,), (label,))


def test_withheld_structures_are_shown_in_their_image_or_rendered_always_in_the_same_way() -> None:
    real, drawn = (a_volume_with(7, 20, image) for image in (True, False))
    bank = Bank({"d": [real]}, [drawn])
    first, again = (list(withheld_tasks(bank, (1, 3))) for _ in range(2))
    assert [(t.slices, t.label) for t in first] == [(1, 7), (3, 7), (1, 7), (3, 7)]
    assert torch.equal(first[0].scene.image[first[0].mask], torch.full((20**3,), 63.0))
    assert all(torch.equal(one.scene.image, other.scene.image) for one, other in zip(first, again, strict=True))
    assert float(first[2].scene.image.std()) == pytest.approx(1, abs=0.05)
    assert all(int(task.mask.sum()) == 20**3 for task in first)


def test_of_a_large_withheld_structure_every_nth_voxel_is_shown() -> None:
    (task,) = withheld_tasks(Bank({}, [a_volume_with(7, 60, False)]), (3,))
    assert task.mask.numel() <= LARGEST
    assert task.scene.spacing == (2.0, 2.0, 2.0)
    assert int(task.mask.sum()) == 30**3


def test_a_bank_that_withholds_nothing_has_no_such_tasks(bank: Bank) -> None:
    assert not list(withheld_tasks(bank, (1, 3, 5)))


def names_in(description: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(description.read_text())["labels"]
    return {value: name.lower().replace(" ", "_") for value, name in found.items()}


def test_no_training_label_is_a_structure_kept_for_evaluation(data_folder: Path) -> None:
    descriptions = sorted((data_folder / "train").glob("*/dataset.json"))
    assert descriptions
    evaluated = {
        names_in(data_folder / "validation" / name / "dataset.json")[str(value)]
        for name, values in UNSEEN.items()
        for value in values
    }
    assert {"left_atrium", "mandible", "larynx", "spinal_cord"} <= evaluated
    for description in descriptions:
        names = names_in(description)
        assert not evaluated & set(names.values())
        for name in names.values():
            assert not any(f"_{word}_" in f"_{name}_" for word in NEVER_A_TARGET), name
        # A value without a name could be one of them.
        for path in description.parent.glob("*/labels.nii.gz"):
            present = set(
                map(str, torch.from_numpy(sitk.GetArrayFromImage(sitk.ReadImage(str(path)))).unique().tolist())
            )
            assert present - {"0"} <= set(names), path


def test_the_hippocampi_of_the_label_maps_are_tissue_but_never_a_target(data_folder: Path, tmp_path: Path) -> None:
    for place in ("train/fetal_brain_atlas", "labelmaps/synthseg_brain"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "dataset.json").write_text("{}")
    case = next((data_folder / "train" / "fetal_brain_atlas").glob("*/labels.nii.gz")).parent
    (tmp_path / "train" / "fetal_brain_atlas" / case.name).symlink_to(case)
    brain = min((data_folder / "labelmaps" / "synthseg_brain").glob("*.nii.gz"))
    (tmp_path / "labelmaps" / "synthseg_brain" / brain.name).symlink_to(brain)
    (found,) = load_bank(tmp_path, read_config("cpu").data.withheld).label_maps
    hippocampi = {17, 53}
    assert hippocampi <= set(found.labels.unique().tolist())
    assert not hippocampi & set(found.targets)
    assert len(found.targets) > 20
