"""One door to all reports: the name of the file says which."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from ..errors import InputError
from ..export import Structures, Written, read_structures, to_file
from ..export.measured import Measurements, measure
from ..export.to_file import TABLES, format_of, structures_on
from ..io.dicom_file import is_dicom
from ..io.dicom_libraries import dicom_libraries
from ..io.dicom_seg import MOST_SEGMENTS, write_seg
from ..io.dicom_source import read_source
from ..io.files import written_beside
from ..io.volume_file import read_voxels
from ..pictures.thumbnail import save_thumbnail
from ..volume import Volume
from . import lines, page
from .fhir import bundle_of
from .pdf import write_pdf
from .series import Series, series_of

STRUCTURED, FHIR, PAGE, PRINT = ".dcm", ".fhir.json", ".html", ".pdf"
FORMATS = (*TABLES, FHIR, PAGE, PRINT, STRUCTURED)
_SEG_CLASS = "1.2.840.10008.5.1.4.1.1.66.4"


def write_report(
    segmentation: str | Path, path: str | Path, reference: str | Path | None = None, names: Sequence[str] = ()
) -> Written:
    """Measure a segmentation and write the report that the name of `path` asks for.

    `segmentation` and `reference` are as for `to_file`; a DICOM report needs the folder of the series, and writes a SEG
    beside it (NAME.seg.dcm) unless the segmentation is one. Raises InputError as `to_file`.
    """
    path = Path(path)
    kind = format_of(path, FORMATS, "kind of report")
    if kind in TABLES:
        return to_file(segmentation, path, reference, names)
    if kind == STRUCTURED:
        return _structured(Path(segmentation), path, reference, names)
    image = None if reference is None else read_voxels(reference)
    structures = structures_on(segmentation, image, reference, names)
    measurements, series = measure(structures, image, reference), series_of(reference)
    with written_beside(path) as draft:
        if kind == FHIR:
            draft.write_text(json.dumps(bundle_of(measurements, series), indent=1, ensure_ascii=False), "utf-8")
        else:
            _for_people(
                draft, measurements, structures, image, series, lines.heading_of(series, Path(segmentation).name)
            )
    notes = structures.notes if image is None else image.notes + structures.notes
    return Written((path,), notes + measurements.notes)


def _for_people(
    draft: Path, measurements: Measurements, structures: Structures, image: Volume | None, series: Series, about: str
) -> None:
    headings, rows = lines.table_of(measurements, series)
    small = [about, lines.ABOUT, *measurements.notes]
    with tempfile.TemporaryDirectory() as folder:
        picture = None
        if image is not None:
            picture = Path(folder) / "planes.png"
            save_thumbnail(picture, image, structures.labels, {s.label: s.color for s in structures.drawn()})
        if draft.suffix.lower() == PRINT:
            write_pdf(draft, lines.TITLE, small, headings, rows, picture, lines.SIGNATURE)
            return
        parts = [page.paragraph(about), page.table(headings, rows)]
        parts += [page.picture(picture, "axial, coronal and sagittal plane")] if picture else []
        parts += [page.paragraph(text, small=True) for text in small[1:]]
        parts.append(page.paragraph(lines.SIGNATURE))
        draft.write_text(page.page(lines.TITLE, parts), "utf-8")


def _structured(segmentation: Path, path: Path, reference: str | Path | None, names: Sequence[str]) -> Written:
    if reference is None or not Path(reference).is_dir():
        raise InputError(f"{path.name} refers to a DICOM series: give the folder of the image with --reference")
    source = read_source(reference)
    frame = str(source.headers[0].FrameOfReferenceUID)
    structures = read_structures(segmentation, source.volume.geometry, frame, names)
    measurements = measure(structures, source.volume, reference)
    with dicom_libraries(), ExitStack() as drafts:
        from pydicom import dcmread

        from .structured import write_structured

        files: tuple[Path, ...] = (path,)
        drawn = [measured.segment for measured in measurements.structures]
        draft, seg = drafts.enter_context(written_beside(path)), segmentation
        if _can_be_referred_to(segmentation):
            numbers = [segment.label for segment in drawn]
        else:
            beside = path.with_name(f"{path.name.removesuffix(path.suffix)}.seg.dcm")
            seg, files = drafts.enter_context(written_beside(beside)), (path, beside)
            write_seg(structures.labels, tuple(drawn), source, seg, structures.covered)
            numbers = list(range(1, len(drawn) + 1))
        found = dict(zip(numbers, measurements.structures, strict=True))
        header = dcmread(seg, stop_before_pixels=True)
        write_structured(found, header, source, series_of(reference).modality, draft)
    return Written(files, source.volume.notes + structures.notes + measurements.notes)


def _can_be_referred_to(segmentation: Path) -> bool:
    """Whether it is a SEG whose segments keep their numbers as labels."""
    if not is_dicom(segmentation):
        return False
    with dicom_libraries("pydicom"):
        from pydicom import dcmread

        header = dcmread(segmentation, stop_before_pixels=True, force=True)
        numbers = [int(item.SegmentNumber) for item in header.get("SegmentSequence") or ()]
        return header.get("SOPClassUID") == _SEG_CLASS and bool(numbers) and max(numbers) <= MOST_SEGMENTS
