"""Draws a preview as the parameters say. Decides nothing."""

from __future__ import annotations

from metasegment.segmentation import Segmentation

from ..scene.Parameters import Parameters
from ..scene.Preview import Preview


def applyLook(preview: Preview, parameters: Parameters, answer: Segmentation | None) -> None:
    """Give the preview its style, and its surfaces and uncertainty where there is an answer (None: not yet).

    Surfaces take seconds: they are made of the answer that stays, and only where they are wanted.
    """
    if preview.node is None:
        return
    preview.setStyle(parameters.opacity, parameters.fill)
    preview.setVisible(parameters.visible)
    wants3D = parameters.surfaces and answer is not None
    if preview.is3D != wants3D:
        preview.show3D(wants3D)
    if parameters.uncertainty and answer:
        preview.showUncertainty(answer.map.uncertainty, answer.map.region)
    else:
        preview.hideUncertainty()
