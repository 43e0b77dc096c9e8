"""The child of a LocalLearner: whatever happens to it, the answer is the same, and it never outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from metasegment.annotation import Annotation
from metasegment.client import LocalLearner
from metasegment.client.errors import LearnerDied, LearnerNotStarted
from metasegment.errors import Cancelled
from metasegment.progress import Progress
from metasegment.segmentation import Budget, Segmentation
from metasegment.task import Task
from metasegment.volume import Volume

QUICK = Budget(seconds=0)
IN_CONTEXT = "in_context"
#: Seconds in which what must happen has happened, on the busiest machine.
PATIENCE = 120.0


def _kill_child(learner: LocalLearner) -> None:
    """As the system does when memory runs out."""
    child = learner.child
    assert child
    os.kill(child.pid, getattr(signal, "SIGKILL", signal.SIGTERM))


class _Saboteur:
    """A progress that does something once, when a stage begins."""

    def __init__(self, stage: str, deed: Callable[[], None]) -> None:
        self.stages: list[str] = []
        self._stage = stage
        self._deed = deed

    def __call__(self, stage: str, share: float) -> None:
        first = self._stage not in self.stages
        self.stages.append(stage)
        if stage == self._stage and first:
            self._deed()


@pytest.mark.parametrize("stage", ["sending the volume", "adapting"])
def test_a_child_killed_in_the_middle_is_started_again_and_answers_the_same(
    organ: tuple[Volume, Annotation],
    local_learner: LocalLearner,
    stage: str,
    assert_as_ever: Callable[[Segmentation], None],
) -> None:
    values = np.int32 if stage == "sending the volume" else np.float32  # a volume that the child does not have yet
    volume = Volume(organ[0].array.astype(values), organ[0].geometry)
    progress = _Saboteur(stage, lambda: _kill_child(local_learner))
    previews: list[np.ndarray] = []
    result = local_learner.segment(volume, organ[1], QUICK, IN_CONTEXT, 0, Progress(report=progress), previews.append)
    assert_as_ever(result)
    assert "starting the learner again" in progress.stages
    assert progress.stages.count("sending the volume") == 2
    assert len(previews) == 1


def test_a_child_killed_while_it_learns_a_task_starts_to_learn_it_again(
    organ: tuple[Volume, Annotation], local_learner: LocalLearner, accepted: Annotation
) -> None:
    """Its lessons are too long to await the end of one."""
    saboteur = _Saboteur("learning the task", lambda: _kill_child(local_learner))

    def learns_again() -> bool:
        stages = saboteur.stages
        again = "starting the learner again"
        return again in stages and "learning the task" in stages[stages.index(again) :]

    with pytest.raises(Cancelled):
        local_learner.teach(organ[0], accepted, progress=Progress(report=saboteur, cancelled=learns_again))
    assert learns_again()


def test_a_child_killed_while_it_applies_a_task_is_sent_it_again(
    local_learner: LocalLearner, taught: Task, next_volume: Volume, applied: Segmentation
) -> None:
    progress = _Saboteur("looking for the structures", lambda: _kill_child(local_learner))
    result = local_learner.apply(taught, next_volume, None, QUICK, progress=Progress(report=progress))
    np.testing.assert_array_equal(result.labels, applied.labels)
    assert (result.structures, result.familiarity) == (applied.structures, applied.familiarity)
    assert "starting the learner again" in progress.stages


def test_a_child_that_hangs_is_replaced(
    organ: tuple[Volume, Annotation],
    local_learner: LocalLearner,
    assert_as_ever: Callable[[Segmentation], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    local_learner.capabilities()
    child = local_learner.child
    assert child
    os.kill(child.pid, signal.SIGSTOP)
    monkeypatch.setattr("metasegment.client.service_learner.GREETING_SECONDS", 1.0)
    assert_as_ever(local_learner.segment(*organ, QUICK, IN_CONTEXT))
    assert local_learner.child is not child


def test_a_child_that_always_ends_is_given_up_with_the_reason(
    organ: tuple[Volume, Annotation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalLearner, "pauses", (0.0,))
    with LocalLearner(device="cpu") as learner:
        progress = Progress(report=lambda stage, share: _kill_child(learner) if "sending" in stage else None)
        with pytest.raises(LearnerDied, match=r"ended unexpectedly \(the system ended it, most often for want of mem"):
            learner.segment(*organ, QUICK, IN_CONTEXT, progress=progress)


def test_a_learner_that_is_closed_cancels_what_is_under_way(organ: tuple[Volume, Annotation]) -> None:
    learner = LocalLearner(device="cpu")
    with pytest.raises(Cancelled):
        learner.segment(
            *organ, Budget(seconds=600), progress=Progress(report=_Saboteur("sending the volume", learner.close))
        )


def test_starting_can_be_cancelled(organ: tuple[Volume, Annotation]) -> None:
    with LocalLearner(device="cpu") as learner:
        stages: list[str] = []
        progress = Progress(report=lambda stage, _: stages.append(stage), cancelled=lambda: bool(stages))
        with pytest.raises(Cancelled):
            learner.segment(*organ, QUICK, progress=progress)
        assert stages == ["starting the learner"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks at another process's limits")
def test_no_file_is_ever_written(
    organ: tuple[Volume, Annotation], local_learner: LocalLearner, assert_as_ever: Callable[[Segmentation], None]
) -> None:
    """As on a full disk: the system refuses the child every byte."""
    from resource import RLIMIT_FSIZE, prlimit

    assert_as_ever(local_learner.segment(*organ, QUICK, IN_CONTEXT))
    assert local_learner.child
    assert prlimit(local_learner.child.pid, RLIMIT_FSIZE) == (0, 0)


_PARENT = """
    import sys
    for absent in ("torch", "monai", "SimpleITK", "safetensors", "fastapi", "uvicorn"):
        sys.modules[absent] = None
    import numpy as np
    from metasegment.annotation import annotation_from_labels
    from metasegment.client import LocalLearner
    from metasegment.segmentation import Budget
    from metasegment.volume import Geometry, Volume

    k, j, i = np.ogrid[:20, :20, :20]
    ball = (k - 10) ** 2 + (j - 10) ** 2 + (i - 10) ** 2 < 36
    labels = np.zeros(ball.shape, np.uint8)
    labels[10] = np.where(ball[10], 1, 255)
    geometry = Geometry((20, 20, 20), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    volume = Volume((100 * ball).astype(np.int16), geometry)
    learner = LocalLearner(device="cpu")
    result = learner.segment(volume, annotation_from_labels(labels, geometry), Budget(seconds=0), "in_context")
    print(learner.child.pid, int((result.labels[ball] == 1).mean() * 100), flush=True)
    sys.stdin.read()
"""


def test_without_torch_it_segments_and_a_killed_parent_takes_the_child_along() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_PARENT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdin and parent.stdout
    with parent.stdin, parent.stdout:
        pid, percent = map(int, parent.stdout.readline().split())
        assert percent > 80
        assert _runs(pid)
        parent.kill()
        parent.wait()
        deadline = time.monotonic() + PATIENCE
        while _runs(pid):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def _runs(pid: int) -> bool:
    """Whether a process runs; an ended one that nobody has waited for does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_python_without_torch_is_named_with_what_it_lacks(organ: tuple[Volume, Annotation], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules.update(torch=None, uvicorn=None)")
    with LocalLearner(environment={**os.environ, "PYTHONPATH": str(tmp_path)}) as learner:
        with pytest.raises(LearnerNotStarted, match="it lacks torch, uvicorn; install"):
            learner.segment(*organ)
        assert "it lacks torch, uvicorn" in learner.test_connection().sentence


def test_a_python_that_is_too_old_is_named_with_its_version(tmp_path: Path) -> None:
    old = tmp_path / "python3.8"  # fails on MetaSegment, and tells its version
    old.write_text("#!/bin/sh\n[ $1 = -c ] || exit 1\necho 3 8\necho torch\n")
    old.chmod(0o755)
    with LocalLearner(str(old)) as learner:
        assert "it is Python 3.8 and MetaSegment needs 3.10 or newer" in learner.test_connection().sentence


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    with LocalLearner(str(tmp_path / "python")) as learner, pytest.raises(LearnerNotStarted, match="cannot be run"):
        learner.capabilities()


def test_a_child_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.exit('the licence of this Python has expired')")
    with LocalLearner(environment={**os.environ, "PYTHONPATH": str(tmp_path)}) as learner:
        assert "the licence of this Python has expired" in learner.test_connection().sentence
