"""A bundle of small wheels that are called as the real ones, for tests of the installation in several folders."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from metasegment.installation.bundle_folder import FACTS, WHEELS, Bundle, checksum_of, read_bundle
from metasegment.installation.environment import Environment
from metasegment.installation.machine import Machine, this_machine
from metasegment.installation.requirements import module_of, package_of, requirements

#: Newer than every lower bound in the lists.
_VERSION = "999.0"


@pytest.fixture(scope="session")
def a_machine() -> Machine:
    """This computer, as if it had no graphics card."""
    return Machine(this_machine().platform)


@pytest.fixture(scope="session")
def a_bundle(tmp_path_factory: pytest.TempPathFactory, a_machine: Machine) -> Bundle:
    """A wheel with an almost empty module for each package that the learner needs; `packaging` is the real one."""
    folder = tmp_path_factory.mktemp("bundle")
    (folder / WHEELS).mkdir()
    for package in {package_of(each) for each in requirements()}:
        write_wheel(folder / WHEELS, package, {f"{module_of(package)}/__init__.py": f'__version__ = "{_VERSION}"\n'})
    spec = importlib.util.find_spec("packaging")
    assert spec and spec.origin
    source = Path(spec.origin).parent
    files = {f"packaging/{p.relative_to(source).as_posix()}": p.read_text("utf-8") for p in source.rglob("*.py")}
    write_wheel(folder / WHEELS, "packaging", files)
    return describe(folder, a_machine.platform)


def describe(folder: Path, platform: str) -> Bundle:
    """Writes what is told of a bundle, and reads it."""
    wheels = {path.name: checksum_of(path) for path in (folder / WHEELS).iterdir()}
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    (folder / FACTS).write_text(json.dumps({"platform": platform, "python": python, "wheels": wheels}))
    return read_bundle(folder)


def write_wheel(folder: Path, package: str, files: dict[str, str]) -> None:
    """A wheel for every platform. scikit-image brings packaging, as the real one does."""
    name = package.replace("-", "_")
    needs = "Requires-Dist: packaging\n" if package == "scikit-image" else ""
    info = f"{name}-{_VERSION}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {_VERSION}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{each},,\n" for each in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / f"{name}-{_VERSION}-py3-none-any.whl", "w") as wheel:
        for each, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(each, text)


def place_uv(place: Environment) -> None:
    """Puts uv where an installation would: fetching it needs a network. Skips the test where none is installed."""
    uv = pytest.importorskip("uv", reason="uv is not installed")
    program = Path(uv.find_uv_bin())
    (place.uv / "bin").mkdir(parents=True)
    shutil.copy2(program, place.uv / "bin" / program.name)
