"""Running the network: tiles that leave no trace, a full memory that is survived, and devices that are there."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from metasegment.errors import InputError
from metasegment.network.channels import CHANNELS
from metasegment.network.devices import choose_device, name_of
from metasegment.network.engine import TILE_OVERLAP, WINDOWS, Engine

#: bf16 keeps eight bits, and the two ways round differently.
TOLERANCE = 0.02


class Local(nn.Module):
    """Stands in for the U-Net: looks one cell far, so that tiles cannot change what is further from their edges."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(len(CHANNELS), 1, 3, padding=1)
        nn.init.normal_(self.conv.weight, std=0.1, generator=torch.Generator().manual_seed(0))
        self.conv.bias = nn.Parameter(torch.tensor([0.5]))

    def forward(self, batch: Tensor) -> Tensor:
        return self.conv(batch)


class Greedy(Local):
    """Needs more memory than there is for inputs of more than `cells` cells on a device."""

    def __init__(self, cells: float) -> None:
        super().__init__()
        self.cells = cells

    def forward(self, batch: Tensor) -> Tensor:
        if math.prod(batch.shape[2:]) > self.cells:
            raise torch.OutOfMemoryError("stand-in: out of memory")
        return super().forward(batch)


class FullGpu(Local):
    """Needs more memory than the GPU has, whatever the size."""

    full = False

    def forward(self, batch: Tensor) -> Tensor:
        if self.full and batch.is_cuda:
            raise torch.OutOfMemoryError("stand-in: out of memory")
        return super().forward(batch)


_NO_MPS = pytest.mark.skipif(torch.backends.mps.is_available(), reason="has an Apple GPU")
_NO_XPU = pytest.mark.skipif(torch.xpu.is_available(), reason="has an Intel GPU")


@pytest.fixture(autouse=True, scope="module")
def what_was_measured_on_stand_ins_is_forgotten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def channels_of(*shape: int) -> Tensor:
    return torch.randn(len(CHANNELS), *shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shape", [(16, 16, 24), (16, 160, 24), (16, 16, 256)])
def test_the_answer_has_the_shape_of_the_grid_in_tiles_or_in_one_piece(shape: tuple[int, int, int]) -> None:
    logits = Engine(Local()).logits(channels_of(*shape))
    assert logits.shape == shape
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


def inside_tiles(size: int, tile: int) -> Tensor:
    """The cells of an axis (bool) on no inner edge of a tile, where it sees zeros instead of its neighbour."""
    inside = torch.ones(size, dtype=torch.bool)
    for start in range(0, size, round(tile * (1 - TILE_OVERLAP))):
        start = min(start, max(0, size - tile))
        for edge in {start, start + tile} & set(range(1, size)):
            inside[edge - 1 : edge + 1] = False
    return inside


def test_tiles_agree_with_one_piece_away_from_their_edges() -> None:
    engine, channels = Engine(Local()), channels_of(16, 16, 256)
    tiled, whole = engine.logits(channels), engine.forward(channels).detach()
    inside = inside_tiles(256, WINDOWS[0])
    assert not torch.equal(tiled, whole)
    torch.testing.assert_close(tiled[..., inside], whole[..., inside], atol=TOLERANCE, rtol=0)


def test_a_full_memory_is_survived_by_smaller_tiles_and_said() -> None:
    network, channels = Greedy(cells=64**3), channels_of(48, 128, 160)
    engine = Engine(network)
    tiled = engine.logits(channels)
    assert engine.notes == [f"out of GPU memory: working in tiles of {edge} cells" for edge in (96, 64)]
    network.cells = math.inf
    whole = engine.forward(channels).detach()
    inside = inside_tiles(128, 64)[:, None] & inside_tiles(160, 64)
    torch.testing.assert_close(tiled[:, inside], whole[:, inside], atol=TOLERANCE, rtol=0)


def test_tiles_stay_small_once_the_memory_was_full() -> None:
    engine, channels = Engine(Greedy(cells=64**3)), channels_of(64, 64, 96)
    engine.logits(channels)
    noted = list(engine.notes)
    assert noted
    engine.logits(channels)
    assert engine.notes == noted


def test_a_memory_too_small_for_the_smallest_tile_is_an_error_on_the_cpu() -> None:
    network = Greedy(cells=math.inf)
    engine = Engine(network)
    network.cells = 10
    with pytest.raises(torch.OutOfMemoryError):
        engine.logits(channels_of(16, 16, 16))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_that_stays_full_hands_over_to_the_cpu_with_the_tuned_parameters() -> None:
    network = FullGpu()
    engine, channels = Engine(network, "cuda"), channels_of(16, 16, 24)
    tuned = {name: 2 * p.detach() for name, p in network.named_parameters()}
    on_gpu = engine.logits(channels, tuned)
    network.full = True
    on_cpu = engine.logits(channels, tuned)
    assert engine.device == "cpu"
    assert engine.notes[-1] == "out of GPU memory: working on the CPU"
    torch.testing.assert_close(on_cpu, on_gpu, atol=TOLERANCE, rtol=0.02)


def test_what_a_gpu_cannot_do_is_done_by_the_cpu_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Local()
    engine, channels = Engine(network), channels_of(16, 16, 16)
    expected = engine.logits(channels)
    lacking = [True]

    def forward(batch: Tensor) -> Tensor:
        if lacking:
            lacking.pop()
            raise NotImplementedError("stand-in: conv3d is not there")
        return network.conv(batch)

    monkeypatch.setattr("metasegment.network.engine.is_gpu", lambda device: True)
    monkeypatch.setattr(network, "forward", forward)
    torch.testing.assert_close(engine.logits(channels), expected)
    assert engine.notes == ["this GPU cannot do what the network needs: working on the CPU"]


def test_a_device_has_a_name_for_its_user() -> None:
    assert name_of("cpu") == "CPU"


def test_given_parameters_replace_those_of_the_network_for_one_call() -> None:
    engine, channels = Engine(Local()), channels_of(16, 16, 16)
    before = engine.logits(channels)
    shifted = engine.logits(channels, {"conv.bias": torch.tensor([10.5])})
    torch.testing.assert_close(shifted, before + 10, atol=0.1, rtol=0)
    assert torch.equal(engine.logits(channels), before)


def test_the_forward_pass_for_learning_is_differentiable() -> None:
    engine = Engine(Local())
    bias = torch.tensor([0.5], requires_grad=True)
    (gradient,) = torch.autograd.grad(engine.forward(channels_of(16, 16, 16), {"conv.bias": bias}).mean(), bias)
    assert float(gradient) == pytest.approx(1, abs=TOLERANCE)


def test_auto_takes_the_gpu_where_there_is_one() -> None:
    assert choose_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_device("cpu") == "cpu"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("gpu", "unknown device 'gpu': use auto, cpu, cuda, cuda:N, mps or xpu"),
        ("meta", "unsupported device 'meta': use auto, cpu, cuda, cuda:N, mps or xpu"),
        pytest.param("mps", "no GPU for --device mps: PyTorch sees 0; use --device cpu or auto", marks=_NO_MPS),
        pytest.param("xpu", "no GPU for --device xpu: PyTorch sees 0; use --device cpu or auto", marks=_NO_XPU),
        ("cuda:99", f"no GPU for --device cuda:99: PyTorch sees {torch.cuda.device_count()}; use --device cpu or auto"),
    ],
)
def test_a_device_that_is_not_there_is_refused_with_what_to_use(wanted: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        choose_device(wanted)
    assert str(caught.value) == message
