"""nnInteractive (Isensee et al., 2503.08373), where the user has the package and its weights: slices as lasso prompts.

The weights are CC BY-NC-SA 4.0, so neither shipped nor downloaded; nor was this adapter ever run with them here.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch

from ...network.devices import choose_device
from ..method import STRUCTURE, Prediction, Study
from ..packages import versions

#: Environment variable with the model's folder, the one that holds plans.json.
WEIGHTS = "NNINTERACTIVE_WEIGHTS"


class NNInteractive:
    """Draws the structure's outline on every annotated slice, one after the other, and takes the last answer."""

    name = "nninteractive"
    label = "nnInteractive"

    @property
    def settings(self) -> str:
        return (
            f"{versions('nninteractive')}, weights of ${WEIGHTS}, autozoom, the whole volume; each annotated slice "
            "that shows the structure as one lasso prompt, in the order of the slices; no help"
        )

    def missing(self) -> str | None:
        folder = os.environ.get(WEIGHTS)
        if not folder:
            return f"needs its weights (non-commercial licence): set {WEIGHTS} to the model's folder"
        if not (Path(folder) / "plans.json").is_file():
            return f"no model in {WEIGHTS}={folder}: name the folder that holds plans.json"
        try:
            from nnInteractive.inference import inference_session  # noqa: F401
        except ImportError as error:
            return f"needs the package: pip install nninteractive ({error})"
        return None

    def predict(self, study: Study) -> Prediction:
        from nnInteractive.inference.inference_session import nnInteractiveInferenceSession

        session = nnInteractiveInferenceSession(device=torch.device(choose_device("auto")), do_autozoom=True)
        session.initialize_from_trained_model_folder(os.environ[WEIGHTS])
        session.set_image(study.volume.array[None])
        session.set_target_buffer(torch.zeros(study.volume.array.shape, dtype=torch.uint8))
        for lasso in lassos(study):
            session.add_lasso_interaction(lasso, include_interaction=True)
        return Prediction(session.target_buffer.numpy() > 0)


def lassos(study: Study) -> list[np.ndarray]:
    """The filled outline on each annotated slice that shows the structure, uint8 (k, j, i), 0 elsewhere."""
    masks = []
    for plane in study.annotation.slices:
        mask = np.zeros(study.annotation.labels.shape, np.uint8)
        mask.swapaxes(0, plane.axis)[plane.index] = (
            study.annotation.labels.swapaxes(0, plane.axis)[plane.index] == STRUCTURE
        )
        if mask.any():
            masks.append(mask)
    return masks


METHOD = NNInteractive()
