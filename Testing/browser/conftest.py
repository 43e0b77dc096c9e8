"""A browser on the page, and the hand and the eye of somebody who sits before it."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

#: A ball in noise, on a flipped grid away from the origin: voxels along k, j, i, and mm along i, j, k.
_SHAPE, _SPACING = (24, 64, 56), (2.0, 2.0, 3.0)
_CENTRE, _RADIUS_MM = (11, 30, 32), 24.0
_BRUSH_MM = 12.0  # as page.py has it
_PATIENCE = 120.0  # seconds for what takes two on a free machine
_AXIAL = 0  # the first view on the page
_THREE_PICTURES = "[...document.images].filter(image => image.naturalWidth > 100).length == 3"


def _missing() -> str:
    """Why no browser can be tried here; empty where one can."""
    modules = ["trame_slicer", "playwright"] + ([] if "METASEGMENT_LEARNER_PYTHON" in os.environ else ["torch"])
    absent = [name for name in modules if find_spec(name) is None] + ([] if _chromium() else ["chromium"])
    return f"not installed: {', '.join(absent)} (pip install .[browser]; apt install chromium)" if absent else ""


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass
class Radiologist:
    """Sees the page's picture, moves the mouse and nothing else."""

    page: Any
    folder: Path

    def scroll_to(self, k: int) -> None:
        """Turn the wheel over the axial view until it shows slice k."""
        box = self._box(_AXIAL)
        self.page.mouse.move(box["x"] + 20, box["y"] + 20)
        while (shown := self._shown_slice()) != k:
            self.page.mouse.wheel(0, math.copysign(100, shown - k))
            self.wait(lambda seen=shown: self._shown_slice() != seen)

    def find_ball(self, view: int = _AXIAL) -> tuple[float, float, float]:
        """Centre (x, y) and radius, in pixels of the page, of what is bright in a view."""
        left, top, picture = self._picture(view)
        brightness = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(picture[..., 2]), 3))
        y, x = np.nonzero(brightness > (brightness.min() + brightness.max()) / 2)
        return left + x.mean(), top + y.mean(), math.sqrt(len(x) / math.pi)

    def paint_ball(self, k: int) -> None:
        """Fill the ball that is seen on slice k, in rings from its edge inwards, each one stroke."""
        self.scroll_to(k)
        x, y, radius = self.find_ball()
        radius_mm = math.sqrt(_RADIUS_MM**2 - ((k - _CENTRE[0]) * _SPACING[2]) ** 2)
        for ring_mm in [*np.arange(radius_mm - _BRUSH_MM / 2, 0, -0.7 * _BRUSH_MM), 0]:
            self.stroke(x, y, radius * ring_mm / radius_mm)

    def stroke(self, x: float, y: float, radius: float) -> None:
        """Once around (x, y) with the left button pressed."""
        path = [(x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in np.linspace(0, 2 * np.pi, 33)]
        self.page.mouse.move(*path[0])
        self.page.mouse.down()
        for point in path:
            self.page.mouse.move(*point)
        self.page.mouse.up()

    def green_pixels(self) -> np.ndarray:
        """Where (x, y) the axial view has the segment's strong green: outlines, and strokes."""
        left, top, picture = self._picture(_AXIAL)
        red, green, blue = np.moveaxis(picture.astype(int), -1, 0)
        y, x = np.nonzero(green - np.maximum(red, blue) > 80)
        return np.column_stack([left + x, top + y])

    def listed(self) -> list[str]:
        """The lines of the list of slices: axis, index and state."""
        return [line.inner_text() for line in self.page.query_selector_all(".slice")]

    def segment(self) -> Any:
        """Press the button and wait: the label maps `asked` and `answered` (k, j, i), and what the page says."""
        self.page.click("#segment")
        self.wait(lambda: self.page.inner_text("#stage") not in ("ready", "segmenting"))
        assert self.page.inner_text("#stage") == "answered"
        return np.load(self.folder / "outcome.npz")

    def wait(self, happened: Callable[[], Any]) -> None:
        """Until it has happened; fails when it never does."""
        deadline = time.monotonic() + _PATIENCE
        while not happened():
            assert time.monotonic() < deadline, "what was waited for never happened"
            self.page.wait_for_timeout(100)

    def _shown_slice(self) -> int:
        return int(self.page.inner_text("#shown").split()[0].removeprefix("0:"))

    def _box(self, view: int) -> dict[str, float]:
        box: dict[str, float] = self.page.locator(".image-display-area").nth(view).bounding_box()
        return box

    def _picture(self, view: int) -> tuple[float, float, np.ndarray]:
        """Left, top and pixels (y, x, RGB) of a view, with the mouse elsewhere, once it no longer changes."""
        self.page.mouse.move(5, 300)
        box, before, path = self._box(view), b"", self.folder / "view.png"
        while (shot := self.page.screenshot(clip=box, path=path)) != before:
            before = shot
            self.page.wait_for_timeout(500)
        return box["x"], box["y"], sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[..., :3]


@pytest.fixture(scope="session")
def a_ball() -> np.ndarray:
    """Which voxels (k, j, i) are the ball's."""
    index = np.moveaxis(np.indices(_SHAPE), 0, -1) - _CENTRE
    return np.linalg.norm(index * _SPACING[::-1], axis=-1) <= _RADIUS_MM


@pytest.fixture
def a_radiologist(a_ball: np.ndarray, tmp_path: Path) -> Iterator[Radiologist]:
    """Somebody before the page, which shows the ball in noise.

    $METASEGMENT_LEARNER_PYTHON is the Python that has torch, this one where it is not set.
    """
    if reason := _missing():
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    noise = np.random.default_rng(0).normal(0, 15, _SHAPE)
    image = sitk.GetImageFromArray((noise + 100 * a_ball).astype(np.int16))
    image.SetSpacing(_SPACING)
    image.SetOrigin((-50.0, 20.0, 33.0))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    sitk.WriteImage(image, str(tmp_path / "ball.nrrd"))
    learner = os.environ.get("METASEGMENT_LEARNER_PYTHON", sys.executable)
    command = [sys.executable, str(Path(__file__).with_name("page.py")), str(tmp_path / "ball.nrrd"), learner]
    with (tmp_path / "page.log").open("w") as log:
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        address = server.stdout.readline().strip()  # type: ignore[union-attr]
        if not address and server.wait() < 0:  # VTK ends its process where there is no OpenGL
            pytest.skip("VTK cannot draw here; on Debian: apt install libegl1 libgl1-mesa-dri")
        assert address, (tmp_path / "page.log").read_text()[-2000:]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1000, "height": 600})
            page.goto(address)
            page.wait_for_function(_THREE_PICTURES, timeout=_PATIENCE * 1000)
            yield Radiologist(page, tmp_path)
            browser.close()
    finally:
        server.kill()
        server.communicate()
