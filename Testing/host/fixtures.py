"""Pytest fixtures of the host, for every test folder that drives a module: import them in the folder's conftest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from . import start_host
from .availability import missing, undrawable

if TYPE_CHECKING:
    from .host import Host


@pytest.fixture
def a_host() -> Iterator[Host]:
    """A running application with an empty scene; the test fails if a callback raised (clear host.errors if meant)."""
    if missing():
        pytest.skip(missing())
    host = start_host()
    yield host
    host.close()
    host.check()


@pytest.fixture
def a_host_with_views(a_host: Host) -> Host:
    """As a_host, where views can be drawn."""
    if undrawable():
        pytest.skip(undrawable())
    return a_host
