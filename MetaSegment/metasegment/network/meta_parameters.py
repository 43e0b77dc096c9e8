"""What strategies meta-learnt on top of a network: files `<weights>-<strategy>.safetensors` beside its weights.

They hold for exactly the weights they were trained with; files made for others are passed over. Those of the released
weights that gained too little to be installed with them lie in the repository alone, and are found in a checkout.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from .unet import RELEASED
from .weights_file import read_facts, read_tensors, write_tensors

#: Says which code can read a file of meta-parameters.
LEARNT_FORMAT = "metasegment-learnt-1"
#: Where a checkout of the repository has meta-parameters; an installed package has no such folder.
REPOSITORY = Path(__file__).parents[3] / "Resources" / "weights"
#: Meta-parameters by strategy, then by name.
Learnt = Mapping[str, Mapping[str, Tensor]]


def learnt_path(weights: Path, strategy: str) -> Path:
    """Tells where the meta-parameters of a strategy lie, for the weights of a network."""
    return weights.with_name(f"{weights.stem}-{strategy}.safetensors")


def learnt_files(weights: Path) -> dict[str, Path]:
    """Returns files of what was learnt with these very weights, by strategy: those beside the weights before the
    repository's.

    Raises InputError where one is damaged.
    """
    network = read_facts(weights).get("sha256")
    found = {}
    for folder in (REPOSITORY, weights.parent):
        for path in sorted(folder.glob(f"{weights.stem}-*.safetensors")):
            facts = read_facts(path)
            if (facts.get("format"), facts.get("network")) == (LEARNT_FORMAT, network):
                found[facts["strategy"]] = path
    return found


def load_learnt(weights: Path = RELEASED) -> Learnt:
    """Returns what was learnt with these very weights, in single precision, by name; InputError where a file is
    damaged.
    """
    return {
        strategy: {name: tensor.float() for name, tensor in read_tensors(path)[0].items()}
        for strategy, path in learnt_files(weights).items()
    }


def save_learnt(weights: Path, strategy: str, tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> Path:
    """Writes the meta-parameters of a strategy beside the weights they were trained with."""
    path = learnt_path(weights, strategy)
    network = read_facts(weights)["sha256"]
    write_tensors(path, tensors, {"format": LEARNT_FORMAT, "strategy": strategy, "network": network, **facts})
    return path
