"""What a service grants: sizes, counts, rates and patience. Decides nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ..io.task_file import LARGEST

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """Bounds of one service; the unit is at each name's end, counts have none.

    `memory_bytes` bounds volumes, results and what running jobs are expected to need, not the code (torch: 0.5 GB).
    """

    memory_bytes: int = 8 * 1024 * MIB
    #: Voxels along one axis: the largest micro-CT stacks have about 4000.
    side_voxels: int = 8192
    #: A manifest names 64 digits for each 8 MiB: enough for 64 GiB.
    manifest_bytes: int = MIB
    #: An annotation with every voxel of a 512 x 512 x 800 CT known.
    job_bytes: int = 256 * MIB
    task_bytes: int = LARGEST
    clients: int = 256
    jobs_per_client: int = 8
    jobs: int = 128
    #: Ended jobs that can still be asked for.
    ended_jobs: int = 256
    #: A 157 MB volume is 20 requests; a stream of events is one.
    requests_per_second: float = 200.0
    requests_at_once: int = 1000
    connections: int = 1024
    #: Tasks, too.
    volume_idle_seconds: float = 3600.0
    upload_idle_seconds: float = 120.0
    result_idle_seconds: float = 600.0
    #: A job that nobody asks about is cancelled: its client is gone.
    job_idle_seconds: float = 60.0
    client_idle_seconds: float = 600.0
    heartbeat_seconds: float = 5.0
    #: Silence in the middle of a request, and the time in which its head must arrive.
    silence_seconds: float = 20.0
    #: Average below which a body counts as held back on purpose.
    body_bytes_per_second: float = 4096.0
    #: Time in which a client must take in what fills the connection's buffers (about 1 MiB).
    writing_seconds: float = 60.0
    head_bytes: int = 32 * 1024

    def as_numbers(self) -> dict[str, float]:
        """By name, for the capabilities."""
        return asdict(self)
