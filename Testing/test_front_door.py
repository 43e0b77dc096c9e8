"""What a script finds in the package's root, and what `metasegment info` tells."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import metasegment
from metasegment import Learner, load_segmenter
from metasegment.cli import main

README = Path(__file__).parents[1] / "README.md"


def test_every_name_of_the_front_door_is_there_and_no_other() -> None:
    assert metasegment.__all__
    assert all(getattr(metasegment, name) is not None for name in metasegment.__all__)
    with pytest.raises(AttributeError, match="no attribute 'segment_everything'"):
        metasegment.segment_everything  # noqa: B018


def test_a_client_needs_neither_torch_nor_readers() -> None:
    program = "import sys; sys.modules.update(torch=None, monai=None, SimpleITK=None)\n"
    program += "from metasegment import Learner, LearnerClient, LocalLearner; print(LocalLearner.__name__)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "LocalLearner\n"


def test_the_segmenter_is_a_learner() -> None:
    learner: Learner = load_segmenter(device="cpu")
    assert callable(learner.segment) and callable(learner.apply)


def test_the_readmes_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--patients", "1", "--output", str(tmp_path)]) == 0
    patient = tmp_path / "patient-1"
    mine = example.replace("ct.nii.gz", str(patient / "image.nrrd"))
    exec(mine.replace("slices.nii.gz", str(patient / "annotation.seg.nrrd")), {})
    assert (tmp_path / "organs.seg.nrrd").is_file()


def test_info_tells_versions_device_weights_and_extras(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--device", "cpu", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["metasegment"] == metasegment.__version__
    assert found["weights"]["licence"] == "Apache-2.0" and len(found["weights"]["sha256"]) == 64
    assert found["packages"]["torch"] != "absent" and set(found["extras"].values()) <= {"yes", "no"}
    assert main(["info", "--device", "cpu"]) == 0
    assert "Apache-2.0" in capsys.readouterr().out


def test_info_refuses_a_device_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--device", "cuda:99"]) == 2
    assert "no GPU" in capsys.readouterr().err
