"""Judges an answer: the estimate in words, and what the learner remarks on. Changes nothing.

What is unusual is found by the learner (`metasegment.anatomy.plausibility`) and comes with the answer.
"""

from __future__ import annotations

from slicer.i18n import tr as _

from metasegment.segmentation import UNFAMILIAR, Segmentation, StructureResult

#: Below these Dice values an overlap counts as good, fair and poor; radiologists' own drawings agree by about 0.85.
_GOOD, _FAIR, _POOR = 0.95, 0.85, 0.70


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
    elif familiarity >= UNFAMILIAR:
        text = _("This volume is fairly like what was taught (familiarity {familiarity:.2f}).")
    else:
        text = _("This volume is unlike what was taught (familiarity {familiarity:.2f}).")
    return text.format(familiarity=familiarity)


def warningOf(structure: StructureResult) -> str | None:
    """What looks implausible about a structure, in one sentence or more; None where all is well."""
    if structure.voxels == 0:
        return _("Nothing was found beyond your slices: annotate one more slice through it.")
    unsure = structure.estimated_dice < _POOR
    lines = [_("Unsure: annotate one more slice before you rely on it.")] if unsure else []
    lines += [remark.text[:1].upper() + remark.text[1:] + "." for remark in structure.remarks]
    return " ".join(lines) or None


def warningsOf(answer: Segmentation) -> dict[int, str]:
    """By label, the warnings for an answer."""
    found = ((structure.label, warningOf(structure)) for structure in answer.structures)
    return {label: warning for label, warning in found if warning}
