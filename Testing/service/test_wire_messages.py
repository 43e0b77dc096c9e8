"""Records as JSON: they come back equal, and a value of a wrong type or out of range is named, never repeated."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metasegment.segmentation import Budget
from metasegment.volume import Geometry
from metasegment.wire import FormatError, from_json, to_json
from metasegment.wire.messages import (
    Capabilities,
    Device,
    Health,
    JobRequest,
    JobStatus,
    Manifest,
    Problem,
    Upload,
    Weights,
    is_client_id,
)

HASH = "0123456789abcdef" * 4
_GRID = Geometry((3, 4, 5), (1.0, 0.1, 1e-3), (-0.0, 1e5, 1 / 3), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
_RECORDS = [
    Health(),
    Capabilities(
        "1.2", 1, (Device("cpu"), Device("cuda:0", 24e3, 2.5)), Weights("a", "b", HASH), ("x",), {"most": 3.0}
    ),
    Manifest("I16", _GRID, 4096, (HASH, HASH)),
    Upload(HASH, (0, 7)),
    JobRequest("suggest", HASH, "maml", Budget(0.0, 3, 1.0), 2**63 - 1),
    JobRequest("apply", HASH, task=HASH[::-1]),
    JobStatus("a-1", "failed", 2, "first answer", 0.25, True, Problem("busy", "später")),
]


@pytest.mark.parametrize("record", _RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_equal_and_its_text_is_always_the_same(record: Any) -> None:
    text = to_json(record)
    assert from_json(type(record), text.encode()) == record
    assert to_json(from_json(type(record), text)) == text


def test_what_is_left_out_has_its_default_and_what_is_unknown_is_skipped() -> None:
    request = from_json(JobRequest, json.dumps({"kind": "segment", "volume": HASH, "news": {"from": "the future"}}))
    assert request == JobRequest("segment", HASH)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "pickle"}, "JobRequest.kind must be one of segment, suggest, apply, teach"),
        ({"kind": "apply"}, "must name it"),
        ({"kind": "apply", "task": ""}, "task must be 64 hexadecimal digits"),
        ({"kind": "teach", "task": HASH + "0"}, "task must be 64 hexadecimal digits"),
        ({"kind": "teach", "task": 7}, "JobRequest.task must be text"),
        ({"task": HASH}, "a job to segment takes no task"),
        ({"kind": None}, "JobRequest.kind must be one of"),
        ({"volume": HASH.upper()}, "64 hexadecimal digits"),
        ({"volume": "../../etc/passwd"}, "64 hexadecimal digits"),
        ({"volume": HASH + "\n"}, "64 hexadecimal digits"),
        ({"strategy": ""}, "a strategy's name"),
        ({"strategy": 3}, "JobRequest.strategy must be text"),
        ({"strategy": "\ud800"}, "half a character"),
        ({"seed": -1}, "seed must be"),
        ({"seed": True}, "JobRequest.seed must be a whole number"),
        ({"seed": 1.0}, "JobRequest.seed must be a whole number"),
        ({"seed": 10**400}, "seed must be"),
        ({"budget": []}, "JobRequest.budget must be an object"),
        ({"budget": {"seconds": "12"}}, "JobRequest.budget.seconds must be a number"),
        ({"budget": {"seconds": 10**400}}, "JobRequest.budget.seconds must be finite"),
        ({"budget": {"seconds": -1}}, "budget.seconds must be 0 to"),
        ({"budget": {"steps": 10**9}}, "budget.steps must be 0 to"),
        ({"budget": {"quality": 1.5}}, "budget.quality must be 0 to 1"),
    ],
)
def test_a_request_out_of_range_is_refused_by_the_field_s_name(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        from_json(JobRequest, json.dumps({"kind": "segment", "volume": HASH, **change}))


@pytest.mark.parametrize("text", [b'{"seconds": NaN}', b'{"seconds": 1e999}', b'{"seconds": -Infinity}'])
def test_a_number_that_is_not_finite_is_refused(text: bytes) -> None:
    with pytest.raises(FormatError):
        from_json(Budget, text)
    with pytest.raises(FormatError, match="NaN or infinite"):
        to_json(Budget(seconds=float("nan")))


def test_a_refusal_repeats_nothing_of_what_came() -> None:
    private = "Jane Doe"
    for text in (json.dumps({"kind": private}), json.dumps({private: private}), private):
        with pytest.raises(FormatError) as caught:
            from_json(JobRequest, text)
        assert private not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_job_has_ended_in_every_state_but_queued_and_running() -> None:
    states = ("queued", "running", "done", "failed", "cancelled", "superseded")
    assert [JobStatus("a", state).ended for state in states] == [False, False, True, True, True, True]


@pytest.mark.parametrize("identity", ["short", "a" * 65, "with space", "new\nline", "ümläute12"])
def test_a_client_s_id_is_letters_and_digits_alone(identity: str) -> None:
    assert is_client_id("3f2a-9c1e") and not is_client_id(identity)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_record_with_any_value_in_any_place_is_read_or_refused(data: st.DataObject) -> None:
    record = data.draw(st.sampled_from(_RECORDS))
    table = json.loads(to_json(record))
    table[data.draw(st.sampled_from(sorted(table)))] = data.draw(_JSON)
    try:
        from_json(type(record), json.dumps(table))
    except FormatError as error:
        assert "\n" not in str(error)
