"""A frozen benchmark: which structures of which cases, annotated on which slices, perturbed how. Read and checked here.

Holds indices and names only, never an image or a label; made by `freeze.py`, or by `own.py` from the user's own cases.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from .perturb import IMAGE, ON_SLICES, THICKER

#: Says which code can read a protocol.
FORMAT = "metasegment-protocol-1"
#: What is taught on one subject's case is used on another's; and the same cases without it, to compare with.
CROSS_VOLUME, ALONE = "cross_volume", "alone"
PARTS = ("main", "planes", "placement", "seen", "robustness", CROSS_VOLUME, ALONE)
REGIMES = ("unseen", "seen", "unknown")
SHAPES = ("compact", "large", "tubular", "tiny")
MODALITIES = ("CT", "MR", "other")
STYLES = ("axial", "coronal", "sagittal", "mixed")
#: Protocols that come with the package.
FOLDER = Path(__file__).parent / "protocols"


@dataclass(frozen=True)
class Perturbation:
    """What is done to a task's image or annotation, see `perturb.py`; the seed is for what is random in it."""

    name: str
    level: float
    seed: int


@dataclass(frozen=True)
class TaughtOn:
    """Another subject's case of the data set, annotated there on `slices` (as a task's own, and never none)."""

    case: str
    slices: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Task:
    """One structure with annotated slices.

    `slices` are (axis, index) on the volume's own grid (axis 0 = k), or on the thinned out one where the perturbation
    makes slices thicker. Cases of one `subject` are not independent. `style` names the planes for a volume whose axes
    are the patient's; `regime` says whether the released weights saw such structures in training. With `taught_on` a
    method is given that case too, and `slices` may be none.
    """

    id: str
    part: str
    dataset: str
    case: str
    subject: str
    label: int
    structure: str
    modality: str
    shape: str
    regime: str
    style: str
    slices: tuple[tuple[int, int], ...]
    perturbation: Perturbation | None = None
    taught_on: TaughtOn | None = None


@dataclass(frozen=True)
class Protocol:
    """`split` is the folder of the data that holds `<dataset>/<case>`.

    `identity` is the name with a checksum of all tasks, whichever of them are chosen: rows of a run carry it.
    """

    name: str
    split: str
    tasks: tuple[Task, ...]
    identity: str = ""

    def __post_init__(self) -> None:
        if not self.identity:
            digest = hashlib.sha256(as_text(self).encode()).hexdigest()
            object.__setattr__(self, "identity", f"{self.name} ({digest[:8]})")


def named_protocol(name: str) -> Path:
    """Returns the file of a protocol given by path, or by the name of one that comes with the package."""
    path = Path(name)
    packaged = FOLDER / f"{name}.json"
    if path.is_file() or not packaged.is_file():
        return path
    return packaged


def read_protocol(path: Path) -> Protocol:
    """Reads a protocol; InputError, one line, where it is absent, not one, or inconsistent."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        known = ", ".join(sorted(found.stem for found in FOLDER.glob("*.json")))
        raise InputError(f"no protocol at {path}: give a file, or the name of one that comes along: {known}") from None
    except ValueError:
        raise InputError(f"{path} is not a protocol: it is not JSON") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path} is not a protocol this version reads: its format must be {FORMAT!r}")
    try:
        tasks = tuple(_task(fields) for fields in content["tasks"])
        protocol = Protocol(str(content["name"]), str(content["split"]), tasks)
        _check(protocol)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a valid protocol: {_in_words(error)}") from None
    return protocol


def as_text(protocol: Protocol) -> str:
    """Returns the file's text: JSON with one task a line, so that a change shows as the lines it changes."""
    head = {"format": FORMAT, "name": protocol.name, "split": protocol.split}
    tasks = ",\n".join(json.dumps(_fields(task), ensure_ascii=False) for task in protocol.tasks)
    return json.dumps(head)[:-1] + f', "tasks": [\n{tasks}\n]}}\n'


def chosen_parts(protocol: Protocol, parts: Sequence[str] | None) -> Protocol:
    """Returns the protocol with these parts only; InputError for one it does not have."""
    present = list(dict.fromkeys(task.part for task in protocol.tasks))
    for part in parts or ():
        if part not in present:
            raise InputError(f"no part {part!r} in {protocol.name}: it has {', '.join(present)}")
    kept = tuple(task for task in protocol.tasks if not parts or task.part in parts)
    return replace(protocol, tasks=kept)


def _task(fields: dict[str, Any]) -> Task:
    given = fields.get("perturbation")
    perturbation = Perturbation(**given) if given else None
    taught_on = fields.get("taught_on")
    source = TaughtOn(taught_on["case"], _slices(taught_on["slices"])) if taught_on else None
    slices = _slices(fields["slices"])
    return Task(**{**fields, "slices": slices, "perturbation": perturbation, "taught_on": source})


def _fields(task: Task) -> dict[str, Any]:
    """`taught_on` only where there is one: the text of an older protocol, and its identity, stay what they were."""
    return {name: value for name, value in asdict(task).items() if name != "taught_on" or value}


def _slices(pairs: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((int(axis), int(index)) for axis, index in pairs)


def _check(protocol: Protocol) -> None:
    """Raises ValueError, naming the task, for what no run could use."""
    if not protocol.tasks:
        raise ValueError("it has no tasks")
    seen: set[str] = set()
    for task in protocol.tasks:
        if task.id in seen:
            raise ValueError(f"task {task.id} is there twice")
        seen.add(task.id)
        for value, allowed in (
            (task.part, PARTS),
            (task.regime, REGIMES),
            (task.shape, SHAPES),
            (task.modality, MODALITIES),
            (task.style, STYLES),
        ):
            if value not in allowed:
                raise ValueError(f"task {task.id} has {value!r} instead of one of {', '.join(allowed)}")
        needed = task.taught_on.slices if task.taught_on else task.slices
        if not needed or any(axis not in (0, 1, 2) or index < 0 for axis, index in (*needed, *task.slices)):
            raise ValueError(f"task {task.id} needs slices as [axis 0…2, index]")
        if task.perturbation and task.perturbation.name not in (*IMAGE, *ON_SLICES, THICKER):
            raise ValueError(f"task {task.id} has an unknown perturbation {task.perturbation.name!r}")


def _in_words(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())
