"""What a job takes in memory, before it is admitted: on the CPU, by Testing/measure/service_memory.py; what a GPU has
of its own is the engine's business.
"""

from __future__ import annotations

from ..annotation import Annotation
from ..volume import Volume
from ..wire.messages import Kind

#: The network's activations on the largest grid: 450 MiB, whatever the volume's size.
_GRID_BYTES = 512 << 20
#: For each voxel of a volume that a structure's box fills: 20 for the first structure, 6 for each one more.
_BYTES_A_VOXEL, _BYTES_A_STRUCTURE = 15, 6


def waiting_bytes(annotation: Annotation | None) -> int:
    """For a job in the queue, beside its volume: the label map it was drawn on."""
    return annotation.labels.nbytes if annotation else 0


def running_bytes(kind: Kind, volume: Volume, structures: int) -> int:
    """For a job that runs, beside its volume and that, where its structures' boxes fill the volume."""
    return _GRID_BYTES + volume.array.size * (_BYTES_A_VOXEL + _BYTES_A_STRUCTURE * structures)
