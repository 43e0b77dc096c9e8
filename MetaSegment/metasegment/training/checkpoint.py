"""Training state on disk: safetensors files of at most 15 MiB and a JSON index, complete or absent, never pickled."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

#: A file stays below this size so that a run can move to a machine that takes small files only.
MAX_FILE_BYTES = 15 * 2**20


def save_checkpoint(folder: Path, tasks: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Writes `folder/tasks-N`, appearing at once when complete, and drops older ones. One that is there stays."""
    final, beside = folder / f"tasks-{tasks:09d}", folder / "incomplete"
    if final.exists():
        return
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for number, shard in enumerate(_shards(tensors)):
        save_file(shard, beside / f"state-{number}.safetensors")
    (beside / "facts.json").write_text(json.dumps({"tasks": tasks, **facts}))
    beside.rename(final)
    for old in _complete(folder)[:-1]:
        shutil.rmtree(old)


def latest_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Tensors and facts of the newest complete checkpoint, or None."""
    complete = _complete(folder)
    if not complete:
        return None
    tensors: dict[str, Tensor] = {}
    for path in sorted(complete[-1].glob("state-*.safetensors")):
        tensors.update(load_file(path))
    return tensors, json.loads((complete[-1] / "facts.json").read_text())


def _complete(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("tasks-*") if re.fullmatch(r"tasks-\d{9}", p.name))


def _shards(tensors: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    size = 0
    for name, tensor in tensors.items():
        if shard and size + tensor.nbytes > MAX_FILE_BYTES:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor.detach().cpu().contiguous()
        size += tensor.nbytes
    yield shard
