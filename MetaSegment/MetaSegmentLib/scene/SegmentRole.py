"""What a segment is to MetaSegment: a structure to learn, locked, or left alone. Kept in the segment's tags.

So it is saved with the segmentation, follows renaming, and is undone with the segment. Visibility plays no part: hiding
a segment to see the image better must not change what is learnt.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import slicer
import vtk

_TAG = "MetaSegment.Role"


class SegmentRole(Enum):
    """The value is what the tag says; a segment without one is a structure, but for one that is called "background".

    Example::

        SegmentRole.LOCKED.assign(segmentationNode, segmentID)
        structureIDs(segmentationNode)                        # no longer has it
    """

    STRUCTURE = "structure"  #: annotated where slices say so, segmented, accepted into
    LOCKED = "locked"  #: background on annotated slices; accepting never writes where it is
    LEFT_ALONE = "leftAlone"  #: background on annotated slices; the Segment Editor's overwrite mode decides on overlap

    @classmethod
    def of(cls, segment: slicer.vtkSegment) -> SegmentRole:
        """The role that the segment's tag names."""
        value = vtk.reference("")
        segment.GetTag(_TAG, value)
        isBackground = segment.GetName().strip().casefold() == "background"
        unsaid = cls.LEFT_ALONE if isBackground else cls.STRUCTURE
        return next((role for role in cls if role.value == str(value)), unsaid)

    def assign(self, segmentationNode: slicer.vtkMRMLSegmentationNode, segmentID: str) -> None:
        """Write the role into the segment's tag."""
        segmentationNode.GetSegmentation().GetSegment(segmentID).SetTag(_TAG, self.value)


def segmentsOf(segmentationNode: slicer.vtkMRMLSegmentationNode) -> Iterator[tuple[str, slicer.vtkSegment]]:
    """Segment IDs and segments, in the order of the segments table."""
    segmentation = segmentationNode.GetSegmentation()
    return ((segmentID, segmentation.GetSegment(segmentID)) for segmentID in segmentation.GetSegmentIDs())


def structureIDs(segmentationNode: slicer.vtkMRMLSegmentationNode) -> list[str]:
    """Segment IDs of the structures to learn, in the order of the segments table."""
    return [key for key, segment in segmentsOf(segmentationNode) if SegmentRole.of(segment) is SegmentRole.STRUCTURE]
