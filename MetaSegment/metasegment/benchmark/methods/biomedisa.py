"""Biomedisa's smart interpolation: weighted random walks from the annotated slices, on the CPU through PoCL.

Biomedisa is under the EUPL and is run as installed. Its own README asks for a GPU.
"""

from __future__ import annotations

import contextlib
import io

import numpy as np

from ..method import STRUCTURE, Prediction, Study
from ..packages import absent, versions
from ..region import starting_region

#: Random walks from each annotated voxel. Biomedisa's default is 10, which takes minutes on two cores for a
#: large ROI; on three small validation structures the Dice of 1 walk was 0.002 lower to 0.021 higher.
WALKS = 1
#: What Biomedisa calls PoCL, OpenCL on the CPU: opencl_<part of the platform's name>_<device>.
PLATFORM = "opencl_Portable_CPU"


class Biomedisa:
    """Labels the voxels by whose walks come by most often."""

    name = "biomedisa"
    label = "Biomedisa smart interpolation, helped"

    @property
    def settings(self) -> str:
        return (
            f"smart_interpolation of {versions('biomedisa', 'pyopencl')} on the CPU, {WALKS} walk of 4000 steps from "
            "each annotated voxel (10 are its default); help given: the ROI that MetaSegment starts from"
        )

    def missing(self) -> str | None:
        return absent("biomedisa", "biomedisa", "pyopencl", "pocl-binary-distribution", "mpi4py")

    def predict(self, study: Study) -> Prediction:
        region = starting_region(study)
        axes = {plane.axis for plane in study.annotation.slices}
        first = min(axes) if len(axes) == 1 else 0  # Biomedisa wants parallel slices across the first axis
        segment = study.annotation.labels[region] == STRUCTURE
        found = random_walks(
            np.ascontiguousarray(study.volume.array[region].swapaxes(0, first)),
            segment.swapaxes(0, first).astype(np.uint8),
            all_axes=len(axes) != 1,
        )
        mask = np.zeros(study.volume.array.shape, bool)
        mask[region] = found.swapaxes(0, first) == STRUCTURE
        return Prediction(mask)


def random_walks(image: np.ndarray, labels: np.ndarray, all_axes: bool) -> np.ndarray:
    """Returns labels (k, j, i) of the voxels, from slices whose voxels are 0 for the background (Lösel et al. 2020).

    `all_axes` says that not all slices are across the first axis. Raises RuntimeError, with Biomedisa's last words,
    where it refuses.
    """
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        from biomedisa.interpolation import smart_interpolation

        result = smart_interpolation(image, labels, nbrw=WALKS, allaxis=all_axes, platform=PLATFORM)
    if not result:
        raise RuntimeError(f"Biomedisa gave no result; it said: {said.getvalue().strip()[-200:]}")
    found: np.ndarray = result["regular"]
    return found


METHOD = Biomedisa()
