"""For which structures a slice is finished: what is added later, or shown by an answer, is not absent where it was not
drawn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from metasegment.annotation import AnnotatedSlice
from metasegment.knowledge import finished_slices
from MetaSegmentLib.scene.Preview import Preview
from MetaSegmentLib.work.AnnotatedSlices import AnnotatedSlices
from MetaSegmentLib.work.SceneBridge import BridgedAnnotation, SceneBridge
from MetaSegmentLib.work.SliceEntry import SliceState

VIEWS = [(0, 12), (1, 20), (2, 25)]


def bridged(hand: Any, slices: AnnotatedSlices) -> BridgedAnnotation:
    return SceneBridge(hand.volume, hand.segmentation).annotation(slices.entries())


def finished_for(found: BridgedAnnotation, segment_id: str) -> list[int]:
    """Indices of the axial slices that are finished for a segment."""
    label = next(n for n, key in found.segmentIDs.items() if key == segment_id)
    return [s.index for s in finished_slices(found.annotation, label) if isinstance(s, AnnotatedSlice)]


@pytest.fixture
def shown() -> dict[tuple[int, int], dict[str, np.ndarray]]:
    """What an answer shows on which plane."""
    return {}


@pytest.fixture
def slices(a_hand: Any, shown: dict[tuple[int, int], dict[str, np.ndarray]]) -> AnnotatedSlices:
    found = AnnotatedSlices(a_hand.volume, a_hand.segmentation, answerOn=lambda plane: shown.get(plane, {}))
    found.setShownPlanes(VIEWS)
    return found


def test_a_structure_that_is_added_later_is_unknown_on_earlier_slices(a_hand: Any, slices: AnnotatedSlices) -> None:
    liver = a_hand.add("Liver")
    a_hand.stroke(liver, (0, 12))
    slices.setShownPlanes([(0, 15), *VIEWS[1:]])
    spleen = a_hand.add("Spleen")
    a_hand.stroke(spleen, (0, 15))
    slices.finishDrawing()
    found = bridged(a_hand, slices)
    assert finished_for(found, liver) == [12, 15]
    assert finished_for(found, spleen) == [15]


def test_structures_that_were_there_when_a_slice_was_finished_are_absent_on_it(
    a_hand: Any, slices: AnnotatedSlices
) -> None:
    liver, spleen = a_hand.add("Liver"), a_hand.add("Spleen")
    a_hand.stroke(liver, (0, 12))
    slices.setShownPlanes([(0, 15), *VIEWS[1:]])
    a_hand.stroke(spleen, (0, 15))
    slices.finishDrawing()
    found = bridged(a_hand, slices)
    assert finished_for(found, spleen) == [12, 15] and not found.annotation.finished


def test_nothing_here_ends_every_structure_there_is_but_none_that_comes_later(
    a_hand: Any, slices: AnnotatedSlices
) -> None:
    liver = a_hand.add("Liver")
    a_hand.stroke(liver, (0, 12))
    slices.finishDrawing()
    slices.mark((0, 18), SliceState.ABSENT)
    spleen = a_hand.add("Spleen")
    a_hand.paint(spleen, slice(14, 15), slice(2, 6), slice(2, 6))
    slices.mark((0, 14), SliceState.DONE)
    found = bridged(a_hand, slices)
    assert finished_for(found, liver) == [12, 14, 18]
    assert finished_for(found, spleen) == [14]


def test_what_slices_are_finished_for_is_kept_in_the_scene(a_hand: Any, slices: AnnotatedSlices) -> None:
    liver = a_hand.add("Liver")
    a_hand.stroke(liver, (0, 12))
    slices.finishDrawing()
    slices.release()
    a_hand.add("Spleen")
    again = AnnotatedSlices(a_hand.volume, a_hand.segmentation)
    assert [entry.finishedFor for entry in again.entries()] == [(liver,)]


def test_a_preview_says_which_segments_it_has_on_a_plane(a_hand: Any) -> None:
    liver, spleen = a_hand.add("Liver"), a_hand.add("Spleen")
    preview = Preview(a_hand.volume, a_hand.segmentation)
    assert preview.masksOn((0, 12)) == {}
    shape = SceneBridge(a_hand.volume, a_hand.segmentation).volume().array.shape
    labels = np.zeros(shape, np.uint8)
    labels[10:14, 4:9, 4:9], labels[12:18, 12:16, 4:9] = 1, 2
    preview.show(labels, tuple(slice(0, n) for n in shape), {1: liver, 2: spleen})
    assert set(preview.masksOn((0, 12))) == {liver, spleen}
    assert (preview.masksOn((0, 12))[liver] == (labels[12] == 1)).all()
    assert set(preview.masksOn((0, 16))) == {spleen}
    assert preview.masksOn((0, 2)) == {}
    preview.remove()
