"""What a training run is, read from a TOML file: data, network, task mixture, optimiser and bookkeeping."""

from __future__ import annotations

import dataclasses
import sys
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..episodes.episode import Mixture
from ..errors import InputError
from ..network import FILTERS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

WORDS = {int: "a whole number", float: "a number", str: "a text"}
CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class Data:
    """`root` holds train/ and labelmaps/, and validation/ for the curves; `withheld` label values, by data set, are
    never targets.
    """

    root: str
    withheld: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    size: str = "M"


@dataclass(frozen=True)
class Optimiser:
    """AdamW on means over `batch` tasks; the rate warms up over `warmup` tasks and follows a cosine to zero at
    `tasks`.
    """

    tasks: int
    batch: int = 4
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    warmup: int = 800


@dataclass(frozen=True)
class Run:
    """Everything that is random follows from `seed`. `validation_tasks` is the number of tasks between two points of
    the curves.
    """

    seed: int
    output: str
    device: str = "auto"
    workers: int = 1
    checkpoint_seconds: float = 60.0
    validation_tasks: int = 2500


@dataclass(frozen=True)
class Config:
    data: Data
    network: Network
    episodes: Mixture
    optimiser: Optimiser
    run: Run


def read_config(name: str) -> Config:
    """A configuration from a TOML file, or one of the package's own by its bare name; InputError says what is wrong
    in it.
    """
    path = Path(name)
    if not path.is_file():
        path = CONFIGS / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in CONFIGS.glob("*.toml")))
        raise InputError(f"no training configuration {name}: give a TOML file or one of {known}")
    try:
        content = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}") from None
    sections = {f.name: f.type for f in dataclasses.fields(Config)}
    unknown = sorted(set(content) - set(sections))
    if unknown:
        raise InputError(f"{path}: unknown section [{unknown[0]}]; known are {', '.join(sections)}")
    kinds = {"data": Data, "network": Network, "episodes": Mixture, "optimiser": Optimiser, "run": Run}
    config = Config(**{name: _section(path, name, kind, content.get(name, {})) for name, kind in kinds.items()})
    if config.network.size not in FILTERS:
        raise InputError(f"{path}: network size {config.network.size!r} is not one of {', '.join(FILTERS)}")
    return config


def _section(path: Path, name: str, kind: Any, values: Any) -> Any:
    if not isinstance(values, dict):
        raise InputError(f"{path}: {name} must be a section, [{name}], with settings below it")
    known = {f.name for f in dataclasses.fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise InputError(f"{path}: unknown setting {unknown[0]!r} in [{name}]; known are {', '.join(sorted(known))}")
    plain = {key: hint for key, hint in typing.get_type_hints(kind).items() if hint in (int, float, str)}
    for key, hint in plain.items():
        if key in values and not isinstance(values[key], (int, float) if hint is float else hint):
            raise InputError(f"{path}: {key} in [{name}] must be {WORDS[hint]}, not {values[key]!r}")
    try:
        return kind(**values)
    except TypeError as error:
        raise InputError(f"{path}: [{name}] is incomplete: {error}") from None
