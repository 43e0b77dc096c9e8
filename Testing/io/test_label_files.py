"""Label maps and `.seg.nrrd` files of other programs: numbers, names and layers mean what they mean there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from metasegment.cli import main
from metasegment.errors import InputError
from metasegment.export import read_structures
from metasegment.io.annotation_file import read_annotation
from metasegment.io.volume_file import read_volume, write_volume
from metasegment.volume import Geometry, Volume

_GRID = Geometry((10, 9, 8), (1.0, 1.5, 2.0), (-5.0, 7.0, 11.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))


def drawn() -> np.ndarray:
    labels = np.zeros(_GRID.shape, np.uint8)
    labels[2:5, 1:4, 1:4], labels[3:6, 5:8, 5:9] = 1, 2
    return labels


def nrrd(path: Path, layers: list[np.ndarray], keys: Mapping[str, str]) -> Path:
    """A `.seg.nrrd` as Slicer writes it, layers first where there are several."""
    many = len(layers) > 1
    data = np.stack(layers, -1) if many else layers[0]
    head = "NRRD0004\ntype: unsigned char\n"
    head += f"dimension: {3 + many}\nspace: left-posterior-superior\n"
    head += f"sizes: {f'{len(layers)} ' if many else ''}10 9 8\n"
    head += f"space directions: {'none ' if many else ''}(1,0,0) (0,1.5,0) (0,0,2)\n"
    head += f"kinds: {'list ' if many else ''}domain domain domain\nencoding: raw\nspace origin: (-5,7,11)\n"
    head += "".join(f"{key}:={value}\n" for key, value in keys.items()) + "\n"
    path.write_bytes(head.encode("utf-8", "surrogateescape") + data.tobytes())
    return path


def segment(n: int, name: str, value: int = 1, layer: int | None = 0) -> dict[str, str]:
    keys = {"ID": f"Segment_{n}", "Name": name, "LabelValue": str(value), "Color": "1 0.5 0"}
    if layer is not None:
        keys["Layer"] = str(layer)
    return {f"Segment{n}_{key}": text for key, text in keys.items()}


def test_layers_that_share_no_voxel_are_structures_of_one_map(tmp_path: Path) -> None:
    labels = drawn()
    layers = [(labels == 1).astype(np.uint8), (labels == 2).astype(np.uint8)]
    found = read_structures(nrrd(tmp_path / "a.seg.nrrd", layers, segment(0, "liver") | segment(1, "tumour", layer=1)))
    np.testing.assert_array_equal(found.labels, labels)
    assert found.geometry.difference(_GRID) is None
    assert [s.name for s in found.segments] == ["liver", "tumour"]


def test_layers_without_numbers_are_those_of_slicer_4(tmp_path: Path) -> None:
    labels = drawn()
    layers = [(labels == 1).astype(np.uint8), (labels == 2).astype(np.uint8)]
    keys = {"Segment0_ID": "a", "Segment0_Name": "liver", "Segment1_ID": "b", "Segment1_Name": "tumour"}
    np.testing.assert_array_equal(read_structures(nrrd(tmp_path / "a.seg.nrrd", layers, keys)).labels, labels)


def test_layers_that_overlap_are_whole_structures_and_each_can_be_chosen(tmp_path: Path) -> None:
    whole, part = (drawn() > 0).astype(np.uint8), (drawn() == 2).astype(np.uint8)
    path = nrrd(tmp_path / "a.seg.nrrd", [whole, part], segment(0, "liver") | segment(1, "tumour", layer=1))
    found = read_structures(path)
    np.testing.assert_array_equal(found.mask(1), whole > 0)
    np.testing.assert_array_equal(found.mask(2), part > 0)
    assert (found.labels[part > 0] == 2).all(), "the smaller is on top"
    np.testing.assert_array_equal(read_structures(path, names=("Tumour",)).labels > 0, part > 0)
    np.testing.assert_array_equal(read_structures(path, names=("liver",)).labels > 0, whole > 0)
    with pytest.raises(InputError, match="has no structure 'spleen'; it has 'liver', 'tumour'"):
        read_structures(path, names=("spleen",))


def test_segments_keep_their_names_across_gaps_in_their_numbers(tmp_path: Path) -> None:
    path = nrrd(tmp_path / "a.seg.nrrd", [drawn()], segment(0, "liver", 1) | segment(2, "tumour", 2))
    assert {s.label: s.name for s in read_structures(path).segments} == {1: "liver", 2: "tumour"}


def test_names_in_latin_1_survive_a_whole_run(tmp_path: Path) -> None:
    name = "Größe".encode("latin-1").decode("utf-8", "surrogateescape")
    path = nrrd(tmp_path / "a.seg.nrrd", [drawn()], segment(0, name, 1) | segment(1, "tumour", 2))
    assert main(["export", str(path), "--to", str(tmp_path / "out.seg.nrrd")]) == 0
    assert [s.name for s in read_structures(tmp_path / "out.seg.nrrd").segments] == ["Größe", "tumour"]


def test_a_colour_that_cannot_be_read_is_grey(tmp_path: Path) -> None:
    path = nrrd(tmp_path / "a.seg.nrrd", [drawn()], segment(0, "liver", 1) | {"Segment0_Color": "red"})
    assert read_structures(path).segments[0].color == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("key", ["Segmentation_MasterRepresentation", "Segmentation_SourceRepresentation"])
def test_a_fractional_labelmap_is_no_set_of_structures(tmp_path: Path, key: str) -> None:
    path = nrrd(tmp_path / "a.seg.nrrd", [drawn() * 50], segment(0, "liver", 1) | {key: "Fractional labelmap"})
    with pytest.raises(InputError, match="shares of voxels"):
        read_structures(path)


def saved(path: Path, labels: np.ndarray) -> Path:
    write_volume(Volume(labels, _GRID), path)
    return path


def test_255_is_a_structure_where_it_does_not_fill_slices(tmp_path: Path) -> None:
    labels = np.where(drawn() == 2, 255, drawn()).astype(np.uint8)
    found = read_structures(saved(tmp_path / "a.nrrd", labels))
    np.testing.assert_array_equal(found.labels, drawn())
    assert "label 255 became 2" in found.notes[0]
    mask = read_structures(saved(tmp_path / "b.nrrd", np.where(drawn() > 0, 255, 0).astype(np.uint8)))
    np.testing.assert_array_equal(mask.labels, drawn() > 0)


def test_255_is_background_where_it_fills_annotated_slices(tmp_path: Path) -> None:
    labels = np.zeros_like(drawn())
    labels[3] = np.where(drawn()[3] == 0, 255, drawn()[3])
    found = read_structures(saved(tmp_path / "a.nrrd", labels))
    np.testing.assert_array_equal(found.labels[3], drawn()[3])
    assert not found.notes


def test_labels_that_a_scale_factor_made_fractions_are_whole_again(tmp_path: Path) -> None:
    image = nib.Nifti1Image(drawn().transpose(2, 1, 0).astype(float), np.diag([-1, -1.5, 2, 1]))
    image.set_data_dtype(np.uint8)
    nib.save(image, tmp_path / "a.nii.gz")
    assert 0.99 < np.asarray(nib.load(tmp_path / "a.nii.gz").dataobj)[1, 1, 2] < 1
    np.testing.assert_array_equal(read_structures(tmp_path / "a.nii.gz").labels, drawn())


def test_an_annotation_that_is_flipped_or_cropped_finds_its_voxels(tmp_path: Path) -> None:
    labels = np.zeros_like(drawn())
    labels[3:5] = np.where(drawn()[3:5] == 0, 255, drawn()[3:5])
    write_volume(Volume(labels, _GRID), tmp_path / "a.nii.gz")
    nib.save(nib.as_closest_canonical(nib.load(tmp_path / "a.nii.gz")), tmp_path / "flipped.nii.gz")
    cropped = Geometry((10, 9, 3), _GRID.spacing, (-5.0, 7.0, 11.0 + 2 * 2.0), _GRID.direction)
    write_volume(Volume(labels[2:5], cropped), tmp_path / "cropped.nrrd")
    assert read_volume(tmp_path / "flipped.nii.gz").geometry.difference(_GRID)
    for name in ("flipped.nii.gz", "cropped.nrrd"):
        found = read_annotation(tmp_path / name, _GRID)
        np.testing.assert_array_equal(found.labels, labels)
        assert [plane.index for plane in found.slices] == [3, 4]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("encoding: bzip2\n", "packed by bzip2"),
        ("encoding: raw\ndata file: gone.raw\n", "in another file, gone.raw, which is not beside it"),
    ],
)
def test_what_itk_cannot_read_is_told_by_its_true_reason(tmp_path: Path, header: str, words: str) -> None:
    text = "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 4 4\nspace: left-posterior-superior\n"
    text += f"space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\nendian: little\n{header}\n"
    (tmp_path / "a.nrrd").write_text(text)
    with pytest.raises(InputError, match=words):
        read_volume(tmp_path / "a.nrrd")


def test_a_link_stays_a_link_to_the_new_result(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "r.nii.gz").write_bytes(b"old")
    (tmp_path / "out.nii.gz").symlink_to(tmp_path / "store" / "r.nii.gz")
    saved(tmp_path / "out.nii.gz", drawn())
    assert (tmp_path / "out.nii.gz").is_symlink()
    np.testing.assert_array_equal(read_structures(tmp_path / "store" / "r.nii.gz").labels, drawn())


def test_labels_that_a_coarse_scale_factor_made_fractions_are_whole_again(tmp_path: Path) -> None:
    labels = np.where(drawn() == 2, 100, drawn())
    image = nib.Nifti1Image(labels.transpose(2, 1, 0).astype(float), np.diag([-1, -1.5, 2, 1]))
    image.set_data_dtype(np.uint8)
    nib.save(image, tmp_path / "a.nii.gz")
    assert np.asarray(nib.load(tmp_path / "a.nii.gz").dataobj)[1, 1, 2] > 1.1
    np.testing.assert_array_equal(read_structures(tmp_path / "a.nii.gz").labels, labels)


def test_shares_of_voxels_in_scaled_integers_are_no_labels(tmp_path: Path) -> None:
    image = nib.Nifti1Image((drawn().transpose(2, 1, 0) * 0.4), np.diag([-1, -1.5, 2, 1]))
    image.set_data_dtype(np.uint8)
    nib.save(image, tmp_path / "a.nii.gz")
    with pytest.raises(InputError, match="some are fractions"):
        read_structures(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd"])
def test_labels_that_are_not_a_number_count_as_0_and_are_told(tmp_path: Path, name: str) -> None:
    labels = np.where(drawn() == 0, np.nan, drawn()).astype(np.float32)
    write_volume(Volume(labels, _GRID), tmp_path / name)
    found = read_structures(tmp_path / name)
    np.testing.assert_array_equal(found.labels, drawn())
    assert f"{np.count_nonzero(drawn() == 0)} of 720 voxels of the labels are NaN" in found.notes[0]


def on_a_crop(folder: Path, i: int) -> tuple[Path, np.ndarray]:
    """Slice k = 3 with one structure, annotated on a crop that begins at `i`, and that slice as it is."""
    truth = np.where(drawn()[3] == 2, 2, 255).astype(np.uint8)
    labels = np.zeros((3, 9, 10 - i), np.uint8)
    labels[1] = truth[:, i:]
    grid = Geometry((10 - i, 9, 3), _GRID.spacing, (i - 5.0, 7.0, 15.0), _GRID.direction)
    write_volume(Volume(labels, grid), folder / "crop.nrrd")
    return folder / "crop.nrrd", truth


def test_a_slice_annotated_on_a_crop_is_background_beyond_it_and_told(tmp_path: Path) -> None:
    path, truth = on_a_crop(tmp_path, 4)
    found = read_annotation(path, _GRID)
    np.testing.assert_array_equal(found.labels[3], truth)
    assert [(plane.axis, plane.index) for plane in found.slices] == [(0, 3)]
    assert not found.labels[:3].any()
    assert found.notes[0].startswith("k = 3: annotated on a part of the image")


def test_a_crop_that_cuts_a_structure_says_nothing_beyond_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no slice is fully annotated"):
        read_annotation(on_a_crop(tmp_path, 6)[0], _GRID)
