"""Builds wheel and sdist, has twine check them, installs the wheel in a clean environment and runs the demo there.

    python Testing/measure/publication.py [--dist FOLDER]

Needs uv and a network. Environment and demo lie outside the repository; the distributions stay in FOLDER if named.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

from metasegment.installation.bundle import find_uv

_REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dist", type=Path, help="keep wheel and sdist here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        publish(find_uv(), Path(folder), (options.dist or Path(folder) / "dist").absolute())


def publish(uv: str, folder: Path, dist: Path) -> None:
    """Every step in turn, with its seconds; raises CalledProcessError where one fails."""
    python = folder / "env" / "bin" / "python"
    _step("build", [uv, "build", "--quiet", "--out-dir", str(dist), str(_REPOSITORY)], folder)
    files = sorted(map(str, dist.glob("metasegment-*")))
    for file in files:
        print(f"  {Path(file).name}: {Path(file).stat().st_size / 1e6:.1f} MB")
    _step("twine check", [uv, "tool", "run", "--quiet", "twine", "check", "--strict", *files], folder)
    _step("environment", [uv, "venv", "--python", "3.11", str(python.parents[1])], folder)
    wheel = next(file for file in files if file.endswith(".whl"))
    _step("install", [uv, "pip", "install", "--python", str(python), wheel], folder)
    _step("demo", [str(python), "-m", "metasegment", "demo", "--device", "cpu"], folder)
    assert (folder / "metasegment-demo" / "segmentation.seg.nrrd").is_file()


def _step(name: str, command: list[str], folder: Path) -> None:
    since = time.monotonic()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    print(f"{name}: {time.monotonic() - since:.1f} s", flush=True)


if __name__ == "__main__":
    main()
