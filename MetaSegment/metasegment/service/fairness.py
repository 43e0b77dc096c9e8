"""In which order waiting jobs run: clients take turns, whoever was served longest ago first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .job import Job


def fair_order(waiting: Sequence[Job], served: Mapping[str, int]) -> list[Job]:
    """Jobs in the order in which they will run, if no other comes.

    `waiting` is by arrival, and stays so for the jobs of one client. `served` says at which turn (1, 2, …) a client
    was served last; who never was comes first, and among equals who came first.
    """
    queues: dict[str, list[Job]] = {}
    for job in waiting:
        queues.setdefault(job.client, []).append(job)
    last = dict(served)
    turn = max(last.values(), default=0)
    order = []
    while queues:
        client = min(queues, key=lambda c: last.get(c, 0))
        order.append(queues[client].pop(0))
        if not queues[client]:
            del queues[client]
        turn += 1
        last[client] = turn
    return order
