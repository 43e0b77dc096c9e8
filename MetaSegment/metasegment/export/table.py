"""Measurements of all structures as a table: CSV for spreadsheets, JSON for programs. Measures nothing itself."""

from __future__ import annotations

import csv
import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io.files import written_beside
from ..volume import Volume
from .measurements import intensity_of, shape_of
from .mesh import smooth_surface, surface_area
from .structures import Structures
from .suv import NoSuv, suv_factor, uptake_of

_DIGITS = 6  # significant
_MM2_PER_CM2 = 100


def write_table(
    structures: Structures, path: Path, image: Volume | None, reference: str | Path | None
) -> tuple[str, ...]:
    """One row a structure with voxels: label, name, shape; with `image` also its intensities, of PET also SUV.

    `reference` is where the image was read from. Returns, and in JSON keeps, notes on what could not be
    measured and why. Raises
    InputError where nothing is segmented or the file cannot be written.
    """
    factor, notes = _factor(reference)
    has_vtk = importlib.util.find_spec("vtkmodules") is not None
    if not has_vtk:
        notes += ("no surface area: it needs VTK, pip install 'metasegment[picture]'",)
    rows = []
    for segment in structures.drawn():
        mask = structures.labels == segment.label
        row: dict[str, Any] = {"label": segment.label, "name": segment.name}
        row |= dataclasses.asdict(shape_of(mask, structures.geometry))
        if has_vtk:
            surface = smooth_surface(mask, structures.geometry.index_to_world)
            row["surface_cm2"] = surface_area(surface) / _MM2_PER_CM2
        if image is not None:
            row |= dataclasses.asdict(intensity_of(mask, image.array))
        if image is not None and factor is not None:
            row |= dataclasses.asdict(uptake_of(mask, image, factor))
        rows.append({key: _rounded(value) for key, value in row.items()})
    with written_beside(path) as draft:
        if path.suffix.lower() == ".json":
            draft.write_text(json.dumps({"structures": rows, "notes": notes}, indent=1, ensure_ascii=False), "utf-8")
        else:
            _write_csv(rows, draft)
    return notes


def _factor(reference: str | Path | None) -> tuple[float | None, tuple[str, ...]]:
    if reference is None or not Path(reference).is_dir():
        return None, ()
    try:
        return suv_factor(Path(reference)), ()
    except NoSuv as why:
        return None, (f"no SUV: {why}",)
    except InputError as error:
        return None, (f"no SUV: {error}",)


def _write_csv(rows: list[dict[str, Any]], path: Path) -> None:
    # Excel takes a file for UTF-8 only where it begins with a byte order mark.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def _rounded(value: Any) -> Any:
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value
