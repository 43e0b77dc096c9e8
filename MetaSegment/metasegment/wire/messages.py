"""The words of the protocol, for both ends: paths, headers, problem codes and the records that travel as JSON.

Says nothing of how arrays travel, and decides nothing: limits are the service's, sentences for the user the client's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from ..io.records import require
from ..segmentation import AUTO, Budget
from ..volume import Geometry

#: Raised by one whenever an older end would misunderstand a newer one.
PROTOCOL = 1

# Templates for `str.format` in the client and for routes in the service.
PREFIX = "/v1"
HEALTH = f"{PREFIX}/health"
CAPABILITIES = f"{PREFIX}/capabilities"
VOLUMES = f"{PREFIX}/volumes"
CHUNK = f"{VOLUMES}/{{volume}}/chunks/{{number}}"
JOBS = f"{PREFIX}/jobs"
JOB = f"{JOBS}/{{job}}"
EVENTS = f"{JOB}/events"
PREVIEW = f"{JOB}/preview"
RESULT = f"{JOB}/result"
TASK = f"{PREFIX}/tasks/{{task}}"

#: Header with a random id that the client keeps for its life: what is fair, limited and superseded goes by it.
CLIENT_HEADER = "X-MetaSegment-Client"
#: Header with a volume's address on all requests about it and its jobs, so that a cluster can keep these together. The
#: name is the one that Ray Serve and other proxies look at by themselves.
VOLUME_HEADER = "X-Session-Id"
#: Media type of arrays and of chunks.
OCTETS = "application/octet-stream"
#: Media type of a job's events.
EVENT_STREAM = "text/event-stream"

# Codes of a Problem.
UNAUTHORIZED = "unauthorized"
UNKNOWN_VOLUME = "unknown_volume"
UNKNOWN_JOB = "unknown_job"
UNKNOWN_TASK = "unknown_task"
INCOMPLETE_VOLUME = "incomplete_volume"
WRONG_HASH = "wrong_hash"
INVALID = "invalid"
TOO_LARGE = "too_large"
BUSY = "busy"
RATE_LIMITED = "rate_limited"
OUT_OF_MEMORY = "out_of_memory"
SUPERSEDED = "superseded"
CANCELLED = "cancelled"
NOT_READY = "not_ready"
WRONG_PROTOCOL = "wrong_protocol"
FAILED = "failed"

Kind = Literal["segment", "suggest", "apply", "teach"]
State = Literal["queued", "running", "done", "failed", "cancelled", "superseded"]
#: States that a job never leaves.
ENDED: frozenset[State] = frozenset({"done", "failed", "cancelled", "superseded"})

_SHA256 = re.compile(r"[0-9a-f]{64}")
#: Patterns of the ids that either end makes up.
CLIENT_ID = "[0-9A-Za-z-]{8,64}"
JOB_ID = "[0-9A-Za-z-]{1,64}"
#: An hour of adapting is beyond any use; what is larger is a mistake.
_LONGEST_SECONDS = 3600.0
_MOST_STEPS = 100_000
#: Characters of a name of a strategy.
_LONGEST_NAME = 64


@dataclass(frozen=True)
class Health:
    """That the service answers, to anyone who asks."""

    status: str = "ok"
    protocol: int = PROTOCOL


@dataclass(frozen=True)
class Device:
    """Where the learner runs: its name and its memory in megabytes (10^6 bytes), where the system tells."""

    name: str
    total_mb: float | None = None
    free_mb: float | None = None


@dataclass(frozen=True)
class Weights:
    """The weights in use; `sha256` is of their file."""

    name: str
    licence: str
    sha256: str


@dataclass(frozen=True)
class Capabilities:
    """What the service is and has. `version` is of the package; `limits` are by name, the unit at the name's end."""

    version: str
    protocol: int
    devices: tuple[Device, ...]
    weights: Weights
    strategies: tuple[str, ...]
    limits: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """What a volume consists of, without its voxels; the SHA-256 of its canonical JSON is the volume's address.

    `dtype` as safetensors spells it ("I16"). `chunks` are the SHA-256 of each `chunk_bytes` of the C-order
    little-endian voxels; the last chunk may be shorter. `volumes.check_manifest` says whether it all fits together.
    """

    dtype: str
    geometry: Geometry
    chunk_bytes: int
    chunks: tuple[str, ...]

    def __post_init__(self) -> None:
        require(all(map(is_sha256, self.chunks)), "a chunk's SHA-256 must be 64 hexadecimal digits in lower case")


@dataclass(frozen=True)
class Upload:
    """Answer to a manifest: the volume's address and the numbers of the chunks that the service lacks."""

    id: str
    missing: tuple[int, ...]


@dataclass(frozen=True)
class JobRequest:
    """What to do with an annotation of the volume at address `volume`.

    `task` is the address of the task to "apply", or of the one that "teach" lets grow. These two take no `strategy`.
    """

    kind: Kind
    volume: str
    strategy: str = AUTO
    budget: Budget = field(default_factory=Budget)
    seed: int = 0
    task: str | None = None

    def __post_init__(self) -> None:
        require(is_sha256(self.volume), "the volume's address must be 64 hexadecimal digits in lower case")
        require(self.task is None or is_sha256(self.task), "task must be 64 hexadecimal digits in lower case")
        require(self.task or self.kind != "apply", "a job that applies a task must name it")
        require(not self.task or self.kind in ("apply", "teach"), f"a job to {self.kind} takes no task")
        require(0 < len(self.strategy) <= _LONGEST_NAME, f"a strategy's name has 1 to {_LONGEST_NAME} characters")
        budget = self.budget
        require(0 <= budget.seconds <= _LONGEST_SECONDS, f"budget.seconds must be 0 to {_LONGEST_SECONDS:g}")
        require(0 <= budget.steps <= _MOST_STEPS, f"budget.steps must be 0 to {_MOST_STEPS}")
        require(0 <= budget.quality <= 1, "budget.quality must be 0 to 1")
        require(0 <= self.seed < 2**63, "seed must be 0 to 2^63 - 1")


@dataclass(frozen=True)
class Problem:
    """Why something is refused or failed: a code for programs, and one sentence without anything of a patient."""

    code: str
    message: str


@dataclass(frozen=True)
class JobStatus:
    """Where a job is. `position` counts the jobs before it, `fraction` is the share of its `stage` done, 0…1.

    `preview` says that the first answer can be fetched; `error` is why a job did not end as done.
    """

    id: str
    state: State
    position: int = 0
    stage: str = ""
    fraction: float = 0.0
    preview: bool = False
    error: Problem | None = None

    def __post_init__(self) -> None:
        require(re.fullmatch(JOB_ID, self.id), "a job's id has 1 to 64 letters, digits and dashes")
        require(self.position >= 0, "position must not be negative")
        require(0 <= self.fraction <= 1, "fraction must be 0 to 1")

    @property
    def ended(self) -> bool:
        """Whether the job will not change any more."""
        return self.state in ENDED


def is_sha256(text: str) -> bool:
    """Tells whether the text is a SHA-256 as this protocol writes it: 64 hexadecimal digits in lower case."""
    return _SHA256.fullmatch(text) is not None


def is_client_id(text: str) -> bool:
    """Tells whether the text can be a client's id: 8 to 64 letters, digits and dashes."""
    return re.fullmatch(CLIENT_ID, text) is not None
