"""The interface of every way to adapt: `fit` turns support into a state, `predict` answers on a grid.

A strategy is a module of this folder with a `STRATEGY`; nothing else has to know it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ..grid import Grid
from ..network.engine import Engine
from ..prompts import Prompt, Scene, make_channels

#: Prefix of meta-parameters that are offsets of the network's own parameters: learnt more slowly than all others.
OFFSET = "start/"

#: What a strategy learnt, by name; empty where it learns nothing.
State = Mapping[str, Tensor]
#: Called between steps; raises Cancelled to stop, returns False when the time is up.
TimeLeft = Callable[[], bool]


@dataclass(frozen=True)
class Support:
    """The annotated slices of one structure in a cropped volume.

    `annotated_slices` are flat indices into the labels, one tensor for each annotated slice, on which the structure
    may be absent.
    """

    scene: Scene
    structure: int
    annotated_slices: tuple[Tensor, ...]

    def showing(self, kept: Sequence[int]) -> Scene:
        """Returns the scene with the numbered slices alone; voxels where two slices cross stay with either."""
        labels = torch.zeros_like(self.scene.labels)
        for number in kept:
            voxels = self.annotated_slices[number]
            labels.view(-1)[voxels] = self.scene.labels.view(-1)[voxels]
        return replace(self.scene, labels=labels)

    def without(self, hidden: int) -> Scene:
        """Returns the scene with one slice hidden."""
        return self.showing([n for n in range(len(self.annotated_slices)) if n != hidden])

    @property
    def slices_shown(self) -> int:
        """Number of annotated slices that show the structure."""
        return len(self.showing_structure)

    @property
    def showing_structure(self) -> list[int]:
        """Numbers of the annotated slices that show the structure."""
        return [number for number in range(len(self.annotated_slices)) if self.shown_in(number)]

    def shown_in(self, number: int) -> bool:
        """Tells whether the structure is on the slice."""
        return bool((self.scene.labels.view(-1)[self.annotated_slices[number]] == self.structure).any())


@dataclass(frozen=True)
class Query:
    """What is asked: one structure of a scene on a grid, given the prompt of its visible slices and an earlier
    answer.
    """

    scene: Scene
    structure: int
    prompt: Prompt
    grid: Grid
    previous: Tensor | None = None

    @cached_property
    def channels(self) -> Tensor:
        """The network's input (8, *grid.shape)."""
        return make_channels(self.scene, self.structure, self.prompt, self.grid, self.previous)


@dataclass(frozen=True)
class TrainingSlice:
    """One slice to learn from: channels (8, k, j, i) made without it, `target` 0…1 and `cells` bool (k, j, i) of the
    slice.
    """

    channels: Tensor
    target: Tensor
    cells: Tensor


class Strategy(Protocol):
    """A way to turn support into a task."""

    name: str

    def fit(self, slices: Sequence[TrainingSlice], engine: Engine, steps: int, seed: int, time_left: TimeLeft) -> State:
        """Learns from slices that are hidden from their own channels, in at most `steps` steps."""
        ...

    def predict(self, state: State, query: Query, engine: Engine) -> Tensor:
        """Returns logits (k, j, i) float32 on the query's grid."""
        ...


@dataclass(frozen=True)
class MetaTask:
    """A training task for a strategy that adapts: training slices, and the query of all annotated slices.

    `channels` (8, k, j, i); `target` 0…1 and `weight` (k, j, i), 0 on annotated cells.
    """

    slices: tuple[TrainingSlice, ...]
    channels: Tensor
    target: Tensor
    weight: Tensor


@runtime_checkable
class MetaStrategy(Strategy, Protocol):
    """A strategy with meta-parameters of its own, learnt over many tasks on top of a meta-trained network."""

    def initial(self, network: nn.Module) -> dict[str, Tensor]:
        """Returns the meta-parameters before meta-training: float32, and best such that the strategy is no worse than
        in-context.
        """
        ...

    def meta_gradient(
        self, meta: Mapping[str, Tensor], task: MetaTask, engine: Engine
    ) -> tuple[float, dict[str, Tensor]]:
        """Returns loss on the task's query after adapting to its training slices, and its gradient or what stands for
        it.

        `meta` are leaves that require gradients, on the engine's device.
        """
        ...
