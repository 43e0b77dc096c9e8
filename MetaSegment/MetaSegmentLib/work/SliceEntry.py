"""One line of the table of annotated slices."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..scene.VolumeGrid import Plane


class SliceState(Enum):
    """What the user says of a slice; the value is what the scene stores."""

    DONE = "done"  #: every structure is fully drawn here
    PARTLY = "partly"  #: still being drawn: not used
    ABSENT = "absent"  #: none of the structures is here: pure background
    IGNORED = "ignored"  #: not to be used, whatever is drawn


@dataclass(frozen=True)
class SliceEntry:
    """A plane across `axis` (0 = k, 1 = j, 2 = i of the volume's array) at `index`, and the structures drawn on it.

    `finishedFor` are the structures of which nothing else is on the plane than what is drawn (None: all).

    Example::

        SliceEntry(0, 12, "axial", SliceState.DONE, ("Segment_1",)).isUsed      # True
    """

    axis: int
    index: int
    planeName: str
    state: SliceState
    segmentIDs: tuple[str, ...]
    finishedFor: tuple[str, ...] | None = None

    @property
    def plane(self) -> Plane:
        return self.axis, self.index

    @property
    def isUsed(self) -> bool:
        """Whether the learner may see the slice."""
        return self.state in (SliceState.DONE, SliceState.ABSENT)
