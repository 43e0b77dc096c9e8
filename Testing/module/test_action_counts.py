"""How many actions a correction costs: clicks, keys and strokes, counted while a real learner answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from module.panel_fixtures import Panel, show

from metasegment.measures.dice import dice

pytest.importorskip("slicer", reason="slicer-core is not installed")


@dataclass
class User:
    """Does what a user does, and counts it. Scrolling to where one looks is free."""

    panel: Panel
    done: list[str] = field(default_factory=list)

    def click(self, button: str) -> None:
        self.done.append(button)
        getattr(self.panel.ui, button).click()
        self.panel.host.process_events()
        self.panel.wait()

    def act(self, name: str, do: Callable[[], None]) -> None:
        self.done.append(name)
        do()
        self.panel.host.process_events()
        self.panel.wait()

    def stroke(self, k: int, voxels: np.ndarray, erase: bool = False) -> None:
        """Paint or erase `voxels` (rows, columns) of the selected segment on an axial slice."""
        self.act(f"stroke on {k}", lambda: self._stroke(k, voxels, erase))

    def _stroke(self, k: int, voxels: np.ndarray, erase: bool) -> None:
        import slicer

        panel, editor = self.panel, self.panel.ui.segmentEditor
        panel.scroll_to(k)
        editor.mrmlSegmentEditorNode().SetActiveEffectName("Erase" if erase else "Paint")
        slicer.app.layoutManager().sliceWidget("Red").sliceView().interactor().InvokeEvent("LeftButtonPressEvent")
        key = editor.currentSegmentID()
        whole = panel.voxels(key)
        whole[k] = whole[k] & ~voxels if erase else whole[k] | voxels
        panel.draw(key, whole, k)


def preview(panel: Panel, segment: str) -> np.ndarray:
    return panel.voxels(segment, panel.session.preview.node)


@pytest.fixture
def a_user(a_panel_that_segments: Panel) -> User:
    """The organ is drawn on three slices and has its answer."""
    user = User(a_panel_that_segments)
    user.click("segmentButton")
    user.done.clear()
    return user


def test_a_leak_over_five_slices_costs_three_actions(a_panel_that_segments: Panel, a_body: SimpleNamespace) -> None:
    panel, leak = a_panel_that_segments, np.zeros(a_body.truth.shape, bool)
    leak[16:21, 12:22, 38:50] = True
    leak &= ~a_body.truth
    bright = SimpleNamespace(voxels=np.where(leak, a_body.voxels[a_body.truth].mean(), a_body.voxels).astype(np.int16))
    show(panel, bright, "Leaking")
    organ = panel.add()
    for k in (a_body.middle - 6, a_body.middle):
        panel.draw(organ, a_body.truth, k)
    user = User(panel)
    user.click("segmentButton")
    leaked = (preview(panel, organ) & leak).sum()
    user.done.clear()
    user.stroke(18, leak[18], erase=True)
    user.click("acceptButton")
    assert len(user.done) <= 3
    assert (panel.voxels(organ) & leak).sum() <= 0.2 * leaked
    assert not (panel.voxels(organ)[18] & leak[18]).any()


def test_an_answer_that_stops_early_costs_two(a_panel_that_segments: Panel, a_body: SimpleNamespace) -> None:
    panel, k = a_panel_that_segments, a_body.middle + 8
    user, organ = User(panel), panel.segments.GetNthSegmentID(0)
    user.click("segmentButton")
    user.done.clear()
    user.stroke(k, a_body.truth[k])
    user.click("acceptButton")
    assert len(user.done) <= 2
    assert dice(panel.voxels(organ)[k], a_body.truth[k]) > 0.9


def test_one_wrong_structure_of_several_costs_two(a_panel_that_segments: Panel, a_body: SimpleNamespace) -> None:
    import qt

    panel, k = a_panel_that_segments, a_body.middle
    organ, other = panel.segments.GetNthSegmentID(0), panel.add("other")
    panel.draw(other, ~a_body.truth & (a_body.voxels > 75), k)
    user = User(panel)
    user.click("segmentButton")
    before = panel.voxels(other)
    user.done.clear()
    user.act("untick", lambda: panel.ui.resultTable.item(1, 0).setCheckState(qt.Qt.Unchecked))
    user.click("acceptButton")
    assert len(user.done) <= 2
    assert (panel.voxels(other) == before).all() and dice(panel.voxels(organ), a_body.truth) > 0.85


def test_a_hole_costs_two(a_user: User, a_body: SimpleNamespace) -> None:
    panel, k = a_user.panel, a_body.middle + 3
    organ = panel.segments.GetNthSegmentID(0)
    corner = np.zeros_like(a_body.truth[k])
    corner[2:6, 2:6] = True  # nothing that the answer has
    a_user.stroke(k, corner)
    a_user.click("acceptButton")
    assert len(a_user.done) <= 2 and panel.voxels(organ)[k][corner].all()


def test_one_of_many_existing_segments_costs_four(a_panel_that_segments: Panel, a_body: SimpleNamespace) -> None:
    import slicer

    panel = a_panel_that_segments
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "existing")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(panel.session.volumeNode)
    shifted = [np.roll(a_body.truth, move, axis=1) & ~a_body.truth for move in (-18, 18)]
    for n, mask in enumerate([a_body.truth, *shifted]):
        key = node.GetSegmentation().AddEmptySegment("", f"segment {n}")
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), node, key, panel.session.volumeNode)
    panel.ui.segmentationSelector.setCurrentNode(node)
    keys = list(node.GetSegmentation().GetSegmentIDs())
    before = {key: panel.voxels(key) for key in keys}
    panel.ui.segmentEditor.setCurrentSegmentID(keys[0])
    user, k = User(panel), a_body.middle
    wrong = np.zeros_like(a_body.truth[k])
    wrong[:, 32:] = True

    def choose_role() -> None:
        panel.ui.roleBox.currentIndex = 0
        panel.ui.roleBox.activated.emit(0)

    user.act("role", choose_role)
    user.stroke(k, wrong & before[keys[0]][k], erase=True)
    user.click("segmentButton")
    user.click("acceptButton")
    assert len(user.done) <= 4
    after = {key: panel.voxels(key) for key in keys}
    assert all((after[key] == before[key]).all() for key in keys[1:])
    assert not (after[keys[0]][k] & wrong).any()
    assert dice(after[keys[0]], before[keys[0]]) > 0.85


def test_an_end_costs_one(a_user: User) -> None:
    panel = a_user.panel
    organ = panel.segments.GetNthSegmentID(0)
    panel.scroll_to(23)
    a_user.click("endsButton")
    assert len(a_user.done) == 1
    assert not preview(panel, organ)[23].any()
