"""What is drawn on another image gets the task's labels by its structures' names, however a file numbered them."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.grids import geometry_with
from hypothesis import given, settings
from hypothesis import strategies as st

from metasegment.annotation import BACKGROUND, Annotation, annotation_from_labels
from metasegment.errors import InputError
from metasegment.task import Provenance, Task, TaskStructure
from metasegment.task_labels import to_task_labels

NAMES = {3: "Leber, links", 7: "Zyste", 200: "Milz"}
TASK = Task(Provenance(tuple(TaskStructure(*named) for named in NAMES.items()), "a" * 64, "none", "", 1), {})


def drawn(names: dict[int, str | None]) -> Annotation:
    """One axial slice with a row for each of these labels, called so."""
    geometry = geometry_with()
    labels = np.zeros(geometry.shape, np.uint8)
    labels[4] = BACKGROUND
    for row, label in enumerate(names):
        labels[4, row] = label
    named = {label: name for label, name in names.items() if name is not None}
    return annotation_from_labels(labels, geometry, named, {label: (0.0, 0.0, label / 255) for label in names})


@given(st.permutations(sorted(NAMES)), st.lists(st.integers(1, 254), min_size=3, max_size=3, unique=True))
@settings(max_examples=30, deadline=None)
def test_structures_are_known_by_their_names(order: list[int], numbers: list[int]) -> None:
    given_ = drawn({number: NAMES[label].upper() for number, label in zip(numbers, order, strict=True)})
    found = to_task_labels(TASK, given_)
    np.testing.assert_array_equal(found.labels, drawn(dict.fromkeys(order)).labels)
    assert (found.structures, found.names) == (tuple(sorted(NAMES)), NAMES)
    for number, label in zip(numbers, order, strict=True):
        assert found.colors[label] == given_.colors[number]
    assert (found.slices, found.geometry) == (given_.slices, given_.geometry)


def test_structures_without_a_name_keep_their_label_and_get_the_task_s_name() -> None:
    given_ = drawn({7: None, 4: "Milz"})
    found = to_task_labels(TASK, given_)
    np.testing.assert_array_equal(found.labels, drawn({7: None, 200: None}).labels)
    assert found.names == {7: "Zyste", 200: "Milz"}


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ({3: "Niere"}, r"structure 'Niere' \(label 3\) is none of the task's: it knows Leber, links, Zyste, Milz"),
        ({5: None}, r"structure without a name \(label 5\) is none of the task's"),
        ({3: None, 5: "leber, LINKS"}, "two structures of the annotation are the same"),
    ],
)
def test_a_structure_that_the_task_does_not_know_is_refused(names: dict[int, str | None], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        to_task_labels(TASK, drawn(names))
