"""Fixtures that the learner's tests share: the released network, small volumes and drawings, and data for training."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from helpers.organs import draw, ellipsoid, scan_of, touching_organs
from helpers.study_files import ANNOTATED
from torch import Generator, Tensor, nn

from metasegment.annotation import Annotation, annotation_from_labels
from metasegment.episodes.bank import Bank, LabelledVolume
from metasegment.episodes.rendering import render
from metasegment.episodes.shapes import procedural_labels
from metasegment.network.channels import CHANNELS
from metasegment.network.engine import Engine
from metasegment.network.precision import fastest_precision
from metasegment.network.unet import load_network
from metasegment.segmenter import Segmenter
from metasegment.strategies import all_meta_strategies
from metasegment.volume import Volume

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
def two_organs() -> np.ndarray:
    return touching_organs()


@pytest.fixture(scope="session")
def organs(two_organs: np.ndarray) -> tuple[Volume, Annotation]:
    """The two organs with three slices, on an anisotropic oblique grid."""
    volume = scan_of(two_organs, spacing=(0.9, 0.9, 1.5), angles=(25, -15, 40))
    return volume, annotation_from_labels(
        draw(two_organs, *((0, k) for k in ANNOTATED)), volume.geometry, {1: "liver", 2: "cyst"}
    )


@pytest.fixture
def an_organ() -> Tensor:
    """An ellipsoid near the middle of 24 x 32 x 28 voxels."""
    return torch.from_numpy(ellipsoid((24, 32, 28), (11, 15, 13), (7, 9, 8)))


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
