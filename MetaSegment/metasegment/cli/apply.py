"""`metasegment apply`: what a task was taught, found in another image, with no or few new slices."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from ..anatomy.library import best_fit
from ..annotation import Annotation, complete, empty_annotation
from ..cohort.studies import SOURCE, is_cohort
from ..errors import InputError
from ..export.label_map import write_label_map
from ..export.structures import structures_of_task
from ..io.annotation_file import read_annotation_of
from ..io.task_file import read_task, write_task
from ..io.volume_file import read_volume
from ..progress import Progress
from ..segmentation import Budget, Segmentation
from ..task import Task
from ..task_labels import to_task_labels
from ..volume import Volume, is_ct
from . import common, files, manifest, printed
from .cohort import apply_to_cohort
from .progress import ProgressBar


def add_to(commands: common.Commands) -> None:
    parser = commands.add_parser("apply", help="find what a task was taught in another image")
    parser.add_argument("task", metavar="TASK", type=Path, nargs="?", help="file made by `teach` or by --save-task")
    parser.add_argument("image", metavar="IMAGE", type=Path, help=f"{common.IMAGE}; or many: {SOURCE}")
    parser.add_argument(
        "--output", required=True, type=Path, help="label map: .nii.gz, .nrrd, .mha or .seg.nrrd; of many: a folder"
    )
    parser.add_argument(
        "--library",
        type=Path,
        metavar="FOLDER",
        help="instead of TASK: of the tasks there, the one that fits --structures and the image best",
    )
    parser.add_argument("--workers", type=int, help="of many: so many at a time (default: one for each GPU)")
    parser.add_argument("--annotation", type=Path, help=f"slices that you drew in this image: {common.ANNOTATION}")
    parser.add_argument("--seconds", type=float, default=Budget.seconds, help="time for adapting (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    files.add_structures(parser)
    common.add_save_task(parser, "the task grown by this case, slices and answer")
    manifest.add_manifest(parser)
    common.add_device(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    if (options.task is None) == (options.library is None):
        raise InputError("give a TASK, or --library with the folder that your tasks are in")
    if is_cohort(options.image):
        if options.library:
            raise InputError("--library is for one image; for many, name the TASK")
        return apply_to_cohort(read_task(options.task), options)
    if options.workers is not None:
        raise InputError(f"--workers is for many images: {SOURCE}")
    inputs = tuple(filter(None, (options.image, options.annotation)))
    tasks = (options.task,) if options.task else ()
    common.require_writable(options.output, (*inputs, *tasks))
    if options.save_task:  # may be TASK itself
        common.require_place(options.save_task, inputs)
    manifest.require_manifest(options, (*inputs, *tasks))
    apply_to_image(read_task(options.task) if options.task else None, options)


def apply_to_image(task: Task | None, options: argparse.Namespace) -> None:
    """One image: its label map and, if asked for, the task grown by it; reports on standard output."""
    segmenter = common.make_segmenter(options)
    volume = read_volume(options.image)
    told: dict[str, dict[str, str]] = {}
    if task is None:
        task, told = chosen(options, volume, segmenter.engine.checksum)
    given = options.annotation
    drawn = read_annotation_of(options.image, volume.geometry, given, options.structures) if given else None
    notes = volume.notes + (drawn.notes if drawn else ())
    files.tell(notes)
    annotation = to_task_labels(task, drawn) if drawn else None
    progress = Progress(report=ProgressBar(), cancelled=common.Interrupt())
    result = segmenter.apply(task, volume, annotation, Budget(seconds=options.seconds), options.seed, progress)
    found = structures_of_task(task, result.labels, volume.geometry, result.map.covered)
    write_label_map(found, options.output, options.image)
    manifest.write_manifest_of(options, result)
    as_json = printed.as_json(result, str(options.output), notes) | told
    print(json.dumps(as_json) if options.json else printed.as_text(result))
    if options.save_task:
        case = _case(task, volume, annotation, result)
        write_task(segmenter.teach(volume, case, task, progress, options.seed), options.save_task)


def chosen(options: argparse.Namespace, volume: Volume, weights: str) -> tuple[Task, dict[str, dict[str, str]]]:
    """Chooses the task of the library, and what `--json` says of it; from here on it counts as the one given."""
    fit, notes = best_fit(options.library, options.structures, is_ct(float(volume.array.min())), weights)
    files.tell((*notes, f"task {fit.path}: {fit.reason}"))
    options.task, options.library = fit.path, None
    return fit.task, {"task": {"file": str(fit.path), "reason": fit.reason}}


def _case(task: Task, volume: Volume, annotation: Annotation | None, result: Segmentation) -> Annotation:
    """What the task grows by: slices and answer as an annotation without unknown voxels."""
    if not result.labels.any():
        raise InputError("nothing was found, so that the task cannot grow by this image: annotate one slice of it")
    drawn = annotation or empty_annotation(volume.geometry)
    drawn = replace(drawn, names=task.names, colors=task.colors, relations=task.provenance.relations)
    return complete(drawn, result.labels, result.map.covered)
