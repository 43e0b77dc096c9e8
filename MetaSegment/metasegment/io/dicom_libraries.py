"""The one message where the extra `dicom` is not installed, and silence about what its libraries find in headers."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import InputError

_NEEDED = ("pydicom", "highdicom", "skimage")


def missing_libraries() -> tuple[str, ...]:
    """The libraries that DICOM objects need and this Python lacks; imports none."""
    return tuple(name for name in _NEEDED if importlib.util.find_spec(name) is None)


@contextmanager
def dicom_libraries() -> Iterator[None]:
    """Raise InputError, saying what to install, where a library that DICOM objects need is absent.

    Within, warnings are not shown: pydicom and highdicom print names and values of the patient's headers in them.
    """
    for name in missing_libraries():
        raise InputError(f"this kind of DICOM object needs {name}: pip install 'metasegment[dicom]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
