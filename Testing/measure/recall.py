"""What a task recalls in other volumes, without slices: Dice, and the fit of its estimate (`segmenter/quality.py`).

    python Testing/measure/recall.py DATA [CASES]

Teaches true labels of two cases of each data set of `DATA/train`, looks for them in CASES (4) others and in volumes of
another kind, where nothing is to be found. About ten minutes on one core. Run it again when `transfer/` changes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from metasegment.grid import to_voxels
from metasegment.io.volume_file import read_voxels
from metasegment.measures.dice import dice
from metasegment.progress import Progress
from metasegment.segmenter.quality import MOST_GROWTH
from metasegment.transfer import Detection, TaughtSubject, learn_subject, look_for

#: Structures of training data sets in which patients are alike.
TAUGHT = {
    "openkbp_headneck_ct": (1, 3, 4),
    "spine_mr_t2_lumbar_chu": (1, 2, 3, 4, 5),
    "fetal_brain_atlas": (3, 6, 7),
}
FOREIGN = ("sts_sarcoma_ct", *TAUGHT)
#: Numbers of the cases that teach.
SOURCES = (0, 3)


@dataclass(frozen=True)
class Case:
    """Image and labels (k, j, i) with voxels of `spacing` mm."""

    image: Tensor
    labels: Tensor
    spacing: tuple[float, float, float]


@dataclass(frozen=True)
class Finding:
    """What was found of one structure, in a volume of the same kind or not."""

    same_kind: bool
    dice: float
    agreement: float
    growth: float


def read(folder: Path) -> Case:
    image, labels = (read_voxels(folder / name) for name in ("image.nii.gz", "labels.nii.gz"))
    return Case(
        torch.from_numpy(image.array.astype(np.float32)),
        torch.from_numpy(labels.array.astype(np.uint8)),
        image.geometry.spacing_kji,
    )


def findings(train: Path, cases: int) -> Iterator[Finding]:
    for dataset, labels in TAUGHT.items():
        folders = cases_of(train, dataset)
        foreign = [cases_of(train, name)[1] for name in FOREIGN if name != dataset]
        for source in SOURCES:
            taught = read(folders[source])
            masks = [(taught.labels == label).float() for label in labels]
            subject = learn_subject(taught.image, masks, taught.spacing, source, Progress())
            others = [folder for number, folder in enumerate(folders) if number != source][:cases]
            for folder in (*others, *foreign):
                yield from found_in(read(folder), subject, labels, folder in others)


def cases_of(train: Path, dataset: str) -> list[Path]:
    return sorted(path.parent for path in (train / dataset).glob("*/labels.nii.gz"))


def found_in(case: Case, subject: TaughtSubject, labels: tuple[int, ...], same_kind: bool) -> Iterator[Finding]:
    detections = look_for([subject], case.image, case.spacing, Progress())
    for label, detection in zip(labels, detections, strict=True):
        if detection:
            agreed = dice(on_voxels(detection, case), case.labels == label) if same_kind else 0.0
            yield Finding(same_kind, agreed, detection.agreement, detection.growth)


def on_voxels(detection: Detection, case: Case) -> Tensor:
    mask = torch.zeros(case.labels.shape, dtype=torch.bool)
    values, where = to_voxels(detection.probability, detection.grid, case.labels.shape)
    mask[where] = values > 0.5
    return mask


def main(arguments: list[str]) -> None:
    if not arguments or not (Path(arguments[0]) / "train").is_dir():
        sys.exit("usage: recall.py DATA [CASES]; DATA is a folder with `train`")
    data, cases = Path(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 4
    found = list(findings(data / "train", cases))
    dice = np.array([f.dice for f in found])
    rows = np.array([(1.0, f.agreement, min(MOST_GROWTH, abs(f.growth))) for f in found])
    weights = np.linalg.lstsq(rows, dice, rcond=None)[0]
    off = np.abs((rows @ weights).clip(0, 1) - dice)
    same = np.array([f.same_kind for f in found])
    print(f"{len(found)} structures, {int(same.sum())} in volumes of the same kind: mean Dice {dice[same].mean():.3f}")
    print("weights of 1, agreement, growth:", *(f"{w:.3f}" for w in weights))
    print(f"off by {off[same].mean():.3f} in volumes of the same kind, {off[~same].mean():.3f} in others")


if __name__ == "__main__":
    main(sys.argv[1:])
