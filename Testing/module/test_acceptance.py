"""Accepting writes the preview into its own segments, where the Segment Editor's settings allow, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metasegment.errors import InputError

pytest.importorskip("slicer", reason="slicer-core is not installed")

import slicer
import vtk
from helpers.grids import geometry_with

from MetaSegmentLib.scene.Preview import Preview
from MetaSegmentLib.scene.SegmentPlanes import SegmentPlanes
from MetaSegmentLib.scene.SegmentRole import SegmentRole
from MetaSegmentLib.scene.VolumeGrid import VolumeGrid
from MetaSegmentLib.work.Acceptance import Acceptance
from MetaSegmentLib.work.AnnotatedSlices import AnnotatedSlices

BOX = tuple[slice, slice, slice]
LIVER_BEFORE: BOX = (slice(5, 15), slice(5, 20), slice(5, 20))
LIVER_SHOWN: BOX = (slice(8, 20), slice(5, 20), slice(5, 25))
SPLEEN_BEFORE: BOX = (slice(5, 15), slice(20, 30), slice(5, 20))
SPLEEN_SHOWN: BOX = (slice(5, 15), slice(20, 30), slice(10, 25))
RIBS: BOX = (slice(16, 22), slice(10, 30), slice(10, 30))  # in the way of the liver shown
VEINS: BOX = (slice(8, 12), slice(15, 25), slice(20, 30))  # in the way of both, hidden


@dataclass
class Abdomen:
    """A segmentation with two structures, one visible and one hidden segment beside them, and a preview of the two."""

    hand: Any
    preview: Preview
    ids: Mapping[str, str]

    def accept(self) -> Any:
        return Acceptance(self.hand.editor, self.hand.volume, self.hand.logic.SaveStateForUndo).accept(
            self.preview.node
        )

    def mask(self, name: str) -> np.ndarray:
        """Voxels (k, j, i) of a segment on the volume's grid."""
        grid = VolumeGrid.of(self.hand.volume)
        planes = SegmentPlanes(grid, self.hand.segmentation)
        found = np.zeros(grid.shape, bool)
        for k in range(grid.shape[0]):
            found[k] |= planes.masks((0, k), [self.ids[name]]).get(self.ids[name], False)
        return found

    def everything(self) -> dict[str, np.ndarray]:
        return {name: self.mask(name) for name in self.ids}


def inside(box: BOX, shape: tuple[int, ...] = (30, 40, 50)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[box] = True
    return mask


@pytest.fixture
def abdomen_of(a_hand_on: Callable[..., Any]) -> Callable[[Any], Abdomen]:
    def build(volume: Any) -> Abdomen:
        hand = a_hand_on(volume)
        boxes = {"Liver": LIVER_BEFORE, "Spleen": SPLEEN_BEFORE, "Ribs": RIBS, "Veins": VEINS}
        ids = {name: hand.add(name) for name in boxes}
        for name, box in boxes.items():
            hand.paint(ids[name], *box)
        hand.segmentation.GetDisplayNode().SetSegmentVisibility(ids["Veins"], False)
        labels = np.zeros(VolumeGrid.of(volume).shape, np.uint8)
        labels[LIVER_SHOWN], labels[SPLEEN_SHOWN] = 1, 2
        preview = Preview(volume, hand.segmentation)
        preview.show(labels, (slice(5, 20), slice(5, 30), slice(5, 25)), {1: ids["Liver"], 2: ids["Spleen"]})
        return Abdomen(hand, preview, ids)

    return build


@pytest.fixture
def abdomen(abdomen_of: Callable[..., Abdomen], a_plain_volume: Any) -> Abdomen:
    return abdomen_of(a_plain_volume)


def test_structures_become_what_the_preview_shows(abdomen: Abdomen) -> None:
    before = abdomen.everything()
    accepted = abdomen.accept()
    after = abdomen.everything()
    assert list(accepted.written.values()) == ["Liver", "Spleen"]
    assert np.array_equal(after["Liver"], inside(LIVER_SHOWN))
    assert np.array_equal(after["Spleen"], inside(SPLEEN_SHOWN))
    assert np.array_equal(after["Ribs"], before["Ribs"])
    assert np.array_equal(after["Veins"], before["Veins"])


def test_accepting_is_one_step_of_undo(abdomen: Abdomen) -> None:
    before = abdomen.everything()
    abdomen.accept()
    after = abdomen.everything()
    abdomen.hand.undo()
    assert all(np.array_equal(mask, before[name]) for name, mask in abdomen.everything().items())
    abdomen.hand.redo()
    assert all(np.array_equal(mask, after[name]) for name, mask in abdomen.everything().items())


OVERWRITE = {"OverwriteNone": (), "OverwriteVisibleSegments": (RIBS,), "OverwriteAllSegments": (RIBS, VEINS)}


@pytest.mark.parametrize("mode", OVERWRITE)
def test_overwrite_mode_decides_on_overlap_and_never_takes_from_other_segments(abdomen: Abdomen, mode: str) -> None:
    editor = abdomen.hand.editor
    editor.SetOverwriteMode(getattr(editor, mode))
    before = abdomen.everything()
    abdomen.accept()
    after = abdomen.everything()
    kept = np.zeros_like(before["Ribs"])
    for box in OVERWRITE[mode]:
        kept |= inside(box)
    assert np.array_equal(after["Liver"], inside(LIVER_SHOWN) & ~kept)
    assert np.array_equal(after["Spleen"], inside(SPLEEN_SHOWN) & ~kept)
    assert np.array_equal(after["Ribs"], before["Ribs"])
    assert np.array_equal(after["Veins"], before["Veins"])


ALL, VISIBLE = ("Liver", "Spleen", "Ribs", "Veins"), ("Liver", "Spleen", "Ribs")


@pytest.mark.parametrize(
    ("mode", "is_editable"),
    [
        ("EditAllowedEverywhere", lambda b: np.ones_like(b["Liver"])),
        ("EditAllowedInsideAllSegments", lambda b: np.any([b[n] for n in ALL], 0)),
        ("EditAllowedInsideVisibleSegments", lambda b: np.any([b[n] for n in VISIBLE], 0)),
        ("EditAllowedOutsideAllSegments", lambda b: ~(b["Ribs"] | b["Veins"])),
        ("EditAllowedOutsideVisibleSegments", lambda b: ~b["Ribs"]),
        ("EditAllowedInsideSingleSegment", lambda b: b["Ribs"]),
    ],
)
def test_nothing_changes_outside_the_editable_area(
    abdomen: Abdomen, mode: str, is_editable: Callable[[dict[str, np.ndarray]], np.ndarray]
) -> None:
    editor = abdomen.hand.editor
    editor.SetMaskMode(getattr(abdomen.hand.segmentation, mode))
    editor.SetMaskSegmentID(abdomen.ids["Ribs"])
    before = abdomen.everything()
    abdomen.accept()
    after, editable = abdomen.everything(), is_editable(before)
    for name, shown in (("Liver", LIVER_SHOWN), ("Spleen", SPLEEN_SHOWN)):
        assert np.array_equal(after[name], np.where(editable, inside(shown), before[name]))
    assert np.array_equal(after["Ribs"], before["Ribs"])
    assert np.array_equal(after["Veins"], before["Veins"])


def test_nothing_changes_outside_the_editable_intensity_range(abdomen: Abdomen) -> None:
    abdomen.hand.editor.SetSourceVolumeIntensityMask(True)
    abdomen.hand.editor.SetSourceVolumeIntensityMaskRange(-200, 300)
    values = slicer.util.arrayFromVolume(abdomen.hand.volume)
    editable = (values >= -200) & (values <= 300)
    before = abdomen.everything()
    abdomen.accept()
    assert np.array_equal(abdomen.mask("Liver"), np.where(editable, inside(LIVER_SHOWN), before["Liver"]))
    assert np.array_equal(abdomen.mask("Spleen"), np.where(editable, inside(SPLEEN_SHOWN), before["Spleen"]))


def test_a_locked_segment_keeps_its_voxels_for_itself(abdomen: Abdomen) -> None:
    SegmentRole.LOCKED.assign(abdomen.hand.segmentation, abdomen.ids["Veins"])
    abdomen.accept()
    assert np.array_equal(abdomen.mask("Liver"), inside(LIVER_SHOWN) & ~inside(VEINS))
    assert np.array_equal(abdomen.mask("Veins"), inside(VEINS))


def test_structures_that_share_a_layer_still_share_it(a_hand: Any) -> None:
    left, right = a_hand.add("Left"), a_hand.add("Right")
    a_hand.paint(left, slice(5, 10), slice(5, 20), slice(5, 20))
    a_hand.paint(left, slice(5, 10), slice(20, 25), slice(5, 30))  # what is taken away lies around the other one
    a_hand.paint(right, slice(5, 10), slice(5, 20), slice(20, 30))
    labels = np.zeros((30, 40, 50), np.uint8)
    labels[5:12, 5:20, 5:15], labels[5:12, 5:20, 15:30] = 1, 2
    preview = Preview(a_hand.volume, a_hand.segmentation)
    preview.show(labels, (slice(5, 12), slice(5, 20), slice(5, 30)), {1: left, 2: right})
    Acceptance(a_hand.editor, a_hand.volume).accept(preview.node)
    assert a_hand.segmentation.GetSegmentation().GetNumberOfLayers() == 1


def test_only_the_structures_asked_for_are_written(abdomen: Abdomen) -> None:
    Acceptance(abdomen.hand.editor, abdomen.hand.volume).accept(abdomen.preview.node, only=[abdomen.ids["Spleen"]])
    assert np.array_equal(abdomen.mask("Liver"), inside(LIVER_BEFORE))
    assert np.array_equal(abdomen.mask("Spleen"), inside(SPLEEN_SHOWN))


def test_a_structure_that_the_preview_no_longer_has_is_emptied(a_hand: Any) -> None:
    liver = a_hand.add("Liver")
    a_hand.paint(liver, *LIVER_BEFORE)
    preview = Preview(a_hand.volume, a_hand.segmentation)
    preview.show(np.zeros((30, 40, 50), np.uint8), (slice(0, 2),) * 3, {1: liver})
    Acceptance(a_hand.editor, a_hand.volume).accept(preview.node)
    assert not Abdomen(a_hand, preview, {"Liver": liver}).mask("Liver").any()


def test_a_segment_removed_meanwhile_is_named_and_the_rest_written(abdomen: Abdomen) -> None:
    abdomen.hand.segmentation.GetSegmentation().RemoveSegment(abdomen.ids["Liver"])
    assert abdomen.accept().missing == ("Liver",)
    assert np.array_equal(abdomen.mask("Spleen"), inside(SPLEEN_SHOWN))


def test_the_segments_stay_under_way_not_untouched(abdomen: Abdomen) -> None:
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    liver = abdomen.hand.segmentation.GetSegmentation().GetSegment(abdomen.ids["Liver"])
    logic.SetSegmentStatus(liver, logic.Completed)
    abdomen.accept()
    assert logic.GetSegmentStatus(liver) == logic.Completed


def test_accepting_is_no_stroke_and_keeps_the_list(abdomen: Abdomen) -> None:
    slices = AnnotatedSlices(abdomen.hand.volume, abdomen.hand.segmentation)
    slices.setShownPlanes([(0, 12), (1, 20), (2, 25)])
    abdomen.hand.stroke(abdomen.ids["Liver"], (0, 12))
    slices.finishDrawing()
    before = [entry.plane for entry in slices.entries()]
    with slices.paused():
        abdomen.accept()
    assert [entry.plane for entry in slices.entries()] == before == [(0, 12)]
    slices.release()


def test_nothing_to_accept_is_said_in_words_and_changes_nothing(abdomen: Abdomen) -> None:
    before = abdomen.everything()
    abdomen.preview.remove()
    with pytest.raises(InputError, match="no result to accept"):
        abdomen.accept()
    assert all(np.array_equal(mask, before[name]) for name, mask in abdomen.everything().items())


def test_all_segments_gone_is_said_in_words(abdomen: Abdomen) -> None:
    for name in ("Liver", "Spleen"):
        abdomen.hand.segmentation.GetSegmentation().RemoveSegment(abdomen.ids[name])
    with pytest.raises(InputError, match="have been removed"):
        abdomen.accept()


def test_a_mask_segment_that_is_gone_is_said_in_words(abdomen: Abdomen) -> None:
    abdomen.hand.editor.SetMaskMode(abdomen.hand.segmentation.EditAllowedInsideSingleSegment)
    abdomen.hand.editor.SetMaskSegmentID("none")
    with pytest.raises(InputError, match="masks editing is gone"):
        abdomen.accept()


@pytest.fixture(params=["shifted and finer", "turned"])
def another_grid(request: pytest.FixtureRequest, a_volume_on: Callable[..., Any]) -> Any:
    """A volume that covers the plain one on another grid, for segments to be painted on."""
    if request.param == "turned":
        return a_volume_on(geometry_with((90, 90, 60), (0.8, 0.9, 2.5), (-10.0, -40.0, 5.0), (0, 0, 10)), "turned")
    return a_volume_on(geometry_with((120, 100, 80), (0.4, 0.45, 1.25), (7.8, -22.23, 25.6)), "finer")


def test_a_preview_lands_where_it_is_in_segments_on_another_grid(
    a_hand: Any, another_grid: Any, a_scene: Any, voxels_of: Callable[..., np.ndarray]
) -> None:
    a_hand.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(another_grid)
    liver = a_hand.add("Liver")
    volume, a_hand.volume = a_hand.volume, another_grid
    a_hand.paint(liver, slice(20, 22), slice(30, 40), slice(30, 40))
    labels = np.zeros((30, 40, 50), np.uint8)
    labels[5:12, 8:30, 10:35] = 1
    preview = Preview(volume, a_hand.segmentation)
    preview.show(labels, (slice(5, 12), slice(8, 30), slice(10, 35)), {1: liver})
    Acceptance(a_hand.editor, a_hand.volume).accept(preview.node)
    grid = VolumeGrid.of(volume)
    ras = voxels_of(a_hand.segmentation, liver)
    ijk = (np.linalg.inv(grid.ijkToWorld) @ np.column_stack([ras, np.ones(len(ras))]).T)[:3].T
    lowest, highest = np.array([10, 8, 5]) - 0.51, np.array([34, 29, 11]) + 0.51
    assert ((ijk >= lowest) & (ijk <= highest)).all()
    voxel_ml = np.prod(another_grid.GetSpacing())
    assert len(ras) * voxel_ml == pytest.approx(7 * 22 * 25 * 0.8 * 0.9 * 2.5, rel=0.05)


@pytest.mark.parametrize("moved", ["both", "segmentation"])
def test_transforms_are_taken_into_account(
    a_scene: Any, abdomen: Abdomen, moved: str, voxels_of: Callable[..., np.ndarray]
) -> None:
    transform = a_scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkTransform()
    matrix.Translate(0.8 * 2, 0.9 * 3, 2.5 * 4)
    transform.SetMatrixTransformToParent(matrix.GetMatrix())
    abdomen.hand.segmentation.SetAndObserveTransformNodeID(transform.GetID())
    if moved == "both":
        abdomen.hand.volume.SetAndObserveTransformNodeID(transform.GetID())
        abdomen.preview.node.SetAndObserveTransformNodeID(transform.GetID())
    shown = voxels_of(abdomen.preview.node, abdomen.ids["Spleen"])
    abdomen.accept()
    assert np.allclose(voxels_of(abdomen.hand.segmentation, abdomen.ids["Spleen"]), shown, atol=2e-3)


def test_accepting_works_on_every_grid(
    a_hand_on: Callable[..., Any], a_volume: Any, voxels_of: Callable[..., np.ndarray]
) -> None:
    hand = a_hand_on(a_volume)
    liver = hand.add("Liver")
    hand.stroke(liver, (1, 5))
    labels = np.zeros(VolumeGrid.of(a_volume).shape, np.uint8)
    labels[2:6, 3:9, 4:10] = 1
    preview = Preview(a_volume, hand.segmentation)
    preview.show(labels, (slice(2, 6), slice(3, 9), slice(4, 10)), {1: liver})
    Acceptance(hand.editor, hand.volume).accept(preview.node)
    expected = voxels_of(preview.node, liver)
    assert np.allclose(voxels_of(hand.segmentation, liver), expected, atol=2e-3)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1), st.integers(0, 5), st.integers(0, 2))
def test_whatever_the_settings_other_segments_stay_bitwise_the_same(
    a_hand_on: Callable[..., Any], a_plain_volume: Any, seed: int, mask_mode: int, overwrite: int
) -> None:
    rng = np.random.default_rng(seed)
    hand = a_hand_on(a_plain_volume)
    ids = {name: hand.add(name) for name in "ABCD"}
    for name in "ABCD":
        start = rng.integers(0, 15, 3)
        hand.paint(ids[name], *(slice(int(s), int(s + n)) for s, n in zip(start, rng.integers(1, 15, 3), strict=True)))
    labels = rng.integers(0, 3, (30, 40, 50)).astype(np.uint8)
    preview = Preview(hand.volume, hand.segmentation)
    preview.show(labels, (slice(0, 30), slice(0, 40), slice(0, 50)), {1: ids["A"], 2: ids["B"]})
    hand.editor.SetMaskMode(mask_mode)
    hand.editor.SetMaskSegmentID(ids["C"])
    hand.editor.SetOverwriteMode(overwrite)
    abdomen = Abdomen(hand, preview, ids)
    before = abdomen.everything()
    abdomen.accept()
    after = abdomen.everything()
    assert np.array_equal(after["C"], before["C"])
    assert np.array_equal(after["D"], before["D"])
    assert not (after["A"] & after["B"] & ~(before["A"] & before["B"])).any()
