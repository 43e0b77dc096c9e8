"""A packed bank: what goes in comes out, small, without SimpleITK; what cannot be packed says why."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from learner.conftest import WITHHELD

from metasegment.cli import main
from metasegment.episodes import packed
from metasegment.episodes.bank import Bank, LabelledVolume, load_bank
from metasegment.episodes.episode import Mixture, make_episode
from metasegment.errors import InputError

Pack = Callable[..., Bank]


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    """Packs a folder and opens the file."""

    def do(folder: Path, withheld: dict[str, list[int]] | None = None) -> Bank:
        output = tmp_path / "bank.safetensors"
        packed.pack(folder, output, withheld or {}, lambda share: None)
        return load_bank(output, {})

    return do


def write(path: Path, array: np.ndarray, spacing: tuple[float, ...] = (1.0, 1.0, 1.0)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array, isVector=False)
    image.SetSpacing(spacing[::-1])
    sitk.WriteImage(image, str(path))


def a_ball(shape: tuple[int, int, int] = (12, 20, 16)) -> np.ndarray:
    axes = np.ogrid[tuple(slice(n) for n in shape)]
    squared = [((a - n / 2) / (n / 4)) ** 2 for a, n in zip(axes, shape, strict=True)]
    return (squared[0] + squared[1] + squared[2] < 1).astype(np.uint8)


@pytest.fixture
def a_decathlon(tmp_path: Path) -> Path:
    """One MSD data set with two channels in a file, and one of nnU-Net with a file a channel."""
    rng = np.random.default_rng(0)
    ball = a_ball()
    msd, nnunet = tmp_path / "sets" / "Task01_Ball", tmp_path / "sets" / "Dataset002_Ball"
    channels = np.array([100, -50])[:, None, None, None] * ball + rng.integers(0, 20, (2, *ball.shape))
    write(msd / "imagesTr" / "a.nii.gz", channels.astype(np.int16), (1.0, 3.0, 1.0, 1.0))
    write(msd / "labelsTr" / "a.nii.gz", ball, (3.0, 1.0, 1.0))
    (msd / "labelsTr" / "._a.nii.gz").write_bytes(b"what a Mac leaves behind")
    (msd / "dataset.json").write_text(json.dumps({"labels": {"0": "background", "1": "ball"}, "licence": "CC-BY-SA"}))
    for channel in (0, 1):
        write(nnunet / "imagesTr" / f"b_000{channel}.nii.gz", channels[channel].astype(np.int16))
    write(nnunet / "labelsTr" / "b.nii.gz", np.where(rng.random(ball.shape) < 0.1, 2, ball).astype(np.uint8))
    (nnunet / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "ball": 1, "ignore": 2}}))
    return tmp_path / "sets"


def alike(one: LabelledVolume, other: LabelledVolume) -> bool:
    facts = [(v.group, v.case, v.spacing, v.targets, v.withheld, v.image is None) for v in (one, other)]
    return facts[0] == facts[1] and torch.equal(one.labels, other.labels)


# --- what comes out ------------------------------------------------------------------------------------------------


def test_a_packed_bank_is_the_bank_it_was_made_from(a_data_folder: Path, pack: Pack) -> None:
    plain, small = load_bank(a_data_folder, {}), pack(a_data_folder)
    assert list(small.volumes) == list(plain.volumes) == ["set"]
    pairs = [*zip(small.volumes["set"], plain.volumes["set"], strict=True)]
    assert all(alike(a, b) for a, b in [*pairs, *zip(small.label_maps, plain.label_maps, strict=True)])
    for volume, original in pairs:
        assert volume.image is not None and original.image is not None
        error = (volume.image - original.image).double()
        assert float(error.square().mean().sqrt()) < 0.02 * float(original.image.double().std())


def test_few_intensities_and_real_numbers_are_kept(tmp_path: Path, pack: Pack) -> None:
    ball = a_ball()
    for name, image in (("whole", (7 * ball).astype(np.int16)), ("real", ball / 3 + np.linspace(0, 1, 16))):
        write(tmp_path / "d" / "imagesTr" / f"{name}.nii.gz", image)
        write(tmp_path / "d" / "labelsTr" / f"{name}.nii.gz", ball)
    (tmp_path / "d" / "dataset.json").write_text("{}")
    real, whole = pack(tmp_path / "d").volumes["d"]
    assert torch.equal(whole.image, torch.from_numpy((7 * ball).astype(np.int16)))
    assert real.image.dtype == torch.float32
    torch.testing.assert_close(real.image.numpy(), (ball / 3 + np.linspace(0, 1, 16)).astype(np.float32))


def test_data_sets_of_msd_and_nnunet_are_packed_with_the_first_channel(a_decathlon: Path, pack: Pack) -> None:
    bank = pack(a_decathlon)
    (msd,), (nnunet,) = bank.volumes["Task01_Ball"], bank.volumes["Dataset002_Ball"]
    assert msd.spacing == (3.0, 1.0, 1.0)
    assert msd.targets == nnunet.targets == (1,)  # what nnU-Net says to ignore is no structure
    assert torch.equal(msd.image, nnunet.image)
    assert float(msd.image[msd.labels == 1].double().mean()) > 100
    assert not bank.label_maps


def test_a_large_volume_is_cropped_to_its_structures_and_halved_in_place(
    tmp_path: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "LARGEST_VOXELS", 40**3)
    labels = np.zeros((60, 70, 160), np.uint8)
    labels[20:40, 20:50, 20:60] = 1
    write(tmp_path / "d" / "imagesTr" / "a.nii.gz", (100 * labels).astype(np.int16), (2.0, 1.0, 1.0))
    write(tmp_path / "d" / "labelsTr" / "a.nii.gz", labels, (2.0, 1.0, 1.0))
    (tmp_path / "d" / "dataset.json").write_text("{}")
    (volume,) = pack(tmp_path / "d").volumes["d"]
    assert volume.labels.numel() <= 40**3
    assert volume.labels.shape[2] * volume.spacing[2] < 100
    assert volume.spacing == (2.0, 2.0, 2.0)
    assert torch.equal(volume.labels == 1, volume.image > 50)
    assert int((volume.labels == 1).sum()) * 8 == 2 * 20 * 30 * 40


def test_withheld_labels_stay_withheld_and_more_can_be_when_it_is_opened(a_data_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "bank.safetensors"
    assert main(["pack", str(a_data_folder), "--output", str(output), "--withheld", "set:1,set:3,maps:2"]) == 0
    bank = load_bank(output, {"set": [2]})
    assert not {1, 2, 3} & {t for v in bank.volumes["set"] for t in v.targets}
    assert all((v.labels == 1).any() for v in bank.volumes["set"])
    assert 2 not in bank.label_maps[0].targets
    assert bank.label_maps[0].withheld == (2, WITHHELD)  # as the command and dataset.json said
    assert all(set(v.withheld) <= {1, 2, 3} and 2 in v.withheld for v in bank.volumes["set"])


def test_episodes_come_from_a_packed_bank_without_simpleitk(
    a_data_folder: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = pack(a_data_folder)
    monkeypatch.setitem(sys.modules, "SimpleITK", None)  # importing it fails from here on
    with pytest.raises(ImportError):
        import SimpleITK  # noqa: F401
    sources = set()
    for source in range(4):
        mixture = Mixture(*(float(n == source) for n in range(4)))
        sources |= {make_episode(bank, mixture, 0, index).source for index in range(2)}
    assert sources == {"labelled", "supervoxels", "brain_maps", "procedural"}


def test_a_bank_of_two_epochs_is_inflated_again_when_it_no_longer_fits(
    a_data_folder: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    volumes = pack(a_data_folder).volumes["set"]
    assert volumes[0] is volumes[0]
    monkeypatch.setattr(packed, "KEPT_BYTES", 0)
    before = volumes[0]
    assert volumes[1] is not None
    assert volumes[0] is not before
    assert alike(volumes[0], before)


# --- what is refused -----------------------------------------------------------------------------------------------


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["pack", *arguments]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("metasegment: ")
    return line


def test_wrong_arguments_are_refused_in_one_line(
    a_data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ["--output", str(tmp_path / "bank.safetensors")]
    assert "no training data in" in refused([str(tmp_path / "nowhere"), *output], capsys)
    assert "no data set brian" in refused([str(a_data_folder), *output, "--withheld", "brian:1"], capsys)
    assert "is not DATASET:LABEL" in refused([str(a_data_folder), *output, "--withheld", "set:lung"], capsys)
    assert "does not exist" in refused([str(a_data_folder), "--output", str(tmp_path / "no" / "bank")], capsys)
    assert not (tmp_path / "bank.safetensors").exists()


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda d: (d / "imagesTr" / "a.nii.gz").unlink(), "no image and labels of case 'a'"),
        (lambda d: (d / "dataset.json").unlink(), "no dataset.json"),
        (lambda d: (d / "dataset.json").write_text("[]"), "not a description"),
        (lambda d: (d / "labelsTr" / "a.nii.gz").write_bytes(b"no image"), "absent, damaged or no image"),
        (lambda d: write(d / "labelsTr" / "a.nii.gz", a_ball((12, 20, 17))), "must be on one grid"),
        (lambda d: write(d / "labelsTr" / "a.nii.gz", a_ball() / 2), "is no label map"),
        (lambda d: write(d / "labelsTr" / "a.nii.gz", 0 * a_ball()), "no structure to learn from"),
    ],
)
def test_a_data_set_that_cannot_be_packed_says_why(
    damage: Callable[[Path], object], complaint: str, a_decathlon: Path, pack: Pack
) -> None:
    damage(a_decathlon / "Task01_Ball")
    with pytest.raises(InputError, match=complaint) as caught:
        pack(a_decathlon / "Task01_Ball")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_bank_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bank.safetensors"
    path.write_bytes(b"anything")
    with pytest.raises(InputError, match="no packed bank, or a damaged one"):
        load_bank(path, {})
