"""Where the meta-parameters of strategies are looked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from metasegment.network import meta_parameters
from metasegment.network.meta_parameters import learnt_files, load_learnt, save_learnt
from metasegment.network.unet import RELEASED
from metasegment.strategies import all_meta_strategies

NOT_INSTALLED = {"anil", "fomaml", "hyper_film", "maml", "meta_sgd", "reptile"}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A copy of the released weights, alone in a folder."""
    return Path(shutil.copy(RELEASED, tmp_path))


def test_a_checkout_finds_what_every_strategy_learnt() -> None:
    found = learnt_files(RELEASED)
    assert set(found) == {*all_meta_strategies(), "recall"}
    assert {name for name, path in found.items() if path.parent != RELEASED.parent} == NOT_INSTALLED


def test_an_installed_package_goes_without_what_is_in_the_repository_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meta_parameters, "REPOSITORY", tmp_path / "no such folder")
    assert set(load_learnt()) == {*all_meta_strategies(), "recall"} - NOT_INSTALLED


def test_what_lies_beside_the_weights_comes_before_what_the_repository_has(weights: Path) -> None:
    assert set(load_learnt(weights)) == NOT_INSTALLED
    beside = save_learnt(weights, "maml", {"w": torch.ones(2)}, {})
    assert learnt_files(weights)["maml"] == beside
    assert torch.equal(load_learnt(weights)["maml"]["w"], torch.ones(2))
