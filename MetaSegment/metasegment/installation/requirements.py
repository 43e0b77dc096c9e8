"""Which packages the learner needs, in which versions: reads the two lists beside this file, and nothing installed."""

from __future__ import annotations

import re
from pathlib import Path

#: Lists that pip and uv read as they stand.
LISTS = tuple(Path(__file__).with_name(name) for name in ("requirements.txt", "requirements-panel.txt"))
#: The module to import where it is not called as its package is.
_MODULES = {"opencv-python-headless": "cv2", "scikit-image": "skimage"}


def requirements() -> tuple[str, ...]:
    """Requirement specifiers, those for other systems among them."""
    lines = (line.strip() for path in LISTS for line in path.read_text(encoding="utf-8").splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def package_of(requirement: str) -> str:
    """The name in a requirement specifier."""
    return re.split(r"[<>=!~; \[]", requirement, maxsplit=1)[0]


def module_of(package: str) -> str:
    """What is imported of a package."""
    return _MODULES.get(package, package)
