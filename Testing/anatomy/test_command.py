"""`metasegment anatomy`, as a user runs it."""

from __future__ import annotations

import json

import pytest

from metasegment.cli import main


def test_it_prints_codes_side_system_and_sizes_with_their_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["anatomy", "Niere links", "blob", "--json"]) == 0
    kidney, unknown = json.loads(capsys.readouterr().out)["names"]
    assert (kidney["structure"], kidney["side"], kidney["recognised"]) == ("left kidney", "left", "synonym")
    assert kidney["codes"] == {"SCT": "64033007", "UBERON": "0002113", "FMA": "7203"}
    assert kidney["system"] == "urinary"
    assert any("ICRP" in size["source"] and size["unit"] == "ml" for size in kidney["sizes"])
    assert unknown == {"name": "blob", "structure": None}


def test_it_tells_people_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["anatomy", "liver", "lung nodule", "blob"]) == 0
    text = capsys.readouterr().out
    assert "SCT 10200004" in text and "Geraghty" in text and "nodule in lung" in text and "blob: unknown" in text
