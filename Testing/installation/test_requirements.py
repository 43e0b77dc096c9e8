"""Which torch a computer gets: one list for pyproject.toml, installer, bundles and workflows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

from metasegment.errors import InputError
from metasegment.installation.machine import PLATFORMS, Machine, this_machine
from metasegment.installation.requirements import LISTS, package_of, requirements

_REPOSITORY = Path(__file__).resolve().parents[2]
_SYSTEMS = {"linux-x86_64": "linux", "windows-x86_64": "win32", "macos-arm64": "darwin"}


def torch_allowed(version: str, system: str) -> bool:
    environment = {**default_environment(), "sys_platform": system}
    wanted = [Requirement(each) for each in requirements() if package_of(each) == "torch"]
    fitting = [each for each in wanted if each.marker is None or each.marker.evaluate(environment)]
    assert len(fitting) == 1  # exactly one line for each system
    return fitting[0].specifier.contains(version)


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_torch_releases_that_break_are_left_out(system):
    assert torch_allowed("2.12.0", system)
    assert not torch_allowed("2.9.1", system)
    assert not torch_allowed("2.2.2", system)
    assert torch_allowed("2.13.0", system) == (system != "win32")


def test_the_project_reads_the_installers_list_and_its_extras_are_the_panels():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 has it")
    project = tomllib.loads((_REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["setuptools"]["dynamic"]["dependencies"]["file"] == [
        LISTS[0].relative_to(_REPOSITORY).as_posix()
    ]
    extras = project["project"]["optional-dependencies"]
    panel = [line for line in LISTS[1].read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert sorted(panel) == sorted([*extras["serve"], *extras["dicom"]])


def test_versions_that_the_tests_run_with_are_allowed():
    pinned = (_REPOSITORY / "Testing" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    constraints = [Requirement(line) for line in pinned if line and not line.startswith("#")]
    versions = {each.name: next(iter(each.specifier)).version for each in constraints}
    wanted = [Requirement(each) for each in requirements()]
    checked = [each for each in wanted if each.name in versions and not (each.marker and not each.marker.evaluate())]
    assert len(checked) > 10
    assert [each.name for each in checked if versions[each.name] not in each.specifier] == []


def test_the_table_of_resolutions_has_every_platform_and_python_and_only_what_the_lists_allow():
    page = (_REPOSITORY / "Resources" / "Documentation" / "administrator.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w-]+) \| (3\.\d+|all) \| (\d+|refused: [^|]+?) \| ([\d.]*)", page, re.MULTILINE)
    pythons = ("3.10", "3.11", "3.12", "3.13")
    expected = {
        (name, python) for name, each in PLATFORMS.items() for python in (("all",) if each.refusal else pythons)
    }
    assert {(platform, python) for platform, python, _, _ in rows} == expected
    for platform, _, told, torch in rows:
        refusal = PLATFORMS[platform].refusal
        assert told == f"refused: {refusal}" if refusal else torch_allowed(torch, _SYSTEMS[platform])


def test_a_mac_with_an_intel_processor_is_refused_with_a_way_out():
    with pytest.raises(InputError, match="Intel processors: use a learner at an address"):
        Machine("macos-x86_64").refuse()


@pytest.mark.parametrize("platform", [name for name, each in PLATFORMS.items() if not each.refusal])
def test_every_other_platform_has_wheels(platform):
    Machine(platform).refuse()
    assert PLATFORMS[platform].tags


@pytest.mark.parametrize(
    ("capability", "backend"), [(None, "auto"), (6.1, "cu126"), (7.0, "cu126"), (7.5, "auto"), (12.0, "auto")]
)
def test_graphics_cards_before_turing_get_the_last_build_that_knows_them(capability, backend):
    assert Machine("linux-x86_64", capability).backend == backend


def test_an_apple_processor_gets_a_native_python_also_under_translation(monkeypatch):
    from metasegment.installation import machine

    monkeypatch.setattr(machine.sys, "platform", "darwin")
    monkeypatch.setattr(machine.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(machine, "_said_by", lambda *command: "1" if command[0] == "sysctl" else "")
    assert this_machine() == Machine("macos-arm64")
    assert "macos-aarch64" in this_machine().python


def test_the_oldest_of_several_graphics_cards_decides(monkeypatch):
    from metasegment.installation import machine

    monkeypatch.setattr(machine, "_said_by", lambda *command: "8.9\n6.1\n[N/A]" if "nvidia" in command[0] else "")
    assert this_machine().capability == 6.1
