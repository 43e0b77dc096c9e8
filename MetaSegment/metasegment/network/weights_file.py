"""Named tensors and facts about them in a safetensors file, checked for damage. Knows nothing of networks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import InputError
from ..io.files import written_beside

AGAIN = "install the package again or copy the file again"


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name, and the facts they were written with; InputError where the file is absent or damaged."""
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = file.metadata() or {}
    if facts.get("sha256") not in (None, checksum(tensors)):
        raise InputError(f"weights {path} are damaged (checksum differs): {AGAIN}")
    return tensors, facts


def read_facts(path: Path) -> dict[str, str]:
    """Reads the facts alone, without reading or checking the tensors; InputError as for `read_tensors`."""
    with _opened(path) as file:
        return file.metadata() or {}


def write_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> None:
    """Writes tensors and facts, and their checksum as the fact `sha256`; the file appears at once when complete."""
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    with written_beside(path) as draft:
        save_file(plain, draft, {**facts, "sha256": checksum(plain)})


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of all tensors' names and bytes, as hexadecimal digits."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except FileNotFoundError:
        raise InputError(f"no weights at {path}: install the package again or name a weights file") from None
    except (SafetensorError, OSError) as error:
        raise InputError(f"weights {path} are damaged ({error}): {AGAIN}") from None
