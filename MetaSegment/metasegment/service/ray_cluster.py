"""Ray for whoever shares out work: the cluster that $RAY_ADDRESS names, else one of this computer, ended after use."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import InputError

#: Tells Ray where a cluster is; without it, one is started on this computer.
_ADDRESS = "RAY_ADDRESS"


@contextmanager
def ray_cluster(purpose: str, show_output: bool) -> Iterator[None]:
    """Connects to Ray, or starts it; `show_output` passes on what its processes and Ray itself say.

    Raises InputError, naming the `purpose`, where Ray is not installed, and where there is no such cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # or Ray reports to its makers
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # or a worker's idle threads take the cores of another's
    try:
        import ray
    except ModuleNotFoundError as error:
        raise InputError(f"{purpose} needs {error.name}: install it with pip install 'metasegment[cluster]'") from None

    address = os.environ.get(_ADDRESS)
    # Images may pass through Ray's shared memory, which must not be written to disk.
    own = {} if address else {"_system_config": {"automatic_object_spilling_enabled": False}}
    level = "WARNING" if show_output else "ERROR"
    logging.getLogger("ray").setLevel(level)  # Ray itself obeys `logging_level` only once it is up
    answers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(address or "local", include_dashboard=False, logging_level=level, log_to_driver=show_output, **own)
    except ConnectionError:
        raise InputError(f"no Ray cluster at ${_ADDRESS}={address}: correct or unset it") from None
    except (RuntimeError, TimeoutError):
        raise InputError("Ray could not be started: try again when this computer is less busy") from None
    try:
        for number, answer in answers.items():  # Ray's own answer to these is to abort
            signal.signal(number, answer)
        yield
    finally:
        ray.shutdown()
