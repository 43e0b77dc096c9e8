"""Fixtures that every test folder shares: real data where present, and synthetic volumes on awkward grids."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from metasegment.volume import Geometry, Volume

sys.path.insert(0, str(Path(__file__).parent))  # where helpers lie

from helpers.grids import IDENTITY, SMALL, rotation
from helpers.small_wheels import a_bundle, a_machine  # noqa: F401

REPOSITORY = Path(__file__).resolve().parent.parent
_EXIT_STATUS = pytest.StashKey[int]()


#: Files and folders whose tests are marked `fast`: no network runs, no process starts, no panel opens.
FAST = (
    "anatomy/test_atlas.py",
    "anatomy/test_lookup.py",
    "benchmark/test_cases.py",
    "benchmark/test_measures.py",
    "benchmark/test_statistics.py",
    "cohort/test_studies.py",
    "io",
    "learner/data/test_annotation.py",
    "learner/data/test_numbering.py",
    "learner/data/test_volume.py",
    "learner/prompts",
    "service/test_wire_annotations.py",
    "service/test_wire_arrays.py",
    "service/test_wire_messages.py",
    "service/test_wire_results.py",
    "service/test_wire_volumes.py",
    "test_house.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if any(item.path.is_relative_to(here / name) for name in FAST):
            item.add_marker("fast")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_EXIT_STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends the process once all is reported, where Slicer's libraries were loaded: with torch beside them they end it
    with a segmentation fault when the interpreter takes them down (slicer-core 5.12.4, PySide6 6.11.1, torch 2.13).
    """
    if "slicer" in sys.modules and _EXIT_STATUS in config.stash:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[_EXIT_STATUS])


_AWKWARD = {
    "plain": Geometry(SMALL, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), IDENTITY),
    "anisotropic": Geometry(SMALL, (0.7, 0.9765625, 5.0), (-120.5, -88.25, 1033.0), IDENTITY),
    "flipped": Geometry(SMALL, (0.8, 0.8, 2.5), (100.0, 90.0, -40.0), (-1, 0, 0, 0, -1, 0, 0, 0, 1)),
    "left-handed": Geometry(SMALL, (0.8, 0.8, 2.5), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, -1)),
    "sagittal": Geometry(SMALL, (1.0, 1.0, 3.3), (-30.0, 10.0, 50.0), (0, 0, 1, 1, 0, 0, 0, -1, 0)),
    "oblique": Geometry(SMALL, (0.6, 0.75, 4.0), (12.3, -45.6, 78.9), tuple(rotation(25, -15, 40).ravel().tolist())),
}


@pytest.fixture(params=_AWKWARD, scope="session")
def awkward_geometry(request: pytest.FixtureRequest) -> Geometry:
    """Grids as scanners make them: anisotropic, oblique, flipped, left-handed, not axial."""
    return _AWKWARD[request.param]


@pytest.fixture
def textured_volume(awkward_geometry: Geometry) -> Volume:
    """CT-like int16 noise on each awkward grid."""
    values = np.random.default_rng(7).integers(-1000, 2000, awkward_geometry.shape)
    return Volume(values.astype(np.int16), awkward_geometry)


@pytest.fixture
def a_scan() -> sitk.Image:
    """30 x 20 x 6 voxels of int16 noise as SimpleITK has them."""
    values = np.random.default_rng(3).integers(0, 1000, (6, 20, 30)).astype(np.int16)
    return sitk.GetImageFromArray(values)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real volumes outside the repository: $METASEGMENT_DATA, else ../shared/data next to the repository."""
    folder = Path(os.environ.get("METASEGMENT_DATA") or REPOSITORY.parent / "shared" / "data")
    if not (folder / "README.md").is_file():
        pytest.skip(f"real data not found in {folder} (set METASEGMENT_DATA)")
    return folder


@pytest.fixture(scope="session")
def a_ct_series(data_folder: Path) -> Path:
    """Folder with one CT series of 48 slices, 3.27 mm apart."""
    return data_folder / "dicom" / "sts002_ct_rtstruct" / "image"


@pytest.fixture(scope="session")
def an_mr_series(data_folder: Path) -> Path:
    """Folder with one MR series of 28 slices, 3.27 mm apart."""
    return data_folder / "dicom" / "sts008_mr_t1_rtstruct" / "image"
