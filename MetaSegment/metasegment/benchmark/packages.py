"""Which packages of other projects are installed, without importing them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def versions(*names: str) -> str:
    """Packages with their versions, as in "slicer-core 5.12.4.0", for a method's settings."""
    return ", ".join(f"{name} {_version(name) or '(not installed)'}" for name in names)


def absent(extra: str, *names: str) -> str | None:
    """Returns what to install, in one line, where one of the packages is not there; None where all are."""
    lacking = [name for name in names if _version(name) is None]
    return f"needs {', '.join(lacking)}: pip install 'metasegment[{extra}]'" if lacking else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
