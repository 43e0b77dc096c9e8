"""What a run was made of and what came out, so that it can be repeated and compared.

Names files as the command was given them, and nothing of what is in them but checksums.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import __version__
from .errors import InputError
from .io.files import written_beside

#: Packages whose versions decide what is computed.
PACKAGES = ("torch", "monai", "numpy", "SimpleITK", "safetensors", "opencv-python-headless")
#: Options that name what a command writes.
_OUTPUTS = ("output", "uncertainty", "save_task", "manifest")
#: Options that are no parameters of the computation.
_NO_PARAMETERS = (*_OUTPUTS, "arguments", "command", "json", "run")
#: What every manifest has.
_FIELDS = ("arguments", "folder", "outputs", "versions", "weights", "inputs", "result")


def versions() -> dict[str, str]:
    """Of MetaSegment, Python, the system, and the packages that decide what is computed."""
    mine = {"metasegment": __version__, "python": platform.python_version(), "system": platform.platform()}
    return {**mine, **{name: version_of(name) for name in PACKAGES}}


def version_of(package: str) -> str:
    """The version of an installed package; "absent" where there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def checksum_of_labels(labels: np.ndarray) -> str:
    """SHA-256 of the shape and the voxels of a label map (k, j, i)."""
    digest = hashlib.sha256(repr(labels.shape).encode())
    digest.update(np.ascontiguousarray(labels, np.uint8).tobytes())
    return digest.hexdigest()


def checksum_of_path(path: Path) -> str:
    """SHA-256 of a file; of a folder, of its files' names and contents. Raises InputError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        for file in sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]:
            if path.is_dir():
                digest.update(file.relative_to(path).as_posix().encode())
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    return digest.hexdigest()


def manifest_of(
    options: Mapping[str, Any], result: Mapping[str, Any], more: Mapping[str, Any], inputs: Iterable[Path] = ()
) -> dict[str, Any]:
    """A manifest of a command's `options` (among them `weights`, and `arguments`: its words).

    `result` is what a repetition is compared by; `more` what it is not: device, seconds. `inputs` are files beside
    those that the options name.
    """
    weights = Path(options["weights"])
    named = (path for name, value in options.items() if name not in _OUTPUTS for path in _paths_in(value))
    files = dict.fromkeys(path for path in (*named, *inputs) if path != weights and path.exists())
    return {
        "arguments": list(options["arguments"]),
        "folder": str(Path.cwd()),
        "outputs": {name: str(options[name]) for name in _OUTPUTS if options.get(name)},
        "versions": versions(),
        "weights": {"name": weights.stem, "sha256": checksum_of_path(weights)},
        "inputs": {str(path): checksum_of_path(path) for path in files},
        "parameters": {name: _plain(value) for name, value in options.items() if name not in _NO_PARAMETERS},
        **more,
        "result": dict(result),
    }


def write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    """As JSON; raises InputError where it cannot be written."""
    with written_beside(path) as draft:
        draft.write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")


def read_manifest(path: Path) -> dict[str, Any]:
    """Raises InputError for what is no manifest."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (OSError, ValueError):
        manifest = None
    if not isinstance(manifest, dict) or not all(name in manifest for name in _FIELDS):
        raise InputError(f"{path} is no manifest: name a file that --manifest wrote, or a cohort's manifest.json")
    return manifest


def _paths_in(value: object) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _paths_in(each)


def _plain(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value if isinstance(value, (int, float, str, type(None))) else str(value)
