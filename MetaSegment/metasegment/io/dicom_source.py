"""The DICOM series that a segmentation was drawn on: its headers in the order of the volume's slices.

Does not decide what is a volume: `dicom_series` reads and refuses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..volume import Volume
from .dicom_file import IMAGE_CLASSES, header_of
from .dicom_libraries import dicom_libraries
from .dicom_mending import mended
from .dicom_scan import find_series
from .dicom_series import read_frame_of_reference
from .volume_file import read_volume

if TYPE_CHECKING:
    from pydicom import Dataset

_LONGEST, _NAMELESS = 64, "unnamed"
_NEEDED = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")


@dataclass(frozen=True, eq=False)
class Source:
    """Headers without pixels, one a slice in the order of k or a single one of many frames, and the volume."""

    headers: tuple[Dataset, ...]
    volume: Volume

    @property
    def has_many_frames(self) -> bool:
        return len(self.headers) < self.volume.geometry.size[2]


def read_source(folder: str | Path) -> Source:
    """Read the one image series in `folder`; raises InputError as `read_volume` does, and for headers without the
    identifiers that a reference needs.
    """
    volume = read_volume(folder)
    with dicom_libraries():
        headers = tuple(mended(header_of(one.path), volume.geometry) for one in find_series(folder).slices)
        for kind in {str(header.get("SOPClassUID") or "") for header in headers}:
            if not kind.startswith(IMAGE_CLASSES):
                raise InputError(
                    f"{folder}: the class of its slices (SOPClassUID {kind or 'absent'}) is none that DICOM knows; "
                    "nothing can refer to them: use the series as it was before that was replaced"
                )
        for keyword in _NEEDED:
            if any(not header.get(keyword) for header in headers):
                raise InputError(
                    f"{folder}: its slices lack {keyword}; no DICOM object can refer to them: use the series as it was "
                    "before that was removed"
                )
        if len({header.SOPInstanceUID for header in headers}) < len(headers):
            raise InputError(
                f"{folder}: several of its slices have one SOPInstanceUID; no DICOM object can tell them apart: use "
                "the series as it was before that was replaced"
            )
    return Source(headers, volume)


def frame_of_reference_in(folder: str | Path) -> str | None:
    """Identifier of the coordinate system of the series in `folder`; None where it has none."""
    return read_frame_of_reference(folder)


def long_string(text: str) -> str:
    """Returns a text as a DICOM value of type LO holds it: one line of 64 characters, no backslash (it would end the
    value).
    """
    return " ".join(text.replace("\\", "/").split())[:_LONGEST] or _NAMELESS


def require_same_frame(mine: str | None, images: str | None) -> None:
    """Raise InputError for an object drawn in another coordinate system than the image's; unknown ones pass."""
    if mine and images and mine != images:
        raise InputError("it was drawn on another image (the frames of reference differ); use that of this image")
