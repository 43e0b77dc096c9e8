"""What every method of the benchmark is given, what it gives back, and what makes it a method.

Holds no truth: a method sees the volume and the annotated slices, never more.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..annotation import Annotation
from ..volume import Volume

#: The label of a task's one structure in its annotation (0 is unknown, 255 background).
STRUCTURE = 1


@dataclass(frozen=True, eq=False)
class Source:
    """Another subject's volume, on which the structure is taught.

    `annotation` is as a study's. `truth`, bool (k, j, i), is the whole structure there: for methods that cannot do
    without, which say in their settings that they are helped.
    """

    volume: Volume
    annotation: Annotation
    truth: np.ndarray


@dataclass(frozen=True, eq=False)
class Study:
    """One task as every method sees it.

    `annotation` labels (k, j, i) are 0 unknown, 1 the structure, 255 background. `seconds` is what MetaSegment took for
    this task, for methods that can use as long as they are given; None where that is not known: their own default.
    With a `source` no slice may be annotated.
    """

    volume: Volume
    annotation: Annotation
    seconds: float | None = None
    source: Source | None = None


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a method found; `mask` is bool (k, j, i) on the study's grid. What it says of annotated voxels is ignored.

    `estimated_dice` (0…1) and `probability` (float16, k, j, i, 0…1) are for methods that have them; `first_seconds` is
    when a first answer was there, for methods that show one before the last. `preparing_seconds` went into what is kept
    for further studies (a task taught on the source, a registration), in the study that needed it first.
    """

    mask: np.ndarray
    estimated_dice: float | None = None
    probability: np.ndarray | None = None
    first_seconds: float | None = None
    preparing_seconds: float | None = None


class Method(Protocol):
    """A way to segment a study.

    `name` is snake_case, as in `--methods`; `label` as in tables; `settings` one line for the report: version,
    parameters, help given. It is pickled to run in a process of its own. One that can use a source has an attribute
    `sources`, see `suits`.
    """

    @property
    def name(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def settings(self) -> str: ...

    def missing(self) -> str | None:
        """Tells why it cannot run here (a package, a device, weights), in one line; None where it can. Must
        be cheap.
        """

    def predict(self, study: Study) -> Prediction:
        """Segments; may raise whatever it likes: the run records the error as a failed row."""


#: `sources` of a method: it needs a source, or takes studies with and without one; others take those without.
NEEDED, WELCOME = (True,), (False, True)


def suits(method: Method, with_source: bool) -> bool:
    """Tells whether a method can solve studies with a source, or those without."""
    return with_source in getattr(method, "sources", (False,))


def fingerprint(*arrays: np.ndarray) -> str:
    """Of the arrays' voxels: by it a method knows again what it has prepared."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()
