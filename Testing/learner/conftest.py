"""Fixtures that the learner's tests share: the released network, small volumes and drawings, and data for training."""

from __future__ import annotations

import dataclasses
import json
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from learner.study_files import ANNOTATED, COLORS, NAMES, Study
from torch import Generator, Tensor, nn

from metasegment.annotation import BACKGROUND, AnnotatedSlice, Annotation, annotation_from_labels
from metasegment.cli import main
from metasegment.episodes.bank import Bank, LabelledVolume
from metasegment.episodes.rendering import render
from metasegment.episodes.shapes import procedural_labels
from metasegment.export import write_segmentation
from metasegment.io.volume_file import write_volume
from metasegment.network.channels import CHANNELS
from metasegment.network.engine import Engine
from metasegment.network.precision import fastest_precision
from metasegment.network.unet import load_network
from metasegment.segmenter import Segmenter
from metasegment.strategies import all_meta_strategies
from metasegment.volume import Geometry, Volume

#: Edge in voxels of the cubes in a data folder for training.
EDGE = 32
#: The structure of the label map in that folder that is never a target.
WITHHELD = 3


@pytest.fixture(scope="session")
def released_engine() -> Engine:
    """The released weights on the CPU, for all tests; one that changes an engine makes its own.

    Strategies have the meta-parameters from which their meta-training starts.
    """
    network = load_network()
    return Engine(network, "cpu", {name: s.initial(network) for name, s in all_meta_strategies().items()})


@pytest.fixture(scope="session")
def segmenter(released_engine: Engine) -> Segmenter:
    return Segmenter(released_engine)


@pytest.fixture(scope="session")
def ellipsoid() -> Callable[[Sequence[int], Sequence[float], Sequence[float]], np.ndarray]:
    """Builds a boolean ellipsoid (k, j, i) from shape, centre and radii in voxels."""

    def build(shape: Sequence[int], centre: Sequence[float], radii: Sequence[float]) -> np.ndarray:
        axes = np.ogrid[tuple(slice(n) for n in shape)]
        squared = [((a - c) / r) ** 2 for a, c, r in zip(axes, centre, radii, strict=True)]
        return squared[0] + squared[1] + squared[2] <= 1

    return build


@pytest.fixture(scope="session")
def two_organs(ellipsoid: Callable[..., np.ndarray]) -> np.ndarray:
    """Labels 1 and 2 (k, j, i) of two organs that touch, in the middle of 40 x 56 x 56 voxels."""
    shape = (40, 56, 56)
    large, small = ellipsoid(shape, (20, 26, 22), (11, 12, 10)), ellipsoid(shape, (20, 27, 38), (9, 9, 8))
    return np.where(large, 1, np.where(small, 2, 0)).astype(np.uint8)


@pytest.fixture(scope="session")
def scan_of(geometry_with: Callable[..., Geometry]) -> Callable[..., Volume]:
    """Images labels (k, j, i) as a noisy CT-like volume: each label 100 above the one before, noise of 20."""

    def image(
        labels: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0), angles: Sequence[float] = (0, 0, 0)
    ) -> Volume:
        noise = np.random.default_rng(0).normal(0, 20, labels.shape)
        k, j, i = labels.shape
        return Volume((noise + 100.0 * labels).astype(np.int16), geometry_with((i, j, k), spacing, angles=angles))

    return image


@pytest.fixture(scope="session")
def draw() -> Callable[..., np.ndarray]:
    """Annotates planes of a truth (k, j, i), given as (axis, index): labels with 255 beside the structures there."""

    def annotate(truth: np.ndarray, *planes: tuple[int, int]) -> np.ndarray:
        labels = np.zeros_like(truth, dtype=np.uint8)
        for axis, index in planes:
            flat = AnnotatedSlice(axis, index).voxels(truth.shape)
            values = truth.reshape(-1)[flat]
            labels.reshape(-1)[flat] = np.where(values, values, BACKGROUND)
        return labels

    return annotate


@pytest.fixture(scope="session")
def dice() -> Callable[[np.ndarray, np.ndarray], float]:
    def overlap(a: np.ndarray, b: np.ndarray) -> float:
        return float(2 * np.count_nonzero(a & b) / max(1, np.count_nonzero(a) + np.count_nonzero(b)))

    return overlap


@pytest.fixture(scope="session")
def organs(
    scan_of: Callable[..., Volume], two_organs: np.ndarray, draw: Callable[..., np.ndarray]
) -> tuple[Volume, Annotation]:
    """The two organs with three slices, on an anisotropic oblique grid."""
    volume = scan_of(two_organs, spacing=(0.9, 0.9, 1.5), angles=(25, -15, 40))
    return volume, annotation_from_labels(
        draw(two_organs, *((0, k) for k in ANNOTATED)), volume.geometry, {1: "liver", 2: "cyst"}
    )


@pytest.fixture
def an_organ(ellipsoid: Callable[..., np.ndarray]) -> Tensor:
    """An ellipsoid near the middle of 24 x 32 x 28 voxels."""
    return torch.from_numpy(ellipsoid((24, 32, 28), (11, 15, 13), (7, 9, 8)))


@pytest.fixture(scope="session")
def study(
    tmp_path_factory: pytest.TempPathFactory,
    scan_of: Callable[..., Volume],
    two_organs: np.ndarray,
    draw: Callable[..., np.ndarray],
) -> Study:
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


def _synthetic_volume(group: str, seed: int, spacing: tuple[float, float, float]) -> LabelledVolume:
    generator = Generator().manual_seed(seed)
    labels = procedural_labels((36, 36, 36), generator).short()
    image = (300 * render(labels, generator, spacing)).short()
    targets = tuple(v for v in labels.unique().tolist() if v)
    return LabelledVolume(group, str(seed), image, labels, spacing, targets)


@pytest.fixture(scope="session")
def bank() -> Bank:
    """Synthetic anatomy: volumes of two groups, one with thick slices, and a label map."""
    thick, thin = (3.0, 1.0, 1.0), (1.0, 1.0, 1.0)
    volumes = {
        "ct": [_synthetic_volume("ct", 0, thick), _synthetic_volume("ct", 1, thin)],
        "mr": [_synthetic_volume("mr", 2, thin)],
    }
    label_map = dataclasses.replace(_synthetic_volume("maps", 3, thin), image=None)
    return Bank(volumes, [label_map])


@pytest.fixture(scope="session")
def a_blob() -> Tensor:
    """An irregular structure that spans 20 voxels of each axis and more."""
    generator = Generator().manual_seed(5)
    k, j, i = torch.meshgrid(*(torch.arange(32) - 15.5 for _ in range(3)), indexing="ij")
    dents = torch.nn.functional.interpolate(torch.randn(1, 1, 5, 5, 5, generator=generator), size=(32, 32, 32))[0, 0]
    return (k**2 + j**2 + i**2).sqrt() + dents < 12


def _write(path: Path, array: Tensor) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(array.numpy()), str(path))
    (path.parent / "dataset.json").write_text("{}")


@pytest.fixture
def a_data_folder(tmp_path: Path) -> Path:
    """Two small labelled volumes, and a label map of which one structure is withheld."""
    root = tmp_path / "data"
    for seed in range(3):
        generator = Generator().manual_seed(seed)
        labels = procedural_labels((EDGE, EDGE, EDGE), generator)
        image = (300 * render(labels, generator)).short()
        if seed == 2:
            _write(root / "labelmaps" / "maps" / "map.nii.gz", labels)
            continue
        _write(root / "train" / "set" / str(seed) / "image.nii.gz", image)
        _write(root / "train" / "set" / str(seed) / "labels.nii.gz", labels)
    (root / "train" / "set" / "dataset.json").write_text("{}")
    (root / "labelmaps" / "maps" / "dataset.json").write_text(json.dumps({"withheld": [WITHHELD]}))
    return root


@pytest.fixture
def a_config(a_data_folder: Path, tmp_path: Path) -> Path:
    """A run of ten tasks in five steps; the test puts a folder in the place of OUTPUT."""
    path = tmp_path / "tiny.toml"
    path.write_text(f"""
        [data]
        root = '{a_data_folder}'
        [optimiser]
        tasks = 10
        batch = 2
        warmup = 4
        [run]
        seed = 5
        output = 'OUTPUT'
        device = "cpu"
        workers = 0
        checkpoint_seconds = 0
        milestone_tasks = 4
    """)
    return path


@pytest.fixture
def a_settled_cache(tmp_path: Path) -> Path:
    """A cache folder in which the format for training on one thread is remembered, so that no run measures another."""
    cache = tmp_path / "cache" / "metasegment" / "precision.json"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    fastest_precision(nn.Conv3d(len(CHANNELS), 1, 1), "cpu", True, cache)
    torch.set_num_threads(threads)
    (key,) = json.loads(cache.read_text())
    # Exact on every machine, in the layout that a resumed network has to be put in.
    cache.write_text(json.dumps({key: ["float32", "channels_last"]}))
    return cache.parent.parent


@pytest.fixture
def one_thread(a_settled_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process computes as the processes of torchrun do."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(a_settled_cache))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
