"""Which frame of a sequence a node shows now. A sequence's proxy node has other content in each frame."""

from __future__ import annotations

import slicer

from .SceneNodes import nodesOf


def frameOf(node: slicer.vtkMRMLNode) -> str:
    """The index value of the frame that a proxy node shows, such as "12.5"; empty for nodes of no sequence.

    Example::

        frameOf(volumeNode)
    """
    scene = node.GetScene()
    browsers = nodesOf(scene, "vtkMRMLSequenceBrowserNode") if scene else []
    for browser in browsers:
        if browser.IsProxyNodeID(node.GetID()):
            sequence = browser.GetSequenceNode(node)
            return sequence.GetNthIndexValue(browser.GetSelectedItemNumber()) or ""
    return ""
