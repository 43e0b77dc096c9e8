"""A web page on which a browser paints with trame-slicer's brush and MetaSegmentLib segments what was painted.

No product: it asks the real learner about one volume file, and leaves request and answer beside it for a test.
    python page.py VOLUME [PYTHON OF THE LEARNER]
prints its address, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from pathlib import Path

import numpy as np
import slicer
from trame.app import get_server
from trame.ui.vuetify3 import VAppLayout
from trame.widgets.html import Button, Div, Li, Span, Ul
from trame_slicer.core import LayoutManager, SlicerApp
from trame_slicer.rca_view import register_rca_factories
from trame_slicer.segmentation import BrushDiameterMode, SegmentationEffectPaint
from trame_slicer.views import Layout, LayoutDirection, ViewLayoutDefinition

_REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_REPOSITORY / "MetaSegment"))  # Slicer has the module's folder on its path
slicer.__path__.append(str(_REPOSITORY / "Testing" / "host" / "slicer_python" / "slicer"))  # slicer-core lacks i18n

from metasegment.client import LearnerError, LocalLearner  # noqa: E402
from metasegment.errors import InputError  # noqa: E402
from metasegment.segmentation import Budget  # noqa: E402
from MetaSegmentLib.panel.SliceViewObserver import SliceViewObserver  # noqa: E402
from MetaSegmentLib.work.Session import Session  # noqa: E402

#: Diameter of the brush, which the test knows.
_BRUSH_MM = 12.0


class Page:
    """Three slice views, the list of slices, and the button; strokes reach the scene through trame-slicer alone."""

    def __init__(self, volume: Path, python: str) -> None:
        self._folder = volume.parent
        self._server = get_server(client_type="vue3")
        self._state = self._server.state
        self._state.update({"shown": "", "slices": [], "stage": "ready"})
        self._app = SlicerApp()
        slicer.mrmlScene = self._app.scene
        register_rca_factories(self._app.view_manager, self._server, slice_view_ui_f=lambda *view: None)
        self._build()
        self._learner = LocalLearner(python, device="cpu")
        self._session = self._open(volume)
        self._watch = SliceViewObserver(self._app.scene, self._on_moved)
        self._watch.refresh()
        self._on_moved()

    def serve(self) -> None:
        """Serve one page until standard input ends."""
        self._server.controller.on_server_ready.add(lambda **state: self._on_ready())
        self._server.start(port=0, open_browser=False, show_connection_info=False)

    def _build(self) -> None:
        red, green, yellow = (
            getattr(ViewLayoutDefinition, f"{name}_view")() for name in ("axial", "coronal", "sagittal")
        )
        manager = LayoutManager(self._app.scene, self._app.view_manager, self._server)
        others = Layout(LayoutDirection.Vertical, [green, yellow])
        manager.register_layout("slices", Layout(LayoutDirection.Horizontal, [red, others]))
        manager.set_layout("slices")
        with VAppLayout(self._server) as layout, Div(style="display: flex; height: 100vh"):
            with Div(style="width: 240px; padding: 12px"):
                Button("Segment", click=self._segment, id="segment", style="border: 1px solid; padding: 4px")
                Div("{{ stage }}", id="stage")
                Div("{{ shown }}", id="shown")
                with Ul(), Li(v_for="line in slices", key="line", classes="slice"):
                    Span("{{ line }}")
            with Div(style="flex: 1", id="views"):
                manager.initialize_layout_grid(layout)

    def _open(self, volume: Path) -> Session:
        (node,) = self._app.io_manager.load_volumes(str(volume))
        self._app.display_manager.show_volume_in_slice_background(node)
        self._app.display_manager.reset_views()
        editor = self._app.segmentation_editor
        segmentation = editor.create_empty_segmentation_node()
        editor.set_active_segmentation(segmentation, node)
        editor.add_empty_segment(segment_name="ball", segment_color=[0.0, 1.0, 0.0])
        editor.set_active_effect_type(SegmentationEffectPaint).set_brush_diameter(_BRUSH_MM, BrushDiameterMode.Absolute)
        return Session(node, segmentation, onSlices=self._on_slices)

    def _on_ready(self) -> None:
        print(f"http://localhost:{self._server.port}", flush=True)
        threading.Thread(target=_end_with_input, daemon=True).start()

    def _on_moved(self) -> None:
        planes = self._session.views.shownPlanes(self._watch.view)
        self._session.slices.setShownPlanes(planes)
        with self._state:
            self._state.shown = "  ".join(f"{axis}:{index}" for axis, index in sorted(planes))

    def _on_slices(self) -> None:
        entries = self._session.slices.entries()
        with self._state:
            self._state.slices = [f"{entry.axis}:{entry.index} {entry.state.value}" for entry in entries]

    async def _segment(self) -> None:
        self._session.slices.finishDrawing()
        self._say("segmenting")
        try:
            request = self._session.segmentRequest(Budget())
            answer = await asyncio.to_thread(self._learner.segment, request.volume, request.annotation, request.budget)
        except (InputError, LearnerError) as error:
            self._say(str(error))
            return
        self._session.preview.show(answer.labels, answer.map.region, request.segmentIDs)
        np.savez(self._folder / "outcome.npz", asked=request.annotation.labels, answered=answer.labels)
        self._say("answered")

    def _say(self, stage: str) -> None:
        with self._state:
            self._state.stage = stage


def _end_with_input() -> None:
    """So that no page outlives the test; the learner's process ends with this one."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    Page(Path(sys.argv[1]).resolve(), sys.argv[2] if len(sys.argv) > 2 else sys.executable).serve()
