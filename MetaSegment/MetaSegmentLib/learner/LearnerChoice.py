"""Which learner the user wants: that of this computer or one at an address. Knows no settings and no widgets."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field

from slicer.i18n import tr as _
from slicer.util import startupEnvironment

from metasegment.client import LearnerClient, LocalLearner, ServiceLearner
from metasegment.client.address import parse_address
from metasegment.errors import InputError
from metasegment.installation.environment import default_environment, without_foreign_python

#: Devices of the local learner, as `metasegment serve --device` takes them.
DEVICES = ("auto", "cuda", "cpu")
#: Pythons that the local learner may run in: an environment of its own, Slicer's, or one that the user has.
OWN, SLICERS, OTHER = WAYS = ("own", "slicer", "other")


def slicerPython() -> str:
    """The Python program that has Slicer's packages; `sys.executable` is Slicer itself."""
    return shutil.which("PythonSlicer") or sys.executable


@dataclass(frozen=True)
class Python:
    """A Python program, and the environment variables that it is to run under."""

    program: str
    variables: dict[str, str]


@dataclass(frozen=True)
class LearnerChoice:
    """A kind of learner and how it is reached. Example::

    choice = LearnerChoice(isRemote=True, address="http://gpu-host:8470", token="...")
    with choice.open() as learner: ...            # raises WrongAddress

    `way` is one of WAYS, and `program` the path of the user's Python where it is OTHER.
    """

    isRemote: bool = False
    address: str = ""
    token: str = field(default="", repr=False)
    device: str = DEVICES[0]
    way: str = OWN
    program: str = ""

    def open(self) -> ServiceLearner:
        """A learner of this kind; nothing is started or sent before it is used. InputError: none is installed."""
        if self.isRemote:
            return LearnerClient(self.address, self.token)
        python = self.python()
        if not shutil.which(python.program):
            raise InputError(_("The learner is not installed on this computer: see Learner, Install."))
        return LocalLearner(python.program, self.device, python.variables)

    def python(self) -> Python:
        """The Python that a learner of this computer runs in; it need not be there."""
        if self.way == SLICERS:
            return Python(slicerPython(), dict(os.environ))
        program = self.program if self.way == OTHER else str(default_environment().python)
        return Python(program, without_foreign_python(startupEnvironment()))

    def destination(self) -> str | None:
        """The address to which images would leave this computer; None where they would not.

        Raises WrongAddress for what is no address.
        """
        if not self.isRemote:
            return None
        address = parse_address(self.address)
        return None if address.loopback else str(address)
