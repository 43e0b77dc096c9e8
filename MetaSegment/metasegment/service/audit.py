"""One line for each job and each wrong token: who, when, what, how long, how it ended. Nothing of a patient."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone

from .job import Job

_log = logging.getLogger("metasegment.audit")


def log_to_standard_error() -> None:
    """Lets this process write the lines of jobs, and warnings of any kind."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    _log.setLevel(logging.INFO)


def record_wrong_token(address: str) -> None:
    """Writes the line of a request whose token is not the service's."""
    _log.info(json.dumps({"time": _now(), "address": address, "outcome": "wrong token"}))


def record(job: Job) -> None:
    """Writes the line of a job that ended. `volume` and `task` are hashes, times are in seconds."""
    started = job.started if job.started is not None else job.ended
    line = {
        "time": _now(),
        "client": job.client,
        "address": job.address,
        "volume": job.request.volume,
        "kind": job.request.kind,
        "task": job.request.task,
        "waited": round(started - job.created, 3),
        "seconds": round(job.ended - started, 3),
        "outcome": job.error.code if job.error and job.state == "failed" else job.state,
    }
    _log.info(json.dumps(line))


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
