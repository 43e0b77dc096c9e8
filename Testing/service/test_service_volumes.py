"""Volumes at the service: sent in chunks, verified, bounded, forgotten and never trusted."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from metasegment.annotation import Annotation
from metasegment.volume import Volume
from metasegment.wire import messages, to_json
from metasegment.wire.volumes import address, chunks_of, manifest_of

SMALLEST_CHUNK = 4096


@pytest.fixture
def chunk(organ: tuple[Volume, Annotation]) -> tuple[str, bytes]:
    """The path and the bytes of the second chunk of the organ's volume."""
    manifest = manifest_of(organ[0], 8192)
    return messages.CHUNK.format(volume=address(manifest), number=1), bytes(chunks_of(organ[0], manifest)[1])


def test_a_volume_is_asked_for_in_chunks_and_then_kept_for_everyone(
    a_service: Callable[..., Any], organ: tuple[Volume, Annotation]
) -> None:
    running = a_service()
    first, second = running.caller("first-client"), running.caller("second-client")
    assert first.announce(organ[0]).json()["missing"] == [0, 1, 2, 3]
    first.send(organ[0])
    assert second.announce(organ[0]).json()["missing"] == []


def test_an_upload_that_broke_off_goes_on_with_what_is_missing(
    a_service: Callable[..., Any], organ: tuple[Volume, Annotation], chunk: tuple[str, bytes]
) -> None:
    running = a_service()
    caller = running.caller()
    caller.announce(organ[0])
    path, octets = chunk
    host, port = urlsplit(running.url).netloc.split(":")
    head = (
        f"PUT {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {caller.token}\r\n"
        f"{messages.CLIENT_HEADER}: {caller.client}\r\nContent-Length: {len(octets)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as broken:
        broken.sendall(head.encode() + octets[:5000])
    assert caller.announce(organ[0]).json()["missing"] == [0, 1, 2, 3]
    assert caller.call("PUT", path, octets).status_code == 204
    assert caller.announce(organ[0]).json()["missing"] == [0, 2, 3]
    caller.send(organ[0])
    assert caller.announce(organ[0]).json()["missing"] == []


def test_a_chunk_may_be_compressed(
    a_service: Callable[..., Any], organ: tuple[Volume, Annotation], chunk: tuple[str, bytes]
) -> None:
    caller = a_service().caller()
    caller.announce(organ[0])
    assert caller.call("PUT", chunk[0], gzip.compress(chunk[1]), Content_Encoding="gzip").status_code == 204
    assert caller.announce(organ[0]).json()["missing"] == [0, 2, 3]


@pytest.mark.parametrize(
    ("spoil", "status", "code"),
    [
        (lambda octets: octets[:-1] + b"x", 422, messages.WRONG_HASH),
        (lambda octets: octets[:-1], 422, messages.WRONG_HASH),
        (lambda octets: b"", 422, messages.WRONG_HASH),
        (lambda octets: octets + b"x", 413, messages.TOO_LARGE),
    ],
)
def test_a_chunk_with_other_bytes_is_refused_and_can_be_sent_again(
    a_service: Callable[..., Any],
    organ: tuple[Volume, Annotation],
    chunk: tuple[str, bytes],
    spoil: Callable[[bytes], bytes],
    status: int,
    code: str,
) -> None:
    caller = a_service().caller()
    caller.announce(organ[0])
    answer = caller.call("PUT", chunk[0], spoil(chunk[1]))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert caller.announce(organ[0]).json()["missing"] == [0, 1, 2, 3]
    assert caller.call("PUT", chunk[0], chunk[1]).status_code == 204


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (gzip.compress(bytes(10**8)), 413),  # a bomb: 100 kB that stand for 100 MB
        (gzip.compress(b"short")[:-4], 422),
        (b"not gzip at all", 422),
        (gzip.compress(b"short") + b"more", 422),
    ],
    ids=["bomb", "cut off", "not gzip", "trailing"],
)
def test_a_compressed_body_is_never_trusted(
    a_service: Callable[..., Any], organ: tuple[Volume, Annotation], chunk: tuple[str, bytes], body: bytes, status: int
) -> None:
    caller = a_service().caller()
    caller.announce(organ[0])
    assert caller.call("PUT", chunk[0], body, Content_Encoding="gzip").status_code == status
    assert caller.call("PUT", chunk[0], chunk[1], Content_Encoding="br").status_code == 422
    assert caller.announce(organ[0]).json()["missing"] == [0, 1, 2, 3]


def test_a_volume_that_never_fits_is_refused_before_anything_is_sent(
    a_service: Callable[..., Any], organ: tuple[Volume, Annotation]
) -> None:
    caller = a_service(memory_bytes=organ[0].array.nbytes - 1).caller()
    answer = caller.announce(organ[0])
    assert (answer.status_code, answer.json()["code"]) == (413, messages.TOO_LARGE)


def test_a_volume_of_too_many_voxels_along_an_axis_is_refused(
    a_service: Callable[..., Any], organ: tuple[Volume, Annotation]
) -> None:
    assert a_service(side_voxels=27).caller().announce(organ[0]).status_code == 413


def test_a_manifest_is_read_no_further_than_allowed(a_service: Callable[..., Any]) -> None:
    caller = a_service(manifest_bytes=1000).caller()
    assert caller.call("POST", messages.VOLUMES, b" " * 1001).status_code == 413

    def endless() -> Any:
        for _ in range(100):
            yield b" " * 100

    assert caller.call("POST", messages.VOLUMES, endless()).status_code == 413  # without a Content-Length


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"chunks": NaN}', b"[" * 500])
def test_a_manifest_that_is_none_is_refused_in_one_sentence(a_service: Callable[..., Any], body: bytes) -> None:
    answer = a_service().caller().call("POST", messages.VOLUMES, body)
    assert (answer.status_code, answer.json()["code"]) == (422, messages.INVALID)
    assert "\n" not in answer.json()["message"]


def test_a_manifest_whose_numbers_do_not_fit_together_is_refused(
    a_service: Callable[..., Any], organ: tuple[Volume, Annotation]
) -> None:
    text = to_json(manifest_of(organ[0], SMALLEST_CHUNK)).replace('"size":[24,28,20]', '"size":[24,28,9]')
    assert a_service().caller().call("POST", messages.VOLUMES, text).status_code == 422


def test_the_volume_used_longest_ago_is_forgotten_first(
    a_service: Callable[..., Any], organ: tuple[Volume, Annotation]
) -> None:
    volume = organ[0]
    others = [Volume(volume.array + np.int16(n), volume.geometry) for n in (1, 2)]
    caller = a_service(memory_bytes=int(2.5 * volume.array.nbytes)).caller()
    keys = [caller.send(other) for other in (volume, others[0])]
    caller.announce(volume)  # in use again
    caller.send(others[1])
    assert caller.announce(volume).json()["missing"] == []
    answer = caller.ask(keys[1], organ[1])
    assert (answer.status_code, answer.json()["code"]) == (404, messages.UNKNOWN_VOLUME)


def test_a_volume_that_is_not_complete_cannot_be_worked_on(
    a_service: Callable[..., Any], organ: tuple[Volume, Annotation]
) -> None:
    caller = a_service().caller()
    key = caller.announce(organ[0]).json()["id"]
    answer = caller.ask(key, organ[1])
    assert (answer.status_code, answer.json()["code"]) == (409, messages.INCOMPLETE_VOLUME)


def test_an_upload_that_nobody_continues_is_forgotten(
    a_service: Callable[..., Any], organ: tuple[Volume, Annotation], chunk: tuple[str, bytes]
) -> None:
    running = a_service(upload_idle_seconds=0.0)
    caller = running.caller()
    caller.announce(organ[0])
    running.service.tidy()
    answer = caller.call("PUT", *chunk)
    assert (answer.status_code, answer.json()["code"]) == (404, messages.UNKNOWN_VOLUME)
