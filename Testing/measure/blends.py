"""What the gate knows from experience: `python Testing/measure/blends.py --data DATA`.

Prints, for the released weights, the Dice of each blend by number of annotated slices (segmenter/blend.py) and the
weights of the quality estimate (segmenter/quality.py). To be run again, and both files edited, when weights change.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tasks import as_study, over_datasets

from metasegment.episodes.held_out import HeldOutTask, held_out_tasks
from metasegment.grid import Grid, to_voxels
from metasegment.measures.dice import dice
from metasegment.network.engine import Engine
from metasegment.network.unet import RELEASED, load_network
from metasegment.progress import Progress
from metasegment.segmentation import Budget
from metasegment.segmenter import Segmenter
from metasegment.segmenter.answer import blended, finer
from metasegment.segmenter.blend import BLENDS, LEARNED, Blend
from metasegment.segmenter.case import Case
from metasegment.segmenter.folds import make_folds
from metasegment.segmenter.gate import CLASSICAL, IN_CONTEXT, Gate, evidence_of, seeing
from metasegment.segmenter.locate import SegmentRequest, locate
from metasegment.strategies import Query

COUNTS = (1, 3, 5)
#: A task counts as made worse than interpolation from this loss of Dice.
HARM = 0.005


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=RELEASED)
    parser.add_argument("--output", type=Path, help="also write the rows as JSON")
    options = parser.parse_args()
    segmenter = Segmenter(Engine(load_network(options.weights)))
    rows = [row_of(segmenter, task) for task in held_out_tasks(options.data, COUNTS)]
    if options.output:
        options.output.write_text(json.dumps(rows))
    for blend in BLENDS:
        means = [
            over_datasets((r["dataset"], r["dice"][_name(blend)]) for r in rows if r["slices"] == n) for n in COUNTS
        ]
        print(f"{_name(blend):<60}", " ".join(f"{m:.3f}" for m in means))
    for worth in (0, 1, 2, 4, 8):
        print(f"experience worth {worth} hidden slices:", chosen_by(rows, worth))
    for title, chosen in (
        ("with folds", [r for r in rows if r["again"] is not None]),
        ("without", [r for r in rows if r["again"] is None]),
    ):
        print("quality", title, fitted(chosen))


def row_of(segmenter: Segmenter, task: HeldOutTask) -> dict[str, Any]:
    """Dice of every blend on the coarse grid, and the evidence for the quality estimate."""
    request = SegmentRequest(*as_study(task))
    strategies, engine, progress = segmenter.strategies, segmenter.engine, Progress()
    case = locate(request, request.annotation.structures[0], None, strategies[IN_CONTEXT], engine, progress)
    query = finest_query(case, segmenter)
    members = {LEARNED: torch.sigmoid(strategies[IN_CONTEXT].predict({}, query, engine))}
    later = replace(query, previous=members[LEARNED])
    members |= {name: torch.sigmoid(strategies[name].predict({}, later, engine)) for name in CLASSICAL}
    folds = make_folds(case.support, case.prompt.grid.box)
    gate = Gate(strategies, engine, Budget(), 0, progress)
    answers = {LEARNED: gate.predicted(strategies[IN_CONTEXT], {}, folds)}
    informed = seeing(folds, answers[LEARNED])
    answers |= {name: gate.predicted(strategies[name], {}, informed) for name in CLASSICAL}
    evidence = evidence_of(case, folds, answers[LEARNED])
    return {
        "dataset": task.dataset,
        "case": task.case,
        "label": task.label,
        "slices": task.slices,
        "dice": {_name(b): _dice(task, case, query.grid, b.of(members)) for b in BLENDS},
        "interpolation": _dice(task, case, query.grid, members["interpolation"]),
        "between": {
            _name(b): [f.dice(b.of({m: a[n] for m, a in answers.items()})) for n, f in enumerate(folds) if f.between]
            for b in BLENDS
        },
        "overlaps": {name: dice(members[name] > 0.5, members[LEARNED] > 0.5) for name in CLASSICAL},
        **dataclasses.asdict(evidence),
    }


def finest_query(case: Case, segmenter: Segmenter) -> Query:
    """The query on the grid that the first of the blends would be refined on."""
    members = [(w, segmenter.strategies[n if n != LEARNED else IN_CONTEXT], {}) for n, w in BLENDS[0].weights.items()]
    return finer(case.query, blended(members, case.query, segmenter.engine), case.first)


def chosen_by(rows: list[dict[str, Any]], worth: float) -> str:
    """Dice by number of slices, and share of tasks that interpolation does better, with so much trust in experience."""
    names = [_name(blend) for blend in BLENDS]
    experience = {
        (name, n): over_datasets((r["dataset"], r["dice"][name]) for r in rows if r["slices"] == n)
        for name in names
        for n in COUNTS
    }
    scores: dict[int, list[tuple[str, float]]] = {n: [] for n in COUNTS}
    harmed = []
    for row in rows:
        trust = {name: sum(row["between"][name]) + max(worth, 1e-6) * experience[name, row["slices"]] for name in names}
        dice = row["dice"][max(names, key=lambda name: trust[name])]
        scores[row["slices"]].append((row["dataset"], dice))
        harmed.append(dice < row["interpolation"] - HARM)
    return " ".join(f"{over_datasets(scores[n]):.3f}" for n in COUNTS) + f", harm {np.mean(harmed):.0%}"


def fitted(rows: list[dict[str, Any]]) -> str:
    """Least squares of the recommended blend's Dice on 1, confidence, agreement and again."""
    best = [row["dice"][_name(max(BLENDS, key=lambda b: b.expected(row["slices"])))] for row in rows]
    terms = [(1.0, row["confidence"], row["agreement"], row["again"] or 0.0) for row in rows]
    weights = np.linalg.lstsq(np.array(terms), np.array(best), rcond=None)[0]
    error = np.abs(np.array(terms) @ weights - best).mean()
    return f"{tuple(round(float(w), 3) for w in weights)}, mean error {error:.3f}"


def _dice(task: HeldOutTask, case: Case, grid: Grid, probability: torch.Tensor) -> float:
    values, where = to_voxels(probability - 0.5, grid, case.support.scene.labels.shape)
    mask = torch.zeros_like(task.mask)
    mask[case.region][where] = values > 0
    return task.dice(mask)


def _name(blend: Blend) -> str:
    return " + ".join(f"{weight} {name}" for name, weight in blend.weights.items())


if __name__ == "__main__":
    main()
