"""The table of a report for people: one row of words a structure. HTML and PDF set the same one."""

from __future__ import annotations

from ..export.measured import Measured, Measurements
from .series import Series

TITLE = "Measurements"
ABOUT = (
    "Diameters are from outer voxel face to outer voxel face; the axial one and the longest perpendicular to it lie on "
    "the slice that is named (k from 0). Values are mean ± standard deviation, and 10th percentile, median, 90th "
    "percentile. Usual volumes are of adults: outside (!) is unusual, not wrong. Positions are centroids in LPS mm. "
    "Research software: review every result."
)
SIGNATURE = "Reviewed by ________________________________     Date ________________"


def heading_of(series: Series, segmentation: str) -> str:
    """One line on what was measured; of a patient it names nothing."""
    day = f", study of {series.date.isoformat()}" if series.date else ""
    return f"{segmentation}{f', {series.modality}' if series.modality else ''}{day}"


def table_of(measurements: Measurements, series: Series) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Headings and a row for each structure; columns without any value are left out."""
    rows = [_cells(measured, series) for measured in measurements.structures]
    kept = [name for name in rows[0] if any(row[name] for row in rows)]
    return tuple(kept), [tuple(row[name] for name in kept) for row in rows]


def _cells(measured: Measured, series: Series) -> dict[str, str]:
    shape, place, values, uptake = measured.shape, measured.position, measured.intensity, measured.uptake
    usual = measured.usual_volume
    remark = "" if usual is None or usual.holds(shape.volume_ml) else " (!)"
    unit = "HU" if series.modality == "CT" else "values"
    return {
        "Structure": measured.segment.name,
        "Volume (ml)": number(shape.volume_ml) + remark,
        "Usual (ml)": f"{number(usual.low)}–{number(usual.high)}" if usual else "",
        "Axial × perpendicular (mm)": f"{shape.diameter_axial_mm:.1f} × {shape.diameter_perpendicular_mm:.1f}",
        "Slice": str(shape.diameter_slice),
        "Longest (mm)": f"{shape.diameter_3d_mm:.1f}",
        "Surface (cm²)": "" if measured.surface_cm2 is None else number(measured.surface_cm2),
        f"Mean ± SD ({unit})": f"{number(values.mean)} ± {number(values.sd)}" if values else "",
        f"10 / 50 / 90 % ({unit})": f"{number(values.p10)} / {number(values.median)} / {number(values.p90)}"
        if values
        else "",
        "SUV mean / max / peak": f"{uptake.suv_mean:.2f} / {uptake.suv_max:.2f} / {uptake.suv_peak:.2f}"
        if uptake
        else "",
        "MTV (ml), TLG (g)": f"{number(uptake.mtv_ml)}, {number(uptake.tlg_g)}" if uptake else "",
        "Position": f"{place.left_mm:.0f}, {place.posterior_mm:.0f}, {place.superior_mm:.0f}",
    }


def number(value: float) -> str:
    """Three significant digits, and whole numbers from a hundred on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
