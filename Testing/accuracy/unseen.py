"""Accuracy on structures the weights never saw: `python Testing/accuracy/unseen.py --data ../shared/data --output
unseen.json`.

Dice on voxels that were not annotated, with 1, 3 and 5 evenly spaced axial slices, of each strategy and of the gated
result. Rows of other methods (growcut.py) join the table with `--peers`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from tasks import as_study, over_datasets

from metasegment.engine import Engine
from metasegment.episodes.held_out import HeldOutTask, held_out_tasks
from metasegment.network import RELEASED, load_network
from metasegment.segmenter import AUTO, Segmenter

COUNTS = (1, 3, 5)
METHODS = ("interpolation", "geodesic", "in_context", "fine_tune", AUTO)
#: A task counts as made worse than interpolation from this loss of Dice.
HARM = 0.005
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", type=Path, default=RELEASED)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument(
        "--peers", type=Path, nargs="*", default=[], help="JSON rows of other methods on the same tasks"
    )
    parser.add_argument("--every", type=int, default=1, help="take each n-th task, for a quick look")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    segmenter = Segmenter(Engine(load_network(options.weights)))
    rows: list[Row] = [row for path in options.peers for row in json.loads(path.read_text())]
    for number, task in enumerate(held_out_tasks(options.data, COUNTS)):
        if number % options.every == 0:
            rows += [row_of(segmenter, task, method) for method in options.methods]
            options.output.write_text(json.dumps(rows))
    print(table(rows))


def row_of(segmenter: Segmenter, task: HeldOutTask, method: str) -> Row:
    """One task with one method."""
    volume, annotation = as_study(task)
    started = time.monotonic()
    result = segmenter.segment(volume, annotation, strategy=method)
    (structure,) = result.structures
    return {
        "method": "gated" if method == AUTO else method,
        "dataset": task.dataset,
        "case": task.case,
        "label": task.label,
        "slices": task.slices,
        "dice": task.dice(torch.from_numpy(result.labels) == structure.label),
        "estimated_dice": structure.estimated_dice,
        "chosen": structure.strategy,
        "seconds": time.monotonic() - started,
    }


def table(rows: list[Row]) -> str:
    """Mean over data sets by method and number of slices; harm is the share of tasks that interpolation did better."""
    scores: dict[tuple[str, int], list[tuple[str, float]]] = defaultdict(list)
    reference = {key_of(r): r["dice"] for r in rows if r["method"] == "interpolation"}
    harmed: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        scores[row["method"], row["slices"]].append((row["dataset"], row["dice"]))
        if key_of(row) in reference:
            harmed[row["method"]].append(row["dice"] < reference[key_of(row)] - HARM)
    methods = list(dict.fromkeys(row["method"] for row in rows))
    lines = [
        "| method | " + " | ".join(f"{n} slice{'s' * (n > 1)}" for n in COUNTS) + " | harm |",
        "|---|" + "---|" * 4,
    ]
    for method in methods:
        cells = [f"{over_datasets(scores[method, n]):.3f}" for n in COUNTS]
        lines.append(f"| {method} | " + " | ".join(cells) + f" | {mean(harmed[method] or [0]):.0%} |")
    return "\n".join(lines)


def key_of(row: Row) -> tuple[Any, ...]:
    return row["dataset"], row["case"], row["label"], row["slices"]


if __name__ == "__main__":
    main()
