"""Findings from few labelled examples: how well `metasegment diagnose` tells them apart, beside plain baselines.

    python Testing/measure/diagnosis.py DATA

Pneumonia on `DATA/diagnosis/chest_xray` (area under the ROC curve over 50 draws of examples), and structures of
`DATA/validation` against each other (share named rightly). Baselines are the pixels at 32 x 32, and the margin of the
radiographs alone: what that tells is how the images were acquired, not what the lungs look like. Nothing is tuned here.
About five minutes on one core.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from metasegment.diagnosis.answer import answer
from metasegment.diagnosis.heads import HEADS, scored
from metasegment.diagnosis.network_features import network_features
from metasegment.diagnosis.radiomics import radiomic_features
from metasegment.diagnosis.subject import Subject, read_image_subject, structure_subject
from metasegment.grid import Box, Grid, resample
from metasegment.io.volume_file import read_voxels
from metasegment.network.engine import Engine
from metasegment.network.unet import load_network

DRAWS = 50
SHOTS = (1, 5, 10, 20)
LEVEL = 0.1
#: Pixels along a side of the baseline; share of a side that is margin; the axial CT slice shown as a foreign image.
PIXELS, MARGIN, FOREIGN_SLICE = 32, 8, 20
#: Structures that are told apart, by data set: the weights saw none of the first, and the second with other scanners.
STRUCTURES = {
    "openkbp_headneck_ct": "mandible, larynx and spinal cord, CT",
    "spine_mr_myosegmentum": "levels of vertebral bodies, MR",
}
STRUCTURE_SHOTS = (1, 3, 5)

Describe = Callable[[Subject], Tensor]


@dataclass(frozen=True)
class Labelled:
    """Features (n, f) by kind, findings (n,), and patients (n,), who are never on both sides."""

    features: dict[str, np.ndarray]
    findings: np.ndarray
    patients: np.ndarray


def pixels(subject: Subject) -> Tensor:
    _, rows, columns = subject.image.shape
    whole = Grid(Box((0.0, 0.0, 0.0), (1.0, float(rows), float(columns))), (1, PIXELS, PIXELS))
    values = resample(subject.image, whole).flatten()
    return (values - values.mean()) / values.std()


def margin_features(subject: Subject) -> Tensor:
    """Radiomic features of the outermost eighth at each side, where hardly any lung is."""
    mask = torch.ones(subject.image.shape, dtype=torch.bool)
    rows, columns = (n // MARGIN for n in mask.shape[1:])
    mask[:, rows:-rows, columns:-columns] = False
    return radiomic_features(replace(subject, mask=mask))


def described(subjects: list[Subject], kinds: dict[str, Describe]) -> dict[str, np.ndarray]:
    return {
        name: np.stack([kind(subject).numpy() for subject in subjects]).astype(np.float64)
        for name, kind in kinds.items()
    }


def radiographs(folder: Path, kinds: dict[str, Describe]) -> Labelled:
    files = [sorted((folder / finding).glob("*.png")) for finding in ("no_finding", "pneumonia")]
    findings = np.repeat([0, 1], [len(paths) for paths in files])
    subjects = [read_image_subject(path) for paths in files for path in paths]
    more: dict[str, Describe] = {"radiomic, margin": margin_features, "pixels": pixels}
    return Labelled(described(subjects, kinds | more), findings, np.arange(len(findings)))


def structures(folder: Path, kinds: dict[str, Describe]) -> Labelled:
    subjects, findings, patients = [], [], []
    for patient, labels_file in enumerate(sorted(folder.glob("*/labels.nii.gz"))):
        image, labels = read_voxels(labels_file.with_name("image.nii.gz")), read_voxels(labels_file)
        for label in np.unique(labels.array)[1:].tolist():
            subjects.append(structure_subject(image.array, labels.array == label, image.geometry.spacing_kji))
            findings.append(label)
            patients.append(patient)
    return Labelled(described(subjects, kinds), np.unique(findings, return_inverse=True)[1], np.array(patients))


def foreign_pictures(folder: Path) -> np.ndarray:
    """Radiomic features of axial slices of CT volumes: none of the findings."""
    planes = [read_voxels(path).array[[FOREIGN_SLICE]] for path in sorted(folder.glob("*/image.nii.gz"))]
    subjects = [Subject(torch.from_numpy(plane.astype(np.float32)), (1.0, 1.0, 1.0)) for plane in planes]
    return described(subjects, {"radiomic": radiomic_features})["radiomic"]


def area_under_curve(scores: np.ndarray, findings: np.ndarray) -> float:
    """Share of pairs in the right order, of two findings; ties count half."""
    lead = scores[:, 1] - scores[:, 0]
    difference = lead[findings == 1][:, None] - lead[findings == 0][None]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def share_right(scores: np.ndarray, findings: np.ndarray) -> float:
    return float((scores.argmax(1) == findings).mean())


def draws(data: Labelled, shots: int) -> Iterator[np.ndarray]:
    """Which are examples (n,), 50 times: so many of each finding, or, where patients have several, all of so many."""
    patients = np.unique(data.patients)
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        if len(patients) < len(data.patients):
            yield np.isin(data.patients, rng.choice(patients, shots, replace=False))
        else:
            chosen = [rng.choice(np.flatnonzero(data.findings == f), shots, replace=False) for f in (0, 1)]
            yield np.isin(np.arange(len(data.findings)), chosen)


def table(data: Labelled, shots: tuple[int, ...], measure: Callable[[np.ndarray, np.ndarray], float]) -> None:
    """A row for each kind of features and head: means over the draws, and between what 95 % of them lie."""
    found = {}
    for kind, x in data.features.items():
        for head in HEADS:
            for count in shots:
                values = [
                    measure(scored(head, x[known], data.findings[known], x[~known]), data.findings[~known])
                    for known in draws(data, count)
                ]
                found[kind, head, count] = np.array(values)
            print(f"| {kind} | {head} | {' | '.join(in_words(found[kind, head, count]) for count in shots)} |")
    for other in (kind for kind in data.features if kind != "radiomic"):
        gains = [found["radiomic", "ridge", count] - found[other, "ridge", count] for count in shots]
        cells = [f"{in_words(gain)}, above 0 in {(gain > 0).mean():.0%}" for gain in gains]
        print(f"radiomic less {other}, ridge: {'; '.join(cells)}")


def in_words(values: np.ndarray) -> str:
    low, high = np.percentile(values, [2.5, 97.5])
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"


def confidence(data: Labelled, foreign: np.ndarray) -> None:
    """Do probabilities and p-values keep what they promise? As the command has it by default."""
    x = data.features["radiomic"]
    for count in SHOTS[1:]:
        rows, none, none_foreign = [], [], []
        for known in draws(data, count):
            names = data.findings[known].astype(str).tolist()
            answers, _ = answer(x[known], names, np.concatenate([x[~known], foreign]), "ridge", LEVEL)
            for true, found in zip(data.findings[~known].astype(str), answers, strict=False):
                likely = {f.finding: f for f in found.findings}[true]
                first = found.findings[0]
                rows.append((likely.probability, likely.p_value <= LEVEL, first.probability, first.finding == true))
                none.append(found.is_none)
            none_foreign += [found.is_none for found in answers[-len(foreign) :]]
        own, given_up, sure, right = (np.array(column, float) for column in zip(*rows, strict=True))
        print(
            f"{count} examples: log loss {-np.log(own).mean():.3f}, probability of the first {sure.mean():.3f},",
            end=" ",
        )
        print(f"right {right.mean():.3f}; true finding given up {given_up.mean():.3f};", end=" ")
        print(f"none of these: {np.mean(none):.3f} of radiographs, {np.mean(none_foreign):.3f} of CT slices")


def main(data: str) -> None:
    folder = Path(data)
    network = partial(network_features, engine=Engine(load_network()))
    kinds: dict[str, Describe] = {"radiomic": radiomic_features, "network": network}
    chests = radiographs(folder / "diagnosis" / "chest_xray", kinds)
    print(f"pneumonia, {len(chests.findings)} radiographs: area under the curve by {SHOTS} examples a finding")
    table(chests, SHOTS, area_under_curve)
    confidence(chests, foreign_pictures(folder / "validation" / "openkbp_headneck_ct"))
    for name, title in STRUCTURES.items():
        found = structures(folder / "validation" / name, kinds)
        print(f"{title}, {len(found.findings)}: share named rightly by {STRUCTURE_SHOTS} patients as examples")
        table(found, STRUCTURE_SHOTS, share_right)


if __name__ == "__main__":
    main(*sys.argv[1:])
