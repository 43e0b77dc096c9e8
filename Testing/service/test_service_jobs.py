"""Jobs at the service: queued fairly, watched, superseded, cancelled; whatever goes wrong, the next one is served."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metasegment.annotation import BACKGROUND, AnnotatedSlice, Annotation
from metasegment.segmentation import Budget
from metasegment.segmenter import Segmenter
from metasegment.service.estimate import running_bytes, waiting_bytes
from metasegment.service.fairness import fair_order
from metasegment.service.job import Job
from metasegment.volume import Volume
from metasegment.wire import from_json, messages
from metasegment.wire.messages import JobRequest, JobStatus
from metasegment.wire.results import decode_preview, decode_result, decode_suggestion

Organ = tuple[Volume, Annotation]
Start = Callable[..., Any]
LONG = 600.0


def _events(caller: Any, job: str) -> list[JobStatus]:
    """All statuses of a job's stream, to its end."""
    with caller.session.get(
        caller.url + messages.EVENTS.format(job=job),
        headers={"Authorization": f"Bearer {caller.token}", messages.CLIENT_HEADER: caller.client},
        stream=True,
        timeout=60,
    ) as answer:
        assert answer.headers["content-type"].startswith(messages.EVENT_STREAM)
        lines = [line for line in answer.iter_lines() if line.startswith(b"data: ")]
    return [from_json(JobStatus, line[len(b"data: ") :]) for line in lines]


def test_a_job_answers_what_the_segmenter_answers_here(a_service: Start, organ: Organ, segmenter: Segmenter) -> None:
    caller = a_service().caller()
    job = caller.job(caller.send(organ[0]), organ[1])
    assert caller.wait(job, "done").fraction == 1
    got = decode_result(caller.call("GET", messages.RESULT.format(job=job)).content, organ[0].geometry.shape)
    previews: list[np.ndarray] = []
    expected = segmenter.segment(*organ, Budget(seconds=0), "in_context", preview=previews.append)
    assert np.array_equal(got.labels, expected.labels)
    assert np.array_equal(got.map.uncertainty, expected.map.uncertainty)
    assert got.structures == expected.structures
    preview = decode_preview(caller.call("GET", messages.PREVIEW.format(job=job)).content, organ[0].geometry.shape)
    assert np.array_equal(preview, previews[0])


def test_a_result_travels_compressed_to_whoever_wants_it_so(a_service: Start, organ: Organ) -> None:
    caller = a_service().caller()
    path = messages.RESULT.format(job=caller.job(caller.send(organ[0]), organ[1]))
    caller.wait(path.split("/")[-2], "done")
    plain, packed = (caller.call("GET", path, Accept_Encoding=word) for word in ("identity", "gzip"))
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"])
    assert packed.content == plain.content


def test_a_suggestion_is_a_job_too(a_service: Start, organ: Organ, segmenter: Segmenter) -> None:
    caller = a_service().caller()
    job = caller.job(caller.send(organ[0]), organ[1], kind="suggest")
    caller.wait(job, "done")
    got = decode_suggestion(caller.call("GET", messages.RESULT.format(job=job)).content)
    assert got == segmenter.suggest(*organ)


def test_events_tell_every_stage_in_order_and_end_with_the_job(a_service: Start, organ: Organ) -> None:
    caller = a_service().caller()
    job = caller.job(caller.send(organ[0]), organ[1], "patient", seconds=0.5)
    told = _events(caller, job)
    assert told[-1] == caller.status(job)
    assert told[-1].state == "done"
    assert {"first answer", "adapting"} <= {status.stage for status in told}
    assert all(a.fraction <= b.fraction for a, b in pairwise(told))
    assert _events(caller, job) == told[-1:]  # of an ended job: its end


def test_a_stream_of_events_beats_while_nothing_changes(a_service: Start, organ: Organ) -> None:
    caller = a_service(heartbeat_seconds=0.05).caller()
    job = caller.job(caller.send(organ[0]), organ[1], "patient", seconds=LONG)
    caller.wait(job, "running")
    headers = {"Authorization": f"Bearer {caller.token}", messages.CLIENT_HEADER: caller.client}
    with caller.session.get(caller.url + messages.EVENTS.format(job=job), headers=headers, stream=True) as answer:
        beats = (line for line in answer.iter_lines() if line.startswith(b":"))
        assert [next(beats) for _ in range(3)]
        caller.cancel(job)


def test_a_service_that_stops_does_not_say_that_its_jobs_were_cancelled(a_service: Start, organ: Organ) -> None:
    """To the client it is a lost connection: it asks again, elsewhere or later."""
    running = a_service()
    caller = running.caller()
    job = caller.job(caller.send(organ[0]), organ[1], "patient", seconds=LONG)
    caller.wait(job, "running")
    headers = {"Authorization": f"Bearer {caller.token}", messages.CLIENT_HEADER: caller.client}
    with caller.session.get(caller.url + messages.EVENTS.format(job=job), headers=headers, stream=True) as answer:
        lines = answer.iter_lines()
        next(lines)
        running.stop()
        assert not any(b"cancelled" in line for line in lines)


def test_who_does_not_read_its_events_holds_nobody_up(
    a_service: Start, organ: Organ, another_structure: Annotation
) -> None:
    running = a_service(heartbeat_seconds=0.001)
    lazy, other = running.caller("lazy-client"), running.caller("other-client")
    key = lazy.send(organ[0])
    job = lazy.job(key, organ[1], "patient", seconds=LONG)
    headers = {"Authorization": f"Bearer {lazy.token}", messages.CLIENT_HEADER: lazy.client}
    with lazy.session.get(lazy.url + messages.EVENTS.format(job=job), headers=headers, stream=True) as answer:
        following = other.job(key, another_structure)
        other.cancel(other.job(key, organ[1]))
        lazy.cancel(job)
        other.wait(following, "done")
        last = [line for line in answer.iter_lines() if line.startswith(b"data: ")][-1]
    assert from_json(JobStatus, last[len(b"data: ") :]).state == "cancelled"


def test_a_result_is_not_there_before_the_end(a_service: Start, organ: Organ) -> None:
    caller = a_service().caller()
    job = caller.job(caller.send(organ[0]), organ[1], "patient", seconds=LONG)
    answer = caller.call("GET", messages.RESULT.format(job=job))
    assert (answer.status_code, answer.json()["code"]) == (409, messages.NOT_READY)
    caller.cancel(job)


def test_a_cancelled_job_makes_way_for_the_next(a_service: Start, organ: Organ, another_structure: Annotation) -> None:
    caller = a_service().caller()
    key = caller.send(organ[0])
    long = caller.job(key, organ[1], "patient", seconds=LONG)
    caller.wait(long, "running")
    following = caller.job(key, another_structure)
    assert caller.status(following).position == 1
    assert [caller.cancel(long).status_code for _ in range(2)] == [204, 204]
    assert caller.status(long).state == "cancelled"
    caller.wait(following, "done")
    answer = caller.call("GET", messages.RESULT.format(job=long))
    assert (answer.status_code, answer.json()["code"]) == (409, messages.CANCELLED)


def test_a_newer_request_for_the_same_structure_takes_the_place_of_the_older(
    a_service: Start, organ: Organ, two_structures: Annotation, another_structure: Annotation
) -> None:
    caller = a_service().caller()
    key = caller.send(organ[0])
    running = caller.job(key, organ[1], "patient", seconds=LONG)
    caller.wait(running, "running")
    other = caller.job(key, another_structure)
    suggestion = caller.job(key, organ[1], kind="suggest")
    newer = caller.job(key, two_structures)
    assert caller.status(running).state == "superseded"
    assert caller.status(running).error.code == messages.SUPERSEDED
    for job in (other, suggestion, newer):
        caller.wait(job, "done")


def test_a_request_of_another_client_supersedes_nothing(a_service: Start, organ: Organ) -> None:
    running = a_service()
    first, second = running.caller("first-client"), running.caller("second-client")
    key = first.send(organ[0])
    job = first.job(key, organ[1], "patient", seconds=LONG)
    first.wait(job, "running")
    second.job(key, organ[1])
    assert first.status(job).state == "running"
    first.cancel(job)


def test_drawing_on_keeps_the_place_in_the_queue(
    a_service: Start, organ: Organ, another_structure: Annotation, two_structures: Annotation
) -> None:
    running = a_service()
    busy, caller, other = (running.caller(f"client-{n:04}") for n in range(3))
    key = busy.send(organ[0])
    long = busy.job(key, organ[1], "patient", seconds=LONG)
    busy.wait(long, "running")
    first = caller.job(key, organ[1])
    behind = other.job(key, another_structure)
    newer = caller.job(key, two_structures)
    assert caller.status(first).state == "superseded"
    assert (caller.status(newer).position, other.status(behind).position) == (1, 2)
    busy.cancel(long)


def test_clients_take_turns(a_service: Start, organ: Organ) -> None:
    running = a_service()
    greedy, modest = running.caller("greedy-client"), running.caller("modest-client")
    volumes = [Volume(organ[0].array + np.int16(n), organ[0].geometry) for n in range(3)]
    keys = [greedy.send(volume) for volume in volumes]
    long, *others = (greedy.job(key, organ[1], "patient", seconds=LONG) for key in keys)
    greedy.wait(long, "running")
    late = modest.job(keys[0], organ[1])
    assert modest.status(late).position == 1
    assert [greedy.status(job).position for job in others] == [2, 3]
    for job in (*others, long):
        greedy.cancel(job)
    modest.wait(late, "done")


@given(st.lists(st.sampled_from("abcd"), max_size=30), st.dictionaries(st.sampled_from("abcd"), st.integers(1, 9)))
def test_nobody_waits_for_more_than_one_turn_of_each_other_client(clients: list[str], served: dict[str, int]) -> None:
    request = JobRequest("segment", "0" * 64)
    waiting = [Job(client, "", request, None, frozenset()) for client in clients]
    order = fair_order(waiting, served)
    assert Counter(map(id, order)) == Counter(map(id, waiting))
    for client in set(clients):
        own = [job for job in order if job.client == client]
        assert own == [job for job in waiting if job.client == client]
        for earlier, later in pairwise(own):
            between = [job.client for job in order[order.index(earlier) + 1 : order.index(later)]]
            assert max(Counter(between).values(), default=0) <= 1


def test_the_second_of_too_many_jobs_is_told_when_to_come_back(
    a_service: Start, organ: Organ, another_structure: Annotation
) -> None:
    caller = a_service(jobs_per_client=1).caller()
    key = caller.send(organ[0])
    long = caller.job(key, organ[1], "patient", seconds=LONG)
    answer = caller.ask(key, another_structure)
    assert (answer.status_code, answer.json()["code"]) == (503, messages.BUSY)
    assert int(answer.headers["Retry-After"]) > 0
    assert caller.job(key, organ[1])  # in place of the long one
    assert caller.status(long).state == "superseded"


def test_a_job_that_never_fits_into_memory_is_refused(a_service: Start, organ: Organ) -> None:
    caller = a_service(memory_bytes=10 * organ[0].array.nbytes).caller()
    answer = caller.ask(caller.send(organ[0]), organ[1])
    assert (answer.status_code, answer.json()["code"]) == (413, messages.TOO_LARGE)


def test_a_job_that_does_not_fit_now_is_told_to_wait(a_service: Start, organ: Organ) -> None:
    """A volume that a job computes with stays, and another that needs its room comes later."""
    room = organ[0].array.nbytes + waiting_bytes(organ[1]) + running_bytes("segment", organ[0], 1)
    caller = a_service(memory_bytes=room + organ[0].array.nbytes // 2).caller()
    long = caller.job(caller.send(organ[0]), organ[1], "patient", seconds=LONG)
    caller.wait(long, "running")
    other = Volume(organ[0].array + np.int16(1), organ[0].geometry)
    answer = caller.announce(other)
    assert (answer.status_code, answer.json()["code"]) == (503, messages.BUSY)
    assert int(answer.headers["Retry-After"]) > 0
    caller.cancel(long)


def test_a_full_memory_is_an_answer_and_not_the_end(a_service: Start, organ: Organ) -> None:
    caller = a_service().caller()
    key = caller.send(organ[0])
    failed = caller.wait(caller.job(key, organ[1], "hungry"), "failed")
    assert failed.error.code == messages.OUT_OF_MEMORY
    caller.wait(caller.job(key, organ[1]), "done")


def test_a_defect_is_an_answer_too_and_says_nothing_private(
    a_service: Start, organ: Organ, caplog: pytest.LogCaptureFixture
) -> None:
    caller = a_service().caller()
    key = caller.send(organ[0])
    with caplog.at_level(logging.INFO):
        failed = caller.wait(caller.job(key, organ[1], "defective"), "failed")
        caller.wait(caller.job(key, organ[1]), "done")
    assert failed.error.code == messages.FAILED
    assert "ValueError at conftest.py:" in caplog.text
    assert "Jane Doe" not in caplog.text + failed.error.message


def test_every_job_leaves_one_line_with_hashes_alone(
    a_service: Start, organ: Organ, caplog: pytest.LogCaptureFixture
) -> None:
    caller = a_service().caller()
    key = caller.send(organ[0])
    with caplog.at_level(logging.INFO, "metasegment.audit"):
        caller.wait(caller.job(key, organ[1]), "done")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "metasegment.audit"]
    assert f'"volume": "{key}"' in line
    assert '"outcome": "done"' in line
    assert "Jane Doe" not in line


def test_a_strategy_that_does_not_exist_is_said_so(a_service: Start, organ: Organ) -> None:
    caller = a_service().caller()
    failed = caller.wait(caller.job(caller.send(organ[0]), organ[1], "magic"), "failed")
    assert failed.error.code == messages.INVALID
    assert "magic" in failed.error.message


@pytest.mark.parametrize("body", [b"", b"12345678", b"\x02\0\0\0\0\0\0\0{}", b"\xff" * 100])
def test_a_job_that_is_none_is_refused_in_one_sentence(a_service: Start, body: bytes) -> None:
    answer = a_service().caller().call("POST", messages.JOBS, body)
    assert (answer.status_code, answer.json()["code"]) == (422, messages.INVALID)
    assert "\n" not in answer.json()["message"]


def test_an_annotation_of_background_alone_is_refused(a_service: Start, organ: Organ) -> None:
    labels = np.zeros_like(organ[1].labels)
    labels[3] = BACKGROUND
    caller = a_service().caller()
    nothing = Annotation(labels, organ[1].geometry, (AnnotatedSlice(0, 3),))
    answer = caller.ask(caller.send(organ[0]), nothing)
    assert (answer.status_code, answer.json()["code"]) == (422, messages.INVALID)
    assert "shows no structure" in answer.json()["message"]


def test_a_job_that_nobody_asks_about_ends(a_service: Start, organ: Organ) -> None:
    running = a_service(job_idle_seconds=0.0)
    caller = running.caller()
    job = caller.job(caller.send(organ[0]), organ[1], "patient", seconds=LONG)
    running.service.tidy()
    assert caller.status(job).state == "cancelled"


def test_a_forgotten_result_is_asked_for_again(a_service: Start, organ: Organ) -> None:
    running = a_service(result_idle_seconds=0.0)
    caller = running.caller()
    job = caller.job(caller.send(organ[0]), organ[1])
    caller.wait(job, "done")
    running.service.tidy()
    answer = caller.call("GET", messages.RESULT.format(job=job))
    assert (answer.status_code, answer.json()["code"]) == (404, messages.UNKNOWN_JOB)


def test_only_so_many_ended_jobs_are_remembered(a_service: Start, organ: Organ) -> None:
    caller = a_service(ended_jobs=2).caller()
    key = caller.send(organ[0])
    jobs = [caller.job(key, organ[1]) for _ in range(3)]
    caller.wait(jobs[-1], "done")
    codes = [caller.call("GET", messages.JOB.format(job=job)).status_code for job in jobs]
    assert codes == [404, 200, 200]


def test_a_client_sees_no_job_of_another(a_service: Start, organ: Organ) -> None:
    running = a_service()
    own, other = running.caller("own-client"), running.caller("other-client")
    job = own.job(own.send(organ[0]), organ[1])
    answer = other.cancel(job)
    assert (answer.status_code, answer.json()["code"]) == (404, messages.UNKNOWN_JOB)
    own.wait(job, "done")
