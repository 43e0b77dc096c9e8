"""Every way to get an address or a token wrong has a sentence of its own, which says what to do."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from metasegment.client import LearnerClient, errors
from metasegment.client.address import parse_address
from metasegment.client.errors import LearnerError
from metasegment.wire import messages

TOKEN = "a-token-that-nobody-guesses"
#: Answers by path: status, headers, body. "*" is any other path.
Answers = Mapping[str, tuple[int, Mapping[str, str], bytes]]


@pytest.fixture
def here(a_service: Callable[..., Any]) -> str:
    """The address of a service."""
    return a_service().url


@pytest.fixture
def a_server_that_answers() -> Iterator[Callable[..., str]]:
    """Starts an HTTP server with these answers, with TLS where a context is given; gives its address."""
    servers = []

    def start(answers: Answers, tls: ssl.SSLContext | None = None) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = answers.get(self.path, answers["*"])
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def certificate_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody knows, with its key beside it."""
    if not (openssl := shutil.which("openssl")):
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", *name, *files], check=True)
    return folder / "cert.pem"


@pytest.fixture(scope="module")
def own_certificate(certificate_file: Path) -> ssl.SSLContext:
    """What a server needs to use it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, certificate_file.with_name("key.pem"))
    return context


def _page(status: int = 200, **headers: str) -> Answers:
    return {"*": (status, headers, b"<html>Welcome to the printer on floor 3</html>")}


def _records(**records: object) -> Answers:
    return {f"/v1/{name}": (200, {}, json.dumps(record).encode()) for name, record in records.items()} | _page(404)


@pytest.fixture
def refusal() -> Callable[..., str]:
    """Tests a connection that must fail with this error; gives the sentence, which is one line and no jargon."""

    def test(kind: type[LearnerError], url: str, token: str | None = None) -> str:
        with pytest.raises(kind) as caught, LearnerClient(url, token) as client:
            client.capabilities()
        assert type(caught.value) is kind
        sentence = str(caught.value)
        assert "\n" not in sentence
        assert not any(word in sentence for word in ("Errno", "Max retries", "urllib3", "Traceback", "HTTPConnection"))
        return sentence

    return test


def test_a_connection_that_works_says_what_answers(here: str) -> None:
    with LearnerClient(f" {here}/ ", f"{TOKEN}\n") as client:
        found = client.test_connection()
    assert found.ok
    assert found.sentence == f"MetaSegment 0.1.0 answers at {here} (CPU)"
    assert found.capabilities and "in_context" in found.capabilities.strategies


def test_a_connection_that_fails_says_why(here: str) -> None:
    with LearnerClient(here, "a token of somebody else") as client:
        found = client.test_connection()
    assert (found.ok, found.capabilities) == (False, None)
    assert found.sentence.startswith(f"{here} refuses this token")


def test_no_token(refusal: Callable[..., str], here: str) -> None:
    assert "asks for a token" in refusal(errors.TokenMissing, here)
    assert "asks for a token" in refusal(errors.TokenMissing, here, "  ")


@pytest.mark.parametrize("token", ["wrong", "wörng", "two\nlines"])
def test_another_token(refusal: Callable[..., str], here: str, token: str) -> None:
    assert "refuses this token" in refusal(errors.TokenRefused, here, token)


@pytest.mark.parametrize("given", ["gpu-host:8470", "localhost", "10.0.0.7:8470/"])
def test_no_scheme(refusal: Callable[..., str], given: str) -> None:
    assert f"write http://{given}" in refusal(errors.SchemeMissing, given)


@pytest.mark.parametrize(
    "given", ["", "ftp://host", "http://", "http://host:port", "http://my host", "http://[::1", "http://host:99999"]
)
def test_no_address(refusal: Callable[..., str], given: str) -> None:
    assert "is not the address of a service: write it like http://gpu-host:8470" in refusal(errors.WrongAddress, given)


def test_a_closed_port(refusal: Callable[..., str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    sentence = refusal(errors.NothingListens, f"http://127.0.0.1:{port}")
    assert f"nothing answers at http://127.0.0.1:{port}: check the address" in sentence


def test_an_unknown_computer(refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    assert "no computer named gpu.invalid is known" in refusal(errors.UnknownHost, "http://gpu.invalid:8470")


def test_a_proxy_is_not_asked_for_this_computer(here: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with LearnerClient(here, TOKEN) as client:
        assert client.test_connection().ok


def test_a_proxy_that_refuses(refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert "the proxy of your network" in refusal(errors.ProxyRefused, "http://gpu.invalid:8470")


def test_another_kind_of_server(refusal: Callable[..., str], a_server_that_answers: Callable[..., str]) -> None:
    for answers in (_page(), _page(404), _page(500), _records(health={"status": "fine"})):
        assert "not a MetaSegment service" in refusal(errors.NotMetaSegment, a_server_that_answers(answers))


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (403, errors.ProxyForbids, "forbids the request (status 403)"),
        (407, errors.ProxyWantsName, "asks for a name and password"),
        (413, errors.ProxyTooSmall, "takes no request of this size"),
        (429, errors.ServerBusy, "try again in 7 seconds"),
    ],
)
def test_what_a_proxy_refuses_is_told_as_what_it_is(
    refusal: Callable[..., str],
    a_server_that_answers: Callable[..., str],
    status: int,
    kind: type[LearnerError],
    words: str,
) -> None:
    assert words in refusal(kind, a_server_that_answers(_page(status, **{"Retry-After": "7"})))


def test_a_port_alone_and_the_protocols_own_folder_are_addresses() -> None:
    assert parse_address(":8470").base == "http://localhost:8470"
    assert parse_address("https://gpu-host/learner/v1/").base == "https://gpu-host/learner"
    assert parse_address("http://gpu-host:8470/v1").base == "http://gpu-host:8470"


def test_a_tunnels_certificate_is_looked_for_in_the_bundle(
    a_server_that_answers: Callable[..., str],
    own_certificate: ssl.SSLContext,
    certificate_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate_file))
    address = a_server_that_answers(_records(health={"status": "ok"}), own_certificate)
    with LearnerClient(address) as client, pytest.raises(errors.NotMetaSegment):  # it has no capabilities
        client.capabilities()


def test_a_sign_in_page(refusal: Callable[..., str], a_server_that_answers: Callable[..., str]) -> None:
    address = a_server_that_answers(_page(302, Location="https://login.example/?token=secret"))
    sentence = refusal(errors.SentElsewhere, address)
    assert "leads on to https://login.example/: " in sentence


def test_a_gateway_without_its_service(refusal: Callable[..., str], a_server_that_answers: Callable[..., str]) -> None:
    assert "the service behind it does not (status 502)" in refusal(
        errors.ServiceDown, a_server_that_answers(_page(502))
    )


def test_another_version(refusal: Callable[..., str], a_server_that_answers: Callable[..., str]) -> None:
    address = a_server_that_answers(_records(health={"status": "ok", "protocol": 2}))
    assert "speaks protocol 2 and this MetaSegment protocol 1: update" in refusal(errors.VersionsDiffer, address)


def test_https_where_there_is_none(refusal: Callable[..., str], here: str) -> None:
    address = here.replace("http:", "https:")
    assert f"{address} does not speak https: write http:// instead" in refusal(errors.TlsProblem, address)


def test_http_where_there_is_https(
    refusal: Callable[..., str], a_server_that_answers: Callable[..., str], own_certificate: ssl.SSLContext
) -> None:
    address = a_server_that_answers(_page(), own_certificate).replace("https:", "http:")
    assert "try https://" in refusal(errors.ConnectionLost, address)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_certificate_of_the_hospital(
    a_server_that_answers: Callable[..., str],
    own_certificate: ssl.SSLContext,
    certificate_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    monkeypatch.setattr("metasegment.client.address._is_loopback", lambda host: False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv(variable, str(certificate_file))
    address = a_server_that_answers(_records(health={"status": "ok"}), own_certificate)
    with LearnerClient(address) as client, pytest.raises(errors.NotMetaSegment):  # it has no capabilities
        client.capabilities()


@pytest.mark.parametrize(
    ("code", "status", "kind", "words"),
    [
        (messages.RATE_LIMITED, 429, errors.ServerBusy, "is busy: it is so; try again in 7 seconds"),
        (messages.BUSY, 503, errors.ServerBusy, "is busy: it is so; try again in 7 seconds"),
        (messages.OUT_OF_MEMORY, 409, errors.OutOfMemory, "too little memory: it is so; crop the volume"),
        (messages.WRONG_PROTOCOL, 404, errors.VersionsDiffer, "update the older one"),
        (messages.FAILED, 500, errors.LearnerFailed, "the learner failed: it is so; try again"),
        (messages.UNKNOWN_JOB, 404, errors.Forgotten, "tell its administrator"),
        ("a code of tomorrow", 418, errors.LearnerFailed, "the learner failed: it is so; try again"),
    ],
)
def test_a_refusal_in_the_words_of_the_protocol(
    refusal: Callable[..., str],
    a_server_that_answers: Callable[..., str],
    code: str,
    status: int,
    kind: type[LearnerError],
    words: str,
) -> None:
    problem = json.dumps({"code": code, "message": "it is so."}).encode()
    answers = _records(health={"status": "ok"}) | {"/v1/capabilities": (status, {"Retry-After": "7"}, problem)}
    assert words in refusal(kind, a_server_that_answers(answers))


def test_what_the_service_finds_wrong_is_passed_on(a_server_that_answers: Callable[..., str]) -> None:
    problem = json.dumps({"code": messages.INVALID, "message": "no GPU for --device cuda:9"}).encode()
    address = a_server_that_answers(_records(health={"status": "ok"}) | {"/v1/capabilities": (422, {}, problem)})
    with LearnerClient(address) as client:
        assert client.test_connection().sentence == "no GPU for --device cuda:9"


def test_a_certificate_that_nobody_vouches_for(
    refusal: Callable[..., str], a_server_that_answers: Callable[..., str], own_certificate: ssl.SSLContext
) -> None:
    assert "does not trust the certificate" in refusal(
        errors.CertificateRefused, a_server_that_answers(_page(), own_certificate)
    )
