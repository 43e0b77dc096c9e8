"""The nodes of a scene by their class, and the slice views that the user sees."""

from __future__ import annotations

import slicer


def nodesOf(scene: slicer.vtkMRMLScene, className: str) -> list[slicer.vtkMRMLNode]:
    """The nodes in their order in the scene. Example::

        nodesOf(slicer.mrmlScene, "vtkMRMLSliceNode")

    The caller owns the collection that `vtkMRMLScene::GetNodesByClass` makes: without UnRegister it stays for good, and
    with it all its nodes and their images. `slicer.util.getNodesByClass` knows that, but looks in Slicer's scene alone.
    """
    collection = scene.GetNodesByClass(className)
    collection.UnRegister(None)
    return list(collection)


def sliceViewsOf(scene: slicer.vtkMRMLScene) -> list[slicer.vtkMRMLSliceNode]:
    """The slice views of the layout; all where none is laid out, as without a main window.

    The views of earlier layouts stay in the scene, unseen (qMRMLLayoutViewFactory::beginSetupLayout).
    """
    views = nodesOf(scene, "vtkMRMLSliceNode")
    return [view for view in views if view.IsMappedInLayout()] or views
