"""What a structure is, in codes that other programs understand, and Slicer's spelling of them in a .seg.nrrd.

Codes are SNOMED CT's as DICOM lists them (PS3.16, CID 7150 and the context groups it leads to). Does not guess: a name
that is not in the table is "Tissue", as in Slicer.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

# Names of the lists that Slicer 5 looks entries up in; it shows an entry as given where the list is absent.
_CATEGORIES = "Segmentation category and type - 3D Slicer General Anatomy list"
_REGIONS = "Anatomic codes - DICOM master list"
_SCT = "SCT"


@dataclass(frozen=True)
class Code:
    """A coded concept; all three empty where nothing is said."""

    scheme: str = ""
    value: str = ""
    meaning: str = ""

    def __bool__(self) -> bool:
        return bool(self.value)


@dataclass(frozen=True)
class Terminology:
    """Category and type of a structure, its side (type modifier), and the region that it lies in."""

    category: Code
    type: Code
    modifier: Code = Code()
    region: Code = Code()
    region_modifier: Code = Code()


TISSUE = Terminology(Code(_SCT, "85756007", "Tissue"), Code(_SCT, "85756007", "Tissue"))

# Slicer's own list puts organs in this category; DICOM's newer 91723000 has the same meaning.
_ANATOMY = Code(_SCT, "123037004", "Anatomical Structure")
_ABNORMAL = Code(_SCT, "49755003", "Morphologically Abnormal Structure")
_SIDES = {"left": Code(_SCT, "7771000", "Left"), "right": Code(_SCT, "24028007", "Right")}
_ORGANS = {
    "adrenal gland": "23451007",
    "aorta": "15825003",
    "bladder": "89837001",
    "bone": "272673000",
    "brain": "12738006",
    "cerebellum": "113305005",
    "colon": "71854001",
    "duodenum": "38848004",
    "esophagus": "32849002",
    "eye": "81745001",
    "femur": "71341001",
    "gallbladder": "28231008",
    "heart": "80891009",
    "hippocampus": "5366008",
    "inferior vena cava": "64131007",
    "kidney": "64033007",
    "larynx": "4596009",
    "left atrium": "82471001",
    "left ventricle": "87878005",
    "liver": "10200004",
    "lung": "39607008",
    "lymph node": "59441001",
    "mandible": "91609006",
    "muscle": "71616004",
    "pancreas": "15776009",
    "parotid gland": "45289007",
    "portal vein": "32764006",
    "prostate": "41216001",
    "rectum": "34402009",
    "rib": "113197003",
    "sacrum": "54735007",
    "skin": "39937001",
    "spinal cord": "2748008",
    "spleen": "78961009",
    "stomach": "69695003",
    "submandibular gland": "54019009",
    "trachea": "44567001",
    "uterus": "35039007",
    "vertebra": "51282000",
}
_LESIONS = {"cyst": "367643001", "edema": "79654002", "lesion": "52988006", "mass": "4147007", "tumor": "108369006"}
_SPELLINGS = {"oesophagus": "esophagus", "oedema": "edema", "tumour": "tumor", "urinary bladder": "bladder"}


def terminology_of(name: str) -> Terminology:
    """Codes of a structure by its English name, with or without its side ("Left kidney"); TISSUE for others."""
    words = " ".join(name.replace("_", " ").lower().split())
    if found := _named(words):
        return Terminology(*found)
    side, _, rest = words.partition(" ")
    found = _named(rest)
    return Terminology(*found, modifier=_SIDES[side]) if found and side in _SIDES else TISSUE


def _named(words: str) -> tuple[Code, Code] | None:
    words = _SPELLINGS.get(words, words)
    for category, table in ((_ANATOMY, _ORGANS), (_ABNORMAL, _LESIONS)):
        if words in table:
            return category, Code(_SCT, table[words], words.capitalize())
    return None


def entry_of(terminology: Terminology) -> str:
    """The value of Slicer's tag `TerminologyEntry`: seven fields, codes as scheme^value^meaning."""
    codes = (terminology.category, terminology.type, terminology.modifier)
    region = (terminology.region, terminology.region_modifier)
    return "~".join([_CATEGORIES, *map(_triplet, codes), _REGIONS, *map(_triplet, region)])


def terminology_in(entry: str) -> Terminology | None:
    """The codes in the value of a `TerminologyEntry`; None where it names no category and type."""
    fields = entry.split("~")
    codes = [Code(*(part or "" for _, part in zip_longest(range(3), field.split("^")[:3]))) for field in fields]
    codes += [Code()] * (7 - len(codes))
    category, kind, modifier, region, region_modifier = codes[1:4] + codes[5:7]
    return Terminology(category, kind, modifier, region, region_modifier) if category and kind else None


def _triplet(code: Code) -> str:
    # The separators themselves cannot be written: Slicer has no escape for them.
    parts = (code.scheme, code.value, code.meaning)
    return "^".join("".join(" " if c in "^~|" else c for c in part) for part in parts)
