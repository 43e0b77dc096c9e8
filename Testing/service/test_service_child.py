"""The service as a process: it listens early, ends with its parent, and stops at once when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from metasegment.wire import messages

TOKEN = "a-token-that-nobody-guesses"
PATIENCE = 120.0
SERVE = [sys.executable, "-m", "metasegment", "serve", "--device", "cpu"]
#: A parent that starts a child with an open pipe, prints its process id and address, and waits.
PARENT = """
import subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdin.write(b"a-token-that-nobody-guesses\\n"); child.stdin.flush()
print(child.pid, child.stdout.readline().decode(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts processes that are gone after the test."""
    started = []

    def run(*command: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        with process:
            process.kill()


def _is_gone(pid: int) -> bool:
    """Waits for a process of another parent to end, or to be dead and not yet buried."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def _child(start: Callable[..., subprocess.Popen[str]]) -> tuple[subprocess.Popen[str], str]:
    child = start(*SERVE, "--child")
    assert child.stdin and child.stdout
    child.stdin.write(f"{TOKEN}\n")
    child.stdin.flush()
    greeting = json.loads(child.stdout.readline())
    assert greeting["protocol"] == messages.PROTOCOL
    return child, f"http://127.0.0.1:{greeting['port']}"


def test_a_child_answers_its_parent_alone_and_ends_with_its_input(start: Callable[..., Any]) -> None:
    child, url = _child(start)
    assert requests.get(url + messages.HEALTH, timeout=PATIENCE).status_code == 200
    headers = {messages.CLIENT_HEADER: "client-of-a-test", "Authorization": "Bearer another-token"}
    assert requests.get(url + messages.CAPABILITIES, headers=headers, timeout=PATIENCE).status_code == 401
    child.stdin.close()
    assert child.wait(PATIENCE) == 0


def test_a_child_ends_when_its_parent_is_killed(start: Callable[..., Any]) -> None:
    parent = start(sys.executable, "-c", PARENT, *SERVE, "--child")
    pid, _, greeting = parent.stdout.readline().partition(" ")
    assert json.loads(greeting)["port"] > 0
    parent.kill()
    assert _is_gone(int(pid))


def test_a_child_without_a_token_is_refused(start: Callable[..., Any]) -> None:
    _, error = (child := start(*SERVE, "--child")).communicate("\n", timeout=PATIENCE)
    assert child.returncode == 2
    assert "token" in error


def test_who_listens_to_others_without_tls_is_told_so(start: Callable[..., Any]) -> None:
    service = start(*SERVE, "--host", "0.0.0.0", "--port", "0", METASEGMENT_TOKEN=TOKEN)
    assert "listening" in service.stdout.readline()
    service.terminate()
    _, error = service.communicate(timeout=PATIENCE)
    assert service.returncode == -signal.SIGTERM  # after an orderly end
    assert "--tls-cert" in error
    assert TOKEN not in error


def test_with_a_certificate_the_service_speaks_tls(start: Callable[..., Any], tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(cert), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    service = start(*SERVE, "--port", "0", "--tls-cert", str(cert), "--tls-key", str(key))
    url = service.stdout.readline().split()[-1]
    assert url.startswith("https://")
    assert requests.get(url + messages.HEALTH, verify=str(cert), timeout=PATIENCE).status_code == 200
