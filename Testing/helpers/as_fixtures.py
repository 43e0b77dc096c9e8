"""Helpers under their names as fixtures, for tests that still ask for them so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from helpers import dicom_files, grids, lessons, organs, refusals

from metasegment.measures import dice as measure


def _given(helper: Callable[..., Any], name: str) -> Any:
    return pytest.fixture(lambda: helper, scope="session", name=name)


ellipsoid, scan_of, draw = (_given(getattr(organs, n), n) for n in ("ellipsoid", "scan_of", "draw"))
write_series, write_frames = (_given(getattr(dicom_files, n), n) for n in ("write_series", "write_frames"))
geometry_with, refusal = _given(grids.geometry_with, "geometry_with"), _given(refusals.refusal, "refusal")
short_lessons, dice = _given(lessons.short_lessons, "short_lessons"), _given(measure.dice, "dice")
