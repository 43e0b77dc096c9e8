"""Which segment is which structure of a task: they go by their names. Makes those that are missing."""

from __future__ import annotations

import slicer

from metasegment.task import Task

from .SegmentRole import SegmentRole, segmentsOf


def sameName(name: str) -> str:
    """A structure's name as it is compared: people write "Liver" and "liver "."""
    return name.strip().casefold()


def taskSegments(task: Task, segmentationNode: slicer.vtkMRMLSegmentationNode) -> dict[int, str]:
    """By label of the task, the ID of the first segment of that name; without those that are locked or left alone."""
    named = _named(segmentationNode)
    found = {label: named.get(sameName(name)) for label, name in task.names.items()}
    return {label: key for label, key in found.items() if key and _isStructure(segmentationNode, key)}


def segmentsWith(task: Task, segmentationNode: slicer.vtkMRMLSegmentationNode) -> dict[int, str]:
    """As `taskSegments`, once every structure that no segment is called after has a new, empty one."""
    segmentation = segmentationNode.GetSegmentation()
    named = _named(segmentationNode)
    for structure in task.structures:
        if sameName(structure.name) in named:
            continue
        key = segmentation.AddEmptySegment("", structure.name, structure.color)
        if structure.terminology:
            segmentation.GetSegment(key).SetTerminology(structure.terminology)
    return taskSegments(task, segmentationNode)


def _named(segmentationNode: slicer.vtkMRMLSegmentationNode) -> dict[str, str]:
    """By name, the ID of the first segment."""
    return {sameName(segment.GetName()): key for key, segment in reversed(list(segmentsOf(segmentationNode)))}


def _isStructure(segmentationNode: slicer.vtkMRMLSegmentationNode, key: str) -> bool:
    return SegmentRole.of(segmentationNode.GetSegmentation().GetSegment(key)) is SegmentRole.STRUCTURE
