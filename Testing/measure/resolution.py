"""Has uv resolve the learner's packages for every platform and Python; prints a table in Markdown.

    python Testing/measure/resolution.py

Needs uv and a network. Ends with exit code 1 where a combination neither resolves nor is refused with a sentence.
"""

from __future__ import annotations

import sys

from metasegment.errors import InputError
from metasegment.installation.bundle import find_uv, resolve
from metasegment.installation.machine import PLATFORMS, Machine

_PYTHONS = ("3.10", "3.11", "3.12", "3.13")
_SHOWN = ("torch", "numpy", "simpleitk", "monai")


def main() -> int:
    uv, failed = find_uv(), 0
    print(f"| platform | Python | packages | {' | '.join(_SHOWN)} |")
    print(f"|---|---|---|{'---|' * len(_SHOWN)}")
    for platform in PLATFORMS:
        try:
            Machine(platform).refuse()
        except InputError as error:
            print(f"| {platform} | all | refused: {error} |{' |' * len(_SHOWN)}")
            continue
        for python in _PYTHONS:
            try:
                lines = resolve(uv, platform, python, "", check=lambda: None)
            except InputError as error:
                failed += 1
                print(f"| {platform} | {python} | **fails**: {error} |{' |' * len(_SHOWN)}")
                continue
            versions = dict(line.split("==") for line in lines if "==" in line)
            shown = " | ".join(versions[name].split(";")[0].strip() for name in _SHOWN)
            print(f"| {platform} | {python} | {len(versions)} | {shown} |", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
