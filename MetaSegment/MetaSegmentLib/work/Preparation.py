"""Has the learner of this computer started, and given the volume, while the user still draws: it takes seconds.

Sends nothing to another computer: that waits until the user asks for an answer.
"""

from __future__ import annotations

from collections.abc import Callable

from metasegment.client import LearnerError
from metasegment.errors import InputError
from metasegment.volume import Volume

from ..learner.LearnerConnection import LearnerConnection
from .Workflow import Workflow


class Preparation:
    """Waits for the first slice that is drawn in a volume. Example::

    preparation = Preparation(workflow, connection, lambda: settings.choice().destination())
    preparation.update()                 # whenever the workflow changed

    `destination` says to which other computer images would go, None where they stay. What goes wrong here is not worth
    a word: it comes up again when the user asks for something.
    """

    def __init__(
        self, workflow: Workflow, connection: LearnerConnection, destination: Callable[[], str | None]
    ) -> None:
        self._workflow = workflow
        self._connection = connection
        self._destination = destination
        self._prepared: Volume | None = None

    def update(self) -> None:
        """Prepare for a volume once, as soon as a slice of it is listed."""
        session = self._workflow.session
        if session is None or self._workflow.isBusy or not session.slices.entries():
            return
        try:
            volume = session.volume()
            if volume is not self._prepared and self._destination() is None:
                self._prepared = volume
                self._connection.prepare(volume)
        except (InputError, LearnerError):
            pass
