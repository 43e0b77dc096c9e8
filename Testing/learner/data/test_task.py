"""A task's file: it comes back exactly, or is refused in one line; and it says nothing of the images it came from."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from safetensors import safe_open

from metasegment.errors import InputError
from metasegment.io.arrays import decode, encode
from metasegment.io.task_file import LARGEST, address_of, checksum_of, from_bytes, read_task, to_bytes, write_task
from metasegment.task import VERSION, Provenance, Task, TaskStructure

LIVER = TaskStructure(3, "Leber, links", (0.8, 0.4, 0.2), "Segmentation category and type~SCT^123037004^Anatomical")
CYST = TaskStructure(7, "Zyste")
PROVENANCE = Provenance((LIVER, CYST), "0123456789abcdef" * 4, "anil", "CT", 2)
_TYPES = st.sampled_from(["<f4", "<f2", "<i8", "|u1", ">f4"]).map(np.dtype)
_NUMBERS = _TYPES.flatmap(
    lambda dtype: npst.arrays(
        dtype,
        npst.array_shapes(min_dims=0, max_dims=3, max_side=4),
        elements={"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else None,
    )
)


@pytest.fixture(scope="module")
def a_task() -> Task:
    """Two structures and a few numbers."""
    random = np.random.default_rng(0)
    return Task(PROVENANCE, {"3.head": random.normal(size=(4, 5)).astype(np.float32), "7.count": np.array(12)})


@pytest.fixture
def a_file(a_task: Task, tmp_path: Path) -> Path:
    path = tmp_path / "liver.task"
    write_task(a_task, path)
    return path


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[bytes], str]:
    """Reads a file of these bytes, which must be refused in one line that names it; gives the line."""

    def read(found: bytes) -> str:
        path = tmp_path / "refused.task"
        path.write_bytes(found)
        with pytest.raises(InputError) as caught:
            read_task(path)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return read


def _are_equal(one: Task, other: Task) -> bool:
    return (
        one.provenance == other.provenance
        and set(one.numbers) == set(other.numbers)
        and all(
            np.array_equal(array, other.numbers[name]) and array.shape == other.numbers[name].shape
            for name, array in one.numbers.items()
        )
    )


def _with(found: bytes, change: Callable[[dict[str, str]], None], **arrays: np.ndarray) -> bytes:
    """A task's file with other texts or arrays, as somebody else's program could write it."""
    numbers, texts = decode(found)
    change(texts)
    return b"".join(encode({**numbers, **arrays}, texts))


def _with_provenance(found: bytes, **change: object) -> bytes:
    def edit(texts: dict[str, str]) -> None:
        texts["task"] = json.dumps({**json.loads(texts["task"]), **change})

    return _with(found, edit)


@given(
    st.dictionaries(st.text(min_size=1, max_size=9).filter(lambda name: name != "__metadata__"), _NUMBERS, max_size=4)
)
@settings(max_examples=40, deadline=None)
def test_a_task_comes_back_exactly(numbers: dict[str, np.ndarray]) -> None:
    found = to_bytes(Task(PROVENANCE, numbers))
    received = from_bytes(found)
    assert _are_equal(received, Task(PROVENANCE, numbers))
    assert to_bytes(received) == found
    assert address_of(to_bytes(received)) == address_of(found)


def test_a_task_s_file_is_read_as_it_was_written(a_task: Task, a_file: Path) -> None:
    received = read_task(a_file)
    assert _are_equal(received, a_task)
    assert received.structures == (LIVER, CYST)
    assert (received.names, received.colors) == ({3: "Leber, links", 7: "Zyste"}, {3: (0.8, 0.4, 0.2)})
    assert all(array.flags.writeable for array in received.numbers.values())  # torch asks for it


def test_the_safetensors_library_reads_it_too(a_task: Task, a_file: Path) -> None:
    with safe_open(a_file, framework="np") as file:
        assert set(file.keys()) == set(a_task.numbers)
        assert np.array_equal(file.get_tensor("3.head"), a_task.numbers["3.head"])


def test_a_file_holds_provenance_and_numbers_and_nothing_else(a_file: Path) -> None:
    numbers, texts = decode(a_file.read_bytes())
    assert set(numbers) == {"3.head", "7.count"}
    assert set(texts) == {"task", "sha256"}
    known = {"format", "modality", "strategy", "structures", "version", "volumes", "weights"}
    assert set(json.loads(texts["task"])) == known
    assert b"liver.task" not in a_file.read_bytes()


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_file_with_changed_bytes_is_refused_or_says_the_same(a_task: Task, data: st.DataObject) -> None:
    found = bytearray(to_bytes(a_task))
    for _ in range(data.draw(st.integers(1, 3))):
        found[data.draw(st.integers(0, len(found) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        assert _are_equal(from_bytes(bytes(found)), a_task)
    except InputError as error:
        assert "\n" not in str(error)


def test_a_file_that_is_cut_off_is_refused(a_file: Path, refused: Callable[[bytes], str]) -> None:
    found = a_file.read_bytes()
    for length in (0, 7, 100, len(found) // 2, len(found) - 1):
        assert "is damaged or no task" in refused(found[:length])
    assert "is damaged or no task" in refused(found + b"\0")


def test_another_shape_or_type_of_the_same_bytes_is_damage(a_file: Path, refused: Callable[[bytes], str]) -> None:
    found = a_file.read_bytes()
    for was, is_ in ((b'"shape":[4,5]', b'"shape":[5,4]'), (b'"dtype":"F32"', b'"dtype":"I32"')):
        assert found.count(was) == 1
        assert "its checksum differs" in refused(found.replace(was, is_))


def test_a_task_of_a_newer_version_is_refused_as_such(a_file: Path, refused: Callable[[bytes], str]) -> None:
    sentence = refused(_with_provenance(a_file.read_bytes(), version=VERSION + 1, tricks="that are not known here"))
    assert f"was made by a newer MetaSegment (task version {VERSION + 1}): update this one" in sentence


def test_a_file_of_another_format_is_refused(refused: Callable[[bytes], str], a_file: Path) -> None:
    weights = b"".join(encode({"conv": np.zeros(3, np.float32)}, {"format": "metasegment-weights-1"}))
    for other in (b"PK\x03\x04 a zip", b"\x80\x04K\x01.", b"\x93NUMPY", weights):
        assert "is damaged or no task" in refused(other)
    assert "no provenance of a task" in refused(_with_provenance(a_file.read_bytes(), format="recipe"))


def test_a_file_that_is_too_large_is_refused(refused: Callable[[bytes], str]) -> None:
    assert f"more than {LARGEST:,} bytes" in refused(bytes(LARGEST + 1))


def test_a_task_that_would_be_too_large_is_not_written(a_task: Task, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="teach fewer structures at a time"):
        write_task(replace(a_task, numbers={"head": np.zeros(LARGEST, np.uint8)}), tmp_path / "large.task")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"structures": []}, "must have a structure"),
        ({"structures": [{"label": 3, "name": "a"}, {"label": 3, "name": "b"}]}, "different labels"),
        ({"structures": [{"label": 255, "name": "a"}]}, "1 to 254"),
        ({"structures": [{"label": 1, "name": ""}]}, "1 to 500 characters"),
        ({"structures": [{"label": 1, "name": "n" * 501}]}, "1 to 500 characters"),
        ({"structures": [{"label": 1, "name": "a", "color": [0, 0, 2]}]}, "0 to 1"),
        ({"structures": [{"label": 1, "name": "a", "terminology": "t" * 1001}]}, "up to 1000 characters"),
        ({"weights": "../../weights"}, "64 hexadecimal digits"),
        ({"strategy": ""}, "strategy has 1 to 64"),
        ({"modality": "m" * 17}, "modality has up to 16"),
        ({"volumes": 0}, "must have seen a volume"),
        ({"volumes": "many"}, "its provenance.volumes must be a whole number"),
        ({"version": 0}, f"of version {VERSION}"),
        ({"version": None}, "its provenance.version must be a whole number"),
    ],
)
def test_a_provenance_out_of_range_is_refused_by_the_field_s_name(
    a_task: Task, change: dict[str, Any], reason: str
) -> None:
    def edit(texts: dict[str, str]) -> None:
        texts["task"] = json.dumps({**json.loads(texts["task"]), **change})
        texts["sha256"] = checksum_of(a_task.numbers, texts["task"])

    with pytest.raises(InputError, match=reason):
        from_bytes(_with(to_bytes(a_task), edit))


def test_numbers_that_are_none_make_no_task() -> None:
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="must be finite"):
            Task(PROVENANCE, {"head": np.array([1.0, value])})


def test_a_task_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the task .*absent\.task"):
        read_task(tmp_path / "absent.task")
    with pytest.raises(InputError, match="cannot read the task"):
        read_task(tmp_path)


def test_a_task_can_be_looked_at_without_torch(a_file: Path) -> None:
    program = "import sys; sys.modules.update(torch=None, SimpleITK=None, monai=None, safetensors=None); "
    program += "from metasegment.io.task_file import read_task; print(len(read_task(sys.argv[1]).structures))"
    done = subprocess.run([sys.executable, "-c", program, a_file], capture_output=True, text=True, timeout=60)
    assert done.stdout == "2\n", done.stderr
