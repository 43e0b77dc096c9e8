"""The rows about the learner's Python: nothing is installed without consent, and no button stays dead."""

from __future__ import annotations

import shutil
import subprocess
import sys
from types import ModuleType

import pytest
from helpers.small_wheels import place_uv


@pytest.fixture
def rows(a_panel):
    """The panel with its learner's section open, and nothing installed in the folder for programs' data."""
    a_panel.ui.learnerSection.collapsed = False
    return a_panel


@pytest.fixture
def a_small_bundle(a_bundle, monkeypatch):
    """A folder of small wheels to install from, on a computer without a graphics card; uv is there already."""
    from metasegment.installation import install
    from metasegment.installation.environment import default_environment
    from metasegment.installation.machine import Machine

    place_uv(default_environment())
    monkeypatch.setattr(install, "this_machine", lambda: Machine(a_bundle.platform))
    return str(a_bundle.folder)


def finished(panel, seconds: float = 60) -> str:
    """What the row says in the end; no button stays dead."""
    panel.host.wait_until(lambda: panel.ui.wayBox.enabled, seconds)
    assert panel.ui.installButton.enabled
    return panel.ui.installedLabel.text


def test_installed_from_a_folder_checked_broken_repaired_and_removed(rows, a_small_bundle):
    import qt

    from metasegment.installation.environment import default_environment

    assert rows.ui.installedLabel.text == "not installed"
    assert not rows.ui.checkButton.enabled
    rows.host.dialogs.answer(a_small_bundle)
    rows.ui.bundleButton.click()
    assert not rows.ui.installButton.enabled
    assert finished(rows).startswith("Ready: torch 999.0, Python 3.")
    assert rows.host.pip.requests == []  # nothing was done to Slicer's Python
    next(default_environment().root.rglob("monai/__init__.py")).unlink()
    shutil.rmtree(next(default_environment().root.rglob("torch")))
    rows.ui.checkButton.click()
    assert finished(rows).startswith("Needs repair: torch and 1 more")
    assert rows.ui.installButton.text == "Repair"
    rows.host.dialogs.answer(a_small_bundle)
    rows.ui.bundleButton.click()
    assert finished(rows).startswith("Ready")
    rows.host.dialogs.answer(qt.QMessageBox.Ok)
    rows.ui.uninstallButton.click()
    assert finished(rows) == "Not installed"
    assert not default_environment().folder.exists()
    assert rows.ui.installButton.text == "Install…"


def test_an_installation_can_be_stopped(rows, a_small_bundle):
    rows.host.dialogs.answer(a_small_bundle)
    rows.ui.bundleButton.click()
    rows.ui.stopInstallButton.click()
    assert "was stopped" in finished(rows)


def test_a_folder_that_is_no_bundle_is_refused(rows, tmp_path):
    rows.host.dialogs.answer(str(tmp_path))
    rows.ui.bundleButton.click()
    assert "is no folder that `metasegment bundle` made" in finished(rows)


def test_a_request_before_anything_is_installed_is_told_where_to_install(a_panel_with_strokes):
    a_panel_with_strokes.ui.segmentButton.click()
    assert a_panel_with_strokes.ui.statusLabel.text.endswith("see Learner, Install.")


@pytest.mark.parametrize("way", ["own", "slicer"])
def test_nothing_is_installed_without_consent(rows, monkeypatch, way):
    import qt

    _lacking(monkeypatch, "httptools")
    rows.choose_python(way)
    rows.host.dialogs.answer(qt.QMessageBox.Cancel)
    rows.ui.installButton.click()
    assert finished(rows) == "Nothing was installed."
    assert rows.host.pip.requests == []


def test_a_python_of_the_users_own_is_kept_and_tried_under_variables_without_slicers(rows, tmp_path, monkeypatch):
    from MetaSegmentLib.learner.UserSettings import UserSettings

    program = tmp_path / "python"
    program.write_text('#!/bin/sh\necho "PYTHONHOME=$PYTHONHOME" >&2\nexit 3\n')
    program.chmod(0o755)
    monkeypatch.setenv("PYTHONHOME", "/Slicer")
    rows.choose_python("other")
    rows.ui.pythonEdit.currentPath = str(program)
    assert UserSettings().choice().program == str(program)
    monkeypatch.delenv("PYTHONHOME")
    rows.ui.checkButton.click()
    rows.host.wait_until(lambda: rows.ui.checkButton.enabled, 60)
    assert rows.ui.installedLabel.text == "Needs repair: Python cannot be used (PYTHONHOME=)"
    assert not rows.ui.installButton.visible


# Slicer's own Python


def _lacking(monkeypatch, *names: str) -> None:
    """Makes packages look as if they were not installed."""
    import importlib.metadata as metadata

    def version(name: str, known=metadata.version) -> str:
        if name in names:
            raise metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(metadata, "version", version)


def test_slicers_python_is_tried_in_another_process_and_told(rows):
    rows.choose_python("slicer")
    rows.ui.checkButton.click()
    assert finished(rows, 180).startswith("Ready: torch 2.")
    assert rows.host.pip.requests == []


@pytest.mark.parametrize("slicer_version", ["5.12", "5.10"])
def test_slicer_gets_packages_by_pip_but_torch_only_by_its_extension_and_nothing_that_it_brings(
    rows, monkeypatch, slicer_version
):
    import qt
    import slicer

    by_pip, torch = [], ModuleType("PyTorchUtils")
    torch.PyTorchUtilsLogic = lambda: torch
    torch.installTorch = lambda **wanted: by_pip.append("torch" + wanted["torchVersionRequirement"]) or torch
    monkeypatch.setitem(sys.modules, "PyTorchUtils", torch)
    _lacking(monkeypatch, "torch", "monai", "httptools", "SimpleITK")
    if slicer_version == "5.10":
        monkeypatch.setitem(sys.modules, "slicer.packaging", None)
        monkeypatch.setattr(slicer.util, "pip_install", by_pip.extend)
    monkeypatch.setattr("MetaSegmentLib.learner.LearnerChoice.slicerPython", lambda: shutil.which("true"))
    rows.choose_python("slicer")
    rows.host.dialogs.answer(qt.QMessageBox.Ok)
    rows.ui.installButton.click()
    assert finished(rows).startswith("Needs repair")  # the stand-in program tells nothing
    wanted = [each for request in rows.host.pip.requests for each in request.requirements]
    assert by_pip + wanted == ["torch>=2.6,!=2.9.*", "monai>=1.4", "httptools>=0.6"]


def _failing(*_: object, **__: object) -> None:
    """What Slicer's own functions do where pip fails (slicer.util.logProcessOutput)."""
    raise subprocess.CalledProcessError(1, "pip")


@pytest.mark.parametrize("slicer_version", ["5.12", "5.10"])
def test_an_installation_into_slicer_that_fails_is_told(rows, monkeypatch, slicer_version):
    import qt
    import slicer

    _lacking(monkeypatch, "httptools")
    rows.host.pip.code = 1
    if slicer_version == "5.10":
        monkeypatch.setitem(sys.modules, "slicer.packaging", None)
        monkeypatch.setattr(slicer.util, "pip_install", _failing)
    rows.choose_python("slicer")
    rows.host.dialogs.answer(qt.QMessageBox.Ok)
    rows.ui.installButton.click()
    assert "Pip failed" in finished(rows)


@pytest.mark.parametrize("failure", [subprocess.CalledProcessError(1, "pip"), TypeError("'NoneType' object")])
def test_torch_that_cannot_be_downloaded_is_told_and_asked_for_once_at_a_time(rows, monkeypatch, failure):
    import qt

    torch, asked = ModuleType("PyTorchUtils"), []
    torch.PyTorchUtilsLogic = lambda: torch

    def install(**wanted: object) -> None:
        asked.append(wanted)
        rows.ui.installButton.click()  # Slicer handles events while it waits
        raise failure

    torch.installTorch = install
    monkeypatch.setitem(sys.modules, "PyTorchUtils", torch)
    _lacking(monkeypatch, "torch")
    rows.choose_python("slicer")
    rows.host.dialogs.answer(qt.QMessageBox.Ok)
    rows.ui.installButton.click()
    assert finished(rows) == "Torch could not be installed: Slicer's error log says why."
    assert len(asked) == 1


def test_without_the_pytorch_extension_the_user_is_told_where_to_get_it(rows, monkeypatch):
    import qt

    _lacking(monkeypatch, "torch", "monai")
    rows.choose_python("slicer")
    rows.host.dialogs.answer(qt.QMessageBox.Ok)
    rows.ui.installButton.click()
    assert "Extensions Manager" in finished(rows)
    assert rows.host.pip.requests == []
