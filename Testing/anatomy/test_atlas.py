"""The packaged data: what it covers, that every relation leads somewhere, and that nothing in it is made up."""

from __future__ import annotations

from importlib.resources import files

from metasegment.anatomy.atlas import atlas
from metasegment.anatomy.graph import contained, distance, may_share, on_same_side, other_side, wholes
from metasegment.anatomy.reference import expected_length, expected_volume
from metasegment.anatomy.terminology import color_of, system_of, terminology_of


def test_it_is_large_enough_and_small_enough() -> None:
    bodies = [s for s in atlas().structures.values() if not s.side]
    sized = {s.name for s in bodies if s.sizes}
    assert len(bodies) >= 400 and len(sized) >= 150
    assert files("metasegment.anatomy").joinpath("structures.json").stat().st_size < 1_000_000  # type: ignore[attr-defined]


def test_every_relation_and_source_exists() -> None:
    found, relations, sizes = atlas(), 0, 0
    for structure in found.structures.values():
        for other in (*structure.part_of, *structure.adjacent_to, *structure.inside):
            assert other in found.structures, f"{structure.name}: {other}"
            relations += 1
        for size in structure.sizes:
            assert size.source in found.sources
            assert 0 < size.low <= size.mean <= size.high, f"{structure.name}: {size}"
            sizes += 1
    assert relations > 100 and sizes > 100


def test_notices_name_every_source_of_codes() -> None:
    notices = " ".join(atlas().notices)
    assert all(word in notices for word in ("SNOMED CT", "3D Slicer License", "CC BY 3.0", "CC BY 4.0", "Apache-2.0"))


def test_the_graph_knows_sides_wholes_and_what_lies_inside() -> None:
    structures = atlas().structures
    assert "spleen" in structures["left kidney"].adjacent_to
    assert "spleen" not in structures["right kidney"].adjacent_to
    assert on_same_side(structures["left kidney"], "adrenal gland") == "left adrenal gland"
    assert other_side(structures["left kidney"]) is structures["right kidney"]
    assert wholes("left renal cortex")[:2] == ["renal cortex", "left kidney"]
    assert "brain" in contained("skull")
    assert distance("left kidney", "spleen") < distance("left kidney", "left femur")
    assert may_share(structures["left renal cortex"], structures["kidney"])
    assert not may_share(structures["liver"], structures["spleen"])


def test_codes_colour_and_system_come_from_the_name() -> None:
    left = terminology_of("Niere links")
    assert (left.type.value, left.modifier.meaning) == ("64033007", "Left")
    cyst = terminology_of("left kidney cyst")
    assert (cyst.type.meaning, cyst.region.meaning, cyst.region_modifier.meaning) == ("Cyst", "Kidney", "Left")
    assert color_of("spleen") == (157 / 255, 108 / 255, 162 / 255)
    assert color_of("nothing known") is None
    assert (system_of("liver"), system_of("lung nodule"), system_of("blob")) == ("digestive", "respiratory", None)


def test_a_usual_size_comes_from_the_name_and_less_surely_where_it_is_misspelt() -> None:
    liver, child = expected_volume("liver"), expected_volume("liver", whom="5y")
    assert liver and child
    assert liver.low < 1400 < liver.high and not liver.holds(90)
    assert child.mean < liver.mean / 2
    sure, unsure = expected_volume("left kidney"), expected_volume("left kidny")
    assert sure and unsure and sure.weight > unsure.weight > 0
    length = expected_length("left kidney", "si")
    assert length and length.low < 110 < length.high
    assert expected_volume("blob") is None and expected_length("blob", "si") is None
    assert expected_volume("liver tumor") is None  # a finding has no usual size
