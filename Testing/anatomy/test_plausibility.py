"""What is unusual about named masks, and what is not: sizes, sides, order, parts, pairs, places, values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from metasegment.anatomy.plausibility import NamedMask, masks_of, measured, remarks_on
from metasegment.segmentation import Remark
from metasegment.volume import Geometry

#: A body of 360 mm from right to left, head up, as LPS; voxels of 4 mm.
SHAPE = (100, 60, 100)
LPS = Geometry((100, 60, 100), (4.0, 4.0, 4.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
#: Where i runs to the patient's right.
MIRRORED = Geometry((100, 60, 100), (4.0, 4.0, 4.0), (396.0, 0.0, 0.0), (-1, 0, 0, 0, 1, 0, 0, 0, 1))

Place = tuple[int, int, int]


def drawn(**balls: tuple[Place, float]) -> tuple[np.ndarray, dict[int, str]]:
    """Labels with a ball for each name ("_" is a space): its centre (k, j, i) and volume in ml."""
    labels, names = np.zeros(SHAPE, np.uint8), {}
    for label, (name, (centre, ml)) in enumerate(balls.items(), 1):
        radius = (ml / 0.064 * 3 / (4 * np.pi)) ** (1 / 3)
        squares = sum((axis - c) ** 2 for axis, c in zip(np.ogrid[tuple(map(slice, SHAPE))], centre, strict=True))
        labels[squares <= radius**2] = label
        names[label] = name.replace("_", " ")
    return labels, names


@pytest.fixture(scope="module")
def body() -> np.ndarray:
    """A CT of soft tissue in air, the middle of the body at i = 50."""
    image = np.full(SHAPE, -1000, np.int16)
    image[:, 8:52, 5:95] = 40
    return image


def said(
    labels: np.ndarray, names: Mapping[int, str], geometry: Geometry = LPS, image: np.ndarray | None = None
) -> dict[str, list[Remark]]:
    """Remarks by name."""
    return of(masks_of(labels, names), geometry, image)


def of(masks: list[NamedMask], geometry: Geometry = LPS, image: np.ndarray | None = None) -> dict[str, list[Remark]]:
    known = [measured(mask, geometry) for mask in masks]
    return {one.named.name: list(remarks_on(one, known, geometry, image)) for one in known}


def kinds(remarks: list[Remark]) -> list[str]:
    return [remark.kind for remark in remarks]


@pytest.mark.parametrize("geometry", [LPS, MIRRORED])
def test_usual_organs_get_no_remark(body: np.ndarray, geometry: Geometry) -> None:
    left, right = (70, 30) if geometry is LPS else (30, 70)
    labels, names = drawn(
        left_kidney=((50, 35, left), 160), right_kidney=((48, 35, right), 150), L_adrenal=((62, 35, left), 4.5)
    )
    assert said(labels, names, geometry, body) == {name: [] for name in names.values()}


def test_a_small_liver_is_unusual_and_told_in_numbers() -> None:
    (remark,) = said(*drawn(liver=((50, 30, 30), 90)))["liver"]
    assert remark.kind == "volume"
    assert remark.text.startswith("unusual: 87 ml, adults have ") and remark.text.endswith(" (liver)")
    assert remark.severity > 3


def test_a_small_liver_that_the_images_edge_cuts_is_not_unusual() -> None:
    assert said(*drawn(liver=((0, 30, 30), 300)))["liver"] == []


def test_a_structure_on_the_other_side_of_the_midline_is_unusual(body: np.ndarray) -> None:
    labels, names = drawn(left_kidney=((50, 35, 30), 160))
    assert kinds(said(labels, names, LPS, body)["left kidney"]) == ["side"]
    assert said(labels, names, MIRRORED, body)["left kidney"] == []


def test_without_both_flanks_in_the_image_the_side_is_not_judged(body: np.ndarray) -> None:
    cropped = np.full_like(body, 40)
    assert said(*drawn(left_kidney=((50, 35, 30), 160)), LPS, cropped)["left kidney"] == []


def test_both_of_a_pair_that_have_changed_places_are_unusual_without_an_image() -> None:
    found = said(*drawn(left_kidney=((50, 35, 30), 160), right_kidney=((48, 35, 70), 150)))
    assert [kinds(remarks) for remarks in found.values()] == [["side"], ["side"]]


def test_vertebrae_out_of_order_are_unusual() -> None:
    found = said(*drawn(L1=((40, 35, 50), 45), L2=((60, 35, 50), 48)))
    assert found["L1"][0].text == "unusual: lies below vertebra L2"
    assert found["L2"][0].text == "unusual: lies above vertebra L1"


def test_an_organ_in_two_pieces_is_unusual_and_a_speck_is_not() -> None:
    labels, names = drawn(spleen=((50, 35, 70), 250))
    speck = labels.copy()
    speck[65, 35, 70] = 1
    assert said(speck, names)["spleen"] == []
    labels[50:53] = 0
    assert kinds(said(labels, names)["spleen"]) == ["parts"]


def test_one_part_where_the_name_says_both_is_unusual() -> None:
    assert "pair" in kinds(said(*drawn(kidneys=((50, 35, 30), 160)))["kidneys"])
    assert said(*drawn(kidney=((50, 35, 30), 160)))["kidney"] == []


def test_the_lost_one_of_a_pair_is_missed() -> None:
    labels, names = drawn(left_kidney=((50, 35, 70), 160))
    found = said(labels, {**names, 2: "right kidney"})
    assert [remark.text for remark in found["right kidney"]] == ["unusual: not found, though the left kidney was"]


def test_sides_that_differ_much_in_size_are_unusual() -> None:
    found = said(*drawn(left_kidney=((50, 35, 70), 265), right_kidney=((48, 35, 30), 165)))
    assert kinds(found["left kidney"]) == kinds(found["right kidney"]) == ["unlike"]


def test_a_structure_far_from_what_it_touches_is_unusual() -> None:
    labels, names = drawn(left_kidney=((30, 35, 70), 160), left_adrenal_gland=((80, 20, 70), 4.5))
    assert kinds(said(labels, names)["left adrenal gland"]) == ["place"]


def test_masks_that_share_voxels_are_unusual_unless_one_is_part_of_the_other() -> None:
    labels, names = drawn(left_kidney=((50, 35, 70), 160))
    (kidney,) = masks_of(labels, names)
    spleen = NamedMask(2, "spleen", kidney.mask, kidney.region)
    pelvis = NamedMask(3, "left renal pelvis", kidney.mask, kidney.region)
    assert "overlap" in kinds(of([kidney, spleen])["spleen"])
    assert "overlap" not in kinds(of([kidney, pelvis])["left kidney"])


def test_air_in_a_kidney_is_unusual_in_ct(body: np.ndarray) -> None:
    labels, names = drawn(left_kidney=((50, 35, 70), 160))
    image = np.where(labels == 1, -600, body).astype(np.int16)
    assert kinds(said(labels, names, LPS, image)["left kidney"]) == ["intensity"]


def test_a_mask_that_reaches_most_sides_may_have_leaked_whatever_its_name() -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, :, 20:] = 1
    assert kinds(said(labels, {1: "blob"})["blob"]) == ["leak"]


def test_of_unknown_names_nothing_is_said() -> None:
    assert said(*drawn(blob=((50, 30, 30), 900)))["blob"] == []
