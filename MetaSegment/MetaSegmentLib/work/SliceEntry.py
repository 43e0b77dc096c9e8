"""One line of the table of annotated slices."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..scene.VolumeGrid import Plane
from .MendedAnswer import MendedAnswer


class SliceState(Enum):
    """What the user says of a slice; the value is what the scene stores."""

    DONE = "done"  #: every structure is fully drawn here
    CORRECTED = "corrected"  #: an answer was mended here: what was changed is known, and no more
    ENDS = "ends"  #: some structures are not here; nothing is said of the others
    PARTLY = "partly"  #: still being drawn: not used
    ABSENT = "absent"  #: none of the structures is here: pure background
    IGNORED = "ignored"  #: not to be used, whatever is drawn


@dataclass(frozen=True)
class SliceEntry:
    """A plane across `axis` (0 = k, 1 = j, 2 = i of the volume's array) at `index`, and the structures drawn on it.

    `finishedFor` are the structures of which nothing else is on the plane than what is drawn (None: all). `answers` are
    those that were mended on it, with what they were mended from; `look` changes with what is drawn on such a plane.

    Example::

        SliceEntry(0, 12, "axial", SliceState.DONE, ("Segment_1",)).isUsed      # True
    """

    axis: int
    index: int
    planeName: str
    state: SliceState
    segmentIDs: tuple[str, ...]
    finishedFor: tuple[str, ...] | None = None
    answers: tuple[MendedAnswer, ...] = ()
    look: int = 0

    @property
    def plane(self) -> Plane:
        return self.axis, self.index

    @property
    def isUsed(self) -> bool:
        """Whether it is finished for any structure."""
        isWhole = self.state in (SliceState.DONE, SliceState.ABSENT)
        return isWhole or (self.state in (SliceState.CORRECTED, SliceState.ENDS) and bool(self.finishedFor))
