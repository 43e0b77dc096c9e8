"""Fixtures of the tests of commands: the two organs as files, and how a command refuses."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers.organs import draw, scan_of, touching_organs
from helpers.study_files import ANNOTATED, COLORS, NAMES, Study

from metasegment.annotation import BACKGROUND
from metasegment.cli import main
from metasegment.export import write_segmentation
from metasegment.io.volume_file import write_volume


@pytest.fixture(scope="session")
def two_organs() -> np.ndarray:
    return touching_organs()


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory, two_organs: np.ndarray) -> Study:
    folder = tmp_path_factory.mktemp("study")
    volume = scan_of(two_organs, spacing=(0.9, 0.9, 1.5), angles=(25, -15, 40))
    labels = draw(two_organs, *((0, k) for k in ANNOTATED))
    write_volume(volume, folder / "image.nrrd")
    names, colors = {**NAMES, BACKGROUND: "background"}, {**COLORS, BACKGROUND: (0.5, 0.5, 0.5)}
    write_segmentation(labels, volume.geometry, folder / "annotation.seg.nrrd", names, colors)
    return Study(folder / "image.nrrd", folder / "annotation.seg.nrrd", volume, labels)


@pytest.fixture
def ctrl_c_works_after_a_command() -> Iterator[None]:
    """A command in this process takes over the signals and would keep them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def refused(
    study: Study, tmp_path: Path, capfd: pytest.CaptureFixture[str], ctrl_c_works_after_a_command: None
) -> Callable[..., str]:
    """Runs a command that must end with code 2, one line on standard error, and nothing written; returns the line."""

    def run(image: Path = study.image, annotation: Path = study.annotation, more: Sequence[object] = ()) -> str:
        folder = tmp_path / "results"
        folder.mkdir()
        code = main(list(map(str, ["segment", image, annotation, "--output", folder / "out.nrrd", *more])))
        printed = capfd.readouterr()
        assert code == 2
        assert printed.out == ""
        (line,) = printed.err.splitlines()
        assert line.startswith("metasegment: ")
        assert not list(folder.iterdir())
        return line

    return run
