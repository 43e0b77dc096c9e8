"""What a cohort leaves in its folder: a segmentation, a thumbnail and a row for each case. A row comes last, so that a
case with one is done. Everything is written beside and renamed: a run can end at any moment and be taken up again.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from ..io.files import DRAFTS, written_beside
from ..io.records import FormatError, from_json, to_json
from ..segmentation import StructureResult
from .studies import Study


@dataclass(frozen=True)
class Case:
    """A study to be done; `mark` changes with the task and with the study's files, so that it is done again then.

    `earlier` is the frame before it in a sequence, without its own.
    """

    study: Study
    mark: str
    earlier: Case | None = None

    @property
    def name(self) -> str:
        return self.study.case


@dataclass(frozen=True)
class Row:
    """What is known of a case once it was tried; `failure` is the reason, in one line, why there is no result.

    `mark` is the case's at that time, `seconds` all that the case took, reading and writing
    included, `labels` the checksum of the voxels; the rest is a Segmentation's.
    """

    case: str
    mark: str
    structures: tuple[StructureResult, ...] = ()
    familiarity: float | None = None
    seconds: float = 0.0
    device: str = ""
    notes: tuple[str, ...] = ()
    labels: str = ""
    failure: str | None = None


@dataclass(frozen=True)
class Output:
    """Where everything is in a cohort's folder, which belongs to one run at a time."""

    folder: Path

    @property
    def details(self) -> Path:
        """The folder of rows and thumbnails."""
        return self.folder / "cases"

    @property
    def task(self) -> Path:
        """The task's file, for the workers: too large to be handed to each, and TASK itself may change meanwhile."""
        return self.details / "task.metasegment"

    @property
    def table(self) -> Path:
        return self.folder / "report.csv"

    @property
    def page(self) -> Path:
        return self.folder / "report.html"

    def segmentation(self, case: str) -> Path:
        return self.folder / f"{case}.seg.nrrd"

    def thumbnail(self, case: str) -> Path:
        return self.details / f"{case}.png"

    def row(self, case: str) -> Path:
        return self.details / f"{case}.json"

    def prepare(self) -> None:
        """Makes the folders, and removes the drafts of a run that was killed; raises InputError where it cannot."""
        try:
            self.details.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write in {self.folder}: {error.strerror}; choose another folder") from None
        for folder in (self.folder, self.details):
            for draft in folder.glob(f"{DRAFTS}*"):
                shutil.rmtree(draft, ignore_errors=True)


def write_row(output: Output, row: Row) -> None:
    """Keeps a row; raises InputError where it cannot be written."""
    with written_beside(output.row(row.case)) as draft:
        draft.write_text(to_json(row), encoding="utf-8")


def read_row(output: Output, case: Case) -> Row | None:
    """Reads the row of a case, or None where it was not tried, or is another piece of work by now."""
    try:
        row = from_json(Row, output.row(case.name).read_bytes())
    except (OSError, FormatError):
        return None
    return row if row.mark == case.mark and (row.failure or output.segmentation(case.name).is_file()) else None


def is_done(output: Output, case: Case) -> bool:
    """Tells whether there is a result of a case, as it is by now."""
    row = read_row(output, case)
    return row is not None and row.failure is None


def cases_of(studies: Iterable[Study], task: bytes) -> list[Case]:
    """Returns studies as cases for a task's file; frames of a sequence follow one another."""
    cases: list[Case] = []
    for study in studies:
        cases.append(case_of(study, task, cases[-1] if study.frame else None))
    return cases


def case_of(study: Study, task: bytes, earlier: Case | None = None) -> Case:
    """Returns a study as a case for a task's file; what changes an earlier frame changes it too."""
    digest = hashlib.sha256(task)
    if earlier:
        digest.update(earlier.mark.encode())
    for path in filter(None, (study.image, study.annotation)):
        try:
            state = path.stat()
            digest.update(f"{state.st_size} {state.st_mtime_ns};".encode())
        except OSError:
            digest.update(b"absent;")
    return Case(study, digest.hexdigest(), replace(earlier, earlier=None) if earlier else None)
