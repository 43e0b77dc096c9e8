"""Which learner the user wants: that of this computer or one at an address. Knows no settings and no widgets."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field

from metasegment.client import LearnerClient, LocalLearner, ServiceLearner
from metasegment.client.address import parse_address

#: Devices of the local learner, as `metasegment serve --device` takes them.
DEVICES = ("auto", "cuda", "cpu")


def slicerPython() -> str:
    """The Python program that has Slicer's packages; `sys.executable` is Slicer itself."""
    return shutil.which("PythonSlicer") or sys.executable


@dataclass(frozen=True)
class LearnerChoice:
    """A kind of learner and how it is reached. Example::

    choice = LearnerChoice(isRemote=True, address="http://gpu-host:8470", token="...")
    with choice.open() as learner: ...            # raises WrongAddress
    """

    isRemote: bool = False
    address: str = ""
    token: str = field(default="", repr=False)
    device: str = DEVICES[0]

    def open(self) -> ServiceLearner:
        """A learner of this kind; nothing is started or sent before it is used."""
        if self.isRemote:
            return LearnerClient(self.address, self.token)
        return LocalLearner(slicerPython(), self.device)

    def destination(self) -> str | None:
        """The address to which images would leave this computer; None where they would not.

        Raises WrongAddress for what is no address.
        """
        if not self.isRemote:
            return None
        address = parse_address(self.address)
        return None if address.loopback else str(address)
