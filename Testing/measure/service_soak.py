"""Many clients at one service for minutes: `OMP_NUM_THREADS=1 python Testing/measure/service_soak.py [--minutes 3]`.

Each client draws on small volumes of its own: it segments, asks for the next slice, cancels, and asks anew before the
answer is there. Answers to equal questions must be equal. Reports errors (there must be none), how long each client
waited until its jobs ran, and the resident memory of the service over time, from when every client was served once.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from metasegment.annotation import BACKGROUND, Annotation, annotation_from_labels
from metasegment.client import LearnerClient
from metasegment.client.errors import Superseded
from metasegment.errors import Cancelled
from metasegment.progress import Progress
from metasegment.segmentation import Budget
from metasegment.volume import Geometry, Volume

GRID = Geometry((28, 26, 24), (1.0, 1.0, 1.5), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
#: What clients do, and how often.
DEEDS = {"segment": 0.5, "suggest": 0.2, "cancel": 0.15, "ask anew": 0.15}
#: Share of questions that are about a volume which the service has never seen.
FRESH = 0.2
#: Seconds until a client changes its mind, at most.
IMPATIENCE = 2.0
#: Seconds between two looks at the service's memory.
LOOK = 2.0


@dataclass
class Client:
    """One user: what it did, how long its jobs waited (seconds), and what went wrong."""

    number: int
    learner: LearnerClient
    done: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    answers: dict[int, bytes] = field(default_factory=dict)
    volume_bytes: int = 0

    def work_until(self, end: float) -> None:
        chance = np.random.default_rng(self.number)
        volumes: list[tuple[int, Volume, Annotation]] = []
        while time.monotonic() < end:
            if not volumes or chance.random() < FRESH:
                volumes.append(study(self.number, len(volumes)))
                self.volume_bytes += volumes[-1][1].array.nbytes
            deed = str(chance.choice(list(DEEDS), p=list(DEEDS.values())))
            try:
                self.do(deed, volumes[chance.integers(len(volumes))], chance.random() * IMPATIENCE)
            except Exception as error:
                self.errors.append(f"{deed}: {type(error).__name__}: {error}")
            self.done[deed] += 1

    def do(self, deed: str, about: tuple[int, Volume, Annotation], patience: float) -> None:
        key, volume, annotation = about
        asked = time.monotonic()
        if deed == "suggest":
            self.learner.suggest(volume, annotation, self.progress())
        elif deed == "cancel":
            try:
                self.ask(volume, annotation, self.progress(asked + patience))
            except Cancelled:
                return
        elif deed == "ask anew":
            admitted = threading.Event()
            first = threading.Thread(target=self.ask_in_vain, args=(volume, annotation, admitted))
            first.start()
            admitted.wait()
            time.sleep(patience / 2)
            self.note(key, self.ask(volume, annotation, self.progress()))
            first.join()
        else:
            self.note(key, self.ask(volume, annotation, self.progress()))

    def ask(self, volume: Volume, annotation: Annotation, progress: Progress) -> bytes:
        result = self.learner.segment(volume, annotation, Budget(seconds=0), "in_context", progress=progress)
        return result.labels.tobytes()

    def ask_in_vain(self, volume: Volume, annotation: Annotation, admitted: threading.Event) -> None:
        def progress(stage: str, share: float) -> None:
            if stage.startswith(("waiting", "first answer")):
                admitted.set()

        try:
            self.ask(volume, annotation, Progress(report=progress))
        except Superseded:
            self.done["superseded"] += 1
        except Exception as error:
            self.errors.append(f"superseded: {type(error).__name__}: {error}")
        admitted.set()

    def note(self, key: int, answer: bytes) -> None:
        if self.answers.setdefault(key, answer) != answer:
            self.errors.append("two answers to one question")

    def progress(self, until: float = float("inf")) -> Progress:
        """Notes when the job begins to run; cancels at a time."""
        asked, seen = time.monotonic(), False

        def progress(stage: str, share: float) -> None:
            nonlocal seen
            if stage == "first answer" and not seen:
                seen = True
                self.waits.append(time.monotonic() - asked)

        return Progress(report=progress, cancelled=lambda: time.monotonic() > until)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long (default %(default)s)")
    parser.add_argument("--clients", type=int, default=32, help="at a time (default %(default)s)")
    options = parser.parse_args()
    token = secrets.token_hex()
    service = subprocess.Popen(
        [sys.executable, "-m", "metasegment", "serve", "--port", "0", "--device", "cpu", "--memory-gb", "2"],
        env={**os.environ, "METASEGMENT_TOKEN": token},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert service.stdout
        address = service.stdout.readline().split()[-1]
        clients = [Client(n, LearnerClient(address, token)) for n in range(options.clients)]
        memory = soak(clients, service.pid, 60 * options.minutes)
        alive = clients[0].learner.test_connection().ok
    finally:
        service.terminate()
        service.wait()
    report(clients, memory, alive)


def soak(clients: list[Client], pid: int, seconds: float) -> list[float]:
    """Lets all clients work for so long; the resident memory in MiB, regularly, once each client was served."""
    end = time.monotonic() + seconds
    threads = [threading.Thread(target=client.work_until, args=(end,)) for client in clients]
    for thread in threads:
        thread.start()
    memory: list[float] = []
    while any(thread.is_alive() for thread in threads):
        time.sleep(LOOK)
        if memory or all(client.waits for client in clients):
            memory.append(resident(pid))
    return memory


def study(client: int, number: int) -> tuple[int, Volume, Annotation]:
    """A box in noise that no other client has, with one slice drawn, and a number for both."""
    chance = np.random.default_rng((client, number))
    low = chance.integers(3, 8, 3)
    box = tuple(slice(int(start), int(start) + 12) for start in low)
    array = chance.normal(0, 20, GRID.shape)
    array[box] += 100
    labels = np.zeros(GRID.shape, np.uint8)
    labels[low[0] + 6] = BACKGROUND
    labels[(low[0] + 6, *box[1:])] = 1
    return number, Volume(array.astype(np.int16), GRID), annotation_from_labels(labels, GRID)


def resident(pid: int) -> float:
    """MiB of memory in use by a process; Linux only."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1024


def report(clients: list[Client], memory: list[float], alive: bool) -> None:
    errors = [error for client in clients for error in client.errors]
    done = sum((client.done for client in clients), Counter[str]())
    print(f"{len(clients)} clients: {', '.join(f'{count} x {deed}' for deed, count in sorted(done.items()))}")
    print(f"errors: {len(errors)}; afterwards the service {'answers' if alive else 'DOES NOT ANSWER'}")
    for error, count in Counter(errors).most_common(10):
        print(f"  {count} x {error}")
    waits = sorted(statistics.mean(client.waits) for client in clients)
    median = statistics.median(waits)
    print(f"mean wait of a client: median {median:.2f} s, longest {waits[-1]:.2f} s ({waits[-1] / median:.2f} times)")
    print(f"longest wait of all: {max(max(client.waits) for client in clients):.2f} s")
    third = len(memory) // 3
    parts = (memory[:third], memory[third:-third], memory[-third:])
    start, middle, last = (statistics.median(part) for part in parts)
    sent = sum(client.volume_bytes for client in clients) / 2**20
    print(f"resident memory of the service: {start:.0f}, {middle:.0f}, {last:.0f} MiB (median of each third)")
    print(f"volumes that it was sent, and keeps for an hour: {sent:.0f} MiB")


if __name__ == "__main__":
    main()
