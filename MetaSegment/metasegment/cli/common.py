"""What the commands share: reading the two inputs, building the segmenter, checking an output before the work."""

from __future__ import annotations

import argparse
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from ..annotation import Annotation, read_annotation
from ..dicom_objects.source import frame_of_reference_in
from ..dicom_series import is_dicom
from ..engine import Engine, choose_device
from ..errors import InputError
from ..image_file import refuse_unknown_suffix
from ..learnt import load_learnt
from ..network import RELEASED, load_network
from ..segmenter import Segmenter
from ..volume import Volume, read_volume

Commands = argparse._SubParsersAction


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """IMAGE and ANNOTATION, and where to compute."""
    parser.add_argument("image", metavar="IMAGE", type=Path, help="NRRD, NIfTI, MHA or a folder with one DICOM series")
    parser.add_argument(
        "annotation",
        metavar="ANNOTATION",
        type=Path,
        help="label file on the same grid: 0 unknown, 1…254 structures, 255 known background; or a DICOM SEG or "
        "RTSTRUCT of the image, each slice that it has something on being fully annotated",
    )
    add_device(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")
    parser.add_argument("--weights", type=Path, default=RELEASED, help="another weights file than the released one")


def read_inputs(options: argparse.Namespace) -> tuple[Volume, Annotation]:
    volume = read_volume(options.image)
    needs_frame = options.image.is_dir() and is_dicom(options.annotation)  # finding it reads all headers again
    frame = frame_of_reference_in(options.image) if needs_frame else None
    return volume, read_annotation(options.annotation, volume.geometry, frame)


def make_segmenter(options: argparse.Namespace) -> Segmenter:
    network, learnt = load_network(options.weights), load_learnt(options.weights)
    return Segmenter(Engine(network, choose_device(options.device), learnt))


def require_writable(path: Path, spared: Sequence[Path] = ()) -> None:
    """Refuses an output that could not be written, or would replace an input, before minutes are spent on it."""
    if any(path.resolve() == kept.resolve() for kept in spared):
        raise InputError(f"cannot write {path}: it is an input; give another file name")
    refuse_unknown_suffix(path)
    require_place(path)


def require_place(path: Path) -> None:
    """Refuses an output in a folder that is absent or not writable."""
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
