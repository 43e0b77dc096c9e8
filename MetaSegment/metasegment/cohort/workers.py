"""The workers of a cohort under Ray: how many, where, and the studies shared out among them, one at a time each.

A worker that dies comes back, and its study is tried once more: Ray sees to both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import Cancelled, InputError

_T = TypeVar("_T")
#: The network gains little from more cores than this, and each worker holds a volume in memory.
CORES_EACH = 4
#: So many times more is a study tried whose worker died.
RETRIES = 1
#: Seconds after which it is asked again whether the user wants to stop.
_PATIENCE = 0.2


@dataclass(frozen=True)
class Workers:
    """So many workers on a device, each with so many threads; on "cuda" with a GPU of its own."""

    count: int
    device: str
    threads: int


def workers_for(resources: Mapping[str, float], device: str, workers: int | None) -> Workers:
    """Returns one worker for each GPU, else as many as the cores can feed; `resources` are Ray's, by name.

    Raises InputError for a device that is not there, and for more workers than GPUs or cores.
    """
    cores, gpus = max(1, int(resources.get("CPU", 1))), int(resources.get("GPU", 0))
    if device not in ("auto", "cpu", "cuda"):
        own = "each worker of a cohort has a GPU of its own, of those in CUDA_VISIBLE_DEVICES"
        raise InputError(f"--device {device}: {own}; use auto, cpu or cuda")
    if device == "cuda" and not gpus:
        raise InputError("no GPU for --device cuda: use --device cpu or auto")
    on_gpu = gpus > 0 and device != "cpu"
    most, kind = (gpus, "GPUs") if on_gpu else (cores, "cores")
    usual = gpus if on_gpu else max(1, cores // CORES_EACH)
    wanted = usual if workers is None else workers
    if not 0 < wanted <= most:
        raise InputError(f"--workers {wanted}: there are {most} {kind}; give 1 to {most}")
    return Workers(wanted, "cuda" if on_gpu else "cpu", max(1, cores // wanted))


def shared_out(
    worker: type, job: Any, workers: Workers, work: Iterable[Sequence[_T]], cancelled: Callable[[], bool]
) -> Iterator[tuple[_T, bool]]:
    """Has `worker(job).apply(item)` done for each item, and yields it, once done, with whether it ended well.

    `work` are runs of items, none empty: an item begins when the one before it in its run has been dealt with. It did
    not end well where its worker died each time. Ray must be connected; raises Cancelled once the user wants to stop.
    """
    import ray

    kind = ray.remote(worker).options(
        num_cpus=1,
        num_gpus=1 if workers.device == "cuda" else 0,
        max_restarts=-1,
        max_task_retries=RETRIES,
        scheduling_strategy="SPREAD",
    )
    idle = [kind.remote(job) for _ in range(workers.count)]
    busy: dict[Any, tuple[Any, Sequence[_T]]] = {}
    ready = deque(work)
    while ready or busy:
        while idle and ready:
            hired, run = idle.pop(), ready.popleft()
            busy[hired.apply.remote(run[0])] = hired, run
        done, _ = ray.wait(list(busy), timeout=_PATIENCE)
        if cancelled():
            raise Cancelled("cancelled")
        for answer in done:
            hired, (item, *rest) = busy.pop(answer)
            idle.append(hired)
            yield item, _ended_well(answer)
            if rest:
                ready.appendleft(rest)


def _ended_well(answer: Any) -> bool:
    import ray
    from ray.exceptions import RayActorError, RayTaskError

    try:
        ray.get(answer)
    except RayTaskError as error:
        raise error.cause from None
    except RayActorError as error:
        if error.actor_init_failed:
            raise InputError("no worker can be started: is its GPU in use, or a machine without MetaSegment?") from None
        return False
    return True
