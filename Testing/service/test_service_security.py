"""Who is let in, how often, and what is never said."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from metasegment.annotation import Annotation
from metasegment.cli import main
from metasegment.cli.serve import read_token
from metasegment.service.limits import Limits
from metasegment.service.refusal import Refusal
from metasegment.service.security import Clients, Guesses, is_loopback, names_loopback, token_fits
from metasegment.volume import Volume
from metasegment.wire import messages

Start = Callable[..., Any]
PATHS = (
    ("GET", messages.CAPABILITIES),
    ("POST", messages.VOLUMES),
    ("PUT", messages.CHUNK.format(volume="0" * 64, number=0)),
    ("POST", messages.JOBS),
    *((method, messages.TASK.format(task="0" * 64)) for method in ("GET", "PUT")),
    *((method, messages.JOB.format(job="x")) for method in ("GET", "DELETE")),
    *(("GET", path.format(job="x")) for path in (messages.EVENTS, messages.PREVIEW, messages.RESULT)),
)


def _raw(url: str, *parts: bytes, pause: float = 0.0) -> bytes:
    """Sends parts over a connection of its own and returns all that comes until the service closes it."""
    host, port = urlsplit(url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        received = b""
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
            while piece := connection.recv(65536):
                received += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
        return received


@pytest.mark.parametrize("token", ["", "a-token-that-nobody-guesseS", "ä", "x" * 10000])
def test_every_path_but_health_needs_the_token(a_service: Start, token: str) -> None:
    running = a_service()
    for method, path in PATHS:
        headers = {messages.CLIENT_HEADER: "client-of-a-test", "Authorization": f"Bearer {token}".encode()}
        answer = requests.request(method, running.url + path, headers=headers, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (401, messages.UNAUTHORIZED), path
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert requests.get(running.url + messages.HEALTH, timeout=60).json() == {"status": "ok", "protocol": 1}


def test_a_token_fits_itself_alone() -> None:
    assert token_fits("secret-ü", "secret-ü")
    assert not any(token_fits("secret", other) for other in ("", "Secret", "secret ", "secre", "secrets", "\ud800"))


def test_a_client_must_name_itself(a_service: Start) -> None:
    caller = a_service().caller(client="short")
    answer = caller.call("GET", messages.CAPABILITIES)
    assert (answer.status_code, answer.json()["code"]) == (422, messages.INVALID)
    assert "short" not in answer.text


def test_a_plain_curl_with_the_token_sees_capabilities_and_progress(a_service: Start) -> None:
    running = a_service()
    signed = {"Authorization": f"Bearer {running.caller().token}"}
    for path, status in ((messages.CAPABILITIES, 200), (messages.JOB.format(job="gone"), 404)):
        assert requests.get(running.url + path, headers=signed, timeout=60).status_code == status
    assert requests.get(running.url + messages.EVENTS.format(job="gone"), headers=signed, timeout=60).status_code == 404


def test_wrong_tokens_leave_a_line_and_many_of_them_wait(a_service: Start, caplog: pytest.LogCaptureFixture) -> None:
    running = a_service()
    with caplog.at_level("INFO", "metasegment.audit"):
        headers = {"Authorization": "Bearer a-guess-of-somebody"}
        assert requests.get(running.url + messages.CAPABILITIES, headers=headers, timeout=60).status_code == 401
    line = json.loads(caplog.records[-1].message)
    assert (line["address"], line["outcome"]) == ("127.0.0.1", "wrong token")
    assert "guess" not in caplog.text


def test_slips_cost_nothing_guesses_wait_and_time_forgives() -> None:
    now = [0.0]
    guesses = Guesses(lambda: now[0])
    waits = [guesses.count("1.2.3.4") for _ in range(14)]
    assert waits[:12] == [0.0] * 12
    assert min(waits[12:]) > 0
    assert guesses.count("5.6.7.8") == 0
    now[0] = 3600.0
    assert guesses.count("1.2.3.4") == 0


def test_two_host_names_are_refused_and_their_case_does_not_count(a_service: Start) -> None:
    url = a_service().url
    request = b"GET /v1/health HTTP/1.1\r\n%sConnection: close\r\n\r\n"
    assert _raw(url, request % b"Host: localhost\r\nHost: localhost\r\n").startswith(b"HTTP/1.1 400 ")
    assert _raw(url, request % b"Host: LocalHost\r\n").startswith(b"HTTP/1.1 200 ")


def test_a_head_that_is_too_long_is_told_so(a_service: Start) -> None:
    head, _, body = _raw(
        a_service().url, b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 40_000 + b"\r\n\r\n"
    ).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert "32,768 bytes" in json.loads(body)["message"]


@pytest.mark.skipif(os.name != "posix", reason="files have no such permissions")
def test_a_token_file_that_others_can_read_is_said_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "token"
    path.write_text("a-token-that-nobody-guesses")
    for mode, warned in ((0o644, True), (0o600, False)):
        path.chmod(mode)
        caplog.clear()
        assert read_token(path) == "a-token-that-nobody-guesses"
        assert ("others on this computer can read the token" in caplog.text) == warned


def test_a_browser_that_was_led_here_by_another_name_is_refused(a_service: Start) -> None:
    running = a_service()
    for host in ("evil.example", "evil.example:80", "localhost.evil.example", ""):
        answer = requests.get(running.url + messages.HEALTH, headers={"Host": host}, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (400, messages.INVALID)
    for host in ("localhost", "127.0.0.1:1234", "[::1]:80"):
        assert requests.get(running.url + messages.HEALTH, headers={"Host": host}, timeout=60).status_code == 200


def test_pages_of_other_origins_are_not_let_in(a_service: Start) -> None:
    running = a_service()
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "GET"}
    answer = requests.options(running.url + messages.CAPABILITIES, headers=asked, timeout=60)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_names_of_this_computer_are_few() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.2", "", "example.org")))
    assert not any(map(names_loopback, ("", ":", ":80", "localhost:", "localhost:x", "127.0.0.1.evil.example")))


def test_who_asks_too_often_is_told_when_to_come_back(a_service: Start) -> None:
    running = a_service(requests_per_second=0.5, requests_at_once=3)
    caller = running.caller()
    job = messages.JOB.format(job="x")
    assert [caller.call("GET", job).status_code for _ in range(4)] == [404, 404, 404, 429]
    answer = caller.call("GET", job)
    assert (answer.json()["code"], answer.headers["Retry-After"]) == (messages.RATE_LIMITED, "2")
    assert running.caller("another-client").call("GET", job).status_code == 404


def test_a_bucket_fills_again_and_idle_clients_make_room() -> None:
    now = [0.0]
    clients = Clients(
        Limits(clients=2, requests_at_once=2, requests_per_second=1, client_idle_seconds=10), lambda: now[0]
    )
    for client in "aab":
        clients.admit(client)
    for client, code in (("a", messages.RATE_LIMITED), ("c", messages.BUSY)):
        with pytest.raises(Refusal) as refused:
            clients.admit(client)
        assert refused.value.problem.code == code
    now[0] = 1.0
    clients.admit("a")
    now[0] = 11.5
    clients.admit("c")


def test_documentation_loads_no_script_from_elsewhere(a_service: Start) -> None:
    running = a_service()
    for path in ("/docs", "/redoc", "/v1/docs"):
        assert requests.get(running.url + path, timeout=60).status_code == 404
    assert requests.get(running.url + "/v1/openapi.json", timeout=60).json()["openapi"].startswith("3.")


def test_another_protocol_is_named_as_the_reason(a_service: Start) -> None:
    answer = a_service().caller().call("GET", "/v2/capabilities")
    assert (answer.status_code, answer.json()["code"]) == (404, messages.WRONG_PROTOCOL)


def test_a_path_in_a_request_leads_nowhere(a_service: Start) -> None:
    caller = a_service().caller()
    for path in ("/v1/jobs/..%2f..%2fetc%2fpasswd", "/v1/volumes/%2e%2e/chunks/0", "/v1/../../etc/passwd"):
        assert caller.call("GET", path).status_code in (404, 405, 422)


_POST = b"POST /v1/volumes HTTP/1.1\r\nHost: localhost\r\n"
#: Requests that hold back or lie, each in the parts in which it is sent.
_STRANGE = {
    "a head that never ends": (b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n",),
    "silence": (b"",),
    "a head in drops": (b"GET /v1/health HTTP/1.1\r\n", *[b"X: y\r\n"] * 100),
    "a head without measure": (b"GET /v1/health HTTP/1.1\r\nX: " + b"y" * 100_000,),
    "a path without measure": (b"GET /" + b"y" * 100_000,),
    "a body in drops": (_POST + b"Content-Length: 100\r\n\r\n", *[b" "] * 99),
    "a body that never comes": (_POST + b"Content-Length: 100\r\n\r\n",),
    "a length without measure": (_POST + b"Content-Length: 99999999999999999999999\r\n\r\n",),
    "a negative length": (_POST + b"Content-Length: -1\r\n\r\n",),
    "two lengths": (_POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n  ",),
    "a length and chunks": (_POST + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",),
    "a chunk without measure": (_POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",),
    "more than the length": (_POST + b"Content-Length: 2\r\n\r\n{}" + b"{" * 1000,),
    "TLS on a plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 50,),
    "noise": (b"\r\n\r\n\0\0\0",),
}


def test_connections_that_hold_back_or_lie_are_closed(a_service: Start) -> None:
    running = a_service(silence_seconds=1.0, body_bytes_per_second=1000.0)
    with ThreadPoolExecutor(len(_STRANGE)) as pool:
        answers = list(pool.map(lambda parts: _raw(running.url, *parts, pause=0.03), _STRANGE.values()))
    for name, answer in zip(_STRANGE, answers, strict=True):
        assert b" 200 " not in answer and b" 500 " not in answer, name
    assert requests.get(running.url + messages.HEALTH, timeout=60).status_code == 200


def test_what_is_no_request_is_told_so_like_everything_else(a_service: Start) -> None:
    head, _, body = _raw(a_service().url, b"HELLO\r\n\r\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["code"] == messages.INVALID


def test_a_connection_too_many_is_told_to_come_back(a_service: Start) -> None:
    running = a_service(connections=1)
    caller, other = running.caller(), running.caller()
    assert caller.call("GET", messages.HEALTH).status_code == 200
    answer = other.call("GET", messages.HEALTH)
    assert (answer.status_code, answer.json()["code"]) == (503, messages.BUSY)
    assert int(answer.headers["Retry-After"]) > 0
    assert caller.call("GET", messages.HEALTH).status_code == 200


def test_an_answer_that_nobody_takes_in_is_given_up(a_service: Start, organ: tuple[Volume, Annotation]) -> None:
    running = a_service(writing_seconds=0.5)
    caller = running.caller()
    large = [b"0" * 2**20] * 64
    job = caller.job(caller.send(organ[0]), organ[1])
    caller.wait(job, "done")
    running.service.store.put(f"result {job}", large, 2**26, 60)
    host, port = urlsplit(running.url).netloc.split(":")
    head = (
        f"GET {messages.RESULT.format(job=job)} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {caller.token}\r\n"
        f"{messages.CLIENT_HEADER}: {caller.client}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=60) as lazy:
        lazy.sendall(head.encode())
        time.sleep(3)  # longer than the service's patience
        taken = 0
        with suppress(ConnectionResetError):
            while piece := lazy.recv(2**20):
                taken += len(piece)
        assert taken < 2**26


def test_listening_to_others_needs_a_token(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("METASEGMENT_TOKEN", raising=False)
    assert main(["serve", "--host", "0.0.0.0", "--port", "0"]) == 2
    assert "--token-file" in capsys.readouterr().err


def test_a_token_that_can_be_guessed_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("METASEGMENT_TOKEN", "1234")
    assert main(["serve"]) == 2
    assert "1234" not in capsys.readouterr().err
    assert main(["serve", "--token-file", str(tmp_path / "none")]) == 2
    assert str(tmp_path / "none") in capsys.readouterr().err


def test_half_a_certificate_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    assert main(["serve", "--tls-cert", str(tmp_path / "cert.pem")]) == 2
    assert "--tls-key" in capsys.readouterr().err
    assert main(["serve", "--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "cert.pem")]) == 2
    assert "PEM" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ("--port", "99999"),
        ("--memory-gb", "nan"),
        ("--weights", "none.safetensors"),
        ("--cluster", "-1"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_before_anything_listens(
    options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *options]) == 2
    error = capsys.readouterr().err
    assert options[1] in error or options[0] in error


def test_a_cluster_without_ray_is_told_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["serve", "--cluster", "2", "--port", "0"]) == 2
    assert "metasegment[cluster]" in capsys.readouterr().err


def test_an_address_that_is_taken_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    assert str(port) in capsys.readouterr().err
