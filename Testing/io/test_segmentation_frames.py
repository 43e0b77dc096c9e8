"""DICOM segmentations of other writers: frames lie where they say, and what is not needed may be absent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from helpers.dicom_files import write_series
from pydicom import Dataset
from pydicom.sr.codedict import codes

from metasegment.errors import InputError
from metasegment.export import read_structures
from metasegment.io.annotation_file import read_annotation
from metasegment.volume import Geometry, Volume

_GRID = Geometry((13, 11, 12), (0.9, 1.1, 3.0), (-20.0, 30.0, 100.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
Write = Callable[..., Path]


def drawn() -> np.ndarray:
    labels = np.zeros(_GRID.shape, np.uint8)
    labels[2:10, 2:6, 1:5], labels[3:11, 7:10, 6:12] = 1, 2
    return labels


@pytest.fixture
def write_seg(tmp_path: Path) -> Write:
    """Writes a SEG of the slices `at`, as highdicom does, and lets a test edit it."""

    def write(at: Sequence[int], edit: Callable[[Dataset], None] | None = None, kind: str = "BINARY") -> Path:
        image = Volume(np.random.default_rng(0).integers(0, 99, _GRID.shape).astype(np.int16), _GRID)
        files = sorted(write_series(tmp_path / "series", image).iterdir(), reverse=True)
        headers = [pydicom.dcmread(files[k]) for k in at]
        segments = [hd.seg.SegmentDescription(n, f"s{n}", codes.SCT.Tissue, codes.SCT.Tissue, "MANUAL") for n in (1, 2)]
        labels = drawn()[list(at)]
        pixels = np.stack([labels == 1, labels == 2], -1).astype(np.float32) if kind == "FRACTIONAL" else labels
        made = hd.seg.Segmentation(
            headers, pixels, kind, segments, hd.UID(), 5, hd.UID(), 1, "x", "x", "1", "1", omit_empty_frames=True
        )
        if edit:
            edit(made)
        made.save_as(tmp_path / "s.dcm")
        return tmp_path / "s.dcm"

    return write


@pytest.mark.parametrize("at", [[2, 6, 10], [3, 9], [5], [3, 4, 8]])
def test_a_seg_of_some_slices_annotates_those_and_no_others(write_seg: Write, at: list[int]) -> None:
    found = read_annotation(write_seg(at), _GRID)
    wanted = np.zeros_like(drawn())
    for k in at:
        wanted[k] = np.where(drawn()[k] == 0, 255, drawn()[k])
    np.testing.assert_array_equal(found.labels, wanted)


def test_frames_are_placed_on_an_image_whose_rows_run_the_other_way(write_seg: Write) -> None:
    flipped = Geometry((13, 11, 12), (0.9, 1.1, 3.0), (-20.0, 41.0, 100.0), (1, 0, 0, 0, -1, 0, 0, 0, 1))
    found = read_structures(write_seg([2, 6, 10]), flipped)
    wanted = np.zeros_like(drawn())
    wanted[[2, 6, 10]] = drawn()[[2, 6, 10]]
    np.testing.assert_array_equal(found.labels, wanted[:, ::-1])


def without(*keywords: str) -> Callable[[Dataset], None]:
    def edit(dataset: Dataset) -> None:
        parts = [dataset, dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]]
        parts += [*dataset.SegmentSequence, *dataset.PerFrameFunctionalGroupsSequence]
        for part in parts:
            for keyword in keywords:
                if keyword in part:
                    delattr(part, keyword)

    return edit


@pytest.mark.parametrize(
    "absent",
    [
        ("DimensionIndexSequence", "DimensionOrganizationSequence", "FrameContentSequence"),
        ("FrameOfReferenceUID",),
        ("SegmentedPropertyTypeCodeSequence", "SegmentedPropertyCategoryCodeSequence"),
        ("SliceThickness", "SpacingBetweenSlices"),
        ("DerivationImageSequence", "ReferencedSeriesSequence"),
        ("SegmentAlgorithmType", "RecommendedDisplayCIELabValue", "TrackingUID"),
    ],
    ids=lambda names: names[0],
)
@pytest.mark.parametrize("on_image", [True, False])
def test_what_is_not_needed_to_place_voxels_may_be_absent(
    write_seg: Write, absent: tuple[str, ...], on_image: bool
) -> None:
    found = read_structures(write_seg(range(12), without(*absent)), _GRID if on_image else None)
    wanted = drawn() if on_image else drawn()[2:11]
    np.testing.assert_array_equal(found.labels, wanted)
    np.testing.assert_allclose(found.geometry.origin, (-20, 30, 100 if on_image else 106))
    assert [segment.name for segment in found.segments] == ["s1", "s2"]


@pytest.mark.parametrize("kind", ["FRACTIONAL", "LABELMAP"])
def test_segments_in_other_forms_are_the_same(write_seg: Write, kind: str) -> None:
    np.testing.assert_array_equal(read_structures(write_seg(range(12), kind=kind), _GRID).labels, drawn())


def test_frames_without_a_place_are_refused(write_seg: Write) -> None:
    with pytest.raises(InputError, match="PlanePositionSequence is absent"):
        read_structures(write_seg(range(12), without("PlanePositionSequence")), _GRID)


def test_segments_that_overlap_are_refused_and_one_is_chosen_by_name(write_seg: Write) -> None:
    def both_at_once(dataset: Dataset) -> None:
        for frame in dataset.PerFrameFunctionalGroupsSequence:
            if frame.PlanePositionSequence[0].ImagePositionPatient[2] == 109:
                numbers = frame.SegmentIdentificationSequence[0]
                numbers.ReferencedSegmentNumber = 3 - numbers.ReferencedSegmentNumber
                break  # both frames of this plane now belong to one segment, and the pixels stay
        dataset.PixelData = bytes([255]) * len(dataset.PixelData)

    path = write_seg(range(12), both_at_once)
    with pytest.raises(InputError, match="'s1' and 's2' overlap"):
        read_structures(path, _GRID)
    assert [s.name for s in read_structures(path, _GRID, names=("s2",)).segments] == ["s2"]
