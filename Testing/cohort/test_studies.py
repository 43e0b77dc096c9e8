"""Which images make a cohort, and what they are called: every layout that people have, and no two cases alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from metasegment.cohort.studies import Study, find_studies, is_cohort, study_names
from metasegment.errors import InputError
from metasegment.io.volume_file import read_frame

NAMES = st.text("aB_-. ä/:\n", min_size=1, max_size=100).filter(lambda name: name.strip("./"))


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., Path]:
    """Makes files below a folder; a name that ends in .dcm gets what DICOM files begin with."""

    def make(*names: str) -> Path:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            dicom = path.suffix == ".dcm" or path.name == "DICOMDIR"
            path.write_bytes(bytes(128) + b"DICM" if dicom else b"x")
        return tmp_path

    return make


def found(source: Path) -> dict[str, str]:
    """Images by case name, relative to the folder or the list's folder."""
    root = source if source.is_dir() else source.parent
    return {study.case: study.image.relative_to(root).as_posix() for study in find_studies(source)}


def test_a_folder_of_image_files_is_a_cohort_of_them(files: Callable[..., Path]) -> None:
    folder = files("a.nii.gz", "b.nrrd", "c.mha", "notes.pdf", ".hidden.nii", "a.seg.nrrd")
    assert is_cohort(folder)
    assert found(folder) == {"a": "a.nii.gz", "b": "b.nrrd", "c": "c.mha"}


def test_an_image_in_a_folder_of_its_own_is_called_after_the_folder(files: Callable[..., Path]) -> None:
    folder = files("p1/image.nii.gz", "p1/labels.nii.gz", "p2/image.nrrd", "p2/labels.nrrd")
    assert found(folder) == {"p1": "p1/image.nii.gz", "p2": "p2/image.nrrd"}


def test_a_folder_of_dicom_folders_is_a_cohort_at_any_depth(files: Callable[..., Path]) -> None:
    folder = files("DICOMDIR", "p1/ct/0.dcm", "p1/ct/1.dcm", "p2/study/mr/0.dcm")
    assert is_cohort(folder)
    assert found(folder) == {"p1_ct": "p1/ct", "p2_study_mr": "p2/study/mr"}


def test_one_dicom_series_is_an_image_and_no_cohort(files: Callable[..., Path]) -> None:
    assert not is_cohort(files("0.dcm", "1.dcm"))
    assert not is_cohort(files("scan.nrrd") / "scan.nrrd")


def test_structure_sets_beside_the_series_are_no_cases(data_folder: Path) -> None:
    folder = data_folder / "dicom" / "sts002_ct_rtstruct"
    assert set(found(folder)) == {"image"}


def test_a_list_names_images_and_what_is_annotated(files: Callable[..., Path]) -> None:
    folder = files("a/scan.nii.gz", "b/scan.nii.gz", "drawn.nrrd")
    listed = folder / "cohort.csv"
    listed.write_text("image,annotation\n# the first ones\na/scan.nii.gz\n\nb/scan.nii.gz, drawn.nrrd\n")
    assert find_studies(listed) == (
        Study("a_scan", folder / "a/scan.nii.gz"),
        Study("b_scan", folder / "b/scan.nii.gz", folder / "drawn.nrrd"),
    )


def test_a_listed_image_that_is_absent_is_still_a_case(files: Callable[..., Path]) -> None:
    listed = files("a.nrrd") / "cohort.txt"
    listed.write_text("a.nrrd\ngone.nrrd\n")
    assert set(found(listed)) == {"a", "gone"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("a.nrrd\na.nrrd\n", "a.nrrd twice"), ("a.nrrd,b,c\n", "3 fields"), ("# nothing\n", "no image")],
)
def test_a_list_that_cannot_be_meant_is_refused(files: Callable[..., Path], text: str, complaint: str) -> None:
    listed = files("a.nrrd") / "cohort.csv"
    listed.write_text(text)
    with pytest.raises(InputError, match=complaint):
        find_studies(listed)


def test_a_list_of_a_german_spreadsheet_is_read(files: Callable[..., Path]) -> None:
    folder = files("Schädel.nrrd", "Größe.nrrd")
    (folder / "list.csv").write_bytes("image;annotation\r\nSchädel.nrrd;Größe.nrrd\r\n".encode("cp1252"))
    (study,) = find_studies(folder / "list.csv")
    assert (study.image.name, study.annotation and study.annotation.name) == ("Schädel.nrrd", "Größe.nrrd")


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    listed = tmp_path / "cohort.txt"
    listed.write_bytes(b"\xff\xfe\x00image")
    with pytest.raises(InputError, match="cannot read"):
        find_studies(listed)
    with pytest.raises(InputError, match="cannot read"):
        find_studies(tmp_path / "absent.csv")


def test_alike_names_are_told_apart_and_the_others_keep_theirs(files: Callable[..., Path]) -> None:
    names = list(found(files("a/b.nrrd", "a_b.nrrd", "c.nii", "C.nrrd", "d.nrrd")))
    assert len({name.casefold() for name in names}) == 5
    assert "d" in names
    assert sum(name.lower().startswith("a_b-") for name in names) == 2


def test_a_link_to_a_folder_above_is_not_followed_forever(files: Callable[..., Path]) -> None:
    folder = files("p/scan.nrrd")
    (folder / "p" / "back").symlink_to(folder, target_is_directory=True)
    assert found(folder) == {"p_scan": "p/scan.nrrd"}


@given(st.lists(NAMES.map(Path), min_size=1, max_size=8, unique=True))
def test_whatever_files_are_called_each_case_gets_a_name_of_its_own(handles: list[Path]) -> None:
    names = study_names([path.relative_to(path.anchor) for path in handles])
    if len({path.relative_to(path.anchor) for path in handles}) == len(handles):
        assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert name == Path(name).name
        assert not name.startswith(".")
        assert len(f"{name}.seg.nrrd".encode()) <= 255


@pytest.fixture
def four_frames() -> np.ndarray:
    """Four volumes (frame, k, j, i) of int16 noise."""
    return np.random.default_rng(0).integers(0, 1000, (4, 6, 7, 8)).astype(np.int16)


def slicer_sequence(path: Path, frames: np.ndarray, last: bool) -> Path:
    """A sequence as Slicer writes it: the frames along the last axis, or the first as older ones did."""
    directions, sizes, kinds = ["(1,0,0)", "(0,2,0)", "(0,0,3)"], list(map(str, frames.shape[:0:-1])), ["domain"] * 3
    for fields, field in ((directions, "none"), (sizes, str(len(frames))), (kinds, "list")):
        fields.insert(3 if last else 0, field)
    header = [
        "NRRD0005",
        "type: short",
        "dimension: 4",
        "space: left-posterior-superior",
        f"sizes: {' '.join(sizes)}",
        f"space directions: {' '.join(directions)}",
        f"kinds: {' '.join(kinds)}",
        "endian: little",
        "encoding: raw",
        "space origin: (4,5,6)",
        "DataNodeClassName:=vtkMRMLScalarVolumeNode",
    ]
    stored = frames if last else np.moveaxis(frames, 0, -1)
    path.write_bytes(("\n".join(header) + "\n\n").encode() + np.ascontiguousarray(stored, "<i2").tobytes())
    return path


@pytest.mark.parametrize("kind", ["4D.nii.gz", "4D.nrrd", "last.seq.nrrd", "first.seq.nrrd"])
def test_each_frame_of_a_sequence_is_a_case(tmp_path: Path, four_frames: np.ndarray, kind: str) -> None:
    path = tmp_path / kind
    if kind.startswith("4D"):
        sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(frame) for frame in four_frames]), str(path))
    else:
        slicer_sequence(path, four_frames, last=kind.startswith("last"))
    assert is_cohort(path)
    studies = find_studies(path)
    assert studies == find_studies(tmp_path)
    assert [study.frame for study in studies] == [0, 1, 2, 3]
    assert [study.case.partition("@")[2] for study in studies] == ["000", "001", "002", "003"]
    for study, frame in zip(studies, four_frames, strict=True):
        volume = read_frame(study.image, study.frame)
        np.testing.assert_array_equal(volume.array, frame)
        assert volume.geometry.spacing == ((1, 1, 1) if kind.startswith("4D") else (1, 2, 3))
    with pytest.raises(InputError, match="no frame 4"):
        read_frame(path, 4)


def test_what_is_annotated_of_a_sequence_is_its_first_frame(tmp_path: Path, four_frames: np.ndarray) -> None:
    slicer_sequence(tmp_path / "heart.seq.nrrd", four_frames, last=True)
    (tmp_path / "cohort.csv").write_text("heart.seq.nrrd,drawn.nrrd\n")
    drawn = [study.annotation for study in find_studies(tmp_path / "cohort.csv")]
    assert drawn == [tmp_path / "drawn.nrrd", None, None, None]
