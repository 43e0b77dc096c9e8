"""How the service answers in HTTP: problems for whatever is raised, bodies in pieces, and their description."""

from __future__ import annotations

import asyncio
import logging
import math
import zlib
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from ..errors import InputError
from ..wire import FormatError, messages
from ..wire.messages import OCTETS, PREFIX, PROTOCOL, Manifest, Problem
from .body import GZIP
from .jobs import Body
from .refusal import ENDED_OTHERWISE, STATUS, Refusal, busy, invalid
from .worker import described

#: Bytes written at a time: a client that takes in none of it for long is let go of.
_PIECE = 1 << 20
#: The fastest: label maps shrink a hundredfold by any.
_LEVEL = 1
_log = logging.getLogger("metasegment.service")


async def binary(body: Body, request: Request, threads: Executor) -> Response:
    """Returns a body in pieces, as octets; compressed for a client that accepts it, which those on loopback do not."""
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        body = await asyncio.get_running_loop().run_in_executor(threads, _compressed, body)
        headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(sum(len(part) for part in body))
    return StreamingResponse(_portions(body), headers=headers, media_type=OCTETS)


def handle_errors(app: FastAPI) -> None:
    """Answers everything that is raised with a problem."""
    app.add_exception_handler(Refusal, lambda request, error: _refused(error))
    app.add_exception_handler(FormatError, lambda request, error: _refused(invalid(str(error))))
    app.add_exception_handler(InputError, lambda request, error: _refused(invalid(str(error))))
    app.add_exception_handler(MemoryError, lambda request, error: _refused(busy("no memory is free at the moment", 5)))
    app.add_exception_handler(RequestValidationError, _misfit)
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_exception_handler(ClientDisconnect, lambda request, error: Response(status_code=400))
    app.add_exception_handler(Exception, _defect)


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Describes the answers that refuse with one of these codes."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(STATUS.get(code, ENDED_OTHERWISE), []).append(code)
    return {status: {"model": Problem, "description": ", ".join(found)} for status, found in by_status.items()}


def binary_body(description: str) -> dict[str, Any]:
    """Describes a request whose body is octets."""
    content = {OCTETS: {"schema": {"type": "string", "format": "binary"}}}
    return {"requestBody": {"required": True, "description": description, "content": content}}


def manifest_body() -> dict[str, Any]:
    """Describes a request whose body is a manifest, which the service reads itself, to bound its length."""
    schema = TypeAdapter(Manifest).json_schema()
    schema["properties"]["geometry"] = schema.pop("$defs")["Geometry"]
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def octets(description: str) -> dict[int | str, dict[str, Any]]:
    """Describes an answer that is octets."""
    content = {OCTETS: {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"description": description, "content": content}}


def _compressed(body: Body) -> Body:
    packer = zlib.compressobj(_LEVEL, wbits=GZIP)
    return [*map(packer.compress, body), packer.flush()]


async def _portions(body: Body) -> AsyncIterator[bytes]:
    """Asynchronous, or Starlette would hand each over from another thread; bytes, as a cluster needs them."""
    for part in body:
        for start in range(0, len(part), _PIECE):
            yield bytes(part[start : start + _PIECE])


def _refused(error: Any) -> Response:
    assert isinstance(error, Refusal)
    headers = {}
    if error.retry_seconds is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_seconds))
    if error.problem.code == messages.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.problem.code == messages.TOO_LARGE:
        headers["Connection"] = "close"  # or the rest of the body would be read and thrown away
    return _answer(error.problem, error.status, headers)


def _misfit(request: Request, error: Any) -> Response:
    assert isinstance(error, RequestValidationError)
    places = sorted({".".join(map(str, fault["loc"])) for fault in error.errors()})
    return _refused(invalid(f"the request does not fit the interface's description: {', '.join(places)}"))


def _unrouted(request: Request, error: Any) -> Response:
    assert isinstance(error, HTTPException)
    if not request.url.path.startswith(f"{PREFIX}/"):
        problem = Problem(messages.WRONG_PROTOCOL, f"this service speaks protocol {PROTOCOL}, under {PREFIX}/")
    else:
        problem = Problem(messages.INVALID, f"{HTTPStatus(error.status_code).phrase}: see {PREFIX}/openapi.json")
    headers = {"Allow": ", ".join(sorted(_methods(request)))} if error.status_code == 405 else {}
    return _answer(problem, error.status_code, headers)


def _methods(request: Request) -> set[str]:
    """What may be asked of a path; Starlette names the methods of the first of its routes alone."""
    fitting = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in fitting for method in getattr(route, "methods", None) or ()}


def _defect(request: Request, error: Exception) -> Response:
    _log.error("a request failed: %s", described(error))
    return _answer(Problem(messages.FAILED, "the service failed on this request; this is a defect"), 500, {})


def _answer(problem: Problem, status: int, headers: dict[str, str]) -> Response:
    return JSONResponse({"code": problem.code, "message": problem.message}, status, headers)
