"""What a training run is at one moment: parameters, their running average, and the optimiser's moments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError
from ..network.unet import FewShotUNet, build_network, load_network, widened
from ..network.weights_file import read_facts
from .config import Config

#: What Adam remembers of a parameter.
MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass
class State:
    """All that a checkpoint holds."""

    network: FewShotUNet
    average: dict[str, Tensor]
    optimiser: torch.optim.AdamW
    tasks: int = 0

    def tensors(self) -> dict[str, Tensor]:
        return saved("network", dict(self.network.named_parameters()), self.average, self.optimiser)

    def restore(self, tensors: dict[str, Tensor], tasks: int) -> None:
        restore("network", dict(self.network.named_parameters()), self.average, self.optimiser, tensors)
        self.tasks = tasks


def saved(
    kind: str, parameters: Mapping[str, Tensor], average: Mapping[str, Tensor], optimiser: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Parameters, their running average and Adam's moments, each under its kind and the parameter's name."""
    moments = {
        f"{moment}/{name}": optimiser.state[parameter][moment]
        for name, parameter in parameters.items()
        for moment in MOMENTS
        if parameter in optimiser.state
    }
    averages = {f"average/{name}": value for name, value in average.items()}
    return {**{f"{kind}/{name}": p.data for name, p in parameters.items()}, **averages, **moments}


def restore(
    kind: str,
    parameters: Mapping[str, Tensor],
    average: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
    tensors: Mapping[str, Tensor],
) -> None:
    """Puts back, bit for bit, what `saved` returned."""
    for name, parameter in parameters.items():
        parameter.data.copy_(tensors[f"{kind}/{name}"])
        average[name].copy_(tensors[f"average/{name}"])
        if f"step/{name}" in tensors:
            optimiser.state[parameter] = {
                moment: tensors[f"{moment}/{name}"].to(parameter.device if moment != "step" else "cpu")
                for moment in MOMENTS
            }


def initial_state(config: Config, device: str) -> State:
    torch.manual_seed(config.run.seed)
    network = _first_network(config).to(device)
    average = {name: p.detach().clone() for name, p in network.named_parameters()}
    settings = config.optimiser
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    return State(network, average, optimiser)


def _first_network(config: Config) -> FewShotUNet:
    path, size = config.network.first_weights, config.network.size
    if path is None:
        return build_network(size)
    network = load_network(path)
    if read_facts(path)["size"] != size:
        raise InputError(f"{path} is not of size {size}: set size in [network] to that of the weights to start from")
    return (network if config.network.learnt else widened(network, size)).train()
