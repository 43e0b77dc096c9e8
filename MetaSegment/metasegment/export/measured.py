"""All that is measured of a segmentation's structures, and what is usual for them, for tables and reports."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..anatomy.reference import Band, expected_volume
from ..errors import InputError
from ..structure import Segment
from ..volume import Volume
from .measurements import Intensity, Position, Shape, intensity_of, position_of, shape_of
from .mesh import smooth_surface, surface_area
from .structures import Structures
from .suv import NoSuv, Uptake, suv_factor, uptake_of

_MM2_PER_CM2 = 100


@dataclass(frozen=True)
class Measured:
    """One structure with voxels. What needs an image, a PET series or VTK is None without; so is the usual volume of
    adults where the name is not known.
    """

    segment: Segment
    shape: Shape
    position: Position
    surface_cm2: float | None
    intensity: Intensity | None
    uptake: Uptake | None
    usual_volume: Band | None


@dataclass(frozen=True)
class Measurements:
    """Structures in the order of their labels, and sentences on what could not be measured and why."""

    structures: tuple[Measured, ...]
    notes: tuple[str, ...]


def measure(structures: Structures, image: Volume | None, reference: str | Path | None) -> Measurements:
    """Measure the structures that have voxels, with `image` also its intensities, of PET also SUV.

    `reference` is where the image was read from. Raises InputError where nothing is segmented.
    """
    factor, notes = _factor(reference)
    has_vtk = importlib.util.find_spec("vtkmodules") is not None
    if not has_vtk:
        notes += ("no surface area: it needs VTK, pip install 'metasegment[picture]'",)
    found = []
    for segment in structures.drawn():
        mask, to_world = structures.mask(segment.label), structures.geometry.index_to_world
        found.append(
            Measured(
                segment=segment,
                shape=shape_of(mask, structures.geometry),
                position=position_of(mask, structures.geometry),
                surface_cm2=surface_area(smooth_surface(mask, to_world)) / _MM2_PER_CM2 if has_vtk else None,
                intensity=None if image is None else intensity_of(mask, image.array),
                uptake=None if image is None or factor is None else uptake_of(mask, image, factor),
                usual_volume=expected_volume(segment.name),
            )
        )
    return Measurements(tuple(found), notes)


def as_rows(structures: Iterable[Measured]) -> list[dict[str, Any]]:
    """One flat row a structure, all with the same keys: those of which at least one structure has a value."""
    rows = [_row(measured) for measured in structures]
    keys = [key for key in rows[0] if any(row[key] is not None for row in rows)]
    return [{key: row[key] for key in keys} for row in rows]


def _row(measured: Measured) -> dict[str, Any]:
    row: dict[str, Any] = {"label": measured.segment.label, "name": measured.segment.name}
    row |= dataclasses.asdict(measured.shape)
    row |= dataclasses.asdict(measured.position)
    row["surface_cm2"] = measured.surface_cm2
    for kind, values in ((Intensity, measured.intensity), (Uptake, measured.uptake)):
        row |= {field.name: getattr(values, field.name, None) for field in dataclasses.fields(kind)}
    usual = measured.usual_volume
    row |= {"usual_low_ml": usual and usual.low, "usual_high_ml": usual and usual.high}
    return row


def _factor(reference: str | Path | None) -> tuple[float | None, tuple[str, ...]]:
    if reference is None or not Path(reference).is_dir():
        return None, ()
    try:
        return suv_factor(Path(reference)), ()
    except NoSuv as why:
        return None, (f"no SUV: {why}",)
    except InputError as error:
        return None, (f"no SUV: {error}",)
