"""Makes `import host` work, and offers the host's fixtures to its own tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from host.fixtures import a_host, a_host_with_views  # noqa: F401
