"""Remarks on a result: placed in the whole volume, though only a region was worked on."""

from __future__ import annotations

import numpy as np

from metasegment.segmentation import Map, Segmentation, StructureResult
from metasegment.segmenter.remarks import with_remarks
from metasegment.volume import Geometry, Volume

SHAPE = (40, 60, 90)
GRID = Geometry((90, 60, 40), (4.0, 4.0, 4.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))


def result_of(labels: np.ndarray, name: str) -> Segmentation:
    """An answer on the smallest region around the labels."""
    found = [np.flatnonzero(labels.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    region = tuple(slice(int(f[0]), int(f[-1]) + 1) for f in found)
    one = StructureResult(1, name, int(labels.sum()), float(labels.sum()) * 0.064, 0.9, "in_context")
    map_ = Map(labels, np.zeros(labels[region].shape, np.float16), region)
    return Segmentation(map_, (one,), None, {}, "cpu", None, ())


def test_a_side_is_that_of_the_whole_volume_and_nothing_else_changes() -> None:
    image = np.full(SHAPE, -1000, np.int16)
    image[:, 8:52, 5:85] = 40
    labels = np.zeros(SHAPE, np.uint8)
    labels[8:32, 25:37, 20:32] = 1  # 221 ml on the right: i runs to the left
    before = result_of(labels, "left kidney")
    after = with_remarks(before, Volume(image, GRID))
    assert [remark.kind for remark in after.structures[0].remarks] == ["side"]
    assert after.map is before.map and after.structures[0].voxels == before.structures[0].voxels
    assert with_remarks(result_of(labels, "right kidney"), Volume(image, GRID)).structures[0].remarks == ()


def test_a_region_that_fills_its_box_is_not_cut_by_the_image() -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[10:14, 20:24, 20:24] = 1
    small = with_remarks(result_of(labels, "liver"), Volume(np.zeros(SHAPE, np.int16), GRID))
    assert [remark.kind for remark in small.structures[0].remarks] == ["volume"]
