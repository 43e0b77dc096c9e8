"""The same service as replicas under Ray Serve, on one computer or many: what concerns one volume goes to one of them.

Ray's consistent hashing sees to that, by the header with which clients name the volume. Where a replica is lost, or one
more moves a volume to another, that one does not know volume and jobs, says so, and the client sends them again. Ray's
proxy stands before the replicas: `connection.py`, the patience with slow clients, has no part here.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

from ..errors import InputError
from .app import create_app
from .audit import log_to_standard_error
from .guard import Guard
from .ray_cluster import ray_cluster
from .service import Service, Settings

_ROUTER = "ray.serve.experimental.consistent_hash_router:ConsistentHashRouter"
_NAME = "metasegment"


def serve_cluster(
    settings: Settings,
    replicas: int,
    address: tuple[str, int],
    certificate: tuple[str, str] | None,
    started: Callable[[], None],
) -> None:
    """Serves at host and port until a signal; 0 replicas are one for each GPU of the cluster. Calls `started` once all
    of them answer.
    """
    try:
        import ray
        from ray import serve
        from ray.serve.config import HTTPOptions
        from ray.serve.schema import LoggingConfig
    except ModuleNotFoundError as error:
        raise InputError(f"--cluster needs {error.name}: install it with pip install 'metasegment[cluster]'") from None

    with ray_cluster("--cluster", show_output=True):
        try:
            cert, key = certificate or (None, None)
            quiet = LoggingConfig(log_level="WARNING", enable_access_log=False)
            serve.start(
                http_options=HTTPOptions(host=address[0], port=address[1], ssl_certfile=cert, ssl_keyfile=key),
                logging_config=quiet,
            )
            gpus = int(ray.cluster_resources().get("GPU", 0)) if "cpu" not in settings.factories else 0
            app = _deployment(settings, replicas or gpus or 1, gpus > 0)
            serve.run(app, name=_NAME, route_prefix="/", logging_config=quiet)
            told = threading.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda _, frame: told.set())
            started()
            told.wait()
        finally:
            serve.shutdown()


def _deployment(settings: Settings, replicas: int, on_gpu: bool) -> Any:
    from ray import serve
    from ray.serve.config import RequestRouterConfig

    def build() -> Guard:
        log_to_standard_error()
        return create_app(Service(settings))

    return (
        serve.deployment(serve.ingress(build)())
        .options(
            name=_NAME,
            num_replicas=replicas,
            max_ongoing_requests=settings.limits.connections,
            ray_actor_options={"num_gpus": 1} if on_gpu else {},
            request_router_config=RequestRouterConfig(request_router_class=_ROUTER),
        )
        .bind()
    )
