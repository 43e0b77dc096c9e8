"""Copying by registration, the classical way to use one patient's segmentation on the next: affine, then B-spline.

Mattes' mutual information (SimpleITK) brings the source's image onto the study's; its structure goes along. It is
helped: it gets the whole true structure of the source, of which MetaSegment sees a few slices.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ...registration.deformable import deformed
from ...registration.images import carried_over, clipped
from ...registration.linear import aligned
from ...volume import Volume
from ..method import NEEDED, Prediction, Study, fingerprint
from ..packages import versions
from ..slice_correction import corrected

if TYPE_CHECKING:
    import SimpleITK as sitk

NAME = "registration"


@dataclass(frozen=True)
class Registration:
    """Registers each pair of volumes once; structures and annotated slices of the pair follow at no cost.

    `levels` are the B-splines, one after the other: knots along the side of a cube of the volume's size, and the most
    cells of the grid that it is optimised on.
    """

    name: str = NAME
    label: str = "Registration (affine + B-spline), helped"
    sources: tuple[bool, ...] = NEEDED
    levels: tuple[tuple[int, int], ...] = ((3, 60_000), (6, 200_000))

    @property
    def settings(self) -> str:
        return (
            f"{versions('SimpleITK')}, Mattes mutual information, similarity, affine, then B-splines of "
            f"{' and '.join(str(knots) for knots, _ in self.levels)} knots by side, on one thread; help given: "
            "the whole true structure of the source; annotated slices of the new volume correct its outline nearby"
        )

    def missing(self) -> str | None:
        return None

    def predict(self, study: Study) -> Prediction:
        if study.source is None:
            raise ValueError("registration needs a source")
        started, preparing = time.monotonic(), None
        key = fingerprint(study.volume.array, study.source.volume.array)
        if key not in self._registered:
            self._registered.clear()  # the studies of a pair follow each other
            self._registered[key] = registered(study.volume, study.source.volume, self.levels)
            preparing = time.monotonic() - started
        inside = carried_over(study.source.truth, study.source.volume.geometry, study.volume, self._registered[key])
        mask = corrected(inside > 0.5, study.annotation)
        return Prediction(mask, preparing_seconds=preparing)

    @cached_property
    def _registered(self) -> dict[str, sitk.Transform]:
        return {}


def registered(fixed: Volume, moving: Volume, levels: Sequence[tuple[int, int]]) -> sitk.Transform:
    """Returns the transform from points (LPS, mm) of the fixed volume to those of the moving one; the same on every
    run.
    """
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)  # sums over threads differ from run to run
    pair = clipped(fixed), clipped(moving)
    return deformed(*pair, aligned(*pair), levels)


METHOD = Registration()
