"""The extension's CMake files give Slicer every file that the module needs; checked by CMake itself, without Slicer."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parents[2]
_MODULE = _REPOSITORY / "MetaSegment"
# Instead of Slicer's macros: one that tells what it was given, and refuses what Slicer's own refuses.
_STAND_IN = """
cmake_minimum_required(VERSION 3.16)
project(Tried NONE)
set(BUILD_TESTING ON)
macro(slicer_add_python_unittest)
endmacro()
macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(GIVEN "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${{ARGN}})
  if(GIVEN_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "unknown: ${{GIVEN_UNPARSED_ARGUMENTS}}")
  endif()
  file(WRITE "{told}" "${{GIVEN_SCRIPTS}};${{GIVEN_RESOURCES}}")
endmacro()
add_subdirectory("{module}" module)
"""


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> set[Path]:
    """The files that would be in the package, relative to the module's folder."""
    if not shutil.which("cmake"):
        pytest.skip("cmake is not installed")
    folder = tmp_path_factory.mktemp("extension")
    told = folder / "told.txt"
    (folder / "CMakeLists.txt").write_text(_STAND_IN.format(told=told.as_posix(), module=_MODULE.as_posix()))
    subprocess.run(["cmake", "-S", str(folder), "-B", str(folder / "build")], check=True, capture_output=True)
    return {Path(name) for name in told.read_text().split(";")}


def test_every_listed_file_is_there(packaged: set[Path]) -> None:
    assert [str(path) for path in packaged if not (_MODULE / path).is_file()] == []


def test_all_python_files_weights_and_resources_are_packaged(packaged: set[Path]) -> None:
    kinds = ("MetaSegment.py", "MetaSegmentLib/**/*.py", "metasegment/**/*.py", "metasegment/weights/*")
    kinds += ("Resources/**/*.*", "metasegment/training/configs/*", "metasegment/benchmark/protocols/*")
    kinds += ("metasegment/anatomy/*.json", "metasegment/installation/*.txt")
    needed = {path.relative_to(_MODULE) for kind in kinds for path in _MODULE.glob(kind)}
    assert len(needed) > 100
    assert sorted(map(str, needed - packaged)) == []


def test_nothing_else_is_packaged(packaged: set[Path]) -> None:
    assert [str(path) for path in packaged if "__pycache__" in path.parts or "egg-info" in str(path)] == []
