"""Headers of a series made fit for what is written from them: anonymisers remove tags, and leave values that are none.

What the standard lets be empty (type 2) becomes empty; what is not a value of its kind does too. Nothing is invented.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from ..volume import Geometry

if TYPE_CHECKING:
    from pydicom import Dataset

_TEXTS = ("PatientName", "PatientID", "StudyID", "AccessionNumber", "ReferringPhysicianName")
_DATES = ("PatientBirthDate", "StudyDate", "SeriesDate", "ContentDate", "AcquisitionDate")
_TIMES = ("StudyTime", "SeriesTime", "ContentTime", "AcquisitionTime")
_TYPE_2 = (*_TEXTS, "PatientBirthDate", "StudyDate", "StudyTime", "PatientSex")
_DATE = re.compile(r"\d{8}")
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")
_AGE = re.compile(r"\d{3}[DWMY]")
_NUMBERS = ("PatientSize", "PatientWeight")
_SEXES = ("M", "F", "O")
_UNICODE = "ISO_IR 192"


def mended(header: Dataset, geometry: Geometry) -> Dataset:
    """Returns the header, changed in place: texts in Unicode, absent type-2 tags empty, impossible dates, times, sex,
    size and weight empty, an impossible age absent, the thickness of slices from the grid where it is not told.
    """
    if _has_known_characters(header):
        header.decode()
    else:
        for keyword, text in {keyword: _text(header, keyword) for keyword in _TEXTS}.items():
            _set(header, keyword, text)
    header.SpecificCharacterSet = _UNICODE
    for keywords, pattern in ((_DATES, _DATE), (_TIMES, _TIME)):
        for keyword in keywords:
            text = _raw(header, keyword)
            if text and not (pattern.fullmatch(text) and (pattern is _TIME or _is_day(text))):
                _set(header, keyword, "")
    if _raw(header, "PatientSex") not in _SEXES:
        _set(header, "PatientSex", "")
    for keyword in _TYPE_2:
        if keyword not in header:
            _set(header, keyword, "")
    for keyword in _NUMBERS:
        if _raw(header, keyword) and not _is_positive(header, keyword):
            _set(header, keyword, "")
    if not _AGE.fullmatch(_raw(header, "PatientAge")) and "PatientAge" in header:
        del header.PatientAge
    if not _is_positive(header, "SliceThickness"):
        _set(header, "SliceThickness", f"{geometry.spacing[2]:.8g}")
    return header


def _set(header: Dataset, keyword: str, value: str) -> None:
    """Replaces the element: a value that pydicom cannot read may not even be assigned over."""
    if keyword in header:
        del header[keyword]
    setattr(header, keyword, value)


def _raw(header: Dataset, keyword: str) -> str:
    """The value as text without a look at its meaning; not printable where it cannot be read."""
    try:
        value = header.get(keyword)
    except Exception:  # pydicom raises many kinds for many kinds of damage
        return "\0"
    return "" if value is None else str(getattr(value, "original_string", value)).strip()


def _text(header: Dataset, keyword: str) -> str:
    """As UTF-8 or Latin-1: what the header says of its characters is no character set."""
    raw: object = header.get_item(keyword).value if keyword in header else b""
    octets = raw.strip(b" \0") if isinstance(raw, bytes) else _raw(header, keyword).encode()
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        text = octets.decode("latin-1")
    return "".join(c for c in text if c.isprintable()).replace("\\", "/")


def _has_known_characters(header: Dataset) -> bool:
    from pydicom.charset import python_encoding

    told = header.get("SpecificCharacterSet")
    names = [told] if isinstance(told, str) or told is None else list(told)
    return all(str(name or "") in python_encoding for name in names)


def _is_day(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y%m%d")
    except ValueError:
        return False
    return True


def _is_positive(header: Dataset, keyword: str) -> bool:
    try:
        return float(header.get(keyword)) > 0
    except Exception:  # as above
        return False
