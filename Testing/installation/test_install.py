"""The learner's own environment, made by a real uv from small wheels: installed, broken, interrupted, healed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from metasegment.errors import Cancelled, InputError
from metasegment.installation import machine as machines
from metasegment.installation.check import check
from metasegment.installation.install import install, remove
from metasegment.progress import Progress


def healed(wanted, machine) -> None:
    """Asserts that Repair brings it to work, whatever happened before."""
    assert install(wanted, Progress(), machine).is_well


def test_what_is_installed_loads_although_the_process_has_slicers_variables(wanted, a_machine, stages):
    found = install(wanted, Progress(stages.report), a_machine)
    assert found.broken == {}
    assert found.versions["torch"] == "999.0"
    assert stages.shares == sorted(stages.shares)
    assert stages.stages[-1] == "installed"
    seen = subprocess.run(
        [wanted.environment.python, "-c", "import sys, torch; print(sys.prefix, torch.__file__)"],
        env=wanted.clean,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert all(str(wanted.environment.root) in path for path in seen)


def test_a_package_that_lost_a_file_is_found_and_repaired_even_if_uvs_cache_lost_it_too(wanted, a_machine):
    install(wanted, Progress(), a_machine)
    for folder in (wanted.environment.root, wanted.environment.cache):
        for file in folder.rglob("monai/__init__.py"):
            file.write_text("import nothing_of_this_name\n")
    found = check(wanted.environment.python, wanted.clean)
    assert "monai" in found.sentence
    assert "nothing_of_this_name" in found.sentence
    healed(wanted, a_machine)


def test_a_package_that_has_become_too_old_is_found(wanted, a_machine):
    install(wanted, Progress(), a_machine)
    found = check(wanted.environment.python, wanted.clean, ("monai>=1000", "torch>=2.6"))
    assert list(found.broken) == ["monai"]
    assert "999.0" in found.sentence


_INSTALL = """
import sys
from pathlib import Path
from metasegment.installation.bundle_folder import read_bundle
from metasegment.installation.environment import Environment
from metasegment.installation.install import Installation, install
from metasegment.installation.machine import Machine
from metasegment.progress import Progress
import os
place, bundle, platform = sys.argv[1:]
def report(stage, share):
    print(stage, flush=True)
wanted = Installation(Environment(Path(place)), [], dict(os.environ), read_bundle(Path(bundle)))
install(wanted, Progress(report), Machine(platform))
"""


@pytest.mark.skipif(os.name == "nt", reason="process groups are killed as POSIX does")
@pytest.mark.parametrize("moment", ["making the environment", "installing", "trying the packages"])
def test_an_installation_that_was_killed_is_no_obstacle_to_the_next(wanted, a_machine, moment):
    place = wanted.environment
    words = [sys.executable, "-c", _INSTALL, str(place.folder), str(wanted.bundle.folder), a_machine.platform]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        for line in process.stdout:
            if line.startswith(moment):
                break
        time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    healed(wanted, a_machine)


def test_a_python_without_packages_is_not_taken_for_an_installation(wanted, a_machine):
    wanted.environment.root.mkdir()  # as a kill leaves it
    (wanted.environment.root / "leftover").write_text("")
    assert not check(wanted.environment.python, wanted.clean).is_well
    healed(wanted, a_machine)


def test_cancelling_ends_uv_and_the_next_attempt_succeeds(wanted, a_machine, stages):
    stages.stop_at = "making"
    with pytest.raises(Cancelled):
        install(wanted, Progress(stages.report, stages.cancelled), a_machine)
    healed(wanted, a_machine)


def test_without_a_network_one_sentence_says_what_to_do(wanted, a_machine):
    variables = {**wanted.variables, "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}
    with pytest.raises(InputError, match=r"^127\.0\.0\.1 cannot be reached: check the network") as told:
        install(replace(wanted, bundle=None, variables=variables), Progress(), a_machine)
    assert "\n" not in str(told.value)


def test_uv_that_is_damaged_is_fetched_again_and_it_is_told_where_that_fails(wanted, a_machine):
    program = next((wanted.environment.uv / "bin").iterdir())
    program.write_bytes(program.read_bytes()[:1000])
    nowhere = {**os.environ, "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_NO_INDEX": "0"}
    with pytest.raises(InputError) as told:
        install(replace(wanted, bundle=None, variables=nowhere), Progress(), a_machine)
    assert "cannot be reached" in str(told.value)


def test_a_disk_without_room_is_told_before_anything_is_written(wanted, a_machine, monkeypatch):
    monkeypatch.setattr(machines, "_BYTES", 10**18)
    with pytest.raises(InputError, match="needs 1000000000 GB"):
        install(wanted, Progress(), a_machine)
    assert not wanted.environment.root.exists()


def test_a_bundle_of_another_platform_or_with_a_damaged_wheel_is_refused(wanted, a_machine, tmp_path):
    other = replace(wanted.bundle, platform="windows-arm64")
    with pytest.raises(InputError, match="is for windows-arm64"):
        install(replace(wanted, bundle=other), Progress(), a_machine)
    copied = shutil.copytree(wanted.bundle.folder, tmp_path / "copy")
    wheel = next((copied / "wheels").glob("torch-*"))
    wheel.write_bytes(wheel.read_bytes()[:-1])
    with pytest.raises(InputError, match="missing or damaged"):
        install(replace(wanted, bundle=replace(wanted.bundle, folder=copied)), Progress(), a_machine)


def test_a_bundle_may_bring_its_own_python(wanted, a_machine, tmp_path):
    folder = shutil.copytree(wanted.bundle.folder, tmp_path / "copy")
    program = folder / "python" / "cpython" / "bin" / "python3"
    program.parent.mkdir(parents=True)
    program.symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    healed(replace(wanted, bundle=replace(wanted.bundle, folder=folder)), a_machine)
    home = (wanted.environment.root / "pyvenv.cfg").read_text()
    assert str(wanted.environment.pythons) in home or str(Path(sys.base_prefix)) in home


def test_remove_leaves_nothing(wanted, a_machine):
    install(wanted, Progress(), a_machine)
    remove(wanted.environment)
    assert not wanted.environment.folder.exists()
    remove(wanted.environment)  # once more is no error
