"""What a structure is, in codes that other programs understand, and Slicer's spelling of them in a .seg.nrrd.

Codes are SNOMED CT's as DICOM lists them (PS3.16, CID 7150 and the context groups it leads to). Does not guess: a name
that is not in the table is "Tissue", as in Slicer.
"""

from __future__ import annotations

from ..structure import TISSUE, Code, Terminology

_SCT = "SCT"


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
