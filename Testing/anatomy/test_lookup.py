"""Names as people and programs write them, and the structures that they mean."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from metasegment.anatomy.atlas import atlas
from metasegment.anatomy.lookup import EXACT, FUZZY, SYNONYM, recognise, suggestions

HERE = Path(__file__).parent
AS_TYPED = [line.split(" = ") for line in (HERE / "names_as_typed.txt").read_text("utf-8").splitlines()[1:]]


def _lines(file: str) -> list[str]:
    return (HERE / file).read_text("utf-8").splitlines()[1:]


@pytest.mark.parametrize(
    ("name", "structure", "how"),
    [
        ("left kidney", "left kidney", EXACT),
        ("kidney left", "left kidney", EXACT),
        ("KIDNEY_L", "left kidney", EXACT),
        ("LeftKidney", "left kidney", EXACT),
        ("Niere links", "left kidney", SYNONYM),
        ("左肾", "left kidney", SYNONYM),
        ("riñón izquierdo", "left kidney", SYNONYM),
        ("VERTEBRA_L3", "vertebra L3", EXACT),
        ("third lumbar vertebra", "vertebra L3", SYNONYM),
        ("Th12", "vertebra T12", SYNONYM),
        ("heart_ventricle_left", "left ventricle", SYNONYM),
        ("lower_left_first_molar_fdi36", "left lower first molar", SYNONYM),
        ("tooth 36", "left lower first molar", SYNONYM),
        ("L4/5 disc", "disc L4/L5", SYNONYM),
        ("kidny left", "left kidney", FUZZY),
        ("kidney 2", "kidney", SYNONYM),
    ],
)
def test_a_name_means_its_structure_in_any_spelling(name: str, structure: str, how: str) -> None:
    found = recognise(name)
    assert found
    assert (found.structure.name, found.how, found.place) == (structure, how, None)


def test_a_finding_is_named_with_its_place() -> None:
    found = recognise("left renal cyst")
    assert found and found.place
    assert (found.structure.name, found.place.name) == ("cyst", "left kidney")


@pytest.mark.parametrize(
    "name", ["", "thing", "Segment_1", "left", "left liver", "liver kidney", "hart", "target", "左", "GTV", "Patient X"]
)
def test_what_says_nothing_or_several_things_is_unknown(name: str) -> None:
    assert recognise(name) is None


def test_a_misspelt_name_is_less_sure_the_more_letters_are_wrong() -> None:
    scores = [found.score for name in ("esophagus", "esophagos", "esophagous") if (found := recognise(name))]
    assert len(scores) == 3 and scores[0] == 1 > max(scores[1:])


@pytest.mark.parametrize(("file", "count"), [("totalsegmentator_names.txt", 413), ("slicer_types.txt", 199)])
def test_names_of_other_programs_are_known(file: str, count: int) -> None:
    names = _lines(file)
    assert len(names) == count
    assert sum(recognise(name) is not None for name in names) >= 0.95 * count


def test_names_as_people_type_them_are_known() -> None:
    right = [
        name
        for name, meant in AS_TYPED
        if (found := recognise(name))
        and found.structure.name + (f" @ {found.place.name}" if found.place else "") == meant
    ]
    assert len(AS_TYPED) >= 100
    assert len(right) >= 0.95 * len(AS_TYPED)


def test_suggestions_begin_as_typed_and_come_in_other_languages() -> None:
    assert suggestions("kid")[:3] == ["kidney", "left kidney", "right kidney"]
    assert suggestions("Niere links")[0] == "left kidney"
    assert suggestions(" ") == []


def test_every_name_of_a_structure_finds_that_structure() -> None:
    names = list(atlas().structures)
    assert len(names) > 400
    for name in names:
        found = recognise(name)
        assert found and found.structure.name == name


def test_looking_up_needs_no_third_party_package() -> None:
    script = (
        "import sys; from metasegment.anatomy.lookup import recognise; recognise('kidny left');"
        "assert not {'torch', 'networkx', 'numpy', 'SimpleITK'} & set(sys.modules), sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
