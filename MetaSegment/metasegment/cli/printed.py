"""A segmentation in words: one JSON object for programs, a table for people."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from ..segmentation import NextSlice, Segmentation


def as_json(result: Segmentation, output: str, of_reading: Sequence[str] = ()) -> dict[str, Any]:
    """The contract of `--json`; `of_reading` are the notes of the files that were read."""
    return {
        "output": output,
        "structures": [dataclasses.asdict(structure) for structure in result.structures],
        "next_slice": next_slice_as_json(result.next_slice),
        "seconds": {stage: round(seconds, 3) for stage, seconds in result.seconds.items()},
        "device": result.device,
        "peak_memory_mb": None if result.peak_memory_mb is None else round(result.peak_memory_mb),
        "notes": [*of_reading, *result.notes],
        "familiarity": None if result.familiarity is None else round(result.familiarity, 3),
    }


def next_slice_as_json(suggestion: NextSlice | None) -> dict[str, Any] | None:
    """Plane, index along its array axis (k, j, i), and why; None where there is nothing to suggest."""
    if suggestion is None:
        return None
    fields = dataclasses.asdict(suggestion)
    fields["axis"] = "kji"[suggestion.axis]
    fields["gap_mm"] = None if math.isnan(suggestion.gap_mm) else round(suggestion.gap_mm, 1)
    return fields


def as_text(result: Segmentation) -> str:
    """A few lines for a terminal."""
    lines = [f"{'structure':<24} {'volume':>10} {'estimated Dice':>15}  strategy"]
    lines += [f"{s.name:<24} {s.volume_ml:>7.1f} ml {s.estimated_dice:>15.2f}  {s.strategy}" for s in result.structures]
    lines += [f"{s.name}: {remark.text}" for s in result.structures for remark in s.remarks]
    if result.familiarity is not None:
        lines.append(
            f"familiarity {result.familiarity:.2f}: 1 is like the images that the task was taught on, 0 is not"
        )
    lines.append(next_slice_as_text(result.next_slice))
    lines.append(f"{sum(result.seconds.values()):.1f} s on {result.device}")
    return "\n".join([*lines, *result.notes])


def next_slice_as_text(suggestion: NextSlice | None) -> str:
    """One line."""
    if suggestion is None:
        return "next slice: none; every plane is annotated or nothing was found"
    return f"next slice: {suggestion.plane}, {'kji'[suggestion.axis]} = {suggestion.index}: {suggestion.why}"
