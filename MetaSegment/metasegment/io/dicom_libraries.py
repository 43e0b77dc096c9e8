"""The one message where the extra `dicom` is not installed, and silence about what its libraries find in headers."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..errors import InputError
from .dicom_file import quiet_pydicom

_NEEDED = ("pydicom", "highdicom", "skimage")


def missing_libraries(needed: Sequence[str] = _NEEDED) -> tuple[str, ...]:
    """Returns the libraries that DICOM objects need and this Python lacks; imports none."""
    return tuple(name for name in needed if importlib.util.find_spec(name) is None)


@contextmanager
def dicom_libraries(*needed: str) -> Iterator[None]:
    """Raise InputError, saying what to install, where a library that DICOM objects need (one of those named, or any) is
    absent.

    Within, warnings are not shown: pydicom and highdicom print names and values of the patient's headers in them.
    """
    for name in missing_libraries(needed or _NEEDED):
        raise InputError(f"this kind of DICOM object needs {name}: pip install 'metasegment[dicom]'")
    with quiet_pydicom():
        yield
