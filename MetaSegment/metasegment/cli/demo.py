"""`metasegment demo`: the whole way on a phantom, or on the user's own files, with a picture and a table."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..annotation import Annotation, annotation_from_labels
from ..demo.patients import write_patients
from ..demo.phantom import abdomen_phantom, annotate, choose_slices
from ..errors import InputError
from ..export import default_color, write_segmentation
from ..io.files import written_beside
from ..io.volume_file import write_volume
from ..measures.dice import dice
from ..pictures.overlay import save_overlay
from ..progress import Progress
from ..segmentation import Budget, Segmentation
from ..volume import Volume
from . import common, printed
from .progress import ProgressBar
from .segment import write_result

#: Adapting may take this long; the phantom has six structures.
SECONDS = 60.0
#: Phantoms of these seeds show every structure on three slices.
MOST_PATIENTS = 20


@dataclass(frozen=True, eq=False)
class Study:
    """What is shown: a volume, its annotated slices, and the truth (uint8, k, j, i) where it is known."""

    volume: Volume
    annotation: Annotation
    truth: np.ndarray | None


def add_to(commands: common.Commands) -> None:
    parser = commands.add_parser("demo", help="show it: a CT-like phantom, three annotated slices, a picture, a table")
    parser.add_argument("--output", type=Path, default=Path("metasegment-demo"), help="folder (default %(default)s)")
    parser.add_argument("--image", type=Path, help="your own image instead of the phantom")
    parser.add_argument("--annotation", type=Path, help="the annotated slices of your own image")
    parser.add_argument("--patients", type=int, metavar="N", help="only write N phantoms, to try other commands on")
    common.add_device(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    if options.patients is not None:
        return _patients(options)
    segmenter = common.make_segmenter(options)
    study = _study(options)
    folder = _folder(options.output)
    progress = Progress(report=ProgressBar(), cancelled=common.Interrupt())
    result = segmenter.segment(study.volume, study.annotation, Budget(seconds=SECONDS), progress=progress)
    write_result(result, study.volume, study.annotation, folder / "segmentation.seg.nrrd")
    write_volume(study.volume, folder / "image.nrrd")
    annotation = study.annotation
    write_segmentation(annotation.labels, annotation.geometry, folder / "annotation.nrrd")
    with written_beside(folder / "result.json") as draft:
        draft.write_text(json.dumps(printed.as_json(result, str(folder)), indent=1))
    print(printed.as_text(result))
    if study.truth is not None:
        print(_dice_table(result, annotation, study.truth))
    names = {s.label: s.name for s in result.structures}
    colors = {label: annotation.colors.get(label, default_color(label)) for label in names}
    note = save_overlay(folder / "overlay.png", study.volume, result.labels, names, colors, annotation.slices)
    print(f"files in {folder}: segmentation.seg.nrrd, image.nrrd, annotation.nrrd, result.json, overlay.png")
    if note:
        print(note)


def _patients(options: argparse.Namespace) -> None:
    if options.image or options.annotation:
        raise InputError("--patients are phantoms: leave out --image and --annotation")
    if not 0 < options.patients <= MOST_PATIENTS:
        raise InputError(f"--patients takes a number from 1 to {MOST_PATIENTS}")
    folders = write_patients(_folder(options.output), options.patients)
    print(f"in each of {', '.join(map(str, folders))}: image.nrrd, annotation.seg.nrrd, truth.seg.nrrd")


def _study(options: argparse.Namespace) -> Study:
    if (options.image is None) != (options.annotation is None):
        raise InputError("give --image and --annotation together, or neither for the phantom")
    if options.image:
        return Study(*common.read_inputs(options), truth=None)
    phantom = abdomen_phantom()
    labels = annotate(phantom.labels, choose_slices(phantom.labels))
    annotation = annotation_from_labels(labels, phantom.volume.geometry, phantom.names, phantom.colors)
    return Study(phantom.volume, annotation, phantom.labels)


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write in {path}: {error.strerror}; choose another folder with --output") from None
    common.require_writable(path / "segmentation.seg.nrrd")
    return path


def _dice_table(result: Segmentation, annotation: Annotation, truth: np.ndarray) -> str:
    """True against estimated Dice on the voxels that were not annotated."""
    unknown = annotation.labels == 0
    lines = ["", f"{'structure':<24} {'true Dice':>10} {'estimated':>10}   (voxels that were not annotated)"]
    for structure in result.structures:
        found, wanted = (labels[unknown] == structure.label for labels in (result.labels, truth))
        lines.append(f"{structure.name:<24} {dice(found, wanted):>10.3f} {structure.estimated_dice:>10.2f}")
    return "\n".join([*lines, ""])
