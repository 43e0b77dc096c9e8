"""What a DICOM segmentation says of each segment: name, colour, codes; what is absent is not needed to read voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..structure import GREY, TISSUE, Code, Color, Segment, Terminology

if TYPE_CHECKING:
    from pydicom import Dataset


def segment_of(item: Dataset) -> Segment:
    """From an item of its Segment Sequence; `label` is its number."""
    number = int(item.SegmentNumber)
    category = _first(item, "SegmentedPropertyCategoryCodeSequence")
    kind, region = _item(item, "SegmentedPropertyTypeCodeSequence"), _item(item, "AnatomicRegionSequence")
    terminology = Terminology(
        category=category or TISSUE.category,
        type=_code(kind) or TISSUE.type,
        modifier=_first(kind, "SegmentedPropertyTypeModifierCodeSequence"),
        region=_code(region),
        region_modifier=_first(region, "AnatomicRegionModifierSequence"),
    )
    name = str(item.get("SegmentLabel") or "").strip() or f"Segment {number}"
    return Segment(number, name, _color(item), terminology)


def _color(item: Dataset) -> Color:
    import highdicom as hd

    try:
        red, green, blue = hd.color.CIELabColor.from_dicom_value(item.get("RecommendedDisplayCIELabValue")).to_rgb()
    except (TypeError, ValueError):
        return GREY
    return red / 255, green / 255, blue / 255


def _item(item: Dataset | None, keyword: str) -> Dataset | None:
    found = None if item is None else item.get(keyword)
    return found[0] if found else None


def _first(item: Dataset | None, keyword: str) -> Code:
    return _code(_item(item, keyword))


def _code(item: Dataset | None) -> Code:
    if item is None:
        return Code()
    value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue") or ""
    return Code(str(item.get("CodingSchemeDesignator") or ""), str(value), str(item.get("CodeMeaning") or ""))
