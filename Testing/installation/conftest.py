"""Fixtures of the installation's tests: a place with a real uv, and an installation from small wheels."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.small_wheels import place_uv

from metasegment.installation.bundle_folder import Bundle
from metasegment.installation.environment import Environment
from metasegment.installation.install import Installation


@pytest.fixture
def a_place(tmp_path: Path) -> Environment:
    """A folder in which uv is there already: fetching it needs a network."""
    place = Environment(tmp_path / "MetaSegment")
    place_uv(place)
    return place


@pytest.fixture
def wanted(a_place: Environment, a_bundle: Bundle) -> Installation:
    """An installation from the bundle, asked for by a process with Slicer's variables."""
    slicers = {"PYTHONHOME": "/Slicer/lib/Python", "PYTHONPATH": "/Slicer/bin", "LD_LIBRARY_PATH": "/Slicer/lib"}
    pip = (sys.executable, "-m", "pip")
    return Installation(a_place, pip, {**os.environ, **slicers}, a_bundle)


@pytest.fixture
def stages() -> SimpleNamespace:
    """Collects what an installation reports; cancels it once the stage in `stop_at` begins."""
    told = SimpleNamespace(stages=[], shares=[], stop_at=None)

    def report(stage: str, share: float) -> None:
        told.stages.append(stage)
        told.shares.append(share)

    told.report = report
    told.cancelled = lambda: bool(told.stop_at and any(told.stop_at in stage for stage in told.stages))
    return told
