"""Strokes of a brush that is not ours, made in a browser, become annotation, segmentation and preview."""

from __future__ import annotations

from typing import Any

import numpy as np

from metasegment.measures.dice import dice

_NOT_ASKED, _BALL = 0, 1  # labels
_CORONAL = 1  # the second view on the page
_PAINTED, _BETWEEN = (7, 11, 15), 9  # slices of the ball, which reaches from 3 to 19


def test_strokes_painted_in_a_browser_segment_the_ball(a_radiologist: Any, a_ball: np.ndarray) -> None:
    for k in _PAINTED:
        a_radiologist.paint_ball(k)
    a_radiologist.wait(lambda: a_radiologist.listed() == ["0:7 done", "0:11 done", "0:15 partly"])
    a_radiologist.scroll_to(_BETWEEN)
    a_radiologist.wait(lambda: len(a_radiologist.green_pixels()) == 0)
    *centre, radius = a_radiologist.find_ball()

    outcome = a_radiologist.segment()

    asked, answered = outcome["asked"], outcome["answered"]
    assert a_radiologist.listed() == ["0:7 done", "0:11 done", "0:15 done"]
    assert np.flatnonzero((asked != _NOT_ASKED).any(axis=(1, 2))).tolist() == list(_PAINTED)
    for k in _PAINTED:
        assert dice(asked[k] == _BALL, a_ball[k]) > 0.85
    assert dice(answered == _BALL, a_ball) > 0.85
    a_radiologist.wait(lambda: len(a_radiologist.green_pixels()) > 0)
    distances = np.linalg.norm(a_radiologist.green_pixels() - centre, axis=1) / radius
    assert 0.85 < np.median(distances) < 1.15  # an outline around what was bright there


def test_a_stroke_in_the_coronal_view_annotates_its_plane(a_radiologist: Any) -> None:
    x, y, radius = a_radiologist.find_ball(view=_CORONAL)
    a_radiologist.stroke(x, y, radius / 2)
    a_radiologist.wait(a_radiologist.listed)
    assert a_radiologist.listed() == ["1:32 partly"]
