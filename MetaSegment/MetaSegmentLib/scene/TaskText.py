"""A task as text, to be kept among the panel's parameters: so it is saved with the scene, and hidden from the user."""

from __future__ import annotations

from base64 import b64decode, b64encode

from metasegment.errors import InputError
from metasegment.io.task_file import from_bytes, to_bytes
from metasegment.task import Task


def textOf(task: Task) -> str:
    """The task's file as base64; raises InputError where it would be too large for one."""
    return b64encode(to_bytes(task)).decode("ascii")


def taskOf(text: str) -> Task | None:
    """Reads what `textOf` wrote, None for an empty text; raises InputError where it is damaged."""
    if not text:
        return None
    try:
        found = b64decode(text, validate=True)
    except ValueError:
        raise InputError("the scene's task is damaged: load it from a file or teach it again") from None
    return from_bytes(found, "the scene's task")
