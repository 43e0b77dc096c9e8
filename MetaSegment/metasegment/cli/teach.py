"""`metasegment teach`: a reviewed segmentation to a task, which finds the same structures in other images."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..annotation import BACKGROUND, Annotation, annotation_from_labels
from ..export import default_name, read_structures
from ..io.annotation_file import frame_of_reference_for, places_of
from ..io.task_file import read_task, write_task
from ..io.volume_file import read_volume
from ..knowledge import with_relations
from ..progress import Progress
from ..relations import relation_in
from ..task_labels import to_task_labels
from ..volume import Volume
from . import common, files
from .progress import ProgressBar


def add_to(commands: common.Commands) -> None:
    parser = commands.add_parser("teach", help="learn a task from a reviewed segmentation, to apply it to other images")
    parser.add_argument("image", metavar="IMAGE", type=Path, help=common.IMAGE)
    parser.add_argument(
        "segmentation",
        metavar="SEGMENTATION",
        type=Path,
        help="label map, .seg.nrrd, DICOM SEG or RTSTRUCT of the whole image: what is in no structure is background",
    )
    parser.add_argument("--output", required=True, type=Path, metavar="TASK", help="the task's file")
    parser.add_argument("--task", type=Path, metavar="EARLIER", help="let this task grow; may be TASK itself")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default %(default)s)")
    files.add_structures(parser)
    files.add_relations(parser)
    common.add_device(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    common.require_place(options.output, spared=(options.image, options.segmentation))
    earlier = read_task(options.task) if options.task else None
    segmenter = common.make_segmenter(options)
    volume, annotation = _read(options)
    progress = Progress(report=ProgressBar(), cancelled=common.Interrupt())
    if earlier:
        annotation = to_task_labels(earlier, annotation)
    task = segmenter.teach(volume, annotation, earlier, progress, options.seed)
    write_task(task, options.output)
    size, volumes = options.output.stat().st_size, task.provenance.volumes
    print(f"{options.output}: {', '.join(task.names.values())}; from {volumes} volume(s); {size / 1000:.0f} kB")


def _read(options: argparse.Namespace) -> tuple[Volume, Annotation]:
    """The image, and the segmentation as an annotation without unknown voxels."""
    image, segmentation = options.image, options.segmentation
    volume = read_volume(image)
    frame = frame_of_reference_for(image, segmentation)
    found = read_structures(segmentation, volume.geometry, frame, options.structures, places_of(image))
    files.tell(volume.notes + found.notes)
    segments = found.drawn()
    found.labels[found.labels == 0] = BACKGROUND
    names = {segment.label: segment.name for segment in segments if segment.name != default_name(segment.label)}
    colors = {segment.label: segment.color for segment in segments}
    annotation = annotation_from_labels(found.labels, volume.geometry, names, colors)
    called = {segment.label: segment.name for segment in segments}
    relations = [relation_in(sentence, called) for sentence in options.relation]
    return volume, with_relations(annotation, relations, found.covered)
