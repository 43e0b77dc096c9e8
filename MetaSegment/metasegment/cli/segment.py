"""`metasegment segment`: an image and a few annotated slices to a segmentation."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from ..annotation import Annotation, complete
from ..export import write_segmentation
from ..io.task_file import write_task
from ..io.volume_file import write_volume
from ..progress import Progress
from ..segmentation import AUTO, Budget, Segmentation
from ..volume import Volume
from . import common, manifest, printed
from .progress import ProgressBar


def add_to(commands: common.Commands) -> None:
    parser = commands.add_parser("segment", help="segment a volume from a few annotated slices")
    common.add_inputs(parser)
    parser.add_argument("--output", required=True, type=Path, help="label map: .nii.gz, .nrrd, .mha or .seg.nrrd")
    parser.add_argument("--uncertainty", type=Path, help="also write how unsure each voxel is, 0…1")
    parser.add_argument("--strategy", default=AUTO, help="auto (default) or one strategy by name")
    parser.add_argument("--seconds", type=float, default=Budget.seconds, help="time for adapting (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default %(default)s)")
    common.add_save_task(parser, "what was learnt from slices and answer as a task")
    manifest.add_manifest(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    inputs = (options.image, options.annotation)
    for path in filter(None, (options.output, options.uncertainty)):
        common.require_writable(path, inputs)
    if options.save_task:
        common.require_place(options.save_task, inputs)
    manifest.require_manifest(options, inputs)
    segmenter = common.make_segmenter(options)
    volume, annotation = common.read_inputs(options)
    budget = Budget(seconds=options.seconds)
    progress = Progress(report=ProgressBar(), cancelled=common.Interrupt())
    result = segmenter.segment(volume, annotation, budget, options.strategy, options.seed, progress)
    write_result(result, volume, annotation, options.output, options.uncertainty, options.image)
    manifest.write_manifest_of(options, result)
    notes = volume.notes + annotation.notes
    print(json.dumps(printed.as_json(result, str(options.output), notes)) if options.json else printed.as_text(result))
    if options.save_task:
        taught = complete(annotation, result.labels, result.map.covered)
        write_task(segmenter.teach(volume, taught, None, progress, options.seed), options.save_task)


def write_result(
    result: Segmentation,
    volume: Volume,
    annotation: Annotation,
    output: Path,
    uncertainty: Path | None = None,
    image: Path | None = None,
) -> None:
    """The label map and, if asked for, the uncertainty on the whole grid, placed as in the `image`'s file."""
    if uncertainty:
        unsure = np.zeros(volume.array.shape, np.float32)
        unsure[result.map.region] = result.map.uncertainty
        write_volume(Volume(unsure, volume.geometry), uncertainty, image)
    write_segmentation(
        result.labels, volume.geometry, output, annotation.names, annotation.colors, image, result.map.covered
    )
