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
from ..network.unet import FILTERS, RELEASED

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

WORDS = {int: "a whole number", float: "a number", str: "a text"}
CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class Data:
    """`root` is a packed bank, or a folder that holds train/ and labelmaps/, or data sets as MSD and nnU-Net have them;
    `withheld` label values, by data set, are never targets: the curves are of them.
    """

    root: str
    withheld: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """`start` is a weights file to go on from, or "released" for the package's own; without, a fresh network is
    trained. With a name in `learnt` the finished result is saved beside that file as what was learnt on top of it, in
    half precision.
    """

    size: str = "M"
    start: str = ""
    learnt: str = ""

    @property
    def first_weights(self) -> Path | None:
        """The weights file to go on from, if there is one."""
        return RELEASED if self.start == "released" else Path(self.start) if self.start else None


@dataclass(frozen=True)
class Optimiser:
    """AdamW on means over `batch` tasks; the rate warms up over `warmup` tasks and follows a cosine to zero at
    `tasks`. With `decay` it stays until the last `decay` tasks, over which it falls to zero: such a run can be stopped
    at any time, as its product is the running average, which keeps `averaging` of itself at each step.
    """

    tasks: int
    batch: int = 4
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    warmup: int = 800
    decay: int = 0
    averaging: float = 0.998


@dataclass(frozen=True)
class Run:
    """Everything that is random follows from `seed`. `workers` make episodes: processes on a CPU, threads on a GPU.
    Every `milestone_tasks` tasks the running average is kept as a weights file, and judged on withheld structures.
    """

    seed: int
    output: str
    device: str = "auto"
    workers: int = 1
    checkpoint_seconds: float = 60.0
    milestone_tasks: int = 2500


@dataclass(frozen=True)
class Config:
    data: Data
    network: Network
    episodes: Mixture
    optimiser: Optimiser
    run: Run


@dataclass(frozen=True)
class Adaptation:
    """Meta-training of `strategies` on top of `weights`, for `minutes` each, by Adam on means over `batch` tasks.

    What is learnt is saved beside the weights, checkpoints and curves in a folder of `output` for each strategy.
    """

    strategies: list[str]
    minutes: float
    output: str
    weights: str = str(RELEASED)
    batch: int = 4
    learning_rate: float = 1e-2
    seed: int = 1
    device: str = "auto"
    checkpoint_seconds: float = 60.0


@dataclass(frozen=True)
class AdaptationConfig:
    data: Data
    episodes: Mixture
    adaptation: Adaptation


def read_config(name: str) -> Config | AdaptationConfig:
    """Reads a configuration from a TOML file, or one of the package's own by its bare name; InputError says what is
    wrong in it.
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
    kind = AdaptationConfig if "adaptation" in content else Config
    sections = typing.get_type_hints(kind)
    unknown = sorted(set(content) - set(sections))
    if unknown:
        raise InputError(f"{path}: unknown section [{unknown[0]}]; known are {', '.join(sections)}")
    config = kind(**{name: _section(path, name, hint, content.get(name, {})) for name, hint in sections.items()})
    if isinstance(config, Config) and config.network.size not in FILTERS:
        raise InputError(f"{path}: network size {config.network.size!r} is not one of {', '.join(FILTERS)}")
    if isinstance(config, Config) and config.network.learnt and not config.network.start:
        raise InputError(f"{path}: learnt in [network] needs start: the weights that it is learnt on top of")
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
