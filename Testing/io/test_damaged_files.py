"""Damaged files of every kind are read or refused in one line: no other exception, no crash of ITK's libraries."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.dicom_files import write_series
from helpers.refusals import refusal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metasegment.errors import InputError
from metasegment.export import read_structures, to_file
from metasegment.io.annotation_file import read_annotation
from metasegment.io.volume_file import read_volume, write_volume
from metasegment.volume import Geometry, Volume

_GRID = Geometry((14, 12, 10), (0.8, 1.1, 2.5), (-20.0, 30.0, 100.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
_LIMITS = [
    bytes(4),
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\xc0\x7f",
    b"nan",
    b"-1",
    b"1e308",
    b"",
]
#: Where (as a share of the file, most of them in its header), how many bytes are lost there, and what comes instead.
_DAMAGE = st.tuples(
    st.one_of(st.floats(0, 0.2), st.floats(0, 1)),
    st.integers(0, 16),
    st.one_of(st.sampled_from(_LIMITS), st.binary(max_size=4)),
)
_KINDS = ("a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.seg.nrrd", "a.dcm", "a.rtstruct.dcm", "slice")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small valid file of each kind, and one for damaged copies."""
    folder = tmp_path_factory.mktemp("files")
    image = Volume(np.random.default_rng(0).integers(-500, 500, _GRID.shape).astype(np.int16), _GRID)
    labels = np.zeros(_GRID.shape, np.uint8)
    labels[3:6, 2:6, 2:6], labels[4:8, 7:11, 7:12] = 1, 2
    for name in ("a.nii", "a.nii.gz", "a.nrrd", "a.mha"):
        write_volume(image, folder / name)
    write_volume(Volume(labels, _GRID), folder / "labels.nii")
    series = write_series(folder / "series", image)
    for name in ("a.seg.nrrd", "a.dcm", "a.rtstruct.dcm"):
        to_file(folder / "labels.nii", folder / name, series)
    shutil.copy(series / "0004.dcm", folder / "slice")
    return folder


@pytest.mark.parametrize("name", _KINDS)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damages=st.lists(_DAMAGE, min_size=1, max_size=4))
def test_damaged_files_are_read_or_refused_in_one_line(
    files: Path, name: str, damages: list[tuple[float, int, bytes]]
) -> None:
    octets = bytearray((files / name).read_bytes())
    for share, lost, instead in damages:
        at = int(share * len(octets))
        octets[at : at + lost] = instead
    path = files / "series" / "0004.dcm" if name == "slice" else files / f"damaged{name[1:]}"
    path.write_bytes(octets)
    try:
        if name == "slice":
            read_volume(files / "series")
        elif name in ("a.seg.nrrd", "a.dcm", "a.rtstruct.dcm"):
            read_structures(path, _GRID)
            read_annotation(path, _GRID)
        else:
            read_volume(path)
    except InputError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("name", _KINDS[:-1])
def test_files_cut_anywhere_are_read_or_refused(files: Path, name: str) -> None:
    octets = (files / name).read_bytes()
    for length in range(1, len(octets), max(1, len(octets) // 60)):
        path = files / f"cut{name[1:]}"
        path.write_bytes(octets[:length])
        try:
            read_structures(path, _GRID) if name.endswith(("dcm", "seg.nrrd")) else read_volume(path)
        except InputError as error:
            assert "\n" not in str(error)


def test_a_header_that_promises_more_than_the_file_can_hold_allocates_nothing(files: Path) -> None:
    octets = bytearray((files / "a.nii").read_bytes())
    octets[42:48] = np.array([900, 900, 900], "<i2").tobytes()
    (files / "promise.nii").write_bytes(octets)
    assert "fewer voxels than its header says" in refusal(files / "promise.nii")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"ElementDataFile = LOCAL", b"ElementDataFile = LOCA\x01\x02"),
        (b"NDims = 3", b"NDims = 9"),
        (b"DimSize = 14 12 10", b"DimSize = 14 12"),
        (b"ElementSpacing = 0.8", b"ElementSpacing = nan"),
        (b"NDims = 3\n", b""),
    ],
)
def test_a_broken_metaimage_header_does_not_reach_itk(files: Path, before: bytes, after: bytes) -> None:
    octets = (files / "a.mha").read_bytes()
    assert before in octets
    (files / "broken.mha").write_bytes(octets.replace(before, after, 1))
    assert "damaged or truncated MetaImage header" in refusal(files / "broken.mha")


def test_a_file_name_that_is_a_format_does_not_reach_the_c_library(files: Path) -> None:
    octets = (files / "a.mha").read_bytes()
    (files / "format.mha").write_bytes(octets.replace(b"ElementDataFile = LOCAL", b"ElementDataFile = %s%s%n"))
    assert "its voxels are in several files" in refusal(files / "format.mha")


@pytest.mark.parametrize(("field", "value"), [("TransformMatrix", "1 0 0 0 1 0 1e308 0 1"), ("Offset", "0 0 1e300")])
def test_places_that_overflow_are_refused_before_itk_looks_for_them_for_ever(
    files: Path, tmp_path: Path, field: str, value: str
) -> None:
    lines = (files / "a.mha").read_bytes().split(b"\n")
    lines = [f"{field} = {value}".encode() if line.startswith(field.encode()) else line for line in lines]
    (tmp_path / "a.mha").write_bytes(b"\n".join(lines))
    assert "voxels lie nowhere" in refusal(tmp_path / "a.mha")
