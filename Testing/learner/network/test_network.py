"""The network's shapes and sizes, its weights on disk, and the number format that is timed once and remembered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from metasegment.errors import InputError
from metasegment.network.channels import CHANNELS
from metasegment.network.losses import presence_loss
from metasegment.network.precision import FORMATS, PRECISIONS, Precision, fastest_precision
from metasegment.network.unet import build_network, load_network, save_weights, widened


def random_channels(k: int, j: int, i: int) -> Tensor:
    return torch.randn(1, len(CHANNELS), k, j, i, generator=torch.Generator().manual_seed(0))


def parameters_of(network: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in network.named_parameters()}


# --- the network ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "millions"), [("M", 1.4), ("L0", 5.6)])
def test_a_network_has_the_size_it_is_named_after(size: str, millions: float) -> None:
    count = sum(p.numel() for p in build_network(size).parameters())
    assert count / 1e6 == pytest.approx(millions, rel=0.02)


@pytest.mark.parametrize("size", ["M", "L0"])
@torch.no_grad()
def test_every_cell_gets_one_logit_also_on_thin_grids(size: str) -> None:
    network = build_network(size).eval()
    for shape in ((16, 24, 32), (32, 16, 16)):
        logits = network(random_channels(*shape))
        assert logits.shape == (1, 1, *shape)
        assert logits.isfinite().all()


@torch.no_grad()
def test_structures_of_a_batch_do_not_influence_each_other() -> None:
    network = build_network().eval()
    one, other = random_channels(16, 16, 16), 5 + 3 * random_channels(16, 16, 16).flip(2)
    together = network(torch.cat([one, other]))
    torch.testing.assert_close(together[:1], network(one), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(together[1:], network(other), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("layout", FORMATS)
@torch.no_grad()
def test_number_format_and_layout_hardly_change_the_answer(layout: str) -> None:
    network, channels = build_network().eval(), random_channels(16, 16, 24)
    expected = network(channels)
    for dtype, tolerance in (("float32", 1e-4), ("bfloat16", 0.1)):
        precision = Precision(dtype, layout)
        precision.lay_out(network)
        with precision.autocast("cpu"):
            found = network(channels.contiguous(memory_format=precision.memory_format))
        torch.testing.assert_close(found.float(), expected, atol=tolerance, rtol=0)


# --- weights on disk -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["M", "L0"])
def test_saved_weights_come_back_bit_for_bit(size: str, tmp_path: Path) -> None:
    network = build_network(size)
    path = tmp_path / "weights.safetensors"
    save_weights(path, size, parameters_of(network), {"tasks": "12"})
    loaded = parameters_of(load_network(path))
    assert loaded.keys() == parameters_of(network).keys()
    assert all(torch.equal(loaded[name], p) for name, p in parameters_of(network).items())
    assert [p.name for p in tmp_path.iterdir()] == ["weights.safetensors"]


@pytest.fixture
def a_weights_file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_weights(path, "M", parameters_of(build_network("M")), {})
    return path


@pytest.mark.parametrize("damage", ["one byte", "cut", "empty", "another file"])
def test_damaged_weights_are_refused(damage: str, a_weights_file: Path) -> None:
    content = bytearray(a_weights_file.read_bytes())
    if damage == "one byte":
        content[-1000] ^= 0x10
    elif damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "empty":
        content = bytearray()
    else:
        content = bytearray(b"not weights at all, but long enough to look like some")
    a_weights_file.write_bytes(content)
    with pytest.raises(InputError, match="damaged") as caught:
        load_network(a_weights_file)
    assert str(a_weights_file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fact", [{"format": "metasegment-weights-0"}, {"channels": "image"}, {"size": "XXL"}])
def test_weights_of_another_version_are_refused(fact: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(path, "M", parameters_of(build_network("M")), fact)
    with pytest.raises(InputError, match="another version"):
        load_network(path)


def test_absent_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no weights at .*nowhere\.safetensors"):
        load_network(tmp_path / "nowhere.safetensors")


# --- precision -----------------------------------------------------------------------------------------------------


class CountedConvolution(nn.Module):
    """A real layer that counts how often it, or a copy of it, is run."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv3d(len(CHANNELS), 1, 1)
        self.counted = [0]

    def __deepcopy__(self, memo: dict[int, Any]) -> nn.Module:
        copied = type(self)()
        copied.counted = self.counted
        return copied

    @property
    def runs(self) -> int:
        return self.counted[0]

    def forward(self, channels: Tensor) -> Tensor:
        self.counted[0] += 1
        return self.layer(channels)


def test_measuring_leaves_the_network_as_it_was(tmp_path: Path) -> None:
    network = build_network(presence=False)
    before = {name: (p.clone(), p.stride()) for name, p in network.named_parameters()}
    fastest_precision(network, "cpu", False, tmp_path / "precision.json")
    assert all(torch.equal(p, before[n][0]) and p.stride() == before[n][1] for n, p in network.named_parameters())


@pytest.mark.parametrize("training", [False, True])
def test_the_fastest_format_is_measured_once_and_remembered(training: bool, tmp_path: Path) -> None:
    cache = tmp_path / "deep" / "precision.json"
    network = CountedConvolution()
    first = fastest_precision(network, "cpu", training, cache)
    assert first.dtype in PRECISIONS
    assert first.layout in FORMATS
    measured = network.runs
    assert measured >= len(PRECISIONS) * len(FORMATS)
    assert fastest_precision(network, "cpu", training, cache) == first
    assert network.runs == measured
    assert [p.name for p in cache.parent.iterdir()] == ["precision.json"]


def test_what_is_remembered_is_used(tmp_path: Path) -> None:
    cache = tmp_path / "precision.json"
    fastest_precision(CountedConvolution(), "cpu", False, cache)
    (key,) = json.loads(cache.read_text())
    for option in ([dtype, layout] for dtype in PRECISIONS for layout in FORMATS):
        cache.write_text(json.dumps({key: option}))
        assert fastest_precision(CountedConvolution(), "cpu", False, cache) == Precision(*option)


def test_training_and_use_are_measured_apart(tmp_path: Path) -> None:
    cache, network = tmp_path / "precision.json", CountedConvolution()
    fastest_precision(network, "cpu", False, cache)
    in_use = network.runs
    fastest_precision(network, "cpu", True, cache)
    assert network.runs > in_use
    assert len(json.loads(cache.read_text())) == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\x00", b'"bfloat16"', "entries"])
def test_a_corrupt_memory_is_replaced(content: bytes | str, tmp_path: Path) -> None:
    cache, network = tmp_path / "precision.json", CountedConvolution()
    fastest_precision(network, "cpu", False, cache)
    (key,) = json.loads(cache.read_text())
    damaged = [["float32"], [], None, "float32", ["float16", "contiguous"], [["float32"], "contiguous"]]
    contents = [json.dumps({key: d}).encode() for d in damaged] if isinstance(content, str) else [content]
    for broken in contents:
        cache.write_bytes(broken)
        before = network.runs
        found = fastest_precision(network, "cpu", False, cache)
        assert network.runs > before
        assert json.loads(cache.read_text()) == {key: [found.dtype, found.layout]}


def test_a_home_that_cannot_be_written_costs_only_the_measurement(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("")
    assert fastest_precision(CountedConvolution(), "cpu", False, occupied / "precision.json").dtype in PRECISIONS


def test_a_network_is_trained_in_a_format_whose_gradients_are_right_on_the_smallest_grid(tmp_path: Path) -> None:
    network = build_network(presence=False)
    precision = fastest_precision(network, "cpu", True, tmp_path / "precision.json")
    precision.lay_out(network)
    channels = torch.randn(1, len(CHANNELS), 16, 16, 16, generator=torch.Generator().manual_seed(1))
    largest = []
    for _ in range(40):
        with precision.autocast("cpu"):
            out = network(channels.contiguous(memory_format=precision.memory_format))
        gradients = torch.autograd.grad(out.float().mean(), list(network.parameters()))
        largest.append(max(float(gradient.abs().max()) for gradient in gradients))
    assert max(largest) < 10 * min(largest)


@pytest.mark.parametrize("shape", [(16, 16, 16), (16, 24, 32), (24, 16, 16)])
def test_gradients_in_bf16_are_those_in_fp32_whatever_the_memory_held(shape: tuple[int, int, int]) -> None:
    network = build_network(presence=False)
    channels = torch.randn(1, len(CHANNELS), *shape, generator=torch.Generator().manual_seed(1))

    def gradients(dtype: str) -> tuple[Tensor, ...]:
        held = [torch.full((n,), torch.nan) for n in (10**3, 10**4, 10**5, 27 * 64 * 128, 27 * 128**2)]
        del held
        with Precision(dtype).autocast("cpu"):
            out = network(channels)
        return torch.autograd.grad(out.float().square().mean(), list(network.parameters()))

    exact = gradients("float32")
    largest = max(float(e.norm()) for e in exact)
    for _ in range(10):
        for one, other in zip(gradients("bfloat16"), exact, strict=True):
            assert float((one - other).norm()) < 0.2 * float(other.norm()) + 0.01 * largest


def test_a_format_with_wrong_gradients_is_not_trained_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from metasegment.network import precision as module

    monkeypatch.setattr(module, "seconds_of", lambda network, option, *_: float(option.dtype == "float32"))

    class Wrong(CountedConvolution):
        def forward(self, x: Tensor) -> Tensor:
            out = super().forward(x)
            return out * (1e6 if torch.is_autocast_enabled("cpu") else 1.0)

    network, cache = Wrong(), tmp_path / "precision.json"
    assert fastest_precision(network, "cpu", True, cache).dtype == "float32"
    assert fastest_precision(network, "cpu", False, cache).dtype == "bfloat16"


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_an_answer_in_fp32_is_the_same_with_and_without_gradients(layout: torch.memory_format) -> None:
    """They take different kernels."""
    network = build_network().to(memory_format=layout)  # type: ignore[call-overload]
    channels = torch.randn(1, len(CHANNELS), 16, 24, 32, generator=torch.Generator().manual_seed(3))
    learning = network(channels).detach()
    with torch.no_grad(), torch.profiler.profile() as profile:
        answer = network(channels)
    torch.testing.assert_close(answer, learning, atol=1e-3, rtol=1e-3)
    kernels = {event.key for event in profile.key_averages()}
    assert "aten::mkldnn_convolution" in kernels or not torch.backends.mkldnn.is_available()
    assert "aten::slow_conv3d" not in kernels or not torch.backends.mkldnn.is_available()


def test_a_network_with_more_channels_begins_with_the_answers_of_the_one_it_came_from() -> None:
    small = load_network()
    wide = widened(small, "M")
    channels = torch.randn(1, len(CHANNELS), 16, 24, 16, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        torch.testing.assert_close(wide(channels), small(channels), atol=1e-4, rtol=1e-4)
    assert wide.in_channels == len(CHANNELS) > small.in_channels


def test_presence_is_told_for_every_plane_and_a_network_with_it_is_read_again(tmp_path: Path) -> None:
    network = build_network()
    channels = torch.rand(1, len(CHANNELS), 16, 24, 32, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        logits, present = network.with_presence(channels)
        save_weights(tmp_path / "w.safetensors", "M", dict(network.named_parameters()), {})
        again, presence_again = load_network(tmp_path / "w.safetensors").with_presence(channels)
    assert [tuple(p.shape) for p in present] == [(1, 16), (1, 24), (1, 32)]
    torch.testing.assert_close(logits, again)
    torch.testing.assert_close(present, presence_again)


def test_presence_is_learnt_on_planes_that_are_not_annotated() -> None:
    target = torch.zeros(6, 5, 4)
    target[2:4, 1:3, 1:3] = 1
    weight = torch.ones_like(target)
    weight[2] = 0
    right = [10.0 * torch.where(target.amax([a for a in range(3) if a != axis]) > 0, 1.0, -1.0) for axis in range(3)]
    wrong = [right[0].clone(), *right[1:]]
    wrong[0][2] = -10  # an annotated plane
    assert float(presence_loss(right, target, weight)) < 0.01
    assert float(presence_loss(wrong, target, weight)) < 0.01
    wrong[0][3] = -10
    assert float(presence_loss(wrong, target, weight)) > 0.5
