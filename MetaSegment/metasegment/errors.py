"""The errors a user can cause or ask for; each becomes an exit code or an HTTP status at the edge, once."""


class InputError(Exception):
    """Something the user gave cannot be used. The message is one line: what, where, what to do (exit code 2)."""


class Cancelled(Exception):
    """The user stopped the work; nothing was written (exit code 130)."""
