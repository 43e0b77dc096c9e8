"""The frozen protocol: what is in it, that it can be made again, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.benchmark_cases import labelled

from metasegment.benchmark.freeze import frozen, shape_of
from metasegment.benchmark.protocol import Protocol, as_text, chosen_parts, named_protocol, read_protocol
from metasegment.benchmark.slices import anywhere, drawn, enough, evenly, orthogonal
from metasegment.benchmark.user_cases import own_protocol
from metasegment.episodes.held_out import UNSEEN, held_out_tasks
from metasegment.errors import InputError
from metasegment.io.volume_file import write_volume
from metasegment.volume import Volume

RELEASED = named_protocol("validation-1")


@pytest.fixture(scope="module")
def released() -> Protocol:
    return read_protocol(RELEASED)


def test_freezing_again_gives_the_file_word_for_word(data_folder: Path) -> None:
    assert as_text(frozen(data_folder)) == RELEASED.read_text(encoding="utf-8")


def test_main_slices_are_those_of_the_held_out_tasks(released: Protocol, data_folder: Path) -> None:
    frozen_slices = {
        (t.dataset, t.case, t.label, len(t.slices)): [index for _, index in t.slices]
        for t in released.tasks
        if t.part == "main"
    }
    tasks = list(held_out_tasks(data_folder, (1, 3, 5)))
    assert len(tasks) > 100
    for task in tasks:
        annotated = torch.nonzero(task.scene.labels.flatten(1).any(1))[:, 0].tolist()
        assert frozen_slices[task.dataset, task.case, task.label, task.slices] == annotated


def test_main_tasks_are_of_unseen_structures_only(released: Protocol) -> None:
    main = [t for t in released.tasks if t.part != "seen"]
    assert {t.regime for t in main} == {"unseen"}
    assert all(t.label in UNSEEN[t.dataset] for t in main)
    assert Counter(len(t.slices) for t in main if t.part == "main") == {1: 47, 2: 47, 3: 47, 5: 47, 8: 44}


def test_every_perturbed_task_has_its_intact_counterpart(released: Protocol) -> None:
    main = {(t.dataset, t.case, t.label, len(t.slices)) for t in released.tasks if t.part == "main"}
    perturbed = [t for t in released.tasks if t.perturbation]
    assert {t.part for t in perturbed} == {"robustness"}
    assert all((t.dataset, t.case, t.label, len(t.slices)) in main for t in perturbed)


def test_scans_of_one_person_share_a_subject(released: Protocol) -> None:
    subjects = {t.case: t.subject for t in released.tasks}
    assert subjects["sub-unf01_T1w"] == subjects["sub-unf01_T2w"] == "sub-unf01"
    assert subjects["pt_4"] == "pt_4"


def test_a_protocol_is_read_back_as_it_was_written(released: Protocol, tmp_path: Path) -> None:
    (tmp_path / "again.json").write_text(as_text(released), encoding="utf-8")
    again = read_protocol(tmp_path / "again.json")
    assert again == released
    assert chosen_parts(released, ["seen"]).identity == released.identity


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(format="other"), "format must be"),
        (lambda c: c.pop("split"), "'split' is missing"),
        (lambda c: c["tasks"][0].update(part="extra"), "'extra' instead of one of main"),
        (lambda c: c["tasks"][0].update(slices=[[3, 1]]), "needs slices"),
        (lambda c: c["tasks"][0].pop("label"), "label"),
        (lambda c: c["tasks"].append(c["tasks"][0]), "is there twice"),
        (lambda c: c["tasks"][0].update(perturbation={"name": "rain", "level": 1, "seed": 0}), "unknown perturbation"),
        (lambda c: c["tasks"].clear(), "no tasks"),
    ],
)
def test_a_broken_protocol_is_refused_in_one_line(change: object, words: str, tmp_path: Path) -> None:
    content = json.loads(RELEASED.read_text(encoding="utf-8"))
    content["tasks"] = content["tasks"][:2]
    change(content)  # type: ignore[operator]
    (tmp_path / "broken.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=words) as caught:
        read_protocol(tmp_path / "broken.json")
    assert "\n" not in str(caught.value)


def test_an_absent_protocol_names_those_that_come_along(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="validation-1"):
        read_protocol(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("not json")
    with pytest.raises(InputError, match="not JSON"):
        read_protocol(tmp_path / "text.json")


def test_a_part_that_is_not_there_is_refused(released: Protocol) -> None:
    with pytest.raises(InputError, match="it has main, planes"):
        chosen_parts(released, ["nonsense"])


def test_even_slices_leave_both_ends_free_and_one_is_the_middle() -> None:
    mask = np.zeros((30, 4, 4), bool)
    mask[5:26] = True  # 21 slices
    assert evenly(mask, 0, 1) == ((0, 15),)
    assert evenly(mask, 0, 3) == ((0, 7), (0, 15), (0, 23))
    assert orthogonal(mask) == ((0, 15), (1, 2), (2, 2))
    assert enough(mask, 0, 19) and not enough(mask, 0, 20)


def test_random_slices_show_the_structure_and_depend_on_the_seed_alone() -> None:
    mask = np.zeros((30, 4, 4), bool)
    mask[5:26] = True
    found = anywhere(mask, 0, 3, "a")
    assert found == anywhere(mask, 0, 3, "a") != anywhere(mask, 0, 3, "b")
    assert len(set(found)) == 3 and all(5 <= index < 26 for _, index in found)
    assert drawn(["x"], 5, "a") == ["x"]


def test_shapes_go_by_length_and_voxels() -> None:
    def filled(*size: int) -> np.ndarray:
        return np.ones(size, bool)

    assert shape_of(filled(60, 5, 5), (1, 1, 1)) == "tubular"
    assert shape_of(filled(12, 5, 5), (5, 1, 1)) == "tubular"  # 60 mm in thick slices
    assert shape_of(filled(5, 5, 5), (1, 1, 1)) == "tiny"
    assert shape_of(filled(20, 20, 20), (1, 1, 1)) == "compact"
    assert shape_of(filled(30, 30, 30), (0.1, 0.1, 0.1)) == "large"
    assert shape_of(filled(60, 30, 1), (1, 1, 1)) == "compact"  # long, but flat


def test_own_cases_in_the_shared_layout_become_a_protocol(small_data: Path) -> None:
    protocol, root = own_protocol(small_data / "validation" / "toys")
    assert root == (small_data / "validation").resolve()
    assert {(t.case, t.structure) for t in protocol.tasks} == {(c, s) for c in ("one", "two") for s in ("ball", "bar")}
    assert Counter(len(t.slices) for t in protocol.tasks) == {1: 4, 3: 4, 5: 4}
    assert {t.regime for t in protocol.tasks} == {"unknown"}


def test_own_cases_as_nnunet_has_them_become_a_protocol(tmp_path: Path) -> None:
    volume, labels = labelled(0)  # type: ignore[operator]
    for folder in ("imagesTr", "labelsTr"):
        (tmp_path / folder).mkdir()
    write_volume(volume, tmp_path / "imagesTr" / "p1_0000.nii.gz")
    write_volume(Volume(labels, volume.geometry), tmp_path / "labelsTr" / "p1.nii.gz")
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "ball": 1, "bar": 2}}))
    protocol, root = own_protocol(tmp_path)
    assert {t.structure for t in protocol.tasks} == {"ball", "bar"}
    assert {t.case for t in protocol.tasks} == {"p1"}
    assert root / protocol.tasks[0].dataset == tmp_path.resolve()


def test_own_folders_without_cases_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        own_protocol(tmp_path / "none")
    with pytest.raises(InputError, match="no labelled cases"):
        own_protocol(tmp_path)
