"""Which task of a folder is proposed, and why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from metasegment.anatomy.library import Fit, best_fit
from metasegment.errors import InputError
from metasegment.io.task_file import write_task
from metasegment.task import Provenance, Task, TaskStructure

WEIGHTS = "0" * 64


def keep(
    folder: Path, name: str, *structures: str, modality: str = "CT", volumes: int = 1, weights: str = WEIGHTS
) -> None:
    named = tuple(TaskStructure(label, structure) for label, structure in enumerate(structures, 1))
    task = Task(Provenance(named, weights, "none", modality, volumes), {"numbers": np.zeros(3, np.float32)})
    write_task(task, folder / f"{name}.metasegment")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Tasks for a left kidney, the liver in CT (twice) and in MR, and the liver for other weights."""
    keep(tmp_path, "kidney", "left kidney")
    keep(tmp_path, "liver-once", "Leber")
    keep(tmp_path, "liver-thrice", "liver", "spleen", volumes=3)
    keep(tmp_path, "liver-mr", "liver", modality="")
    keep(tmp_path, "liver-old", "liver", volumes=8, weights="1" * 64)
    return tmp_path


def chosen(folder: Path, *wanted: str, is_ct: bool = True) -> Fit:
    return best_fit(folder, wanted, is_ct, WEIGHTS)[0]


def test_the_task_that_has_the_structure_and_was_taught_most_is_chosen(library: Path) -> None:
    fit = chosen(library, "liver")
    assert fit.path.name == "liver-thrice.metasegment"
    assert fit.reason == "it has liver; taught on 3 volumes of CT"


def test_a_name_in_another_language_means_the_same(library: Path) -> None:
    fit = chosen(library, "Milz")
    assert (fit.path.name, fit.distance) == ("liver-thrice.metasegment", 0.0)
    assert "it has spleen, which is Milz" in fit.reason


def test_tasks_of_another_modality_and_other_weights_are_left_out(library: Path) -> None:
    assert chosen(library, "liver", is_ct=False).path.name == "liver-mr.metasegment"
    with pytest.raises(InputError, match="made for these weights"):
        best_fit(library, ("liver",), True, "2" * 64)


def test_the_other_one_of_a_pair_stands_in_and_is_said_to(library: Path) -> None:
    fit = chosen(library, "right kidney")
    assert fit.path.name == "kidney.metasegment"
    assert "left kidney, which is near right kidney" in fit.reason


def test_a_neighbour_does_not_stand_in_and_what_there_is_is_told(library: Path) -> None:
    with pytest.raises(InputError, match=r"for gallbladder in CT; there are kidney\.metasegment: left kidney") as told:
        chosen(library, "gallbladder")
    assert "\n" not in str(told.value)


def test_unknown_names_fit_by_the_letter_alone(library: Path) -> None:
    keep(library, "lesion", "my lesion")
    assert chosen(library, "My Lesion").path.name == "lesion.metasegment"
    with pytest.raises(InputError):
        chosen(library, "my other lesion")


def test_a_damaged_file_is_told_and_the_others_serve(library: Path) -> None:
    (library / "broken.metasegment").write_bytes(b"no task")
    fit, notes = best_fit(library, ("liver",), True, WEIGHTS)
    assert fit.path.name == "liver-thrice.metasegment"
    assert len(notes) == 1 and "broken.metasegment" in notes[0]


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_a_folder_without_tasks_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as told:
        best_fit(tmp_path / name, (), True, WEIGHTS)
    assert "\n" not in str(told.value) and str(tmp_path) in str(told.value)
