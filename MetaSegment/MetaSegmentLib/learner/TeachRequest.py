"""What is taught: whole segments of one volume. Everything that the worker thread needs, nothing of the scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from slicer.i18n import tr as _

from metasegment.annotation import Annotation, complete, empty_annotation
from metasegment.errors import InputError
from metasegment.learner import Learner
from metasegment.progress import Progress
from metasegment.regrid import filled_planes
from metasegment.structure import Color
from metasegment.task import Task
from metasegment.volume import Volume

from ..scene.VolumeGrid import Plane
from ..scene.WholeSegments import WholeSegments


@dataclass(frozen=True, eq=False)
class TeachRequest:
    """Segments as they are, and the task that is to grow by them, if any. Example::

        request = session.teachRequest(earlier=None)
        task = request.taughtTo(learner, Progress())              # in a worker thread

    What `whole` does not cover is background. `names`, `colors` and `terminologies` (those that the user chose) are by
    label. `drawn` are the planes that the user drew on.
    """

    volume: Volume
    whole: WholeSegments
    names: Mapping[int, str]
    colors: Mapping[int, Color]
    terminologies: Mapping[int, str]
    drawn: tuple[Plane, ...]
    earlier: Task | None

    def taughtTo(self, learner: Learner, progress: Progress) -> Task:
        """Teach; raises what `Learner.teach` does, and InputError for what is no whole segmentation."""
        task = learner.teach(self.volume, self.annotation(), self.earlier, progress)
        structures = (
            replace(structure, terminology=self.terminologies.get(structure.label) or structure.terminology)
            for structure in task.structures
        )
        return replace(task, provenance=replace(task.provenance, structures=tuple(structures)))

    def annotation(self) -> Annotation:
        """The segments on the volume's grid, every voxel known; raises InputError where that cannot be right."""
        labels = self._onGrid()
        outside = [name for label, name in self.names.items() if not (labels == label).any()]
        if outside:
            reason = _("There is nothing of {names} within the volume: draw it, or set it to 'leave it alone'.")
            raise InputError(reason.format(names=", ".join(outside)))
        if _isSparse(labels, self.drawn):
            raise InputError(_("Only single slices are drawn: segment the volume and accept the result, then teach."))
        known = replace(empty_annotation(self.volume.geometry), names=self.names, colors=self.colors)
        return complete(known, labels)

    def _onGrid(self) -> np.ndarray:
        """The labels (k, j, i) of the whole volume."""
        shape = self.volume.geometry.shape
        labels = np.zeros(shape, np.uint8)
        merged, start = self.whole.merged()
        first = np.maximum(0, start)
        last = np.minimum(shape, np.add(start, merged.shape))
        if (first < last).all():
            target = tuple(slice(f, e) for f, e in zip(first, last, strict=True))
            source = tuple(slice(f - s, e - s) for f, e, s in zip(first, last, start, strict=True))
            labels[target] = merged[source]
        return labels


def _isSparse(labels: np.ndarray, drawn: tuple[Plane, ...]) -> bool:
    """Whether there is something on planes that were drawn on alone, and these are not side by side."""
    rest = labels > 0
    for axis, index in drawn:
        np.moveaxis(rest, axis, 0)[index] = False
    if rest.any():
        return False
    axes = {axis for axis, _index in drawn}
    return len(axes) > 1 or any(_hasGap(labels, axis) for axis in axes)


def _hasGap(labels: np.ndarray, axis: int) -> bool:
    """Whether what is on the planes across an axis is on a single one of them, or has empty ones in between."""
    used = filled_planes(labels, axis)
    return len(used) == 1 or bool((np.diff(used) > 1).any())
