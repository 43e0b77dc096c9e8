"""What must be refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from metasegment.errors import InputError
from metasegment.io.volume_file import read_volume


def refusal(path: Path) -> str:
    """Reads a path that must be refused, and returns the message: one line that names the path."""
    with pytest.raises(InputError) as caught:
        read_volume(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message
