"""Tasks at the service: sent once and known by their hash; taught and applied by jobs that end like all others."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.lessons import short_lessons

from metasegment.annotation import Annotation
from metasegment.io.task_file import LARGEST, address_of, from_bytes, to_bytes
from metasegment.segmentation import Segmentation
from metasegment.segmenter import Segmenter
from metasegment.service.estimate import running_bytes, waiting_bytes
from metasegment.task import Provenance, Task, TaskStructure
from metasegment.volume import Volume
from metasegment.wire import messages
from metasegment.wire.results import decode_preview, decode_result

Organ = tuple[Volume, Annotation]
Start = Callable[..., Any]
LONG = 600.0


@pytest.fixture(scope="module")
def a_task() -> Task:
    """What nobody taught; for whatever does not look into it."""
    return Task(Provenance((TaskStructure(7, "organ of Jane Doe"),), "a" * 64, "none", "", 1), {"head": np.ones(9)})


def _refused(answer: Any) -> tuple[int, str]:
    assert "\n" not in answer.json()["message"]
    assert "Jane" not in answer.text
    return answer.status_code, answer.json()["code"]


def test_a_task_that_was_sent_can_be_fetched(a_service: Start, a_task: Task) -> None:
    caller = a_service().caller()
    path = messages.TASK.format(task=caller.put(a_task))
    answer = caller.call("GET", path)
    assert (answer.content, answer.headers["content-type"]) == (to_bytes(a_task), messages.OCTETS)
    assert caller.put(a_task)  # once more: as good as once


def test_a_task_may_be_sent_compressed(a_service: Start, a_task: Task) -> None:
    caller = a_service().caller()
    path = messages.TASK.format(task=address_of(to_bytes(a_task)))
    assert caller.call("PUT", path, gzip.compress(to_bytes(a_task)), Content_Encoding="gzip").status_code == 204
    assert caller.call("GET", path).content == to_bytes(a_task)


def test_a_task_that_is_not_what_its_address_says_is_refused(a_service: Start, a_task: Task) -> None:
    caller = a_service().caller()
    path = messages.TASK.format(task="0" * 64)
    assert _refused(caller.call("PUT", path, to_bytes(a_task))) == (422, messages.WRONG_HASH)
    assert _refused(caller.call("GET", path)) == (404, messages.UNKNOWN_TASK)


@pytest.mark.parametrize("change", [lambda file: b"", lambda file: file[:-9], lambda file: file[:-1] + b"\xff"])
def test_a_damaged_task_is_refused_whatever_its_hash(
    a_service: Start, a_task: Task, change: Callable[[bytes], bytes]
) -> None:
    caller = a_service().caller()
    damaged = change(to_bytes(a_task))
    path = messages.TASK.format(task=address_of(damaged))
    assert _refused(caller.call("PUT", path, damaged)) == (422, messages.INVALID)
    assert _refused(caller.call("GET", path)) == (404, messages.UNKNOWN_TASK)


def test_a_task_that_is_too_large_is_refused_before_it_is_read(a_service: Start) -> None:
    caller = a_service().caller()
    path = messages.TASK.format(task="0" * 64)
    assert _refused(caller.call("PUT", path, bytes(LARGEST + 1))) == (413, messages.TOO_LARGE)
    bomb = gzip.compress(bytes(100 * LARGEST))
    assert _refused(caller.call("PUT", path, bomb, Content_Encoding="gzip")) == (413, messages.TOO_LARGE)


def test_a_job_without_its_task_is_told_to_send_it(a_service: Start, organ: Organ) -> None:
    caller = a_service().caller()
    key = caller.send(organ[0])
    assert _refused(caller.ask(key, None, kind="apply", task="0" * 64)) == (404, messages.UNKNOWN_TASK)
    assert _refused(caller.ask(key, organ[1], kind="teach", task="0" * 64)) == (404, messages.UNKNOWN_TASK)
    assert _refused(caller.ask("0" * 64, None, kind="apply", task="0" * 64)) == (404, messages.UNKNOWN_VOLUME)


def test_tasks_that_nobody_asks_for_are_forgotten(a_service: Start, a_task: Task) -> None:
    running = a_service(volume_idle_seconds=0.0)
    caller = running.caller()
    path = messages.TASK.format(task=caller.put(a_task))
    running.service.tidy()
    assert _refused(caller.call("GET", path)) == (404, messages.UNKNOWN_TASK)


def test_of_many_tasks_the_one_used_longest_ago_is_forgotten(a_service: Start, a_task: Task) -> None:
    """No client can fill the memory with them."""
    caller = a_service(memory_bytes=3 * LARGEST).caller()
    large = {n: np.full(LARGEST // 8 - 1000, n) for n in range(4)}
    keys = [caller.put(replace(a_task, numbers={"head": numbers})) for numbers in large.values()]
    assert [caller.call("GET", messages.TASK.format(task=key)).status_code for key in keys] == [404, 200, 200, 200]


def test_a_task_taught_and_applied_here_is_the_one_of_the_segmenter(
    a_service: Start, organ: Organ, accepted: Annotation, taught: Task, next_volume: Volume, applied: Segmentation
) -> None:
    caller = a_service().caller()
    with short_lessons():
        lesson = caller.job(caller.send(organ[0]), accepted, "auto", kind="teach")
        assert caller.wait(lesson, "done").fraction == 1
    task = from_bytes(caller.call("GET", messages.RESULT.format(job=lesson)).content)
    assert to_bytes(task) == to_bytes(taught)
    job = caller.job(caller.send(next_volume), None, "auto", kind="apply", task=caller.put(task))
    caller.wait(job, "done")
    shape = next_volume.geometry.shape
    found = decode_result(caller.call("GET", messages.RESULT.format(job=job)).content, shape)
    np.testing.assert_array_equal(found.labels, applied.labels)
    assert (found.structures, found.notes, found.familiarity) == (
        applied.structures,
        applied.notes,
        applied.familiarity,
    )
    preview = decode_preview(caller.call("GET", messages.PREVIEW.format(job=job)).content, shape)
    assert set(np.unique(preview)) <= {0, 7}


def test_a_task_of_other_weights_is_refused_in_the_segmenter_s_words(
    a_service: Start, organ: Organ, segmenter: Segmenter, taught: Task
) -> None:
    caller = a_service().caller()
    foreign = replace(taught, provenance=replace(taught.provenance, weights="b" * 64))
    failed = caller.wait(caller.job(caller.send(organ[0]), None, kind="apply", task=caller.put(foreign)), "failed")
    assert failed.error.code == messages.INVALID
    assert "weights" in failed.error.message


@pytest.mark.parametrize("kept", [0, 1, 5, -1])
def test_a_task_whose_numbers_are_others_fails_alone(a_service: Start, organ: Organ, taught: Task, kept: int) -> None:
    """Its checksum fits: who made it meant no good."""
    caller = a_service().caller()
    key = caller.send(organ[0])
    numbers = {name: np.zeros((3, 7), np.float16) for name in list(taught.numbers)[:kept]}
    task = caller.put(replace(taught, numbers=numbers))
    failed = caller.wait(caller.job(key, None, kind="apply", task=task), "failed")
    assert failed.error.code in (messages.INVALID, messages.FAILED)
    caller.wait(caller.job(key, organ[1]), "done")


def test_a_task_applied_anew_takes_the_place_of_the_older_job_and_another_task_does_not(
    a_service: Start, organ: Organ, another_structure: Annotation, a_task: Task
) -> None:
    caller = a_service().caller()
    key = caller.send(organ[0])
    busy = caller.job(key, another_structure, "patient", seconds=LONG)
    caller.wait(busy, "running")
    one, other = (caller.put(replace(a_task, numbers={"head": np.full(3, n)})) for n in range(2))
    first, beside = (caller.job(key, None, kind="apply", task=task) for task in (one, other))
    segmented = caller.job(key, organ[1])
    newer = caller.job(key, organ[1], kind="apply", task=one)
    states = [caller.status(job).state for job in (first, beside, segmented, newer)]
    assert states == ["superseded", "queued", "queued", "queued"]
    for job in (beside, segmented, newer, busy):
        caller.cancel(job)


def test_teaching_a_structure_anew_takes_the_place_of_the_older_job(
    a_service: Start, organ: Organ, another_structure: Annotation, two_structures: Annotation
) -> None:
    caller = a_service().caller()
    key = caller.send(organ[0])
    busy = caller.job(key, another_structure, "patient", seconds=LONG)
    caller.wait(busy, "running")
    first = caller.job(key, organ[1], kind="teach")
    newer = caller.job(key, two_structures, kind="teach")
    assert [caller.status(job).state for job in (first, newer)] == ["superseded", "queued"]
    for job in (newer, busy):
        caller.cancel(job)


def test_teaching_can_be_cancelled_and_makes_way_for_the_next(
    a_service: Start, organ: Organ, accepted: Annotation
) -> None:
    caller = a_service().caller()
    key = caller.send(organ[0])
    lesson = caller.job(key, accepted, kind="teach")
    caller.wait(lesson, "running")
    following = caller.job(key, organ[1])
    caller.cancel(lesson)
    assert caller.status(lesson).state == "cancelled"
    caller.wait(following, "done")


def test_a_job_counts_what_its_annotation_and_task_take(
    a_service: Start, organ: Organ, accepted: Annotation, a_task: Task
) -> None:
    """Where the memory is just enough for a job, one byte less is too little."""
    need = organ[0].array.nbytes + waiting_bytes(accepted) + len(to_bytes(a_task))
    need += running_bytes("teach", organ[0], 1)
    for memory, status in ((need, 202), (need - 1, 503)):
        caller = a_service(memory_bytes=memory).caller()
        key, task = caller.send(organ[0]), caller.put(a_task)
        answer = caller.ask(key, accepted, kind="teach", task=task)
        assert answer.status_code == status, answer.text
        if status == 202:
            caller.cancel(answer.json()["id"])


def test_the_line_of_a_job_names_its_task_by_hash_alone(
    a_service: Start, organ: Organ, a_task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    caller = a_service().caller()
    task = caller.put(a_task)
    with caplog.at_level(logging.INFO, "metasegment.audit"):
        caller.wait(caller.job(caller.send(organ[0]), None, kind="apply", task=task), "failed")  # of other weights
    (line,) = [record.getMessage() for record in caplog.records if record.name == "metasegment.audit"]
    assert f'"kind": "apply", "task": "{task}"' in line
    assert "Jane" not in line
