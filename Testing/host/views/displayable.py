"""Which displayable managers draw in Slicer's views, and their groups; the managers themselves are Slicer's own.

Source: vtkMRML…DisplayableManagerFactory users: qMRMLLayoutSliceViewFactory, qMRMLLayoutThreeDViewFactory and the
setup() of the modules Segmentations, Markups, Transforms, Colors and VolumeRendering.
"""

from __future__ import annotations

from typing import Any

import slicer

_SLICE = (
    *("vtkMRMLVolumeGlyphSliceDisplayableManager", "vtkMRMLModelSliceDisplayableManager"),
    *("vtkMRMLSegmentationsDisplayableManager2D", "vtkMRMLMarkupsDisplayableManager"),
    *("vtkMRMLTransformsDisplayableManager2D", "vtkMRMLCrosshairDisplayableManager"),
    *("vtkMRMLOrientationMarkerDisplayableManager", "vtkMRMLRulerDisplayableManager"),
    *("vtkMRMLScalarBarDisplayableManager", "vtkMRMLColorLegendDisplayableManager"),
)
_THREE_D = (
    *("vtkMRMLCameraDisplayableManager", "vtkMRMLViewDisplayableManager", "vtkMRMLModelDisplayableManager"),
    *("vtkMRMLThreeDReformatDisplayableManager", "vtkMRMLSegmentationsDisplayableManager3D"),
    *("vtkMRMLMarkupsDisplayableManager", "vtkMRMLTransformsDisplayableManager3D"),
    *("vtkMRMLVolumeRenderingDisplayableManager", "vtkMRMLCrosshairDisplayableManager3D"),
    *("vtkMRMLOrientationMarkerDisplayableManager", "vtkMRMLRulerDisplayableManager"),
)


def slice_managers(renderer: Any, node: Any, application_logic: Any) -> Any:
    """The group of managers that draw into a slice view's renderer."""
    return _group(slicer.vtkMRMLSliceViewDisplayableManagerFactory, _SLICE, renderer, node, application_logic)


def three_d_managers(renderer: Any, node: Any, application_logic: Any) -> Any:
    """The group of managers that draw into a 3D view's renderer."""
    return _group(slicer.vtkMRMLThreeDViewDisplayableManagerFactory, _THREE_D, renderer, node, application_logic)


def _group(kind: Any, names: tuple[str, ...], renderer: Any, node: Any, application_logic: Any) -> Any:
    factory = kind.GetInstance()
    factory.SetMRMLApplicationLogic(application_logic)
    for name in names:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    group = factory.InstantiateDisplayableManagers(renderer)
    group.SetMRMLDisplayableNode(node)
    return group
