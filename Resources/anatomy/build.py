"""Make `MetaSegment/metasegment/anatomy/structures.json` from this folder's tables and from open files of others.

A tool of the repository; it is not shipped. The tables (`structures.txt`, `kinds.txt`, `sizes.txt`, `series.json`) are
the project's own: names, translations, relations, and sizes as facts with their sources. From others' files come codes
and colours alone; each file is an argument, and none is kept here:

    python Resources/anatomy/build.py SLICER_TERMINOLOGIES TOTALSEGMENTATOR_CSV UBERON_FOLDER ASCTB_FOLDER
    python Resources/anatomy/build.py        (sizes anew; codes stay as they are packaged)

SLICER_TERMINOLOGIES: Slicer's folder Modules/Loadable/Terminologies/Resources; TOTALSEGMENTATOR_CSV: the mapping of
lassoan/SlicerTotalSegmentator; UBERON_FOLDER: .obo files and bridge .owl files of
obophenotype/uberon; ASCTB_FOLDER: CSV tables of
hubmapconsortium/ccf-releases. A code that no file lists is absent: none is made up.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

HERE = Path(__file__).parent
ROOM = HERE.parents[1] / "MetaSegment" / "metasegment" / "anatomy"
sys.path.insert(0, str(HERE.parents[1] / "MetaSegment"))

from metasegment.anatomy.names import key_of, split_side, words_of  # noqa: E402

LANGUAGES = ("la", "de", "fr", "es", "zh")
DENSITY = 1.05  # g/ml, of soft tissue: ICRP 89
CATEGORIES = {
    "anatomy": ("SCT", "123037004", "Anatomical Structure"),
    "tissue": ("SCT", "85756007", "Tissue"),
    "altered": ("SCT", "49755003", "Morphologically Altered Structure"),
    "object": ("SCT", "260787004", "Physical object"),
    "substance": ("SCT", "91720002", "Body Substance"),
}
TISSUES = {"artery", "vein", "fat", "bone", "capillary", "cartilage", "connective tissue", "ligament", "lymph node"}
TISSUES |= {"lymphatic vessel", "muscle", "nerve", "organ", "skin", "tendon", "tissue", "meniscus"}
NOTICES = [
    "Names, translations, relations and selection: MetaSegment, Apache-2.0.",
    "SNOMED CT codes and colours: 3D Slicer's terminologies (3D Slicer License), the mapping of SlicerTotalSegmentator "
    "(Apache-2.0) and DICOM PS3.16. SNOMED CT is a trademark of SNOMED International. Many of these codes are in the "
    "set that DICOM may use without a fee; use of the others may need a licence in your country.",
    "UBERON and FMA ids: Uberon multi-species anatomy ontology (uberon.org), CC BY 3.0; ASCT+B tables of the Human "
    "Reference Atlas (HuBMAP, humanatlas.io), CC BY 4.0. Changed: ids alone were taken, matched by name.",
    "Sizes are facts from the sources named with each; their bands are wide on purpose and say unusual, never wrong.",
]


def main(slicer: str, mapping: str, uberon: str, asctb: str) -> None:
    """Write the packaged data, and tell what it covers."""
    structures = {**_bodies(), **_vertebrae(), **_discs(), **_ribs(), **_teeth(), **_kinds()}
    _add_sizes(structures)
    owners = _owners(structures)
    _add_snomed(structures, owners, Path(slicer), Path(mapping))
    folder = Path(uberon)
    _add_ontology(structures, owners, [*folder.rglob("*.obo")], [*folder.rglob("*.owl")], [*Path(asctb).rglob("*.csv")])
    _write(structures)
    _tell(structures)


def resize() -> None:
    """Write the packaged data with the sizes of the tables, and codes and colours as they are packaged."""
    packaged = json.loads((ROOM / "structures.json").read_text(encoding="utf-8"))["structures"]
    structures = {**_bodies(), **_vertebrae(), **_discs(), **_ribs(), **_teeth(), **_kinds()}
    _add_sizes(structures)
    for name, entry in structures.items():
        entry |= {field: packaged[name][field] for field in ("codes", "color") if field in packaged[name]}
    _write(structures)


def _write(structures: dict[str, dict]) -> None:
    data = {"notices": NOTICES, "sources": _sources(), "structures": structures}
    lines = ",\n".join(f"{json.dumps(n)}: {json.dumps(s, ensure_ascii=False)}" for n, s in structures.items())
    head = json.dumps({key: data[key] for key in ("notices", "sources")}, ensure_ascii=False, indent=1)[:-2]
    (ROOM / "structures.json").write_text(f'{head},\n "structures": {{\n{lines}\n}}\n}}\n', encoding="utf-8")


def _rows(name: str, columns: int) -> Iterator[list[str]]:
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        if line and line[0] not in "#@":
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) != columns:
                raise SystemExit(f"{name}: {len(cells)} cells instead of {columns}: {line}")
            yield cells


def _listed(text: str, mark: str = ",") -> list[str]:
    return [part.strip() for part in text.split(mark) if part.strip()]


def _names(translations: str, english: str) -> dict[str, list[str]]:
    parts = [*translations.split(";"), "", "", "", ""][: len(LANGUAGES)]
    found = {"en": _listed(english)} | {
        language: _listed(part, "/") for language, part in zip(LANGUAGES, parts, strict=True)
    }
    return {language: names for language, names in found.items() if names}


def _bodies() -> dict[str, dict]:
    """Structures of `structures.txt`."""
    found: dict[str, dict] = {}
    for name, system, part_of, adjacent, inside, ct, translations, english in _rows("structures.txt", 8):
        paired, name = name.startswith("*"), name.lstrip("*")
        category = "tissue" if name in TISSUES else "anatomy"
        both, sided = _sided(english)
        entry: dict = {"system": system, "category": CATEGORIES[category], "names": _names(translations, both)}
        entry |= {"sided": sided} if sided else {}
        entry |= {"paired": True} if paired else {}
        for field, text in (("part_of", part_of), ("adjacent_to", adjacent), ("inside", inside)):
            entry |= {field: _listed(text)} if text else {}
        entry |= {"ct": [float(end) for end in ct.split("..")]} if ct else {}
        found[name] = entry
    return found


def _sided(english: str) -> tuple[str, dict[str, list[str]]]:
    """English names of both sides, and those of one ("L:LUL")."""
    names = _listed(english)
    sides = {side: [n[2:] for n in names if n.startswith(f"{side[0].upper()}:")] for side in ("left", "right")}
    return ", ".join(n for n in names if n[1:2] != ":"), {side: found for side, found in sides.items() if found}


def _kinds() -> dict[str, dict]:
    """Findings, objects and substances of `kinds.txt`."""
    found: dict[str, dict] = {}
    for name, category, translations, english in _rows("kinds.txt", 4):
        entry = {"category": CATEGORIES[category], "names": _names(translations, english)}
        found[name.lstrip("+")] = entry | ({"located": True} if name.startswith("+") else {})
    return found


ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth"),
    *("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
)
LEVELS = {
    "C": ("cervical", 7, "cervicalis", "Halswirbel", "HWK", "cervicale", "cervical", "颈椎"),
    "T": ("thoracic", 12, "thoracica", "Brustwirbel", "BWK", "thoracique", "torácica", "胸椎"),
    "L": ("lumbar", 5, "lumbalis", "Lendenwirbel", "LWK", "lombaire", "lumbar", "腰椎"),
    "S": ("sacral", 1, "sacralis", "Sakralwirbel", "SWK", "sacrée", "sacra", "骶椎"),
}


def _vertebrae() -> dict[str, dict]:
    """Vertebrae C1 to S1 by every customary spelling of their level."""
    heights = json.loads((HERE / "series.json").read_text())["vertebral_body_height_mm"]
    levels = [f"{letter}{n}" for letter, level in LEVELS.items() for n in range(1, level[1] + 1)]
    found: dict[str, dict] = {}
    for place, level in enumerate(levels):
        letter, n = level[0], int(level[1:])
        word, _, latin, german, short, french, spanish, chinese = LEVELS[letter]
        codes = [level, *([f"Th{n}", f"D{n}"] if letter == "T" else [])]
        english = [f"{w} {code}" for code in codes for w in ("vertebra", "vertebral body", "body")] + codes
        english += [
            f"{ORDINALS[n - 1]} {word} vertebra",
            f"{word} vertebra {n}",
            f"{level} vertebral level",
            f"{word} {n}",
        ]
        english += {"C1": ["atlas"], "C2": ["axis"]}.get(level, [])
        entry = {
            "system": "skeletal",
            "category": CATEGORIES["anatomy"],
            "names": {
                "en": english,
                "la": [f"vertebra {latin} {n}"],
                "de": [f"{n}. {german}", f"{german} {n}", f"{short} {n}", f"Wirbel {level}", f"Wirbelkörper {level}"],
                "fr": [f"vertèbre {level}", f"vertèbre {french} {n}"],
                "es": [f"vértebra {level}", f"vértebra {spanish} {n}"],
                "zh": [f"{chinese}{n}", f"第{n}{chinese}"],
            },
            "part_of": ["sacrum"] if letter == "S" else [f"{word} spine"],
            "adjacent_to": [f"vertebra {levels[k]}" for k in (place - 1, place + 1) if 0 <= k < len(levels)],
            "ct": [80.0, 1500.0],
        }
        if level in heights:
            body = heights[level]
            entry["sizes"] = [["si", "adult", body * 1.6, round(body * 0.75, 1), round(body * 3.2, 1), "panjabi"]]
            volume = {"C": 13, "T": 28, "L": 65}[letter] + {"C": 0, "T": 2.2, "L": 2}[letter] * (n - 5)
            entry["sizes"] += [["volume", "adult", volume, round(volume / 2.6, 1), round(volume * 2), "estimate"]]
        found[f"vertebra {level}"] = entry
    return found


def _discs() -> dict[str, dict]:
    """Discs between the vertebrae from C2 to S1."""
    levels = [f"{letter}{n}" for letter, level in LEVELS.items() for n in range(1, level[1] + 1)][1:]
    found: dict[str, dict] = {}
    for upper, lower in pairwise(levels):
        short = f"{upper}/{lower[1:]}" if upper[0] == lower[0] else f"{upper}/{lower}"
        between = list(dict.fromkeys((short, f"{upper}/{lower}")))
        found[f"disc {upper}/{lower}"] = {
            "system": "skeletal",
            "category": CATEGORIES["anatomy"],
            "names": {
                "en": [f"{w} {each}" for w in ("disc", "disk", "intervertebral disc", "IVD") for each in between]
                + [f"{upper} {lower} intervertebraldisc", *between],
                "de": [f"Bandscheibe {each}" for each in between],
                "fr": [f"disque {each}" for each in between],
                "es": [f"disco {each}" for each in between],
                "zh": [f"{each}椎间盘" for each in between],
            },
            "part_of": ["intervertebral disc"],
            "adjacent_to": [f"vertebra {upper}", f"vertebra {lower}"],
            "ct": [50.0, 120.0],
            "sizes": [["si", "adult", 9, 3, 18, "estimate"]],
        }
    return found


def _ribs() -> dict[str, dict]:
    found: dict[str, dict] = {}
    for n, ordinal in enumerate(ORDINALS, 1):
        volume = (5, 7, 10, 13, 15, 16, 17, 16, 14, 11, 7, 3)[n - 1]
        found[f"rib {n}"] = {
            "system": "skeletal",
            "category": CATEGORIES["anatomy"],
            "paired": True,
            "names": {
                "en": [f"{ordinal} rib", f"costal bone {n}"],
                "la": [f"costa {n}"],
                "de": [f"Rippe {n}", f"{n}. Rippe"],
                "fr": [f"côte {n}", f"{n}e côte"],
                "es": [f"costilla {n}"],
                "zh": [f"第{n}肋骨", f"第{n}肋"],
            },
            "part_of": ["rib"],
            "adjacent_to": [f"rib {k}" for k in (n - 1, n + 1) if 0 < k < 13] + [f"vertebra T{n}"],
            "ct": [100.0, 1500.0],
            "sizes": [["volume", "adult", volume, round(volume / 3, 1), volume * 2.5, "estimate"]],
        }
    return found


TEETH = (
    ("central incisor", "mittlerer Schneidezahn", "incisive centrale", "incisivo central", "中切牙"),
    ("lateral incisor", "seitlicher Schneidezahn", "incisive latérale", "incisivo lateral", "侧切牙"),
    ("canine", "Eckzahn", "canine", "canino", "尖牙"),
    ("first premolar", "erster Prämolar", "première prémolaire", "primer premolar", "第一前磨牙"),
    ("second premolar", "zweiter Prämolar", "deuxième prémolaire", "segundo premolar", "第二前磨牙"),
    ("first molar", "erster Molar", "première molaire", "primer molar", "第一磨牙"),
    ("second molar", "zweiter Molar", "deuxième molaire", "segundo molar", "第二磨牙"),
    ("third molar", "dritter Molar/Weisheitszahn", "troisième molaire", "tercer molar", "第三磨牙"),
)


def _teeth() -> dict[str, dict]:
    """Teeth of both jaws and their pulps, with the FDI's numbers (ISO 3950)."""
    found: dict[str, dict] = {}
    for jaw, german, french, spanish, chinese in (
        ("upper", "oberer", "supérieure", "superior", "上颌"),
        ("lower", "unterer", "inférieure", "inferior", "下颌"),
    ):
        lengths = json.loads((HERE / "series.json").read_text())["tooth_length_mm"][jaw]
        for n, (name, de, fr, es, zh) in enumerate(TEETH, 1):
            right, left = (1, 2) if jaw == "upper" else (4, 3)
            fdi = [f"{side} {jaw} {name} fdi{quadrant}{n}" for side, quadrant in (("right", right), ("left", left))]
            numbers = {"right": [f"tooth {right}{n}"], "left": [f"tooth {left}{n}"]}
            of_jaw = {"upper": ["upper teeth", "maxilla"], "lower": ["lower teeth", "mandible"]}[jaw]
            length = lengths[n - 1]
            tooth = f"{jaw} {name}"
            found[tooth] = {
                "system": "dental",
                "category": CATEGORIES["anatomy"],
                "paired": True,
                "sided": numbers,
                "names": {
                    "en": [f"{tooth} tooth", *[each.split(" ", 1)[1] for each in fdi]],
                    "de": [f"{german} {each}" for each in de.split("/")],
                    "fr": [f"{fr} {french}"],
                    "es": [f"{es} {spanish}"],
                    "zh": [f"{chinese}{zh}"],
                },
                "part_of": [of_jaw[0]],
                "adjacent_to": [of_jaw[1]],
                "ct": [800.0, 3000.0],
                "sizes": [["length", "adult", length, round(length * 0.7, 1), round(length * 1.35, 1), "wheeler"]],
            }
            found[f"pulp of {tooth}"] = {
                "system": "dental",
                "category": CATEGORIES["anatomy"],
                "paired": True,
                "names": {"en": [f"{jaw} {name} pulp fdi1{q}{n}" for q in (right, left)]},
                "part_of": [tooth],
                "inside": [tooth],
            }
    return found


def _sources() -> dict[str, dict[str, str]]:
    """Sources of sizes; `reading` tells how the numbers were had: transcribed, recalled, estimate."""
    found = {}
    for line in (HERE / "sizes.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("@"):
            key, reading, title = (cell.strip() for cell in line[1:].split("|", 2))
            found[key] = {"reading": reading, "title": title}
    return found


def _add_sizes(structures: dict[str, dict]) -> None:
    sources = _sources()
    for name, measure, whom, mean, spread, source in _rows("sizes.txt", 6):
        if name not in structures or source not in sources:
            raise SystemExit(f"sizes.txt: unknown structure or source: {name}, {source}")
        middle = float(mean)
        low, high = _band(middle, spread)
        scale = 1 / DENSITY if measure == "mass" else 1.0
        numbers = [float(f"{scale * number:.3g}") for number in (middle, low, high)]
        kind = "volume" if measure == "mass" else measure
        structures[name].setdefault("sizes", []).append([kind, whom, *numbers, source])


def _band(mean: float, spread: str) -> tuple[float, float]:
    if spread.startswith("±"):
        return max(mean - 2.5 * float(spread[1:]), 0.3 * mean), mean + 2.5 * float(spread[1:])
    if spread.startswith("x"):
        return mean / float(spread[1:]), mean * float(spread[1:])
    low, high = spread.split("..")
    return float(low), float(high)


def _owners(structures: dict[str, dict]) -> dict[str, str]:
    """By the words of an English or Latin name, the structure; a name that two share belongs to neither."""
    found: dict[str, set[str]] = {}
    for name, entry in structures.items():
        for spelling in (name, *entry["names"].get("en", ()), *entry["names"].get("la", ())):
            found.setdefault(key_of(words_of(spelling)), set()).add(name)
    owners = {key: next(iter(names)) for key, names in found.items() if len(names) == 1}
    return owners | {key_of(words_of(name)): name for name in structures}


def _owner(owners: dict[str, str], structures: dict[str, dict], name: str) -> str | None:
    words = words_of(name)
    if found := owners.get(key_of(words)):
        return found
    side, rest = split_side(words)
    found = owners.get(key_of(rest))
    return found if found and side and structures[found].get("paired") else None


def _add_snomed(structures: dict[str, dict], owners: dict[str, str], slicer: Path, mapping: Path) -> None:
    """SNOMED CT codes and colours: Slicer's own list first, then TotalSegmentator's, then DICOM's."""
    for file, meaning, code, color in [
        *_slicer_types(slicer, "SegmentationCategoryTypeModifier-SlicerGeneralAnatomy.json"),
        *_mapped(mapping),
        *_slicer_types(slicer, "SegmentationCategoryTypeModifier-DICOM-Master.json"),
        *_regions(slicer),
    ]:
        name = _owner(owners, structures, meaning)
        if name is None:
            continue
        entry = structures[name]
        if file == "mapping" and re.match(r"(Left|Right) |.* of (left|right) ", code[1]) and entry.get("paired"):
            continue  # a code of one side alone
        entry.setdefault("codes", {}).setdefault("SCT", list(code))
        if color and "color" not in entry:
            entry["color"] = color


def _slicer_types(folder: Path, file: str) -> Iterator[tuple[str, str, tuple[str, str], list[int] | None]]:
    for category in json.loads((folder / file).read_text(encoding="utf-8"))["SegmentationCodes"]["Category"]:
        for kind in category["Type"]:
            if kind.get("CodingSchemeDesignator") == "SCT":
                color = kind.get("recommendedDisplayRGBValue")
                yield file, kind["CodeMeaning"], (kind["CodeValue"], kind["CodeMeaning"]), color


def _mapped(file: Path) -> Iterator[tuple[str, str, tuple[str, str], list[int] | None]]:
    with file.open(newline="", encoding="utf-8") as text:
        for row in csv.DictReader(text):
            if row["Type_CodingScheme"] != "SCT":
                continue
            code = row["Type_CodeValue"], row["Type_CodeMeaning"].strip()
            color = [int(row[f"Color_{part}"]) for part in "RGB"] if row["Color_R"] else None
            yield "mapping", row["Name"], code, color
            if row["Region_CodeValue"]:  # a finding with its place: the code is that of the finding
                yield "mapping", code[1], code, color


def _regions(folder: Path) -> Iterator[tuple[str, str, tuple[str, str], None]]:
    file = folder / "AnatomicRegionAndModifier-DICOM-Master.json"
    for region in json.loads(file.read_text(encoding="utf-8"))["AnatomicCodes"]["AnatomicRegion"]:
        if region.get("CodingSchemeDesignator") == "SCT":
            yield file.name, region["CodeMeaning"], (region["CodeValue"], region["CodeMeaning"]), None


def _add_ontology(
    structures: dict[str, dict], owners: dict[str, str], obo: list[Path], bridges: list[Path], tables: list[Path]
) -> None:
    """UBERON and FMA ids of terms whose label, or else exact synonym, is a structure's name."""
    terms = [term for file in obo for term in _terms(file.read_text(encoding="utf-8", errors="replace"))]
    terms += [term for file in bridges for term in _bridge_terms(file.read_text(encoding="utf-8"))]
    terms += [term for file in tables for term in _table_terms(file)]
    for rank in ("labels", "synonyms"):
        for term in terms:
            for label in term[rank]:
                name = owners.get(key_of(words_of(label)))
                if name is None or "category" not in structures[name] or structures[name].get("located"):
                    continue
                codes = structures[name].setdefault("codes", {})
                for scheme in ("UBERON", "FMA"):
                    if scheme in term and scheme not in codes:
                        codes[scheme] = [term[scheme], term["labels"][0]]


def _terms(text: str) -> Iterator[dict]:
    for block in text.split("[Term]\n")[1:]:
        block = block.split("\n\n")[0]
        found = re.search(r"^id: UBERON:(\d+)", block, re.M)
        name = re.search(r"^name: (.+)", block, re.M)
        if not found or not name or "is_obsolete: true" in block:
            continue
        term = {"UBERON": found[1], "labels": [name[1].strip()]}
        term["synonyms"] = re.findall(r'^synonym: "([^"]+)" EXACT', block, re.M)
        fma = re.findall(r"^xref: FMA:(\d+)", block, re.M)
        yield term | ({"FMA": fma[0]} if len(fma) == 1 else {})


def _bridge_terms(text: str) -> Iterator[dict]:
    """Labels and ids of UBERON itself in a bridge file; the other vocabulary's ids there are unchecked, and left."""
    for code, label in re.findall(r'UBERON_(\d+)"/>\s*<obo:IAO_0000589>([^<]+) \([A-Za-z]+\)<', text):
        yield {"UBERON": code, "labels": [label], "synonyms": []}


def _table_terms(file: Path) -> Iterator[dict]:
    with file.open(newline="", encoding="utf-8", errors="replace") as text:
        rows = list(csv.reader(text))
    head = next((n for n, row in enumerate(rows) if row and row[0] == "AS/1"), None)
    if head is None:
        return
    columns = [n for n, title in enumerate(rows[head]) if re.fullmatch(r"AS/\d+/LABEL", title)]
    for row in rows[head + 1 :]:
        for n in columns:
            label, code = (row[n].strip(), row[n + 1].strip()) if n + 1 < len(row) else ("", "")
            found = re.fullmatch(r"(UBERON|FMA):(\d+)", code)
            if label and found:
                yield {found[1]: found[2], "labels": [label], "synonyms": []}


def _tell(structures: dict[str, dict]) -> None:
    known = set(structures)
    for name, entry in structures.items():
        for field in ("part_of", "adjacent_to", "inside"):
            for other in entry.get(field, ()):
                if other.split(":")[-1] not in known:
                    print(f"{name}: {field} {other} is unknown")
    print(len(structures), "entries,", sum(1 + 2 * bool(e.get("paired")) for e in structures.values()), "structures")
    print(sum(bool(e.get("sizes")) for e in structures.values()), "with sizes")
    for scheme in ("SCT", "UBERON", "FMA"):
        without = [name for name, e in structures.items() if scheme not in e.get("codes", {})]
        print(scheme, len(structures) - len(without), "with; without:", ", ".join(without))


if __name__ == "__main__":
    main(*sys.argv[1:]) if sys.argv[1:] else resize()
