"""One worker of a cohort: the learner read once, then case after case. Knows nothing of Ray."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from ..errors import InputError
from ..export.label_map import write_label_map
from ..export.structures import read_structures, structures_of_task
from ..io.annotation_file import read_annotation_of
from ..io.task_file import read_task
from ..io.volume_file import read_frame, read_volume
from ..manifest import checksum_of_labels
from ..memory import is_out_of_memory
from ..pictures.thumbnail import save_thumbnail
from ..segmentation import Budget, Segmentation
from ..segmenter import Segmenter
from ..segmenter.load import load_segmenter
from ..task_labels import to_task_labels
from ..volume import Geometry, Volume
from .output import Case, Output, Row, is_done, write_row
from .studies import Study


@dataclass(frozen=True)
class Job:
    """What all workers of a cohort share: the weights, where and how long to compute, where the task is and results go.

    `threads` is how many cores each may use.
    """

    weights: Path
    device: str
    threads: int
    budget: Budget
    seed: int
    output: Output


class Worker:
    """Does one case at a time; a failure is the case's own, and ends in its row."""

    def __init__(self, job: Job) -> None:
        torch.set_num_threads(job.threads)
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(job.threads)
        self._job = job
        self._task = read_task(job.output.task)
        self._segmenter = self._load()

    def apply(self, case: Case) -> None:
        """Finds the task's structures in a study, and leaves segmentation, thumbnail and row in the output."""
        try:
            self._do(case)
        except InputError as error:
            self._fail(case, _in_a_line(error, case.study))
        except Exception as error:
            self._fail(case, _reason(error))
        if self._segmenter.engine.notes:  # what a large case had to give up, the next one may have again
            self._segmenter = self._load()

    def _load(self) -> Segmenter:
        return load_segmenter(self._job.weights, self._job.device)

    def _do(self, case: Case) -> None:
        study, start = case.study, time.monotonic()
        volume = read_volume(study.image) if study.frame is None else read_frame(study.image, study.frame)
        given = study.annotation
        drawn = read_annotation_of(study.image, volume.geometry, given) if given else None
        annotation = to_task_labels(self._task, drawn) if drawn else None
        earlier = self._found_before(case, volume.geometry)
        result = self._segmenter.apply(
            self._task, volume, annotation, self._job.budget, self._job.seed, earlier=earlier
        )
        self._write(case.name, volume, result)
        row = Row(
            case=case.name,
            mark=case.mark,
            structures=result.structures,
            familiarity=result.familiarity,
            seconds=time.monotonic() - start,
            device=result.device,
            notes=volume.notes + (drawn.notes if drawn else ()) + result.notes,
            labels=checksum_of_labels(result.labels),
        )
        write_row(self._job.output, row)

    def _found_before(self, case: Case, grid: Geometry) -> np.ndarray | None:
        """The labels (k, j, i) of the frame before, None where there is none or it failed.

        Read back even where this worker has just written them, so that a run taken up again finds the same.
        """
        output, earlier = self._job.output, case.earlier
        if earlier is None or not is_done(output, earlier):
            return None
        return read_structures(output.segmentation(earlier.name), grid).labels

    def _fail(self, case: Case, reason: str) -> None:
        write_row(self._job.output, Row(case.name, case.mark, failure=reason))

    def _write(self, case: str, volume: Volume, result: Segmentation) -> None:
        structures = structures_of_task(self._task, result.labels, volume.geometry, result.map.covered)
        write_label_map(structures, self._job.output.segmentation(case))
        shown = {segment.label: segment.color for segment in structures.segments}
        save_thumbnail(self._job.output.thumbnail(case), volume, result.labels, shown)


def _in_a_line(error: InputError, study: Study) -> str:
    """What cannot be used and why, without the folders that the whole cohort lies in."""
    text = " ".join(str(error).split())
    for path in filter(None, (study.annotation, study.image)):
        text = text.replace(str(path), path.name)
    return text


def _reason(error: Exception) -> str:
    """A defect in one line, without its text: that may hold what a header says of the patient."""
    if is_out_of_memory(error):
        return "out of memory: crop or downsample the image, or use fewer workers"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"a defect of MetaSegment ({type(error).__name__} in {Path(last.filename).name}, line {last.lineno})"
