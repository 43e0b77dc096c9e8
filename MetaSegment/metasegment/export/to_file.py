"""One door to all formats: the name of the file says which. Knows what each needs, not how it is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..io.dicom_libraries import dicom_libraries
from ..io.dicom_source import frame_of_reference_in, read_source
from ..io.files import written_beside
from ..io.image_file import WRITABLE
from ..io.volume_file import read_volume
from ..volume import Volume
from .label_map import write_label_map
from .structures import Structures, read_structures

STRUCTURE_SET, SEGMENTATION = ".rtstruct.dcm", ".dcm"
SURFACES = (".stl", ".obj", ".ply")
TABLES = (".csv", ".json")
FORMATS = (*WRITABLE, SEGMENTATION, STRUCTURE_SET, *SURFACES, *TABLES)


@dataclass(frozen=True)
class Written:
    """The files, and in words what is not in them and why."""

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def to_file(segmentation: str | Path, path: str | Path, reference: str | Path | None = None) -> Written:
    """Write a segmentation file as another, each file all or nothing.

    `path` says the format: a label map by the suffixes of images (`.seg.nrrd` with names, colours and codes), a DICOM
    segmentation by `.dcm`, a structure set by `.rtstruct.dcm`, surfaces by `.stl`, `.obj` or `.ply` (one file a
    structure, its name added), measurements by `.csv` or `.json`. `reference` is the image it was drawn on, a file or
    the folder of its DICOM series: DICOM objects need the series, measurements of intensity the image; a segmentation
    whose axes are ordered otherwise is put on its grid. Raises InputError for what cannot be read, does not belong
    together or cannot be written.
    """
    path = Path(path)
    kind = format_of(path)
    if kind in (SEGMENTATION, STRUCTURE_SET):
        return _to_dicom(segmentation, path, kind, reference)
    image = None if reference is None else read_volume(reference)
    structures = _structures(segmentation, image, reference)
    if kind in SURFACES:
        from .surface import write_surfaces

        return Written(write_surfaces(structures, path))
    if kind in TABLES:
        from .table import write_table

        return Written((path,), write_table(structures, path, image, reference))
    write_label_map(structures, path)
    return Written((path,))


def format_of(path: Path) -> str:
    """The suffix of FORMATS that a file name ends with, the longest; raises InputError for another."""
    found = [suffix for suffix in FORMATS if path.name.lower().endswith(suffix)]
    if not found:
        raise InputError(f"cannot write {path}: unknown file type; use one of {', '.join(FORMATS)}")
    return max(found, key=len)


def _to_dicom(segmentation: str | Path, path: Path, kind: str, reference: str | Path | None) -> Written:
    if reference is None or not Path(reference).is_dir():
        raise InputError(f"{path.name} refers to a DICOM series: give the folder of the image with --reference")
    source = read_source(reference)
    structures = read_structures(segmentation, source.volume.geometry, str(source.headers[0].FrameOfReferenceUID))
    with dicom_libraries(), written_beside(path) as draft:
        from ..io.dicom_seg import write_seg
        from ..io.rtstruct import write_rtstruct

        write = write_rtstruct if kind == STRUCTURE_SET else write_seg
        write(structures.labels, structures.drawn(), source, draft)
    return Written((path,))


def _structures(segmentation: str | Path, image: Volume | None, reference: str | Path | None) -> Structures:
    if image is None or reference is None:
        return read_structures(segmentation)
    frame = frame_of_reference_in(reference) if Path(reference).is_dir() else None
    return read_structures(segmentation, image.geometry, frame)
