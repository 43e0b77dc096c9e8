"""How long structures are in training episodes with one annotated plane: `python Testing/measure/episodes.py CONFIG`.

Prints for each source the share of structures that the grid's edge cuts across the annotated axis, their length over
the grid's (median), how well the carried slice alone does, and the seconds an episode takes.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path
from statistics import mean, median

from metasegment.episodes.bank import load_bank
from metasegment.episodes.episode import make_episode
from metasegment.measures.dice import dice
from metasegment.network.channels import CHANNELS
from metasegment.prompts import annotated_planes
from metasegment.training import Config, read_config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("--count", type=int, default=400)
    options = parser.parse_args()
    config = read_config(options.config)
    assert isinstance(config, Config)
    bank = load_bank(Path(config.data.root), config.data.withheld)
    rows: dict[str, list[tuple[bool, float, float, float]]] = defaultdict(list)
    for number in range(options.count):
        start = time.perf_counter()
        episode = make_episode(bank, config.episodes, config.run.seed, number)
        seconds = time.perf_counter() - start
        known = episode.channels[1] + episode.channels[2] > 0
        axes = [axis for axis, planes in enumerate(annotated_planes(known)) if len(planes)]
        if episode.overview is not None or len(axes) != 1 or episode.planes > 2:
            continue
        held = (episode.target > 0.5).movedim(axes[0], 0).flatten(1).any(1)
        positions = held.nonzero()[:, 0]
        if not len(positions):
            continue
        carried = episode.channels[CHANNELS.index("carried")] > 0
        agreement = dice(carried[episode.weight > 0], (episode.target > 0.5)[episode.weight > 0])
        rows[episode.source].append((bool(held[0] | held[-1]), len(positions) / len(held), agreement, seconds))
    for source, found in rows.items():
        cut, length, agreement, seconds_each = zip(*found, strict=True)
        print(
            f"{source:12s} {len(found):4d} episodes, cut {mean(cut):.0%}, length over grid {median(length):.2f}, "
            f"carried slice {mean(agreement):.2f} Dice, {mean(seconds_each):.2f} s"
        )


if __name__ == "__main__":
    main()
