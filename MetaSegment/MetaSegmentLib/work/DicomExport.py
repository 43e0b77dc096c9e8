"""Segments as a DICOM object that refers to the series they were drawn on: for what Slicer itself has no exporter."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import slicer
from slicer.i18n import tr as _

from metasegment.client.child import with_this_package
from metasegment.errors import InputError
from metasegment.io.files import written_beside

from ..learner.LearnerChoice import Python
from ..scene.SegmentExport import SegmentExport

#: What is written, by the name that tells `metasegment export`.
STRUCTURE_SET, SEGMENTATION = "object.rtstruct.dcm", "object.dcm"
_SERIES, _SEGMENTS = "series", "segments.seg.nrrd"


class DicomExport:
    """One export, by another process: contours are work for Python, with which Slicer would stand still. Example::

        export = DicomExport(volumeNode, segmentationNode, python)  # main thread; raises InputError, RuntimeError
        export.write("liver.dcm", STRUCTURE_SET)                 # in a worker thread; raises InputError

    The files of the series lie together, linked or copied, in a temporary folder until the object is written.
    """

    def __init__(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        segmentationNode: slicer.vtkMRMLSegmentationNode,
        python: Python,
    ) -> None:
        if volumeNode.GetParentTransformNode() is not segmentationNode.GetParentTransformNode():
            raise InputError(
                _("Volume and segments are under different transforms: put them under the same one first.")
            )
        self._python = python
        self._files = _filesOf(volumeNode)
        if not shutil.which(python.program):
            raise InputError(_("DICOM objects need the learner's packages: see Learner, Install."))
        self._folder = TemporaryDirectory(prefix="metasegment-")
        SegmentExport(volumeNode, segmentationNode).toSegmentation(str(Path(self._folder.name) / _SEGMENTS))

    def write(self, path: str, kind: str) -> None:
        """Write the object; the temporary folder is gone afterwards."""
        with self._folder as name, written_beside(path) as draft:
            folder = Path(name)
            _gather(self._files, folder / _SERIES)
            arguments = [str(folder / _SEGMENTS), "--to", str(folder / kind), "--reference", str(folder / _SERIES)]
            _run(self._python, ["export", *arguments])
            shutil.copyfile(folder / kind, draft)


def _filesOf(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> list[str]:
    """The DICOM files that a volume was loaded from, as DICOMScalarVolumePlugin notes it."""
    uids = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()
    if not uids:
        raise InputError(
            _("This volume was not loaded from DICOM: there is no series that a DICOM object could refer to.")
        )
    database = getattr(slicer, "dicomDatabase", None)  # absent where the DICOM module is switched off
    files = [database.fileForInstance(uid) for uid in uids] if database else []
    if not files or not all(file and Path(file).is_file() for file in files):
        raise InputError(_("The DICOM files of this volume are gone: import them again (DICOM module)."))
    return files


def _gather(files: list[str], folder: Path) -> None:
    """Series may be spread over folders, and share them with others."""
    folder.mkdir()
    for number, file in enumerate(files):
        place = folder / f"{number}.dcm"
        try:
            os.link(file, place)
        except OSError:  # on another disk
            shutil.copyfile(file, place)


def _run(python: Python, arguments: list[str]) -> None:
    done = subprocess.run(
        [python.program, "-m", "metasegment", *arguments],
        env=with_this_package(python.variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",  # whatever the locale that Slicer's process has
        errors="replace",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise InputError(said[-1].removeprefix("metasegment: "))
