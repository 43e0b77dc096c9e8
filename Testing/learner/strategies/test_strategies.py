"""Ways to adapt, and the folds they are taught and judged on: a slice that is asked for is never shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.organs import draw, ellipsoid, scan_of
from torch import Generator, Tensor

from metasegment import strategies
from metasegment.annotation import BACKGROUND, AnnotatedSlice
from metasegment.episodes.bank import Bank
from metasegment.episodes.episode import Mixture, make_episode
from metasegment.episodes.rendering import render
from metasegment.episodes.shapes import procedural_labels
from metasegment.grid import Box, working_grid
from metasegment.network.engine import Engine
from metasegment.network.losses import dice_of_logits, segmentation_loss
from metasegment.prompts import Scene, make_channels, make_prompt
from metasegment.segmenter.blend import LEARNED, best_blend
from metasegment.segmenter.folds import Fold, make_folds, make_training_slices
from metasegment.segmenter.gate import CLASSICAL
from metasegment.strategies import Strategy, Support, TrainingSlice, all_strategies
from metasegment.strategies.fine_tune import adaptable_parameters

#: Axial and sagittal slices (axis, index) through both organs: the two families cross.
AXIAL, SAGITTAL = ((0, 14), (0, 20), (0, 26)), ((2, 24), (2, 30))
STRUCTURE = 1
PROCEDURAL_ONLY = Mixture(labelled=0, supervoxels=0, brain_maps=0, procedural=1)


def support_of(truth: np.ndarray, *planes: tuple[int, int]) -> Support:
    """The support of structure 1 in a truth (k, j, i) whose given planes are annotated."""
    volume = scan_of(truth)
    scene = Scene(torch.from_numpy(volume.array), torch.from_numpy(draw(truth, *planes)), (1.0, 1.0, 1.0))
    annotated_slices = [torch.from_numpy(AnnotatedSlice(axis, index).voxels(truth.shape)) for axis, index in planes]
    return Support(scene, STRUCTURE, tuple(annotated_slices))


def everything(support: Support) -> Box:
    k, j, i = support.scene.labels.shape
    return Box((0.0, 0.0, 0.0), (float(k), float(j), float(i)))


@pytest.fixture(scope="module")
def folds(two_organs: np.ndarray) -> list[Fold]:
    support = support_of(two_organs, *AXIAL)
    return make_folds(support, everything(support))


def test_the_strategies_are_found_by_name() -> None:
    found = all_strategies()
    assert {"interpolation", "geodesic", "random_walker", "in_context", "fine_tune"} <= set(found)
    assert all(strategy.name == name for name, strategy in found.items())


def test_a_new_file_is_all_it_takes_to_add_a_strategy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "echo.py").write_text("class Echo:\n    name = 'echo'\n\nSTRATEGY = Echo()\n")
    monkeypatch.setattr(strategies, "__path__", [*strategies.__path__, str(tmp_path)])
    try:
        assert all_strategies()["echo"].name == "echo"
    finally:
        sys.modules.pop("metasegment.strategies.echo")


def fitted(folds: Sequence[Fold], engine: Engine, steps: int, time_left: Callable[[], bool] = lambda: True) -> dict:
    slices = [fold.training_slice for fold in folds]
    return dict(all_strategies()["fine_tune"].fit(slices, engine, steps, 0, time_left))


def test_fine_tuning_adapts_the_norms_the_last_two_decoder_levels_and_the_head(
    folds: list[Fold], released_engine: Engine
) -> None:
    state = fitted(folds, released_engine, steps=1)
    own = dict(released_engine.network.named_parameters())
    norms = {name for name in own if ".norm" in name}
    late = {name for name in own if name.startswith(("upsamples.1.", "upsamples.2.", "output_block."))}
    assert set(state) == norms | late
    assert 100_000 < sum(p.numel() for p in state.values()) < 150_000
    assert all(not torch.equal(state[name], own[name]) for name in late if "conv" in name)


def test_fine_tuning_leaves_the_network_as_it_was(folds: list[Fold], released_engine: Engine) -> None:
    before = {name: p.detach().clone() for name, p in released_engine.network.named_parameters()}
    fitted(folds, released_engine, steps=2)
    for name, parameter in released_engine.network.named_parameters():
        assert torch.equal(parameter, before[name])
        assert parameter.grad is None


def test_fine_tuning_without_time_is_the_start(folds: list[Fold], released_engine: Engine) -> None:
    state = fitted(folds, released_engine, steps=5, time_left=lambda: False)
    start = adaptable_parameters(released_engine.network)
    assert set(state) == set(start)
    assert all(torch.equal(state[name], start[name]) for name in start)


def test_fine_tuning_stops_within_a_step(folds: list[Fold], released_engine: Engine) -> None:
    beats = iter([True, True, False])
    fitted(folds, released_engine, steps=50, time_left=lambda: next(beats))  # a fourth question would be an error
    assert not list(beats)


def test_fine_tuning_without_lessons_learns_nothing(released_engine: Engine) -> None:
    assert fitted([], released_engine, steps=5) == {}


def test_fine_tuning_lowers_the_loss_on_its_lessons(folds: list[Fold], released_engine: Engine) -> None:
    state = fitted(folds, released_engine, steps=8)

    def loss(parameters: dict[str, Tensor]) -> float:
        answers = [(f.training_slice, released_engine.logits(f.training_slice.channels, parameters)) for f in folds]
        return sum(float(segmentation_loss(answer, x.target, x.cells.float())) for x, answer in answers)

    assert loss(state) < loss({})


def test_fine_tuning_is_the_same_for_the_same_seed(folds: list[Fold], released_engine: Engine) -> None:
    first, again = (fitted(folds, released_engine, steps=3) for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize("name", sorted(all_strategies()))
def test_every_strategy_answers_a_query_on_its_grid(name: str, folds: list[Fold], released_engine: Engine) -> None:
    strategy: Strategy = all_strategies()[name]
    state = strategy.fit([fold.training_slice for fold in folds], released_engine, 2, 0, lambda: True)
    logits = strategy.predict(state, folds[1].query, released_engine)
    assert logits.shape == folds[1].query.grid.shape
    assert logits.dtype == torch.float32
    assert folds[1].dice(torch.sigmoid(logits)) > 0.6


@pytest.mark.parametrize("planes", [AXIAL, AXIAL + SAGITTAL])
def test_a_fold_does_not_show_its_slice(two_organs: np.ndarray, planes: tuple[tuple[int, int], ...]) -> None:
    support = support_of(two_organs, *planes)
    folds = make_folds(support, everything(support))
    assert folds
    for fold in folds:
        assert fold.training_slice.cells.any()
        assert not fold.training_slice.channels[1][fold.training_slice.cells].any()
        assert not fold.training_slice.channels[2][fold.training_slice.cells].any()


@pytest.mark.parametrize("planes", [AXIAL, AXIAL + SAGITTAL])
def test_nothing_in_a_fold_depends_on_what_was_drawn_on_its_slice(
    two_organs: np.ndarray, planes: tuple[tuple[int, int], ...]
) -> None:
    support = support_of(two_organs, *planes)
    hidden = 1
    elsewhere = torch.cat([sheet for n, sheet in enumerate(support.annotated_slices) if n != hidden])
    only = support.annotated_slices[hidden][~torch.isin(support.annotated_slices[hidden], elsewhere)]
    labels = support.scene.labels.clone()
    labels.view(-1)[only] = BACKGROUND
    labels.view(-1)[only[: len(only) // 2]] = STRUCTURE
    scribbled = replace(support, scene=replace(support.scene, labels=labels))
    fold, other = (make_folds(s, everything(s))[hidden] for s in (support, scribbled))
    assert not torch.equal(fold.training_slice.target, other.training_slice.target)
    assert torch.equal(fold.training_slice.channels, other.training_slice.channels)
    assert torch.equal(fold.query.prompt.fields, other.query.prompt.fields)


def test_copying_the_visible_annotation_earns_nothing_on_a_hidden_slice(folds: list[Fold]) -> None:
    assert [fold.dice(fold.training_slice.channels[1]) for fold in folds] == [0.0] * len(folds)
    assert [fold.dice(fold.training_slice.target) for fold in folds] == [1.0] * len(folds)


def test_slices_that_share_their_cells_with_others_make_no_fold() -> None:
    truth = ellipsoid((192, 96, 96), (96, 48, 48), (80, 36, 36)).astype(np.uint8)
    support = support_of(truth, (0, 40), (0, 96), (0, 97), (0, 152))
    folds = make_folds(support, everything(support))
    voxels_per_cell = folds[0].query.grid.step[0]
    assert int(96 / voxels_per_cell) == int(97 / voxels_per_cell)
    asked_for = [int(fold.training_slice.cells.any(2).any(1).nonzero()) for fold in folds]
    assert asked_for == [int(40 / voxels_per_cell), int(152 / voxels_per_cell)]


def test_slices_without_the_structure_make_no_fold(two_organs: np.ndarray) -> None:
    support = support_of(two_organs, (0, 3), (0, 14), (0, 20), (0, 37))
    assert len(make_folds(support, everything(support))) == 2


def test_one_slice_with_the_structure_makes_no_fold(two_organs: np.ndarray) -> None:
    support = support_of(two_organs, (0, 3), (0, 20))
    assert make_folds(support, everything(support)) == []


def test_one_slice_teaches_by_its_halves(two_organs: np.ndarray) -> None:
    support = support_of(two_organs, (0, 3), (0, 20))
    slices = make_training_slices(support, everything(support), [])
    plane = int(slices[0].cells.flatten(1).any(1).nonzero())
    for training_slice in slices:
        shown = training_slice.channels[1] + training_slice.channels[2] > 0
        assert not (shown & training_slice.cells).any()
        assert (shown | training_slice.cells)[plane].all()
    low, high, left, right = (training_slice.cells[plane] for training_slice in slices)
    assert torch.equal(low, ~high)
    assert torch.equal(left, ~right)
    whole = sum(float(training_slice.target[training_slice.cells].sum()) for training_slice in slices[:2])
    assert all(
        0.3 * whole < float(training_slice.target[training_slice.cells].sum()) < 0.7 * whole
        for training_slice in slices
    )


def test_nothing_in_a_lesson_depends_on_what_was_drawn_on_the_hidden_half(two_organs: np.ndarray) -> None:
    support = support_of(two_organs, (0, 20))
    slices = make_training_slices(support, everything(support), [])
    cut = int((support.scene.labels[20] == STRUCTURE).nonzero()[:, 0].float().mean()) + 1
    labels = support.scene.labels.clone()
    labels[20, :cut] = labels[20, :cut].flip(1)  # moved sideways: the cut between the rows stays where it was
    mirrored = replace(support, scene=replace(support.scene, labels=labels))
    (pair,) = (
        (one, other)
        for one in slices
        for other in make_training_slices(mirrored, everything(support), [])
        if torch.equal(one.cells, other.cells) and not torch.equal(one.target, other.target)
    )
    assert torch.equal(pair[0].channels, pair[1].channels)


def test_several_slices_teach_by_their_folds(two_organs: np.ndarray) -> None:
    support = support_of(two_organs, *AXIAL)
    folds = make_folds(support, everything(support))
    assert [id(x) for x in make_training_slices(support, everything(support), folds)] == [
        id(fold.training_slice) for fold in folds
    ]


def an_easy_fold(folds: list[Fold], between: bool = True) -> Fold:
    """A fold that asks for the upper half of a grid on one plane."""
    target = torch.zeros(16, 16, 16)
    target[:, :8] = 1
    cells = torch.zeros(16, 16, 16, dtype=torch.bool)
    cells[8] = True
    return replace(folds[0], training_slice=TrainingSlice(torch.zeros(8, 16, 16, 16), target, cells), between=between)


@pytest.mark.parametrize("right", ["interpolation", "geodesic", "random_walker"])
def test_hidden_slices_outweigh_experience_where_one_answer_alone_is_right(folds: list[Fold], right: str) -> None:
    fold = an_easy_fold(folds)
    answers = dict.fromkeys((LEARNED, *CLASSICAL), 1 - fold.training_slice.target)
    answers[right] = fold.training_slice.target
    blend = best_blend([fold] * 4, [answers] * 4, shown=4)
    assert fold.dice(blend.of(answers)) == 1


def test_experience_decides_where_no_slice_lies_between_others(folds: list[Fold]) -> None:
    fold = an_easy_fold(folds, between=False)
    answers = dict.fromkeys((LEARNED, *CLASSICAL), 1 - fold.training_slice.target)
    answers["interpolation"] = fold.training_slice.target
    assert best_blend([fold] * 2, [answers] * 2, shown=2) == best_blend([], [], shown=2)


def test_the_ends_of_the_annotation_do_not_lie_between_others(two_organs: np.ndarray) -> None:
    support = support_of(two_organs, *AXIAL)
    assert [fold.between for fold in make_folds(support, everything(support))] == [False, True, False]


@pytest.fixture(scope="module")
def synthetic_pairs() -> list[tuple[Tensor, list[Tensor]]]:
    """Procedural images (k, j, i) with the masks of their two largest structures that leave some background."""
    pairs = []
    for seed in (1, 2, 3):
        generator = Generator().manual_seed(seed)
        labels = procedural_labels((48, 48, 48), generator)
        image = render(labels, generator, (1.0, 1.0, 1.0))
        masks = [labels == label for label in labels.unique().tolist() if label]
        masks = sorted((m for m in masks if m.float().mean() < 0.3), key=lambda m: -int(m.sum()))
        pairs.append((image, masks[:2]))
    return pairs


def test_the_annotation_of_another_structure_does_not_find_this_one(
    synthetic_pairs: list[tuple[Tensor, list[Tensor]]], released_engine: Engine
) -> None:
    own: list[float] = []
    others: list[float] = []
    for image, (mask, other) in synthetic_pairs:
        for shown, scores in ((mask, own), (other, others)):
            labels = on_three_slices(shown)
            scene = Scene(image, labels, (1.0, 1.0, 1.0))
            grid = working_grid(Box((0.0, 0.0, 0.0), (48.0, 48.0, 48.0)), scene.spacing, 48**3)
            channels = make_channels(scene, STRUCTURE, make_prompt(scene, STRUCTURE, grid), grid)
            scores.append(dice_of_logits(released_engine.logits(channels), mask.float(), (labels == 0).float()))
    assert np.mean(own) > 0.6
    assert np.mean(others) < 0.1


def on_three_slices(mask: Tensor) -> Tensor:
    labels = torch.zeros(mask.shape, dtype=torch.uint8)
    filled = mask.flatten(1).any(1).nonzero()[:, 0]
    for share in (0.2, 0.5, 0.8):
        index = filled[round(share * (len(filled) - 1))]
        labels[index] = torch.where(mask[index], STRUCTURE, BACKGROUND).to(torch.uint8)
    return labels


def test_copying_the_annotation_earns_nothing_in_training() -> None:
    episode = make_episode(Bank({}, []), PROCEDURAL_ONLY, seed=5, index=0)
    copy = torch.where(episode.channels[1] > 0, 10.0, -10.0)
    assert (copy > 0).any()
    assert dice_of_logits(copy, episode.target, episode.weight) == 0
    silent = torch.full_like(copy, -10.0)
    assert torch.equal(
        segmentation_loss(copy, episode.target, episode.weight),
        segmentation_loss(silent, episode.target, episode.weight),
    )
