"""`metasegment diagnose`: findings of images or segmented structures, from a few labelled examples. For research."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..diagnosis.answer import Answer, answer
from ..diagnosis.heads import HEADS
from ..diagnosis.network_features import network_features
from ..diagnosis.radiomics import radiomic_features
from ..diagnosis.request import Entry, read_request
from ..diagnosis.subject import Subject
from ..errors import InputError
from ..network.devices import choose_device
from ..network.engine import Engine
from ..network.unet import load_network
from ..progress import Progress
from . import common, files
from .progress import ProgressBar

_CAUTION = "For research only, not a diagnosis. Probabilities hold for findings that are equally frequent."


def add_to(commands: common.Commands) -> None:
    parser = commands.add_parser(
        "diagnose", help="findings of images or structures from a few labelled examples, for research", epilog=_CAUTION
    )
    parser.add_argument(
        "table",
        metavar="TABLE",
        type=Path,
        help="text file with the columns image, finding[, segmentation, structure]: lines with a finding are examples, "
        "those without are asked about; images are 2D (PNG, JPEG, TIFF, DICOM), or volumes with a segmentation",
    )
    parser.add_argument(
        "--features",
        choices=("radiomic", "network"),
        default="radiomic",
        help="what is compared: shape, intensity and texture, or what the network's encoder sees (default %(default)s)",
    )
    parser.add_argument("--head", choices=tuple(HEADS), default="ridge", help="classifier (default %(default)s)")
    parser.add_argument(
        "--level", type=_level, default=0.1, help="p-value up to which a finding is given up (default %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    common.add_device(parser)
    parser.set_defaults(run=run)


def _level(text: str) -> float:
    try:
        level = float(text)
    except ValueError:
        level = 0.0
    if not 0 < level < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number between 0 and 1")
    return level


def run(options: argparse.Namespace) -> None:
    examples, asked = read_request(options.table)
    if len({entry.finding for entry in examples}) < 2:  # before minutes are spent
        raise InputError(f"{options.table}: all examples have the same finding; label examples of at least two")
    describe = _description(options)
    progress = Progress(report=ProgressBar(), cancelled=common.Interrupt())
    entries = (*examples, *asked)
    rows = []
    for n, entry in enumerate(entries):
        progress.enter("reading", n / len(entries))
        rows.append(describe(entry.read()).numpy())
    progress.leave()
    features = np.stack(rows).astype(np.float64)
    known = [entry.finding for entry in examples]
    answers, notes = answer(features[: len(known)], known, features[len(known) :], options.head, options.level)
    files.tell(notes)
    if options.json:
        print(json.dumps({"subjects": [_as_json(*pair, examples) for pair in zip(asked, answers, strict=True)]}))
    else:
        print("\n".join(_as_text(*pair, examples) for pair in zip(asked, answers, strict=True)))
        print(_CAUTION)


def _description(options: argparse.Namespace) -> Callable[[Subject], Tensor]:
    """What makes features of a subject."""
    if options.features == "radiomic":
        return radiomic_features
    return partial(network_features, engine=Engine(load_network(options.weights), choose_device(options.device)))


def _as_json(entry: Entry, found: Answer, examples: tuple[Entry, ...]) -> dict[str, Any]:
    return {
        "image": str(entry.image),
        "structure": entry.structure or None,
        "findings": [asdict(likelihood) for likelihood in found.findings],
        "none_of_these": found.is_none,
        "nearest": [{"image": str(examples[n].image), "finding": examples[n].finding} for n in found.nearest],
    }


def _as_text(entry: Entry, found: Answer, examples: tuple[Entry, ...]) -> str:
    said = [
        f"{f.finding} ({'' if f.probability is None else f'probability {f.probability:.2f}, '}p {f.p_value:.2f})"
        for f in found.findings
    ]
    like = ", ".join(f"{examples[n].image} ({examples[n].finding})" for n in found.nearest)
    first = "none of these; " if found.is_none else ""
    return f"{entry.image} {entry.structure}".rstrip() + f": {first}{', '.join(said)}; nearest {like}"
