"""A chart as a PNG, drawn by VTK off screen in a process of its own: `python -m metasegment.benchmark.chart SPEC PNG`.

Knows nothing of results.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..io.files import written_beside
from ..pictures.vtk_child import draw_in_child

if TYPE_CHECKING:
    from vtkmodules.vtkChartsCore import vtkAxis, vtkChartXY, vtkPlot
    from vtkmodules.vtkCommonDataModel import vtkTable

_WIDTH, _HEIGHT = 1600, 1000  # pixels
_TITLE, _LABEL, _LEGEND = 30, 24, 24  # points
_LINE, _BAR = 4.0, 2.5  # pixels
_IN_LEGEND = 7.0  # pixels of pen, from which VTK derives the size of a mark in the legend
_GRID = (225, 225, 225)
_SAMPLES = 8  # per pixel
#: Marks as vtkPlotPoints numbers them: a second way, besides colour, to tell series apart.
MARKS = {"circle": 4, "square": 3, "diamond": 5}


@dataclass(frozen=True)
class Series:
    """Points of one colour (red, green, blue, 0…255), joined where `line`; a vertical bar from low to high at each."""

    label: str
    color: tuple[int, int, int]
    mark: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    line: bool = False


@dataclass(frozen=True)
class Axis:
    """What an axis shows: its title, its range, and ticks (place, label); ticks of its own where none are given."""

    title: str
    range: tuple[float, float]
    ticks: tuple[tuple[float, str], ...] = ()
    logarithmic: bool = False


@dataclass(frozen=True)
class Chart:
    """Series on two axes, with a legend beside the data; `height` and `mark`, the size of a point, are in pixels."""

    x: Axis
    y: Axis
    series: tuple[Series, ...]
    height: int = _HEIGHT
    mark: float = 16.0


def save_chart(path: Path, chart: Chart) -> None:
    """Writes the PNG, complete or not at all; raises NoDrawing where VTK or OpenGL is missing."""
    with written_beside(path) as draft, tempfile.TemporaryDirectory(prefix="metasegment-") as folder:
        spec = Path(folder) / "chart.json"
        spec.write_text(json.dumps(asdict(chart)), encoding="utf-8")
        draw_in_child(__name__, spec, draft)


def _draw(chart: dict[str, Any], path: str) -> None:
    """The child's work; ends the process where there is no OpenGL."""
    import vtkmodules.vtkRenderingContextOpenGL2
    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401 (both register what draws)
    from vtkmodules.vtkChartsCore import vtkAxis, vtkChartLegend, vtkChartXY
    from vtkmodules.vtkIOImage import vtkPNGWriter
    from vtkmodules.vtkRenderingCore import vtkWindowToImageFilter
    from vtkmodules.vtkViewsContext2D import vtkContextView

    view = vtkContextView()
    view.GetRenderer().SetBackground(1, 1, 1)
    window = view.GetRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(_SAMPLES)
    window.SetSize(_WIDTH, chart["height"])
    drawn = vtkChartXY()
    view.GetScene().AddItem(drawn)
    tables = [_add(drawn, series, chart["mark"]) for series in chart["series"]]
    _lay_out(drawn.GetAxis(vtkAxis.BOTTOM), chart["x"])
    _lay_out(drawn.GetAxis(vtkAxis.LEFT), chart["y"])
    drawn.SetShowLegend(True)
    legend = drawn.GetLegend()
    legend.SetInline(False)
    legend.SetHorizontalAlignment(vtkChartLegend.RIGHT)
    legend.SetVerticalAlignment(vtkChartLegend.TOP)
    legend.SetLabelSize(_LEGEND)
    legend.SetSymbolWidth(40)
    legend.SetPadding(10)
    legend.GetPen().SetOpacity(0)
    window.Render()
    grab = vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    writer = vtkPNGWriter()
    writer.SetInputConnection(grab.GetOutputPort())
    writer.SetFileName(path)
    writer.Write()
    assert tables  # VTK does not keep them


def _lay_out(axis: vtkAxis, wanted: dict[str, Any]) -> None:
    from vtkmodules.vtkChartsCore import vtkAxis
    from vtkmodules.vtkCommonCore import vtkDoubleArray, vtkStringArray

    axis.SetTitle(wanted["title"])
    axis.GetTitleProperties().SetFontSize(_TITLE)
    axis.GetTitleProperties().SetBold(False)
    axis.GetLabelProperties().SetFontSize(_LABEL)
    axis.GetGridPen().SetColor(*_GRID)
    axis.SetLogScale(wanted["logarithmic"])
    axis.SetBehavior(vtkAxis.FIXED)
    axis.SetUnscaledRange(*wanted["range"])
    if wanted["ticks"]:
        places, labels = vtkDoubleArray(), vtkStringArray()
        for place, label in wanted["ticks"]:
            places.InsertNextValue(math.log10(place) if wanted["logarithmic"] else place)  # VTK takes what it draws
            labels.InsertNextValue(label)
        axis.SetCustomTickPositions(places, labels)


def _add(chart: vtkChartXY, series: dict[str, Any], mark: float) -> list[vtkTable]:
    """Bars first, so that marks lie on them; returns the tables, which must live until the chart is drawn."""
    from vtkmodules.vtkChartsCore import vtkChart

    tables = []
    for x, low, high in zip(series["x"], series["low"], series["high"], strict=False):
        bar, table = _plot(chart, vtkChart.LINE, series, (x, x), (low, high))
        bar.SetWidth(_BAR)
        bar.LegendVisibilityOff()
        tables.append(table)
    if series["line"]:
        line, table = _plot(chart, vtkChart.LINE, series, series["x"], series["y"])
        line.SetWidth(_LINE)
        line.LegendVisibilityOff()
        tables.append(table)
    points, table = _plot(chart, vtkChart.POINTS, series, series["x"], series["y"])
    points.SetMarkerStyle(MARKS[series["mark"]])  # type: ignore[attr-defined]  # POINTS makes a vtkPlotPoints
    points.SetMarkerSize(mark)  # type: ignore[attr-defined]
    points.SetWidth(_IN_LEGEND)
    points.SetLabel(series["label"])
    return [*tables, table]


def _plot(
    chart: vtkChartXY, kind: int, series: dict[str, Any], x: Sequence[float], y: Sequence[float]
) -> tuple[vtkPlot, vtkTable]:
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkTable

    table = vtkTable()
    for name, values in (("x", x), ("y", y)):
        column = numpy_to_vtk([float(value) for value in values], deep=True)
        column.SetName(name)
        table.AddColumn(column)
    plot = chart.AddPlot(kind)
    plot.SetInputData(table, 0, 1)
    plot.SetColor(*series["color"])
    return plot, table


if __name__ == "__main__":
    _draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), sys.argv[2])
