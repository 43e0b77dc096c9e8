"""What a job takes in memory, before it is admitted."""

from __future__ import annotations

from ..volume import Volume
from ..wire.annotations import PackedAnnotation

#: The network's activations and the copies that strategies hold, for the largest grid, whatever the volume's size.
_GRID_BYTES = 1 << 30
#: Bytes for each voxel while a job runs: label map, logits and uncertainty on the region, what is sent.
_BYTES_A_VOXEL = 12


def waiting_bytes(annotation: PackedAnnotation) -> int:
    """For a job in the queue."""
    return annotation.values.nbytes + annotation.flat.nbytes


def running_bytes(volume: Volume) -> int:
    """For a job that runs, beside its volume; measured, and generous."""
    return _GRID_BYTES + _BYTES_A_VOXEL * volume.array.size
