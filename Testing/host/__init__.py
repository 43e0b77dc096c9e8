"""A stand-in for the Slicer application: real slicer-core, real Qt (PySide6), stand-ins for the rest.

`start_host()` gives a Host; `host.availability` says whether one can run. Specification: shared/design/HOST.md.
Nothing of Qt or Slicer is imported before start_host is called.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .host import Host

SLICER_PYTHON = "METASEGMENT_SLICER_PYTHON"  # a checkout's Base/Python/slicer, put in front of the host's own files


def start_host() -> Host:
    """Starts the application, or starts it anew with an empty scene where it ran and was closed."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from .views.offscreen import prefer_software_rendering

    prefer_software_rendering()
    from .host import Host

    given = os.environ.get(SLICER_PYTHON)
    return Host(Path(given) if given else None)
