"""The routes of the service and their description (OpenAPI); every other matter is elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Path, Request, Response, Security
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from .. import __version__
from ..wire import from_json, messages
from ..wire.messages import Capabilities, Health, JobStatus, Manifest, Upload
from .answers import binary, binary_body, handle_errors, manifest_body, octets, problems
from .audit import record_wrong_token
from .body import length, pieces, whole
from .events import events
from .guard import Guard
from .job import Job
from .refusal import Refusal
from .security import token_fits
from .service import Service

#: Seconds between two rounds of tidying up.
_TIDY_SECONDS = 2.0
#: Seconds that workers get to finish their step when the service stops.
_STOP_SECONDS = 1.0


async def _service(request: Request) -> Service:
    return request.app.state.service


_Service = Annotated[Service, Depends(_service)]
_bearer = HTTPBearer(auto_error=False, description="the token that the service was started with")
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


async def _authorized(request: Request, service: _Service, credentials: _Credentials) -> None:
    token = service.settings.token
    if token is None or (credentials and token_fits(token, credentials.credentials)):
        return
    address = request.client.host if request.client else ""
    if credentials:
        record_wrong_token(address)
        await asyncio.sleep(service.guesses.count(address))
    raise Refusal(messages.UNAUTHORIZED, "the token is missing or not the service's")


_ClientId = Annotated[str, Header(alias=messages.CLIENT_HEADER, pattern=f"^{messages.CLIENT_ID}$")]


async def _admitted(service: _Service, client: _ClientId) -> str:
    service.clients.admit(client)
    return client


_Client = Annotated[str, Depends(_admitted)]
_MaybeClientId = Annotated[str | None, Header(alias=messages.CLIENT_HEADER, pattern=f"^{messages.CLIENT_ID}$")]


async def _looking(request: Request, service: _Service, client: _MaybeClientId = None) -> str | None:
    """Who only looks need not say who they are: a plain curl with the token counts by its address."""
    service.clients.admit(client or f"at {request.client.host if request.client else ''}")
    return client


_Looker = Annotated[str | None, Depends(_looking)]
_JobId = Annotated[str, Path(pattern=f"^{messages.JOB_ID}$")]


async def _asked_for(service: _Service, job: _JobId, client: _Client) -> Job:
    return service.jobs.find(job, client)


_Job = Annotated[Job, Depends(_asked_for)]


async def _looked_at(service: _Service, job: _JobId, client: _Looker) -> Job:
    return service.jobs.find(job, client)


_SeenJob = Annotated[Job, Depends(_looked_at)]
_TaskId = Annotated[
    str, Path(pattern="^[0-9a-f]{64}$", description="the task's address: the SHA-256 of its file's bytes")
]
_VolumeId = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="the volume's address")]
_Number = Annotated[int, Path(ge=0, lt=2**31, description="which chunk, from 0 on")]

_always = (messages.UNAUTHORIZED, messages.INVALID, messages.RATE_LIMITED, messages.BUSY)
_unknown = problems(messages.UNKNOWN_JOB)
_fetching = problems(messages.UNKNOWN_JOB, messages.NOT_READY)
_stream: dict[int | str, dict[str, Any]] = {
    200: {"description": "a status at each change", "content": {messages.EVENT_STREAM: {}}}
}
#: Everything that needs the token.
_routes = APIRouter(dependencies=[Depends(_authorized)], responses=problems(*_always))


def create_app(service: Service) -> Guard:
    """The ASGI application of a service, which it starts and stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        tidying = asyncio.create_task(_tidy(service))
        yield
        tidying.cancel()
        service.stop(_STOP_SECONDS)

    app = FastAPI(
        title="MetaSegment",
        summary="A few annotated slices in, a 3D segmentation out.",
        version=__version__,
        openapi_url=f"{messages.PREFIX}/openapi.json",
        docs_url=None,  # pages that load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    handle_errors(app)

    @app.get(messages.HEALTH)
    async def health() -> Health:
        """That the service answers; needs no token."""
        return Health()

    app.include_router(_routes)
    return Guard(app, service.settings.loopback)


async def _tidy(service: Service) -> None:
    while True:
        await asyncio.sleep(_TIDY_SECONDS)
        service.tidy()


@_routes.get(messages.CAPABILITIES)
async def capabilities(service: _Service, client: _Looker) -> Capabilities:
    """What the service is and has; takes a few seconds right after its start."""
    return await asyncio.to_thread(service.settings.describe)


@_routes.post(messages.VOLUMES, openapi_extra=manifest_body(), responses=problems(messages.TOO_LARGE))
async def announce_volume(request: Request, service: _Service, client: _Client) -> Upload:
    """Announces a volume by its manifest; answers which of its chunks are to be sent."""
    manifest = from_json(Manifest, await whole(request, service.limits.manifest_bytes))
    key, held = service.announce(manifest)
    return Upload(key, tuple(sorted(held.missing)))


@_routes.put(
    messages.CHUNK,
    status_code=204,
    openapi_extra=binary_body("the chunk's bytes; may be compressed (Content-Encoding: gzip)"),
    responses=problems(messages.UNKNOWN_VOLUME, messages.TOO_LARGE),
)
async def send_chunk(
    request: Request, service: _Service, volume: _VolumeId, number: _Number, client: _Client
) -> Response:
    """Sends one chunk of an announced volume."""
    held = service.held(volume)
    size = held.chunk_bytes(number)
    if number in held.missing:
        with service.store.pinned(volume), service.store.holding(size):
            await held.receive(number, pieces(request, size), service.buffers, service.threads)
        service.keep(volume, held)
    return Response(status_code=204)


@_routes.put(
    messages.TASK,
    status_code=204,
    openapi_extra=binary_body("the task's file; may be compressed (Content-Encoding: gzip)"),
    responses=problems(messages.TOO_LARGE),
)
async def send_task(request: Request, service: _Service, task: _TaskId, client: _Client) -> Response:
    """Sends a task: what was taught on other volumes, for jobs that apply it or teach it more."""
    file = bytes(await whole(request, service.limits.task_bytes))
    await asyncio.get_running_loop().run_in_executor(service.threads, service.keep_task, task, file)
    return Response(status_code=204)


@_routes.get(
    messages.TASK,
    response_class=Response,
    responses={**problems(messages.UNKNOWN_TASK), **octets("the task's file, as it was sent")},
)
async def task_file(request: Request, service: _Service, task: _TaskId, client: _Client) -> Response:
    """A task that was sent."""
    return await binary([service.task_file(task)], request, service.threads)


@_routes.post(
    messages.JOBS,
    status_code=202,
    openapi_extra=binary_body("safetensors: the annotation, and the request among the metadata"),
    responses=problems(messages.UNKNOWN_VOLUME, messages.UNKNOWN_TASK, messages.INCOMPLETE_VOLUME, messages.TOO_LARGE),
)
async def submit_job(request: Request, service: _Service, client: _Client) -> JobStatus:
    """Asks for a segmentation, a suggestion, a task taught on a volume, or one applied to it; a newer request for the
    same structure takes an older one's place.
    """
    host, most = request.client.host if request.client else "", service.limits.job_bytes
    with service.store.holding(min(most, length(request, most))):
        body = await whole(request, most)
        job = await asyncio.get_running_loop().run_in_executor(service.threads, service.job, body, client, host)
    return service.jobs.submit(job)


@_routes.get(messages.JOB, responses=_unknown)
async def job_status(service: _Service, job: _SeenJob) -> JobStatus:
    """Where a job is."""
    return service.jobs.status(job)


@_routes.delete(messages.JOB, status_code=204, responses=_unknown)
async def cancel_job(service: _Service, job: _Job) -> Response:
    """Stops a job; nothing happens to one that has ended."""
    service.jobs.cancel(job)
    return Response(status_code=204)


@_routes.get(messages.EVENTS, response_class=StreamingResponse, responses={**_unknown, **_stream})
async def job_events(service: _Service, job: _SeenJob) -> StreamingResponse:
    """Where a job is, from now to its end, as server-sent events."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    changes = events(service.jobs, job, service.limits.heartbeat_seconds)
    return StreamingResponse(changes, headers=headers, media_type=messages.EVENT_STREAM)


@_routes.get(messages.PREVIEW, response_class=Response, responses={**_fetching, **octets("labels, as safetensors")})
async def job_preview(request: Request, service: _Service, job: _Job) -> Response:
    """The first answer of a job."""
    if not job.preview:
        raise Refusal(messages.NOT_READY, "there is no first answer yet")
    return await _stored(service, request, job.preview_key)


@_routes.get(
    messages.RESULT,
    response_class=Response,
    responses={**_fetching, **octets("the answer, as safetensors; of teaching, the task's file")},
)
async def job_result(request: Request, service: _Service, job: _Job) -> Response:
    """The answer of a job that is done."""
    if job.live:
        raise Refusal(messages.NOT_READY, "the job has not ended yet")
    if job.error:
        raise Refusal(job.error.code, job.error.message)
    return await _stored(service, request, job.result_key)


async def _stored(service: Service, request: Request, key: str) -> Response:
    body = service.store.get(key)
    if body is None:
        raise Refusal(messages.UNKNOWN_JOB, "the service no longer has this; ask for the job again")
    return await binary(body, request, service.threads)
