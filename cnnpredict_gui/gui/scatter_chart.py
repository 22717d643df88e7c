"""Predicted against measured times on logarithmic axes, with bands of 10 and 20 percent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt

from cnnpredict_gui import __version__
from cnnpredict_gui.gui.charts import ChartView, symbol_brush, symbol_pen
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import Data
from cnnpredict_gui.gui.format import percent, sig3
from cnnpredict_gui.gui.theme import Theme

#: Widths of the bands around equality, and how strongly they are filled.
BANDS = ((20.0, 22), (10.0, 34))
_COLUMNS = ("series", "layer", "measured_ms", "predicted_ms", "error_percent", "extrapolating")


@dataclass(frozen=True)
class ScatterPoint:
    """A layer: its measured and predicted time in ms; ``hollow`` where the prediction extrapolates."""

    label: str
    measured_ms: float
    predicted_ms: float
    hollow: bool = False


@dataclass(frozen=True)
class ScatterSeries:
    """Points of one predictor, with colour (hex) and symbol."""

    name: str
    colour: str
    symbol: str
    points: tuple[ScatterPoint, ...]


class ScatterChart(ChartView):
    """Points of several predictors; hovering over one names its layer."""

    def __init__(self, context: AppContext, title: str, empty: str) -> None:
        super().__init__(context, title, empty)
        self.series: tuple[ScatterSeries, ...] = ()
        self.plot = self.add_plot(x_label="measured (ms)", y_label="predicted (ms)")
        for side in ("bottom", "left"):
            self.plot.getAxis(side).setLogMode(True)
        self.plot.showGrid(x=True, y=True, alpha=0.12)
        self._edges = [[pg.PlotCurveItem() for _ in range(2)] for _ in BANDS]
        self._fills = [pg.FillBetweenItem(*edges) for edges in self._edges]
        self.equal = pg.InfiniteLine((0, 0), angle=45)
        self.points = pg.ScatterPlotItem(size=10, hoverable=True, tip=self._tip)
        for item in (*self._fills, self.equal, self.points):
            self.plot.addItem(item, ignoreBounds=item is not self.points)
        self.apply_theme(context.theme.current)

    @staticmethod
    def _tip(x: float, y: float, data: str) -> str:
        error = percent(100 * (10 ** (y - x) - 1), signed=True)
        return f"{data}\nmeasured {sig3(10**x)} ms, predicted {sig3(10**y)} ms: {error}"

    def show_series(self, series: Sequence[ScatterSeries]) -> None:
        """Draw these; points without two times are left out."""
        self.series = tuple(series)
        drawn = [
            (one, point)
            for one in self.series
            for point in one.points
            if point.measured_ms > 0 and point.predicted_ms > 0 and math.isfinite(point.measured_ms * point.predicted_ms)
        ]
        self.set_empty(not drawn)
        if not drawn:
            return
        self.points.setData(
            x=np.log10([point.measured_ms for _, point in drawn]),
            y=np.log10([point.predicted_ms for _, point in drawn]),
            symbol=[one.symbol for one, _ in drawn],
            brush=[symbol_brush(self._theme.base if point.hollow else one.colour) for one, point in drawn],
            pen=[symbol_pen(one.colour, 1.4) for one, _ in drawn],
            data=[f"{one.name}\n{point.label}" for one, point in drawn],
        )
        entries = [(one.name, one.colour, one.symbol) for one in self.series if one.points]
        self.legend.set_entries([*entries, ("equal", self._theme.muted, "line"), ("± 10 and 20 %", self._theme.muted, "s")])
        self.legend.setVisible(True)
        self._fit(np.log10([time for _, point in drawn for time in (point.measured_ms, point.predicted_ms)]))

    def _fit(self, logs: np.ndarray) -> None:
        """The same range on both axes, and the bands across it."""
        low, high = float(logs.min()) - 0.15, float(logs.max()) + 0.15
        line = np.array([low - 3, high + 3])
        for (width, _), edges in zip(BANDS, self._edges, strict=True):
            for factor, edge in zip((1 - width / 100, 1 + width / 100), edges, strict=True):
                edge.setData(line, line + math.log10(factor))
        self.plot.getViewBox().setRange(xRange=(low, high), yRange=(low, high), padding=0, disableAutoRange=True)

    def reset_zoom(self) -> None:
        self.show_series(self.series)

    def recolour(self, theme: Theme) -> None:
        if not hasattr(self, "points"):
            return
        for (_, alpha), fill in zip(BANDS, self._fills, strict=True):
            shade = pg.mkColor(theme.muted)
            shade.setAlpha(alpha)
            fill.setBrush(shade)
            fill.setPen(pg.mkPen(None))
        self.equal.setPen(pg.mkPen(theme.muted, width=1.2, style=Qt.PenStyle.DashLine))

    def export_data(self) -> Data:
        """A row per point."""
        rows = [
            (
                one.name,
                point.label,
                point.measured_ms,
                point.predicted_ms,
                100 * (point.predicted_ms / point.measured_ms - 1),
                point.hollow,
            )
            for one in self.series
            for point in one.points
        ]
        return Data(_COLUMNS, rows, {"version": __version__})
