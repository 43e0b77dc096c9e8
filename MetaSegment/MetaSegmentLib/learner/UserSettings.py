"""Settings of this user on this computer: which learner, and to which addresses images may go. Not in the scene."""

from __future__ import annotations

import json

import slicer
from slicer.util import settingsValue, toBool

from .LearnerChoice import DEVICES, WAYS, LearnerChoice

_GROUP = "MetaSegment"


class UserSettings:
    """Kept in Slicer's settings file; the token only where the user wants that. Example::

    settings = UserSettings()
    settings.setChoice(LearnerChoice(isRemote=True, address="http://gpu-host:8470", token="..."), keepToken=False)
    settings.choice()
    settings.isAllowed("http://gpu-host:8470")
    """

    def __init__(self) -> None:
        self._token = _text("Token")

    def choice(self) -> LearnerChoice:
        """The learner that was chosen, by default that of this computer."""
        device, way = _text("Device"), _text("Way")
        return LearnerChoice(
            isRemote=settingsValue(f"{_GROUP}/IsRemote", False, converter=toBool),
            address=_text("Address"),
            token=self._token,
            device=device if device in DEVICES else DEVICES[0],
            way=way if way in WAYS else WAYS[0],
            program=_text("Python"),
        )

    @property
    def keepsToken(self) -> bool:
        """Whether the token is stored."""
        return bool(_text("Token"))

    def setChoice(self, choice: LearnerChoice, keepToken: bool) -> None:
        """Remember a choice; its token until Slicer ends unless `keepToken`."""
        self._token = choice.token
        _store("IsRemote", choice.isRemote)
        _store("Address", choice.address)
        _store("Device", choice.device)
        _store("Way", choice.way)
        _store("Python", choice.program)
        _store("Token", choice.token if keepToken else "")

    def isAllowed(self, address: str) -> bool:
        """Whether the user consented to images being sent to an address."""
        return address in self._allowed()

    def allow(self, address: str) -> None:
        """Remember that consent."""
        _store("AllowedAddresses", json.dumps(sorted({*self._allowed(), address})))

    def forgetConsents(self) -> None:
        """Ask again before the next upload, to whichever address."""
        _store("AllowedAddresses", "[]")

    def _allowed(self) -> list[str]:
        try:
            return list(json.loads(_text("AllowedAddresses") or "[]"))
        except ValueError:
            return []


def _text(name: str) -> str:
    return str(settingsValue(f"{_GROUP}/{name}", "") or "")


def _store(name: str, value: object) -> None:
    slicer.app.userSettings().setValue(f"{_GROUP}/{name}", value)
