"""Shaded surfaces of a label map, drawn by VTK off screen in a process of its own.

The child is `python -m metasegment.pictures.surface SCENE.npz VIEWS.npy`.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..export.mesh import smooth_surface
from ..regrid import bounding_box
from ..structure import Color
from .vtk_child import NoDrawing, draw_in_child

if TYPE_CHECKING:
    from vtkmodules.vtkRenderingCore import vtkActor, vtkRenderer

_FRONT, _BACK = 20.0, 160.0  # degrees the camera turns around the patient, seen from the front
_RAISED = 12.0  # degrees of the camera above the horizon
_SAMPLES = 8  # per pixel
_FINEST = 192  # voxels along an axis: after smoothing, a view of 500 pixels shows no more


def render_surfaces(
    labels: np.ndarray,
    spacing: tuple[float, float, float],
    colors: Mapping[int, Color],
    size: tuple[int, int],
) -> np.ndarray:
    """Renders two views of the structures side by side, half from the front and half from the back: uint8 (rows,
    columns, 3).

    `labels` are uint8 (k, j, i) with axes that run to the head, the back and the left, `spacing` is in mm
    along the same axes, `size` is (rows, columns). Only labels in `colors` are drawn. Raises NoDrawing where VTK or
    OpenGL is missing, or where there is nothing to draw.
    """
    drawn = [label for label in sorted(colors) if (labels == label).any()]
    if not drawn:
        raise NoDrawing("no structure has a voxel")
    if importlib.util.find_spec("vtkmodules") is None:
        raise NoDrawing("VTK is not installed (pip install vtk)")
    window = labels[bounding_box(labels > 0)]
    strides = [-(-n // _FINEST) for n in window.shape]
    with tempfile.TemporaryDirectory(prefix="metasegment-") as folder:
        scene, views = Path(folder) / "scene.npz", Path(folder) / "views.npy"
        np.savez(
            scene,
            labels=window[tuple(slice(None, None, stride) for stride in strides)],
            spacing=np.multiply(spacing, strides),
            drawn=drawn,
            colors=[colors[label] for label in drawn],
            size=size,
        )
        draw_in_child(__name__, scene, views)
        return np.load(views)


def _render(
    labels: np.ndarray,
    spacing: Sequence[float],
    colors: Mapping[int, Sequence[float]],
    size: tuple[int, int],
) -> np.ndarray:
    """What `render_surfaces` returns; ends the process where there is no OpenGL."""
    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401 (registers the renderer)
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow, vtkWindowToImageFilter

    window = vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(_SAMPLES)
    window.SetSize(size[1], size[0])
    actors = [_actor(labels == label, spacing, color) for label, color in colors.items()]
    for n, turn in enumerate((_FRONT, _BACK)):
        renderer = vtkRenderer()
        renderer.SetViewport(n / 2, 0, (n + 1) / 2, 1)
        for actor in actors:
            renderer.AddActor(actor)
        window.AddRenderer(renderer)
        _aim(renderer, turn)
    window.Render()
    grab = vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    grab.Update()
    pixels = vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars())
    return pixels.reshape(*size, 3)[::-1]


def _aim(renderer: vtkRenderer, turn: float) -> None:
    """The camera looks at the patient from the front, turned by degrees to the patient's left; head up."""
    camera = renderer.GetActiveCamera()
    camera.SetPosition(0, -1, 0)  # LPS: in front
    camera.SetFocalPoint(0, 0, 0)
    camera.SetViewUp(0, 0, 1)
    camera.Azimuth(turn)
    camera.Elevation(_RAISED)
    renderer.ResetCameraScreenSpace(1.0)  # the corners of the bounding box touch the frame


def _actor(mask: np.ndarray, spacing: Sequence[float], color: Sequence[float]) -> vtkActor:
    """The smoothed surface of a mask (k, j, i) as a coloured thing in LPS mm."""
    from vtkmodules.vtkFiltersCore import vtkPolyDataNormals
    from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

    normals = vtkPolyDataNormals()
    normals.SetInputData(smooth_surface(mask, np.diag([*spacing[::-1], 1.0])))
    normals.SplittingOff()
    mapper = vtkPolyDataMapper()
    mapper.SetInputConnection(normals.GetOutputPort())
    mapper.ScalarVisibilityOff()
    actor = vtkActor()
    actor.SetMapper(mapper)
    shine = actor.GetProperty()
    shine.SetColor(*color)
    shine.SetAmbient(0.12)
    shine.SetSpecular(0.25)
    shine.SetSpecularPower(25)
    return actor


def _main(scene: str, views: str) -> None:
    with np.load(scene) as held:
        colors = dict(zip(held["drawn"].tolist(), held["colors"].tolist(), strict=True))
        rows, columns = held["size"].tolist()
        picture = _render(held["labels"], held["spacing"].tolist(), colors, (rows, columns))
    if (picture == picture[0, 0]).all():  # a renderer that fails without a crash leaves the background
        sys.exit("the picture stayed empty")
    np.save(views, picture)


if __name__ == "__main__":
    _main(*sys.argv[1:])
