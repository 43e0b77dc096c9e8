"""Fixtures of the panel's tests: the module in the host, a body to segment, a hand, and a learner that tests share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

__all__ = [
    "Panel",
    "a_body",
    "a_panel",
    "a_panel_that_segments",
    "a_panel_with_strokes",
    "a_shared_learner",
    "a_task",
    "another_body",
]

MODULE = Path(__file__).resolve().parents[2] / "MetaSegment" / "MetaSegment.py"
_SHAPE = (28, 48, 52)  # k, j, i: small enough for a second's answer on a processor
_SPACING = (2.0, 2.0, 3.0)  # mm along i, j, k
_CENTRE, _RADII = (14, 24, 26), (9, 12, 14)  # voxels along k, j, i
_WAIT = 120.0  # seconds for a learner on a crowded machine


@dataclass
class Panel:
    """The opened module, as a user and a test see it."""

    host: Any
    widget: Any

    @property
    def ui(self) -> SimpleNamespace:
        return self.widget.ui

    @property
    def workflow(self) -> Any:
        return self.widget.workflow

    @property
    def session(self) -> Any:
        return self.workflow.session

    @property
    def segments(self) -> Any:
        return self.session.segmentationNode.GetSegmentation()

    def add(self, name: str = "organ") -> str:
        """A new empty segment, selected; its ID."""
        segment = self.segments.AddEmptySegment("", name)
        self.ui.segmentEditor.setCurrentSegmentID(segment)
        return segment

    def scroll_to(self, k: int, view: str = "Red") -> None:
        """Move a slice view to an axial slice, as the mouse wheel does."""
        from MetaSegmentLib.scene.VolumeGrid import VolumeGrid

        grid = VolumeGrid.of(self.session.volumeNode)
        node = self.host.layout_manager.sliceWidget(view).mrmlSliceNode()
        node.JumpSliceByOffsetting(*grid.centerOf((0, k)))

    def draw(self, segment: str, truth: np.ndarray, k: int) -> None:
        """Scroll to an axial slice and draw `truth` (bool k, j, i) there through MRML, as one step of undo."""
        import slicer

        self.scroll_to(k)
        self.ui.segmentEditor.saveStateForUndo()
        node, volume = self.session.segmentationNode, self.session.volumeNode
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, volume).copy()
        mask[k] = truth[k]
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, segment, volume)

    def voxels(self, segment: str, node: Any = None) -> np.ndarray:
        """A segment's voxels (bool k, j, i) on the volume's grid."""
        import slicer

        node = node or self.session.segmentationNode
        return slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, self.session.volumeNode) > 0

    def states(self) -> dict[int, str]:
        """States of the listed axial slices, by index."""
        return {entry.index: entry.state.value for entry in self.session.slices.entries() if entry.axis == 0}

    def accept_whole(self, segment: str, truth: np.ndarray) -> None:
        """Make a segment what `truth` (bool k, j, i) is, as accepting an answer does: no stroke."""
        import slicer

        node, volume = self.session.segmentationNode, self.session.volumeNode
        with self.session.slices.paused():
            slicer.util.updateSegmentBinaryLabelmapFromArray(truth.astype(np.uint8), node, segment, volume)

    def choose_python(self, way: str) -> None:
        """Where the learner's packages are: "own", "slicer" (the Python of the tests, which has them) or "other"."""
        from MetaSegmentLib.learner.LearnerChoice import WAYS

        self.ui.wayBox.currentIndex = WAYS.index(way)
        self.ui.wayBox.activated.emit(WAYS.index(way))

    def wait(self, seconds: float = _WAIT) -> None:
        """Until the learner has answered or failed."""
        self.host.wait_until(lambda: not self.workflow.isBusy, seconds)


@pytest.fixture(scope="session")
def a_body() -> SimpleNamespace:
    """An ellipsoid, brighter than the noisy tissue around it: `voxels` int16 and `truth` bool, both k, j, i."""
    k, j, i = np.ogrid[tuple(slice(n) for n in _SHAPE)]
    away = sum(((x - c) / r) ** 2 for x, c, r in zip((k, j, i), _CENTRE, _RADII, strict=True))
    truth = away <= 1
    noise = np.random.default_rng(5).normal(0, 15, _SHAPE)
    return SimpleNamespace(voxels=(40 + 110 * truth + noise).astype(np.int16), truth=truth, middle=_CENTRE[0])


@pytest.fixture(scope="session")
def another_body(a_body: SimpleNamespace) -> SimpleNamespace:
    """The next patient: the organ lies elsewhere."""
    move = (2, 3, -4)
    moved = {name: np.roll(getattr(a_body, name), move, axis=(0, 1, 2)) for name in ("voxels", "truth")}
    return SimpleNamespace(**moved, middle=a_body.middle + move[0])


@pytest.fixture(scope="session")
def a_task(a_body: SimpleNamespace, a_shared_learner: Any) -> Any:
    """What the body teaches: its organ, called "liver"."""
    from metasegment.annotation import complete, empty_annotation
    from metasegment.volume import Geometry, Volume

    identity = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    geometry = Geometry(_SHAPE[::-1], _SPACING, (0.0, 0.0, 0.0), identity)
    known = replace(empty_annotation(geometry), names={7: "liver"}, colors={7: (0.25, 0.5, 0.75)})
    annotation = complete(known, np.where(a_body.truth, 7, 0).astype(np.uint8))
    return a_shared_learner.teach(Volume(a_body.voxels, geometry), annotation)


@pytest.fixture
def a_panel(a_host: Any, monkeypatch: pytest.MonkeyPatch) -> Panel:
    """The module, opened on an empty scene; drawing alone starts no learner, as that would take most of each test."""
    panel = opened(a_host)
    monkeypatch.setattr(type(panel.widget.connection), "prepare", lambda connection, volume: None)
    return panel


def opened(host: Any) -> Panel:
    """The module as a user opens it."""
    host.load_module(MODULE)
    return Panel(host, host.open_module("MetaSegment").widget)


@pytest.fixture
def a_panel_with_strokes(a_panel: Panel, a_body: SimpleNamespace) -> Panel:
    """The module on the body, with the organ drawn on three axial slices, the last of which is in view."""
    show(a_panel, a_body)
    organ = a_panel.add()
    for k in (a_body.middle - 6, a_body.middle + 6, a_body.middle):
        a_panel.draw(organ, a_body.truth, k)
    return a_panel


def use_this_python(panel: Panel) -> None:
    """Choose the Python that the tests run in for the learner of this computer: no environment is installed for it."""
    ours = replace(panel.widget.settings.choice(), way="other", program=sys.executable)
    panel.widget.settings.setChoice(ours, keepToken=False)


def show(panel: Panel, body: SimpleNamespace, name: str = "Body") -> Any:
    """Add the body as a volume to the scene, show and select it; the node."""
    import slicer

    volume = slicer.util.addVolumeFromArray(body.voxels, name=name)
    volume.SetSpacing(*_SPACING)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    panel.ui.volumeSelector.setCurrentNode(volume)
    return volume


@pytest.fixture(scope="session")
def a_shared_learner() -> Iterator[Any]:
    """A real child process with the released weights: its start is most of the time that an answer takes."""
    from metasegment.client import LocalLearner

    with LocalLearner(device="cpu") as learner:
        yield learner


class _Lent:
    """A learner that outlives the panel that closes it."""

    def __init__(self, learner: Any) -> None:
        self.segment, self.suggest = learner.segment, learner.suggest
        self.teach, self.apply = learner.teach, learner.apply
        self.prepare, self.test_connection = learner.prepare, learner.test_connection

    def close(self) -> None:
        pass


@pytest.fixture
def a_panel_that_segments(a_panel_with_strokes: Panel, a_shared_learner: Any, monkeypatch: pytest.MonkeyPatch) -> Panel:
    """The module with strokes, and the shared learner in the place of one of its own; answers take about a second."""
    from MetaSegmentLib.learner.LearnerChoice import LearnerChoice

    lend: Callable[..., Any] = lambda choice: _Lent(a_shared_learner)  # noqa: E731
    monkeypatch.setattr(LearnerChoice, "open", lend)
    a_panel_with_strokes.widget.parameters.seconds = 1.0
    return a_panel_with_strokes
