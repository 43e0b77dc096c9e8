"""`metasegment serve`: the learner as a service, for this computer or, with a token, for others."""

from __future__ import annotations

import argparse
import json
import logging
import os
import ssl
import sys
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import InputError
from ..memory import physical_memory
from ..wire.messages import PROTOCOL

if TYPE_CHECKING:
    from ..service.service import Settings

_log = logging.getLogger(__name__)
_TOKEN_VARIABLE = "METASEGMENT_TOKEN"
#: Characters below which a token could be guessed.
_SHORTEST_TOKEN = 16
#: Of the computer's memory, by default; where the system does not tell, so many GB.
_MEMORY_SHARE, _MEMORY_GB = 0.5, 8.0
#: More than any computer has: a slip.
_MOST_GB = 1e5


def add_to(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("serve", help="answer requests over HTTP, by default of this computer alone")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8470, help="port to listen on (default %(default)s; 0: any free)")
    parser.add_argument("--device", default="auto", help="auto (default: a GPU, else the CPU), or cuda:0,cuda:1,…")
    parser.add_argument("--weights", type=Path, help="another weights file than the released one")
    parser.add_argument("--token-file", type=Path, help=f"file with the token (default: ${_TOKEN_VARIABLE})")
    parser.add_argument("--tls-cert", type=Path, help="certificate chain, PEM")
    parser.add_argument("--tls-key", type=Path, help="the certificate's private key, PEM")
    parser.add_argument("--memory-gb", type=float, help="memory for volumes, results and jobs (default: half of all)")
    parser.add_argument(
        "--cluster",
        type=int,
        nargs="?",
        const=0,
        metavar="N",
        help="N replicas under Ray Serve (default: one for each GPU of the cluster); --memory-gb is for each",
    )
    parser.add_argument(
        "--child",
        action="store_true",
        help="for a parent process: token on the first line of standard input, any free port of this computer, told "
        "in a line of JSON on standard output; ends with standard input",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    try:
        from ..service.server import Server, bound_socket
    except ModuleNotFoundError as error:
        raise InputError(f"serve needs {error.name}: install it with pip install 'metasegment[serve]'") from None
    from ..service.audit import log_to_standard_error
    from ..service.cluster import serve_cluster
    from ..service.security import is_loopback

    log_to_standard_error()
    if options.cluster is not None and options.cluster < 0:
        raise InputError("--cluster takes a number of replicas, 1 or more")
    if options.child:
        options.host, options.port = "127.0.0.1", 0
    token = _token_of_parent() if options.child else read_token(options.token_file)
    loopback = is_loopback(options.host)
    certificate = _certificate(options.tls_cert, options.tls_key)
    _refuse_open_door(options.host, loopback, token, certificate is not None)
    listening = bound_socket(options.host, options.port)
    port = listening.getsockname()[1]
    settings = _settings(options, token, loopback)

    def tell() -> None:
        if options.child:
            print(json.dumps({"port": port, "protocol": PROTOCOL, "version": __version__}), flush=True)
        else:
            print(f"listening on {'https' if certificate else 'http'}://{options.host}:{port}", flush=True)

    with suppress(KeyboardInterrupt):  # raised again by uvicorn after an orderly end
        if options.cluster is None:
            Server(settings, certificate).run_on(listening, tell)
        else:
            listening.close()  # it was free
            serve_cluster(settings, options.cluster, (options.host, port), certificate, tell)


def _settings(options: argparse.Namespace, token: str | None, loopback: bool) -> Settings:
    from ..service.installed import Installation
    from ..service.limits import Limits
    from ..service.service import Settings

    if options.weights and not options.weights.is_file():
        raise InputError(f"no weights at {options.weights}: name a weights file, or none for the released")
    if options.memory_gb is not None and not 0 < options.memory_gb < _MOST_GB:
        raise InputError(f"--memory-gb must be more than 0 and less than {_MOST_GB:g}")
    weights = options.weights and options.weights.absolute()
    installation = Installation(tuple(options.device.split(",")), weights)
    share = _default_memory_gb() / (options.cluster or 1)
    limits = Limits(memory_bytes=int(1e9 * (options.memory_gb or share)))
    return Settings(installation.factories(), partial(installation.capabilities, limits), token, loopback, limits)


def _default_memory_gb() -> float:
    total = physical_memory()
    return _MEMORY_GB if total is None else _MEMORY_SHARE * total / 1e9


def read_token(path: Path | None) -> str | None:
    """From the file, else from the environment; never from the command line, which everyone on the computer can see."""
    if path is None:
        token = os.environ.get(_TOKEN_VARIABLE)
    else:
        try:
            token = path.read_text().strip()
            if os.name == "posix" and path.stat().st_mode & 0o077:
                _log.warning("others on this computer can read the token: chmod 600 %s", path)
        except (OSError, UnicodeDecodeError):
            raise InputError(f"cannot read the token from {path}: name a text file that holds it") from None
    if token is not None and len(token) < _SHORTEST_TOKEN:
        raise InputError(f"the token could be guessed: take one of {_SHORTEST_TOKEN} characters or more")
    return token


def _token_of_parent() -> str:
    """The first line of standard input; from then on its end is the parent's, and ends this process too."""
    token = sys.stdin.buffer.readline().decode("utf-8", "replace").strip()
    if not token:
        raise InputError("--child needs a token on the first line of standard input; it is for a parent process")
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return token


def _end_with_parent() -> None:
    while sys.stdin.buffer.readline():
        pass
    os._exit(0)  # at once: nothing is kept that would need an orderly end


def _certificate(cert: Path | None, key: Path | None) -> tuple[str, str] | None:
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise InputError("TLS needs both --tls-cert and --tls-key")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, key)
    except (OSError, ssl.SSLError):
        raise InputError(f"cannot use {cert} with {key}: name a PEM certificate and its private key") from None
    return str(cert.absolute()), str(key.absolute())  # a cluster's processes run in folders of their own


def _refuse_open_door(host: str, loopback: bool, token: str | None, encrypted: bool) -> None:
    """Who listens to others needs a token, and is told where anyone on the way could read along."""
    if loopback:
        return
    if token is None:
        raise InputError(
            f"listening on {host} lets others in: give a token by --token-file or ${_TOKEN_VARIABLE}, or stay local"
        )
    if not encrypted:
        _log.warning("without --tls-cert and --tls-key, token and images can be read by anyone on the network between")
