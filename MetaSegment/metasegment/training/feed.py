"""Batches of episodes for one process of a run, made ahead of their use: on a CPU by worker processes, on a GPU by
threads on the GPU itself.

An episode depends on the seed and its number alone, so who makes it when changes nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset

from ..episodes.bank import Bank
from ..episodes.episode import Episode, make_episode
from .config import Config
from .ranks import Ranks

#: Batches that are ready or being made while one is trained on.
AHEAD = 3


@dataclass(frozen=True)
class Numbered:
    """An episode and its number in the run."""

    number: int
    episode: Episode


class EpisodeSequence(Dataset[Numbered]):
    """The episodes of a configuration by number, made on the device that holds the bank."""

    def __init__(self, bank: Bank, config: Config, device: str = "cpu") -> None:
        self._bank, self._config, self._device = bank, config, device

    def __getitem__(self, number: int) -> Numbered:
        episode = make_episode(self._bank, self._config.episodes, self._config.run.seed, number, self._device)
        return Numbered(number, episode)


def numbers_of(config: Config, first: int, ranks: Ranks) -> Iterator[list[int]]:
    """For each step from task `first` on, the numbers of the tasks of its batch that fall to one process."""
    settings = config.optimiser
    for start in range(first, settings.tasks, settings.batch):
        yield list(range(start + ranks.rank, min(start + settings.batch, settings.tasks), ranks.size))


def batches(config: Config, bank: Bank, first: int, ranks: Ranks, device: str) -> Iterator[list[Numbered]]:
    """Returns one process's share of every batch from task `first` on."""
    numbers = numbers_of(config, first, ranks)
    if torch.device(device).type == "cpu":
        return _from_processes(EpisodeSequence(bank, config), numbers, config.run.workers)
    return from_threads(EpisodeSequence(bank.to(device), config, device), numbers, config.run.workers, device)


def _from_processes(sequence: EpisodeSequence, numbers: Iterator[list[int]], workers: int) -> Iterator[list[Numbered]]:
    """Made by worker processes of one thread each."""
    # A bank has more tensors than the fork server takes file descriptors (253).
    torch.multiprocessing.set_sharing_strategy("file_system")
    loader = DataLoader(
        sequence,
        batch_sampler=list(numbers),
        collate_fn=list,
        num_workers=workers,
        prefetch_factor=8 if workers else None,
        multiprocessing_context="forkserver" if workers else None,
        worker_init_fn=_begin_worker,
    )
    yield from loader


def from_threads(
    sequence: EpisodeSequence, numbers: Iterator[list[int]], threads: int, device: str
) -> Iterator[list[Numbered]]:
    """Made by threads, on a GPU each with a stream of its own, so that none waits for the network's work."""
    local = threading.local()

    def make(number: int) -> Numbered:
        if torch.device(device).type == "cpu":
            return sequence[number]
        if not hasattr(local, "stream"):
            local.stream = torch.cuda.Stream(device)
        with torch.cuda.stream(local.stream):
            made = sequence[number]
            # Complete before it is handed over. The trainer waits for each of its steps, and so for the last use of an
            # episode, before it lets go of it: its memory never returns to this stream too early.
            local.stream.synchronize()
        return made

    pool = ThreadPoolExecutor(max(1, threads))
    waiting: deque[list[Future[Numbered]]] = deque()
    try:
        for batch in numbers:
            waiting.append([pool.submit(make, number) for number in batch])
            if len(waiting) > AHEAD:
                yield [future.result() for future in waiting.popleft()]
        while waiting:
            yield [future.result() for future in waiting.popleft()]
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_worker(_: int) -> None:
    """One thread a worker; and it ends when the trainer is killed, or it would wait for ever on its full queue."""
    torch.set_num_threads(1)

    def follow_trainer() -> None:
        trainer = multiprocessing.parent_process()
        if trainer is not None:
            trainer.join()
            os._exit(1)

    threading.Thread(target=follow_trainer, daemon=True).start()
