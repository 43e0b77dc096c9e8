"""Keeps what was drawn on slices in a file of this computer while Slicer runs, and finds it after a crash."""

from __future__ import annotations

import json
import logging
import os
import zlib
from pathlib import Path
from typing import Any

import slicer

from ..scene.SegmentPlanes import SegmentPlanes
from ..scene.SegmentRole import segmentsOf, structureIDs
from ..scene.SegmentVoxels import drawPlane
from ..scene.VolumeGrid import Plane, VolumeGrid
from .MendedAnswer import packed, unpacked
from .Session import Session
from .SliceRecord import recordsFrom, rowsOf
from .Workflow import Workflow

#: Every how manieth voxel along each axis tells volumes on the same grid apart.
_STEP = 8


class Autosave:
    """What is drawn on the listed slices, one file for each Slicer that runs. Example::

    autosave = Autosave(workflow, Path(slicer.app.temporaryPath) / "MetaSegment")
    autosave.update()                    # whenever the workflow changed: saves before each question to the learner
    autosave.save()                      # every minute
    path = autosave.found()              # of a Slicer that is gone, for the volume at hand; None where there is none
    autosave.restore(path)
    autosave.forget()                    # Slicer ends as it should

    Names of segments and outlines of what was drawn are in it, and nothing of the image or the patient.
    """

    def __init__(self, workflow: Workflow, folder: Path) -> None:
        self._workflow = workflow
        self._folder = folder
        self._own = folder / f"autosave-{os.getpid()}.json"
        self._wasBusy = False
        self._text = ""

    def update(self) -> None:
        """Save when the learner begins to work."""
        wasBusy, self._wasBusy = self._wasBusy, self._workflow.isBusy
        if self._wasBusy and not wasBusy:
            self.save()

    def save(self) -> None:
        """Write what is drawn, if there is anything new; what cannot be written is told in the log alone."""
        session = self._workflow.session
        if session is None or not session.slices.entries():
            return
        text = json.dumps(_drawnIn(session))
        if text == self._text:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            beside = self._own.with_suffix(".part")
            beside.touch(mode=0o600)
            beside.write_text(text, encoding="utf-8")
            beside.replace(self._own)
            self._text = text
        except OSError as error:
            logging.warning("MetaSegment: the drawing could not be kept in %s: %s", self._folder, error)

    def forget(self) -> None:
        """Remove the file of this Slicer."""
        self._own.unlink(missing_ok=True)
        self._text = ""

    def found(self) -> Path | None:
        """The newest file of another Slicer that fits the volume, where nothing is drawn in it yet."""
        session = self._workflow.session
        if session is None or session.slices.entries():
            return None
        paths = [path for path in self._folder.glob("autosave-*.json") if path != self._own]
        for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True):
            known = _read(path)
            if known.get("grid") == session.slices.key and known.get("voxels") == _voxelsOf(session):
                return path
        return None

    def restore(self, path: Path) -> None:
        """Draw what a file holds, and remove it."""
        session = self._workflow.session
        if session is None:
            return
        known, segmentation = _read(path), session.segmentationNode.GetSegmentation()
        for row in known["segments"]:
            if not segmentation.GetSegment(row["id"]):
                segmentation.AddEmptySegment(row["id"], row["name"], row["color"])
        shape = VolumeGrid.of(session.volumeNode).shape
        with session.slices.paused():
            for row in known["planes"]:
                plane: Plane = row["axis"], row["index"]
                size = tuple(n for axis, n in enumerate(shape) if axis != plane[0])
                masks = {key: unpacked(text, size) for key, text in row["masks"].items()}
                drawPlane(session.volumeNode, session.segmentationNode, plane, masks)
        session.slices.takeUp(recordsFrom(known["records"]))
        self.dismiss(path)

    def dismiss(self, path: Path) -> None:
        """The user does not want it."""
        path.unlink(missing_ok=True)


def _drawnIn(session: Session) -> dict[str, Any]:
    node = session.segmentationNode
    planes = SegmentPlanes(VolumeGrid.of(session.volumeNode), node)
    rows = []
    for entry in session.slices.entries():
        masks = planes.masks(entry.plane, structureIDs(node))
        texts = {key: packed(mask) for key, mask in masks.items()}
        rows.append({"axis": entry.axis, "index": entry.index, "masks": texts})
    segments = [
        {"id": key, "name": segment.GetName(), "color": list(segment.GetColor())}
        for key, segment in segmentsOf(node)
        if key in structureIDs(node)
    ]
    return {
        "grid": session.slices.key,
        "voxels": _voxelsOf(session),
        "segments": segments,
        "planes": rows,
        "records": rowsOf(session.slices.records),
    }


def _voxelsOf(session: Session) -> int:
    """A number that tells the volume from others on its grid."""
    array = slicer.util.arrayFromVolume(session.volumeNode)
    return zlib.crc32(array[::_STEP, ::_STEP, ::_STEP].tobytes())


def _read(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
