"""Frames of a sequence, one after the other; a twin of the structure shows whether one tells the next where to look.

A worker alone, without Ray.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from metasegment.annotation import BACKGROUND, annotation_from_labels
from metasegment.cohort.output import Case, Output, Row, cases_of, is_done, read_row, write_row
from metasegment.cohort.studies import find_studies
from metasegment.cohort.worker import Job, Worker
from metasegment.export import read_structures
from metasegment.io.task_file import to_bytes
from metasegment.network.unet import RELEASED
from metasegment.segmentation import Budget
from metasegment.segmenter.load import load_segmenter
from metasegment.volume import Geometry, Volume

SHAPE = (40, 100, 48)
#: Where the structure was taught, and where the one is that is meant (k, j, i).
TAUGHT, MEANT = (20, 26, 24), (20, 72, 24)
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def ball(centre: tuple[int, int, int], moved: int = 0) -> np.ndarray:
    k, j, i = np.ogrid[tuple(slice(n) for n in SHAPE)]
    return (k - centre[0]) ** 2 + (j - centre[1] - moved) ** 2 + (i - centre[2]) ** 2 <= 10**2


def scan(*balls: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 20, SHAPE)
    return (noise + 100 * np.any(balls, axis=0)).astype(np.int16)


@dataclass(frozen=True)
class Heart:
    """A sequence of two frames, on the first of which a slice shows what is meant, and a worker for it."""

    output: Output
    frames: list[Case]
    worker: Worker

    def share_meant(self, frame: int) -> float:
        """How much of what was found lies where it is meant to, 0…1."""
        found = read_structures(self.output.segmentation(self.frames[frame].name)).labels > 0
        return np.count_nonzero(found & ball(MEANT, moved=2 * frame)) / np.count_nonzero(found)


@pytest.fixture(scope="module")
def a_ball_task() -> bytes:
    j = SHAPE[1] // 2
    truth = ball(TAUGHT)[:, :j]
    geometry = Geometry((SHAPE[2], j, SHAPE[0]), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), IDENTITY)
    taught = annotation_from_labels(np.where(truth, np.uint8(1), np.uint8(BACKGROUND)), geometry, {1: "chamber"})
    return to_bytes(load_segmenter(device="cpu").teach(Volume(scan(ball(TAUGHT))[:, :j].copy(), geometry), taught))


@pytest.fixture
def heart(a_ball_task: bytes, tmp_path: Path) -> Iterator[Heart]:
    before = torch.get_num_threads(), sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    frames = [scan(ball(TAUGHT), ball(MEANT, moved=2 * frame)) for frame in range(2)]
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(frame) for frame in frames]), str(tmp_path / "heart.nrrd"))
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[MEANT[0]] = np.where(ball(MEANT)[MEANT[0]], 1, BACKGROUND)
    sitk.WriteImage(sitk.GetImageFromArray(drawn), str(tmp_path / "drawn.nrrd"))
    (tmp_path / "cohort.csv").write_text("heart.nrrd,drawn.nrrd\n")
    output = Output(tmp_path / "out")
    output.prepare()
    output.task.write_bytes(a_ball_task)
    job = Job(RELEASED, "cpu", 1, Budget(seconds=0), 0, output)
    yield Heart(output, cases_of(find_studies(tmp_path / "cohort.csv"), a_ball_task), Worker(job))
    torch.set_num_threads(before[0])  # a worker's process is its own
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before[1])


def test_a_frame_is_looked_for_where_the_one_before_it_was_found(heart: Heart) -> None:
    for case in heart.frames:
        heart.worker.apply(case)
        assert is_done(heart.output, case), read_row(heart.output, case)
    assert heart.share_meant(0) > 0.8
    assert heart.share_meant(1) > 0.8


def test_a_frame_after_one_that_failed_is_done_without_it(heart: Heart) -> None:
    first, second = heart.frames
    write_row(heart.output, Row(first.name, first.mark, failure="it is truncated"))
    heart.worker.apply(second)
    assert is_done(heart.output, second)
    assert heart.share_meant(1) < 0.2


def test_what_is_drawn_on_the_first_frame_counts_for_the_frames_after_it(heart: Heart, a_ball_task: bytes) -> None:
    studies = [case.study for case in heart.frames]
    assert cases_of(studies, a_ball_task) == heart.frames
    assert studies[0].annotation
    studies[0].annotation.write_bytes(b"drawn anew")
    again = cases_of(studies, a_ball_task)
    assert all(new.mark != old.mark for new, old in zip(again, heart.frames, strict=True))
