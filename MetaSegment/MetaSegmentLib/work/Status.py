"""What the user reads of the work: a sentence, and how far it has got."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum, auto

from slicer.i18n import tr as _

from metasegment.client import LearnerError
from metasegment.errors import Cancelled, InputError


class Activity(Enum):
    """What is under way."""

    IDLE = auto()
    SEGMENTING = auto()
    SUGGESTING = auto()
    TEACHING = auto()


@dataclass(frozen=True)
class Status:
    """A sentence, whether it is a warning, and the share (0…1) of what is under way that is done."""

    text: str = ""
    isWarning: bool = False
    share: float = 0.0


def failureOf(error: Exception) -> Status:
    """What the user reads of an error; the details of a defect go to Slicer's log."""
    if isinstance(error, Cancelled):
        return Status(_("Cancelled."))
    if isinstance(error, (InputError, LearnerError)):
        text = str(error)
        return Status(text[:1].upper() + text[1:], isWarning=True)
    logging.error("MetaSegment failed", exc_info=error)
    return Status(_("Something unexpected went wrong; Slicer's error log has the details."), isWarning=True)
