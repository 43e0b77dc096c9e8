"""Which computer this is, and which builds of Python and torch it gets; versions are in requirements.txt."""

from __future__ import annotations

import contextlib
import platform
import subprocess
import sys
from dataclasses import dataclass

from ..errors import InputError

#: Seconds that the system's tools get to answer.
_PATIENCE = 10
_GIB = 1024**3


@dataclass(frozen=True)
class Platform:
    """A system and processor: its name to `uv`, and the `tags` of wheels that it takes. `refusal`: why it gets none."""

    uv: str
    tags: tuple[str, ...] = ()
    refusal: str = ""


#: Platforms by name. Torch has stopped building for Intel Macs with 2.2.2.
PLATFORMS = {
    "linux-x86_64": Platform(
        "x86_64-manylinux_2_28",
        (*(f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)), "manylinux2014_x86_64"),
    ),
    "windows-x86_64": Platform("x86_64-pc-windows-msvc", ("win_amd64",)),
    "macos-arm64": Platform(
        "aarch64-apple-darwin",
        tuple(f"macosx_{major}_0_{kind}" for major in range(14, 10, -1) for kind in ("arm64", "universal2"))
        + tuple(f"macosx_10_{minor}_universal2" for minor in range(16, 8, -1)),
    ),
    "macos-x86_64": Platform(
        "x86_64-apple-darwin",
        refusal="torch no longer exists for Macs with Intel processors: use a learner at an address (A server)",
    ),
}
_SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
_PROCESSORS = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
#: Pythons that MetaSegment runs on, as uv takes the range; and the one that a computer without any gets.
PYTHONS = ">=3.10,<3.14"
PYTHON = "3.12"
#: NVIDIA's generations before Turing (compute capability 7.5) are missing in torch's builds for CUDA 12.8 and newer
#: (pytorch/pytorch#157517), and uv does not look for that (astral-sh/uv#14742). The build for 12.6 has 5.0 to 9.0.
_OLDEST_CAPABILITY, _BACKEND_OF_OLDER = 7.5, "cu126"
#: Bytes that an installation takes at its largest: measured without CUDA, whose libraries alone are 5 GiB.
_BYTES, _BYTES_WITH_CUDA = 3 * _GIB, 12 * _GIB


@dataclass(frozen=True)
class Machine:
    """A computer: `platform` as in PLATFORMS (others are tried, not known); compute `capability` of its oldest NVIDIA
    graphics card, None without.
    """

    platform: str
    capability: float | None = None

    def refuse(self) -> None:
        """Raises InputError where torch does not exist for this computer."""
        known = PLATFORMS.get(self.platform)
        if known and known.refusal:
            raise InputError(known.refusal)

    @property
    def python(self) -> str:
        """The Python that uv is asked for; on Apple's processors a native one, also for a translated process."""
        return f"cpython-{PYTHON}-macos-aarch64-none" if self.platform == "macos-arm64" else PYTHONS

    @property
    def backend(self) -> str:
        """The build of torch as `uv --torch-backend` takes it; "auto": that of the driver, CPU where there is none."""
        old = self.capability is not None and self.capability < _OLDEST_CAPABILITY
        return _BACKEND_OF_OLDER if old else "auto"

    @property
    def bytes_needed(self) -> int:
        """Free bytes that an installation needs."""
        return _BYTES if self.capability is None else _BYTES_WITH_CUDA


def this_machine() -> Machine:
    """The computer that this runs on; asks the system's own tools."""
    system = _SYSTEMS.get(sys.platform, sys.platform)
    processor = _PROCESSORS.get(platform.machine().lower(), platform.machine().lower())
    if system == "macos" and _said_by("sysctl", "-n", "hw.optional.arm64") == "1":  # an Intel program, translated
        processor = "arm64"
    said = _said_by("nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader")
    return Machine(f"{system}-{processor}", _lowest(said))


def _lowest(said: str) -> float | None:
    found = []
    for line in said.splitlines():
        with contextlib.suppress(ValueError):
            found.append(float(line))
    return min(found, default=None)


def _said_by(*command: str) -> str:
    """What a program prints; nothing where it is absent or fails."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
