"""Structure sets of other systems: which contours count, what they hold, and on which slices they lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset, uid
from pydicom.dataset import FileDataset, FileMetaDataset

from metasegment.cli import main
from metasegment.errors import InputError
from metasegment.export import read_structures
from metasegment.volume import Geometry

_GRID = Geometry((40, 44, 12), (1.0, 1.0, 3.0), (-20.0, -22.0, 50.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
_CENTRE = (0.5, -1.5)
Contour = tuple[str | None, np.ndarray]


def circle(radius: float, k: float, centre: tuple[float, float] = _CENTRE) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    x, y = centre
    z = np.full(90, 50 + 3 * k)
    return np.column_stack([x + radius * np.cos(angles), y + radius * np.sin(angles), z])


def disc(radius: float, planes: Sequence[int], inner: float = 0.0) -> np.ndarray:
    """The voxels (k, j, i) of a disc on planes, by their places in mm."""
    j, i = np.mgrid[:44, :40]
    distance = np.hypot(i - 20 - _CENTRE[0], j - 22 - _CENTRE[1])
    mask = np.zeros(_GRID.shape, bool)
    mask[list(planes)] = (distance < radius) & (distance >= inner)
    return mask


def item(**values: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.fixture
def structure_set(tmp_path: Path) -> Callable[..., Path]:
    """Writes ROIs, each a name and contours (type, points in mm), to a file."""

    def write(*rois: tuple[str, Sequence[Contour]], edit: Callable[[Dataset], None] | None = None) -> Path:
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = uid.ImplicitVRLittleEndian, uid.RTStructureSetStorage
        meta.MediaStorageSOPInstanceUID = uid.generate_uid()
        dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
        dataset.SOPClassUID, dataset.SOPInstanceUID = uid.RTStructureSetStorage, meta.MediaStorageSOPInstanceUID
        dataset.SpecificCharacterSet, dataset.Modality = "ISO_IR 192", "RTSTRUCT"
        dataset.StructureSetROISequence = [item(ROINumber=n, ROIName=name) for n, (name, _) in enumerate(rois, 1)]
        dataset.ROIContourSequence = [
            item(
                ReferencedROINumber=n, ROIDisplayColor=[255, 0, 0], ContourSequence=[_contour(*one) for one in contours]
            )
            for n, (_, contours) in enumerate(rois, 1)
        ]
        if edit:
            edit(dataset)
        dataset.save_as(tmp_path / "rs.dcm", enforce_file_format=True)
        return tmp_path / "rs.dcm"

    return write


def _contour(kind: str | None, points: np.ndarray) -> Dataset:
    found = item(NumberOfContourPoints=len(points), ContourData=[f"{value:.3f}" for value in points.ravel()])
    if kind is not None:
        found.ContourGeometricType = kind
    return found


def plain(radius: float, planes: Sequence[float]) -> list[Contour]:
    return [("CLOSED_PLANAR", circle(radius, k)) for k in planes]


@pytest.mark.parametrize("kind", ["INTERPOLATED_PLANAR", None, "CLOSED_PLANAR ", "CLOSEDPLANAR_XOR"])
def test_closed_contours_of_every_kind_are_areas(structure_set: Callable[..., Path], kind: str | None) -> None:
    path = structure_set(("Liver", [("CLOSED_PLANAR", circle(9, 3)), (kind, circle(9, 4))]))
    np.testing.assert_array_equal(read_structures(path, _GRID).labels > 0, disc(9, (3, 4)))


def test_a_contour_drawn_or_sent_twice_is_there_once(structure_set: Callable[..., Path]) -> None:
    path = structure_set(("Liver", [*plain(9, (3, 4)), *plain(9, (3,)), *plain(9.2, (4,))]))
    found = read_structures(path, _GRID).labels > 0
    assert np.count_nonzero(found ^ disc(9, (3, 4))) <= np.count_nonzero(disc(9.2, (4,)) & ~disc(9, (4,)))


def test_contours_that_overlap_are_united(structure_set: Callable[..., Path]) -> None:
    left, right = (("CLOSED_PLANAR", circle(7, 3, (x, -1.5))) for x in (-3.5, 4.5))
    found = read_structures(structure_set(("Liver", [left, right])), _GRID).labels > 0
    j, i = np.mgrid[:44, :40]
    wanted = (np.hypot(i - 16.5, j - 20.5) < 7) | (np.hypot(i - 24.5, j - 20.5) < 7)
    np.testing.assert_array_equal(found[3], wanted)


def test_a_contour_within_another_is_a_hole_and_one_in_it_is_filled_again(structure_set: Callable[..., Path]) -> None:
    path = structure_set(("Ring", [*plain(14, (3,)), *plain(9, (3,)), *plain(4, (3,))]))
    np.testing.assert_array_equal(read_structures(path, _GRID).labels > 0, disc(14, (3,), 9) | disc(4, (3,)))


def test_exclusive_contours_have_what_is_in_an_odd_number_of_them(structure_set: Callable[..., Path]) -> None:
    contours = [("CLOSEDPLANAR_XOR", circle(radius, 3)) for radius in (14, 9)]
    np.testing.assert_array_equal(
        read_structures(structure_set(("Ring", contours)), _GRID).labels > 0, disc(14, (3,), 9)
    )


def test_a_structure_beyond_the_image_is_named_and_the_others_are_taken(structure_set: Callable[..., Path]) -> None:
    path = structure_set(("Couch", plain(5, (-3, -2))), ("Liver", plain(9, (3, 4))), ("Skewed", plain(5, (6.5,))))
    found = read_structures(path, _GRID)
    np.testing.assert_array_equal(found.labels > 0, disc(9, (3, 4)))
    assert [segment.name for segment in found.segments] == ["Liver"]
    assert "'Couch' left out" in found.notes[0]
    assert "6.0 mm beyond" in found.notes[0] or "9.0 mm beyond" in found.notes[0]
    assert "'Skewed' left out" in found.notes[1]


def test_a_structure_in_another_frame_of_reference_is_named_and_the_others_are_taken(
    structure_set: Callable[..., Path],
) -> None:
    def edit(dataset: Dataset) -> None:
        for roi, frame in zip(dataset.StructureSetROISequence, ("1.2.3", "1.2.4"), strict=True):
            roi.ReferencedFrameOfReferenceUID = frame

    path = structure_set(("Liver", plain(9, (3,))), ("Other", plain(9, (6,))), edit=edit)
    found = read_structures(path, _GRID, "1.2.3")
    np.testing.assert_array_equal(found.labels > 0, disc(9, (3,)))
    assert "'Other' left out" in found.notes[0]


def test_contours_a_little_off_their_slices_are_taken_to_the_nearest(structure_set: Callable[..., Path]) -> None:
    found = read_structures(structure_set(("Liver", plain(9, (3 + 0.4 / 3, 4 + 0.4 / 3)))), _GRID)
    np.testing.assert_array_equal(found.labels > 0, disc(9, (3, 4)))


def test_contours_half_way_between_slices_are_refused_with_their_distance(structure_set: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"1\.50 mm beside the nearest"):
        read_structures(structure_set(("Liver", plain(9, (3.5,)))), _GRID)


def test_contours_are_found_on_an_image_stored_in_another_plane(structure_set: Callable[..., Path]) -> None:
    x, y, z = np.eye(3)
    direction = tuple(np.stack([y, z, x], axis=1).ravel().tolist())
    sagittal = Geometry((44, 12, 40), (1.0, 3.0, 1.0), _GRID.origin, direction)
    found = read_structures(structure_set(("Liver", plain(9, (3, 4)))), sagittal)
    np.testing.assert_array_equal(found.labels.transpose(1, 2, 0) > 0, disc(9, (3, 4)))


def test_empty_contours_and_odd_colours_lose_no_structure(structure_set: Callable[..., Path]) -> None:
    def edit(dataset: Dataset) -> None:
        empty = item(ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=0, ContourData=None)
        dataset.ROIContourSequence[0].ContourSequence.append(empty)
        dataset.ROIContourSequence[0].ROIDisplayColor = [255, 0]

    found = read_structures(structure_set(("Liver", plain(9, (3,))), edit=edit), _GRID)
    np.testing.assert_array_equal(found.labels > 0, disc(9, (3,)))
    assert found.segments[0].color == (0.5, 0.5, 0.5)


def test_a_file_without_preamble_and_a_name_without_its_character_set_are_read(
    structure_set: Callable[..., Path],
) -> None:
    path = structure_set(("Größe", plain(9, (3,))))
    octets = path.read_bytes().replace(b"ISO_IR 192", b"ISO_IR 6  ")
    path.write_bytes(octets[132 + 12 + int.from_bytes(octets[140:144], "little") :])
    found = read_structures(path, _GRID)
    np.testing.assert_array_equal(found.labels > 0, disc(9, (3,)))
    assert found.segments[0].name == "Größe"


def test_of_structures_within_each_other_one_is_chosen_by_its_name(
    structure_set: Callable[..., Path], tmp_path: Path
) -> None:
    from metasegment.io.volume_file import write_volume
    from metasegment.volume import Volume

    path = structure_set(("BODY", plain(15, range(12))), ("PTV", plain(10, (3, 4))), ("GTV", plain(6, (3, 4))))
    with pytest.raises(InputError, match="choose some by name with --structures, of 'BODY', 'PTV', 'GTV'"):
        read_structures(path, _GRID)
    noise = np.random.default_rng(0).integers(0, 99, _GRID.shape).astype(np.int16)
    write_volume(Volume(noise, _GRID), tmp_path / "image.nrrd")
    arguments = ["--reference", str(tmp_path / "image.nrrd"), "--structures", "gtv", "--to", str(tmp_path / "out.nrrd")]
    assert main(["export", str(path), *arguments]) == 0
    np.testing.assert_array_equal(read_structures(tmp_path / "out.nrrd").labels > 0, disc(6, (3, 4)))
    assert pydicom.dcmread(path).Modality == "RTSTRUCT"


def test_contours_between_slices_that_have_their_own_are_left_out_and_told(structure_set: Callable[..., Path]) -> None:
    found = read_structures(structure_set(("Liver", plain(9, (3, 3.5, 4, 4.5, 5, 5.5)))), _GRID)
    np.testing.assert_array_equal(found.labels > 0, disc(9, (3, 4, 5)))
    assert "'Liver': 3 of its 6 contours" in found.notes[0]


def test_contours_whose_slices_would_be_missed_are_refused(structure_set: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="beside the nearest"):
        read_structures(structure_set(("Liver", plain(9, (3, 3 + 2 / 3, 4 + 1 / 3, 5)))), _GRID)


def test_a_structure_that_goes_on_beyond_the_image_is_cut_there_and_told(structure_set: Callable[..., Path]) -> None:
    found = read_structures(structure_set(("Cord", plain(9, range(9, 15)))), _GRID)
    np.testing.assert_array_equal(found.labels > 0, disc(9, (9, 10, 11)))
    assert "'Cord': 3 of its 6 contours are beyond the image" in found.notes[0]
