"""Asks the user before images leave this computer, once for each address."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from ..learner.UserSettings import UserSettings


class Consent:
    """The question whether images may leave, and its answers. Example::

    if Consent(settings).ask(): ...            # raises WrongAddress
    """

    def __init__(self, settings: UserSettings) -> None:
        self._settings = settings

    def ask(self) -> bool:
        """Whether images may be sent to the learner that is chosen; asks where that is not known yet."""
        address = self._settings.choice().destination()
        if address is None or self._settings.isAllowed(address):
            return True
        question = _(
            "The image and your drawings will be sent to {address}, without patient name, file names or other headers. "
            "Is that allowed for these images?\n\nYou will not be asked again for this address."
        )
        if not slicer.util.confirmYesNoDisplay(question.format(address=address)):
            return False
        self._settings.allow(address)
        return True
