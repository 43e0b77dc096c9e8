"""What is asked of the learner and what it answers, wherever it runs; knows nothing of how (and imports no torch)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .layers import Covered

#: The strategy that lets the gate choose.
AUTO = "auto"
#: Below this familiarity a volume is unlike what the applied task learnt from, and the user is asked for a slice. On
#: training data 19 of 20 structures in volumes of another kind are below, five of six found badly (Dice below 0.5), one
#: of eleven found well.
UNFAMILIAR = 0.45
#: A box of voxels along k, j, i.
Region = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Budget:
    """What adapting may cost: it stops at `seconds` or at `steps` gradient steps, and is tried where the estimated Dice
    is below `quality`. By default it never is: it cost many times what the answer costs and gained less than a point.
    """

    seconds: float = 12.0
    steps: int = 15
    quality: float = 0.0


@dataclass(frozen=True, eq=False)
class Map:
    """`labels` uint8 (k, j, i) of the whole volume, 0 where no structure is.

    Where structures share voxels, `labels` show the smallest, and `covered` has those of the others. `uncertainty`
    float16 is 0 (sure) … 1 (even odds) on `region`, outside of which nothing was asked.
    """

    labels: np.ndarray
    uncertainty: np.ndarray
    region: Region
    covered: Covered = field(default_factory=dict)


@dataclass(frozen=True)
class NextSlice:
    """A plane across `axis` (0 = k, 1 = j, 2 = i) at `index`. `plane` is its anatomical name, `why` a sentence for
    the user.
    """

    axis: int
    index: int
    plane: str
    gap_mm: float
    why: str


@dataclass(frozen=True)
class Remark:
    """What is unusual about a structure, in one line; `kind` is one word for programs.

    `severity` orders remarks, the worst highest: 1 is at the limit of what is usual.
    """

    kind: str
    text: str
    severity: float


@dataclass(frozen=True)
class StructureResult:
    """One structure of a result; `estimated_dice` (0…1) is what the gate expects on voxels that were not annotated.

    `remarks` say what is unusual about it, the worst first.
    """

    label: int
    name: str
    voxels: int
    volume_ml: float
    estimated_dice: float
    strategy: str
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The map, what is known of each structure, and the next slice to annotate, if any.

    `seconds` is by stage, `peak_memory_mb` of the whole process where the system tells, `notes` are sentences for the
    user. `familiarity` is how much the volume resembles what the applied task learnt from, 0…1; None without one.
    """

    map: Map
    structures: tuple[StructureResult, ...]
    next_slice: NextSlice | None
    seconds: dict[str, float]
    device: str
    peak_memory_mb: float | None
    notes: tuple[str, ...]
    familiarity: float | None = None

    @property
    def labels(self) -> np.ndarray:
        """The label map, uint8 (k, j, i) on the volume's grid."""
        return self.map.labels
