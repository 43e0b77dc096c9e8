"""Renders README's screenshots by running the panel's workflow in the test host; writes Resources/Screenshots.

    python Testing/measure/screenshots.py [--output FOLDER] [--data FOLDER]

On a CT whose licence allows a picture where the data are there, else on the package's phantom. Needs what Testing/host
needs; draws nothing into the pictures that the panel and Slicer's views do not show.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

_REPOSITORY = Path(__file__).resolve().parents[2]
_SCREENS = {"small": (1366, 768, 470), "large": (1920, 1200, 560)}  # width, height and the panel's width, pixels
_WAIT = 300.0  # seconds for the learner


@dataclass(frozen=True)
class Case:
    """A volume file or node to load, the structures to draw (bool k, j, i by name) and the axial slices to draw on."""

    volume: Any
    structures: Mapping[str, np.ndarray]
    colors: Mapping[str, tuple[float, float, float]]
    slices: tuple[int, ...]
    window: tuple[float, float]  # lowest and highest intensity shown


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=_REPOSITORY / "Resources" / "Screenshots")
    parser.add_argument("--data", type=Path, help="folder of real volumes; without, the package's phantom is shown")
    options = parser.parse_args()
    for folder in (_REPOSITORY / "Testing", _REPOSITORY / "MetaSegment"):
        sys.path.insert(0, str(folder))
    from host import start_host
    from host.availability import undrawable

    if undrawable():
        sys.exit(undrawable())
    options.output.mkdir(parents=True, exist_ok=True)
    host = start_host()
    try:
        take_pictures(host, (options.data and case_in(options.data)) or phantom_case(), options.output)
    finally:
        host.close()


def case_in(data: Path) -> Case | None:
    """TotalSegmentator's example CT (Apache-2.0) with the pelvis drawn; None where it is not there."""
    import SimpleITK as sitk

    folder = data / "train" / "totalseg_example_ct" / "example_ct"
    if not folder.is_dir():
        return None
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "labels.nii.gz")))
    wanted = {"right hip": 18, "left hip": 17, "sacrum": 46, "urinary bladder": 50}
    colors = {
        "right hip": (0.93, 0.69, 0.32),
        "left hip": (0.36, 0.68, 0.92),
        "sacrum": (0.55, 0.80, 0.45),
        "urinary bladder": (0.95, 0.47, 0.62),
    }
    structures = {name: labels == label for name, label in wanted.items()}
    return Case(folder / "image.nii.gz", structures, colors, _slices(structures), (-160, 340))


def phantom_case() -> Case:
    """The package's own abdomen, made from a seed."""
    from metasegment.demo.phantom import abdomen_phantom, choose_slices

    phantom = abdomen_phantom()
    names = {label: phantom.names[label] for label in (1, 2, 3, 4)}
    structures = {name: phantom.labels == label for label, name in names.items()}
    colors = {name: phantom.colors[label] for label, name in names.items()}
    return Case(phantom.volume, structures, colors, choose_slices(phantom.labels), (-110, 240))


def _slices(structures: Mapping[str, np.ndarray]) -> tuple[int, ...]:
    from metasegment.demo.phantom import choose_slices

    labels = np.zeros(next(iter(structures.values())).shape, np.uint8)
    for label, mask in enumerate(structures.values(), start=1):
        labels[mask] = label
    return choose_slices(labels)


def take_pictures(host: Any, case: Case, output: Path) -> None:
    """Run the workflow as a user would and take a picture after its steps, at two sizes, light and dark."""
    import slicer

    host.load_module(_REPOSITORY / "MetaSegment" / "MetaSegment.py")
    volume = _load(case)
    volume.GetDisplayNode().AutoWindowLevelOff()
    volume.GetDisplayNode().SetWindowLevelMinMax(*case.window)
    widget = host.open_module("MetaSegment").widget
    chosen = widget.settings.choice()
    ours = replace(chosen, way="other", program=sys.executable)  # nothing is installed for a picture
    widget.settings.setChoice(ours, keepToken=False)
    _draw(host, widget, case)
    _show_3d(host)
    _picture(host, widget.ui.volumeSelector, output / "1-draw.png", "small", dark=False)
    widget.ui.segmentButton.click()
    host.wait_until(lambda: not widget.workflow.isBusy, _WAIT)
    widget.ui.surfacesBox.click()
    _show_3d(host)
    _picture(host, widget.ui.discardButton, output / "MetaSegment.png", "small", dark=False)
    _picture(host, widget.ui.discardButton, output / "2-look-dark.png", "large", dark=True)
    widget.ui.nextSliceButton.click()
    widget.ui.uncertaintyBox.click()
    _picture(host, widget.ui.discardButton, output / "3-next-slice.png", "small", dark=False)
    widget.ui.acceptButton.click()
    slicer.util.findChildren(widget.ui.segmentEditor, text="Show 3D")[0].click()
    _picture(host, widget.ui.volumeSelector, output / "4-accepted-large.png", "large", dark=False)
    widget.settings.setChoice(chosen, keepToken=False)
    widget.ui.learnerSection.collapsed = False
    host.wait_until(lambda: not widget.ui.installBar.visible, _WAIT)
    _picture(host, widget.ui.logText, output / "5-learner-dark.png", "small", dark=True)


def _load(case: Case) -> Any:
    import slicer

    if isinstance(case.volume, Path):
        return slicer.util.loadVolume(str(case.volume), {"name": "CT pelvis"})
    volume = slicer.util.addVolumeFromArray(case.volume.array, name="CT abdomen")
    ijk_to_ras = np.diag([-1, -1, 1, 1]) @ case.volume.geometry.index_to_world  # LPS to RAS
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(ijk_to_ras))
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    return volume


def _draw(host: Any, widget: Any, case: Case) -> None:
    """Draw each structure on each slice, through MRML, as strokes would."""
    import slicer

    session = widget.workflow.session
    node, volume = session.segmentationNode, session.volumeNode
    keys = {name: node.GetSegmentation().AddEmptySegment("", name, color) for name, color in case.colors.items()}
    for k in case.slices:
        widget.workflow.goTo((0, k))
        for name, truth in case.structures.items():
            mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, keys[name], volume)
            mask[k] = truth[k]
            slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, keys[name], volume)
    host.process_events()


def _show_3d(host: Any) -> None:
    """Look at the surfaces from the front, near enough."""
    view = host.layout_manager.threeDWidget(0).threeDView()
    view.mrmlViewNode().SetBoxVisible(False)
    view.mrmlViewNode().SetAxisLabelsVisible(False)
    host.layout_manager.resetThreeDViews()


def _picture(host: Any, lowest: Any, path: Path, screen: str, dark: bool) -> None:
    """The whole window, with the panel scrolled so that a widget shows."""
    import qt
    import slicer

    width, height, panel = _SCREENS[screen]
    host.use_dark(dark)
    host.show(width, height, panel)
    area = slicer.util.findChild(host.window, "ModulePanel")
    area.ensureWidgetVisible(lowest, 0, 12)
    host.process_events()
    if not host.grab_image().save(str(path)):
        raise OSError(f"{path} cannot be written")
    qt.QPixmapCache.clear()


if __name__ == "__main__":
    main()
