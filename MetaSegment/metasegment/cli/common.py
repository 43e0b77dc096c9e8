"""What the commands share: reading the two inputs, building the segmenter, checking an output before the work."""

from __future__ import annotations

import argparse
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from ..annotation import Annotation
from ..errors import InputError
from ..io.annotation_file import read_annotation_of
from ..io.image_file import refuse_unknown_suffix
from ..io.volume_file import read_volume
from ..network.unet import RELEASED
from ..segmenter import Segmenter
from ..segmenter.load import load_segmenter
from ..volume import Volume
from . import files

Commands = argparse._SubParsersAction
#: What images and annotations can be, for those who ask for help.
IMAGE = "NRRD, NIfTI, MHA or a folder with one DICOM series"
ANNOTATION = (
    "label file on the image's voxels: 0 unknown, 1…254 structures, 255 known background; or a DICOM SEG or RTSTRUCT "
    "of the image, each slice that it has something on being fully annotated"
)


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """IMAGE and ANNOTATION, and where to compute."""
    parser.add_argument("image", metavar="IMAGE", type=Path, help=IMAGE)
    parser.add_argument("annotation", metavar="ANNOTATION", type=Path, help=ANNOTATION)
    files.add_structures(parser)
    parser.add_argument(
        "--slices", type=Path, metavar="FILE", help="JSON: what each slice is finished for, and relations"
    )
    files.add_relations(parser)
    add_device(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:N, mps or xpu")
    parser.add_argument("--weights", type=Path, default=RELEASED, help="another weights file than the released one")


def add_save_task(parser: argparse.ArgumentParser, of: str) -> None:
    parser.add_argument("--save-task", type=Path, metavar="FILE", help=f"also write {of}, for `metasegment apply`")


def read_inputs(options: argparse.Namespace) -> tuple[Volume, Annotation]:
    """The image and what is drawn on it; what the readers left out is told on standard error."""
    volume = read_volume(options.image)
    annotation = read_annotation_of(
        options.image, volume.geometry, options.annotation, options.structures, options.slices, options.relation
    )
    files.tell(volume.notes + annotation.notes)
    return volume, annotation


def make_segmenter(options: argparse.Namespace) -> Segmenter:
    return load_segmenter(options.weights, options.device)


def require_writable(path: Path, spared: Sequence[Path] = ()) -> None:
    """Refuses a label map that could not be written, or would replace an input, before minutes are spent on it."""
    refuse_unknown_suffix(path)
    require_place(path, spared)


def require_place(path: Path, spared: Sequence[Path] = ()) -> None:
    """Refuses an output that would replace an input, or in a folder that is absent or not writable."""
    files.spare(path, spared)
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except FileNotFoundError:
        raise InputError(f"cannot write {path}: the folder {path.parent} does not exist; create it first") from None
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another folder") from None


class Interrupt:
    """Ctrl-C as a question that the segmenter asks between steps."""

    def __init__(self) -> None:
        self._asked = False
        signal.signal(signal.SIGINT, self._ask)
        signal.signal(signal.SIGTERM, self._ask)

    def __call__(self) -> bool:
        return self._asked

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
