"""A structure set or segmentation of a previous reading as annotation of the commands that learn from one."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
from helpers.dicom_files import write_series

from metasegment.cli.common import read_inputs
from metasegment.errors import InputError
from metasegment.export import to_file, write_segmentation
from metasegment.volume import Volume


@pytest.mark.parametrize("awkward_geometry", ["oblique"], indirect=True)
@pytest.mark.parametrize("name", ["previous.dcm", "previous.rtstruct.dcm"])
def test_a_previous_reading_is_learnt_from_on_its_image_and_on_no_other(
    textured_volume: Volume, tmp_path: Path, name: str
) -> None:
    series, other = (write_series(tmp_path / folder, textured_volume) for folder in ("series", "other"))
    labels = np.zeros(textured_volume.array.shape, np.uint8)
    labels[3, 2:7, 3:9] = 1
    labels[6, 4:6, 3:5] = 1
    write_segmentation(labels, textured_volume.geometry, tmp_path / "a.seg.nrrd", {1: "GTV"})
    to_file(tmp_path / "a.seg.nrrd", tmp_path / name, series)
    volume, annotation = read_inputs(
        argparse.Namespace(image=series, annotation=tmp_path / name, structures=(), slices=None, relation=())
    )
    assert [plane.index for plane in annotation.slices] == [3, 6]
    assert annotation.names == {1: "GTV"}
    np.testing.assert_array_equal(annotation.labels == 1, labels == 1)
    assert volume.geometry.difference(annotation.geometry) is None
    with pytest.raises(InputError, match="drawn on another image"):
        read_inputs(
            argparse.Namespace(image=other, annotation=tmp_path / name, structures=(), slices=None, relation=())
        )


def test_the_samples_structure_sets_are_annotations_of_their_series(a_ct_series: Path, an_mr_series: Path) -> None:
    for series, slices in ((a_ct_series, 16), (an_mr_series, 19)):
        contours = series.parent / "mask" / "RS.dcm"
        _, annotation = read_inputs(
            argparse.Namespace(image=series, annotation=contours, structures=(), slices=None, relation=())
        )
        assert len(annotation.slices) == slices
        assert annotation.structures == (1,)
    with pytest.raises(InputError, match="drawn on another image"):
        read_inputs(argparse.Namespace(image=a_ct_series, annotation=contours, structures=(), slices=None, relation=()))
