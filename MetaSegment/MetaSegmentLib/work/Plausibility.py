"""Judges an answer: the estimate in words, and warnings of what cannot well be right. Changes nothing."""

from __future__ import annotations

import numpy as np
from slicer.i18n import tr as _

from metasegment.segmentation import Segmentation, StructureResult

#: Below these Dice values an overlap counts as good, fair and poor; radiologists' own drawings agree by about 0.85.
_GOOD, _FAIR, _POOR = 0.95, 0.85, 0.70
#: Sides of the volume at which a structure may end: more than a body part that runs through has.
_MOST_SIDES = 3


def estimateInWords(dice: float) -> str:
    """An estimated Dice (0…1) as a word and a number, such as "good, about 0.91"."""
    if dice >= _GOOD:
        text = _("very good, about {dice:.2f}")
    elif dice >= _FAIR:
        text = _("good, about {dice:.2f}")
    elif dice >= _POOR:
        text = _("fair, about {dice:.2f}")
    else:
        text = _("poor, about {dice:.2f}")
    return text.format(dice=dice)


def familiarityInWords(familiarity: float) -> str:
    """How much a volume resembles what the applied task learnt from (0…1), in one sentence."""
    if familiarity >= _FAIR:
        text = _("This volume is much like what was taught (familiarity {familiarity:.2f}).")
    elif familiarity >= _POOR:
        text = _("This volume is fairly like what was taught (familiarity {familiarity:.2f}).")
    else:
        text = _("This volume is unlike what was taught (familiarity {familiarity:.2f}).")
    return text.format(familiarity=familiarity)


def warningOf(structure: StructureResult, labels: np.ndarray) -> str | None:
    """What looks implausible about a structure of the label map (k, j, i), in one sentence; None where all is well."""
    if structure.voxels == 0:
        return _("Nothing was found beyond your slices: annotate one more slice through it.")
    if structure.estimated_dice < _POOR:
        return _("Unsure: annotate one more slice before you rely on it.")
    sides = [np.take(labels, end, axis) == structure.label for axis in range(3) for end in (0, -1)]
    if sum(bool(side.any()) for side in sides) > _MOST_SIDES:
        return _("Reaches most sides of the volume: it may have leaked into its surroundings.")
    return None


def warningsOf(answer: Segmentation) -> dict[int, str]:
    """By label, the warnings for an answer."""
    found = ((structure.label, warningOf(structure, answer.labels)) for structure in answer.structures)
    return {label: warning for label, warning in found if warning}
