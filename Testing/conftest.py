"""Fixtures that every test folder shares: real data where present, and synthetic volumes on awkward grids."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from metasegment.errors import InputError
from metasegment.io.volume_file import read_volume
from metasegment.volume import Geometry, Volume

sys.path.insert(0, str(Path(__file__).parent))  # where fixtures are that several folders share

from dicom_files import write_frames, write_series  # noqa: F401
from small_wheels import a_bundle, a_machine  # noqa: F401

REPOSITORY = Path(__file__).resolve().parent.parent
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
_EXIT_STATUS = pytest.StashKey[int]()
SMALL = (13, 11, 9)  # i, j, k: three different lengths, so that mixed-up axes show


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


def _rotation(about_x: float, about_y: float, about_z: float) -> np.ndarray:
    """Rotation matrix from three angles in degrees."""
    x, y, z = np.radians([about_x, about_y, about_z])
    around_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    around_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    around_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return around_z @ around_y @ around_x


@pytest.fixture(scope="session")
def geometry_with() -> Callable[..., Geometry]:
    """Builds a geometry from size, spacing, origin, rotation angles (degrees) and flipped axes (-1)."""

    def build(
        size: tuple[int, int, int] = SMALL,
        spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
        origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
        angles: tuple[float, float, float] = (0.0, 0.0, 0.0),
        flips: tuple[int, int, int] = (1, 1, 1),
    ) -> Geometry:
        direction = _rotation(*angles) * flips
        return Geometry(size, spacing, origin, tuple(direction.ravel().tolist()))

    return build


_AWKWARD = {
    "plain": Geometry(SMALL, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), IDENTITY),
    "anisotropic": Geometry(SMALL, (0.7, 0.9765625, 5.0), (-120.5, -88.25, 1033.0), IDENTITY),
    "flipped": Geometry(SMALL, (0.8, 0.8, 2.5), (100.0, 90.0, -40.0), (-1, 0, 0, 0, -1, 0, 0, 0, 1)),
    "left-handed": Geometry(SMALL, (0.8, 0.8, 2.5), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, -1)),
    "sagittal": Geometry(SMALL, (1.0, 1.0, 3.3), (-30.0, 10.0, 50.0), (0, 0, 1, 1, 0, 0, 0, -1, 0)),
    "oblique": Geometry(SMALL, (0.6, 0.75, 4.0), (12.3, -45.6, 78.9), tuple(_rotation(25, -15, 40).ravel().tolist())),
}


@pytest.fixture(params=_AWKWARD, scope="session")
def awkward_geometry(request: pytest.FixtureRequest) -> Geometry:
    """Grids as scanners make them: anisotropic, oblique, flipped, left-handed, not axial."""
    return _AWKWARD[request.param]


@pytest.fixture(scope="session")
def short_lessons() -> Callable[[], AbstractContextManager[None]]:
    """While it lasts, this process teaches tasks in a second instead of ten, a little worse."""

    @contextmanager
    def shortened() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for constant, few in (("perceptron.STEPS", 40), ("locator.VIEWS", 4), ("delineator.VIEWS", 4)):
                patch.setattr(f"metasegment.transfer.{constant}", few)
            yield

    return shortened


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
def refusal() -> Callable[[Path], str]:
    """Reads a path that must be refused, and returns the message: one line that names the path."""

    def read(path: Path) -> str:
        with pytest.raises(InputError) as caught:
            read_volume(path)
        message = str(caught.value)
        assert "\n" not in message
        assert str(path) in message
        return message

    return read


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
