"""One door to all formats: the name of the file says which. Knows what each needs, not how it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..io.annotation_file import places_of
from ..io.dicom_libraries import dicom_libraries
from ..io.dicom_source import frame_of_reference_in, read_source
from ..io.files import written_beside
from ..io.image_file import WRITABLE
from ..io.volume_file import read_volume, read_voxels
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


def to_file(
    segmentation: str | Path, path: str | Path, reference: str | Path | None = None, names: Sequence[str] = ()
) -> Written:
    """Write a segmentation file as another, each file all or nothing.

    `path` says the format: a label map by the suffixes of images (`.seg.nrrd` with names, colours and codes), a DICOM
    segmentation by `.dcm`, a structure set by `.rtstruct.dcm`, surfaces by `.stl`, `.obj` or `.ply` (one file a
    structure, its name added), measurements by `.csv` or `.json`. `reference` is the image it was drawn on, a file or
    the folder of its DICOM series: DICOM objects need the series, measurements of intensity the image; a segmentation
    whose axes are ordered otherwise is put on its grid. `names` chooses structures. Raises InputError for
    what cannot be read, does not belong
    together or cannot be written.
    """
    path = Path(path)
    kind = format_of(path, FORMATS, "file type")
    if kind in (SEGMENTATION, STRUCTURE_SET):
        return _to_dicom(segmentation, path, kind, reference, names)
    # A table keeps voxels without a value, which count in no mean.
    image = None if reference is None else (read_voxels if kind in TABLES else read_volume)(reference)
    structures = structures_on(segmentation, image, reference, names)
    notes = structures.notes if image is None else image.notes + structures.notes
    if kind in SURFACES:
        from .surface import write_surfaces

        return Written(write_surfaces(structures, path), notes)
    if kind in TABLES:
        from .measured import measure
        from .table import write_table

        measurements = measure(structures, image, reference)
        write_table(measurements, path)
        return Written((path,), notes + measurements.notes)
    files = write_label_map(structures, path, Path(segmentation if reference is None else reference))
    return Written(files, notes)


def format_of(path: Path, formats: Sequence[str], what: str) -> str:
    """The suffix of `formats` that a file name ends with, the longest; raises InputError, saying `what` is unknown."""
    found = [suffix for suffix in formats if path.name.lower().endswith(suffix)]
    if not found:
        raise InputError(f"cannot write {path}: unknown {what}; use one of {', '.join(formats)}")
    return max(found, key=len)


def _to_dicom(
    segmentation: str | Path, path: Path, kind: str, reference: str | Path | None, names: Sequence[str]
) -> Written:
    if reference is None or not Path(reference).is_dir():
        raise InputError(f"{path.name} refers to a DICOM series: give the folder of the image with --reference")
    source = read_source(reference)
    frame = str(source.headers[0].FrameOfReferenceUID)
    structures = read_structures(segmentation, source.volume.geometry, frame, names)
    with dicom_libraries(), written_beside(path) as draft:
        from ..io.dicom_seg import write_seg
        from ..io.rtstruct import write_rtstruct

        write = write_rtstruct if kind == STRUCTURE_SET else write_seg
        write(structures.labels, structures.drawn(), source, draft, structures.covered)
    return Written((path,), source.volume.notes + structures.notes)


def structures_on(
    segmentation: str | Path, image: Volume | None, reference: str | Path | None, names: Sequence[str]
) -> Structures:
    """Read a segmentation onto the grid of the image that was read from `reference`, or on its own without one."""
    if image is None or reference is None:
        return read_structures(segmentation, names=names)
    frame = frame_of_reference_in(reference) if Path(reference).is_dir() else None
    return read_structures(segmentation, image.geometry, frame, names, places_of(Path(reference)))
