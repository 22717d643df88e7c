"""Charts of a benchmark: bars across predictors, and how the calls of each are distributed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt

from cnnpredict_gui import __version__
from cnnpredict_gui.core.names import FAMILIES
from cnnpredict_gui.core.table import Floats
from cnnpredict_gui.gui.axes import NumberAxis
from cnnpredict_gui.gui.bars import BarsChart
from cnnpredict_gui.gui.bars_item import Bar, Panel
from cnnpredict_gui.gui.benchmark_data import ResultRow
from cnnpredict_gui.gui.charts import ChartView
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.csv_text import Cell
from cnnpredict_gui.gui.export import Data
from cnnpredict_gui.gui.format import sig3
from cnnpredict_gui.gui.legend import family_legend
from cnnpredict_gui.gui.series import SeriesStyle, series_legend, series_styles
from cnnpredict_gui.gui.switch import LogSwitch
from cnnpredict_gui.gui.theme import FAMILY_SYMBOLS, Theme

_EMPTY = "Press Run to time the predictors chosen on the left."
_LEFT_AXIS_PX = 56
_DISTRIBUTION = "Distribution of the times of calls"
_NAMES = ("predictor", "target", "family", "engine")


def _head(row: ResultRow) -> tuple[Cell, ...]:
    return (row.outcome.name, row.title, row.family, row.outcome.engine)


class LatencyChart(BarsChart):
    """Median time of a call of each predictor; whiskers reach from the least to the 95th percentile."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context, "Time of a call", _EMPTY)
        self.rows: list[ResultRow] = []
        self.add_tool(LogSwitch(self.set_log))

    def show_rows(self, rows: Sequence[ResultRow]) -> None:
        """Draw the rows that were measured."""
        self.rows = list(rows)
        drawn = [row for row in self.rows if row.timed is not None]
        native = any(row.is_native for row in drawn)
        entries = family_legend(self._theme, [row.family for row in drawn])
        if native:
            entries.append(("native library", self._theme.muted, "hatch"))
        self.legend.set_entries(entries)
        title = "Median (ms); whiskers from the least to the 95th percentile"
        self.show_panels([Panel(title, tuple(bar for row in drawn for bar in _bars(row)))] if drawn else [])
        if self.rows and not drawn:
            self.set_empty(True, "No predictor could be timed; the table below says why.")

    def recolour(self, theme: Theme) -> None:
        super().recolour(theme)
        if getattr(self, "rows", None):
            self.show_rows(self.rows)

    def export_data(self) -> Data:
        """What the bars show."""
        rows = [
            (*_head(row), t.latency.p50_ms, t.latency.min_ms, t.latency.p95_ms)
            for row in self.rows
            if (t := row.timed) is not None
        ]
        return Data((*_NAMES, "median_ms", "min_ms", "p95_ms"), rows, {"version": __version__})


def _bars(row: ResultRow) -> list[Bar]:
    timed = row.timed
    if timed is None:
        return []
    latency = timed.latency
    note = f"{timed.library}\n{sig3(latency.throughput_per_s)} layers/s, {sig3(latency.rss_mb)} MB"
    return [
        Bar(
            row.key,
            row.title,
            f"{row.title} · {FAMILIES[row.family]}",
            latency.p50_ms,
            latency.min_ms,
            latency.p95_ms,
            row.family,
            symbol=FAMILY_SYMBOLS[row.family],
            hatched=row.is_native,
            mark="native" if row.is_native else "",
            note=note,
            whiskers="least to 95th percentile",
        )
    ]


class DistributionChart(ChartView):
    """Histogram above, cumulative curve below, over one logarithmic axis; dashed lines are native libraries."""

    def __init__(self, context: AppContext) -> None:
        self.rows: list[ResultRow] = []
        super().__init__(context, _DISTRIBUTION, _EMPTY)
        self._histogram = self._add(0, "calls (%)")
        self._cumulative = self._add(1, "calls no longer (%)")
        self._cumulative.setXLink(self._histogram)
        self._cumulative.setLabel("bottom", "time of a call (ms)", color=self._theme.muted)
        self._histogram.getAxis("bottom").setStyle(showValues=False)

    def _add(self, row: int, label: str) -> pg.PlotItem:
        axes = {side: NumberAxis(side) for side in ("bottom", "left")}
        plot = self.add_plot(row, 0, axes=axes, y_label=label)
        axes["left"].setWidth(_LEFT_AXIS_PX)
        axes["bottom"].setLogMode(True)
        plot.getViewBox().setMouseEnabled(True, False)
        plot.showGrid(x=True, y=True, alpha=0.12)
        return plot

    def show_rows(self, rows: Sequence[ResultRow], selected: bool = False) -> None:
        """Draw the rows that were measured; ``selected`` says that they are not all."""
        self.rows = [row for row in rows if row.timed is not None]
        which = "of the rows selected under Result" if selected else "select rows under Result to see only those"
        self.set_title(f"{_DISTRIBUTION}: {which}" if selected or len(self.rows) > 1 else _DISTRIBUTION)
        self._redraw()

    def _redraw(self) -> None:
        for plot in self.plots:
            plot.clear()
        self.set_empty(not self.rows)
        if not self.rows:
            return
        named = [(row.key, row.title, row.family) for row in self.rows]
        styles = series_styles(named, self._theme)
        entries = series_legend(named, self._theme)
        if any(row.is_native for row in self.rows):
            entries.append(("native library: dashed", self._theme.muted, "line"))
        self.legend.set_entries(entries)
        self.legend.setVisible(True)
        highest = 0.0
        for row in self.rows:
            highest = max(highest, self._draw(row, styles[row.key]))
        self._set_ranges(highest)

    def _draw(self, row: ResultRow, style: SeriesStyle) -> float:
        """Draw one row; returns the height of its histogram."""
        if row.timed is None:
            return 0.0
        line = Qt.PenStyle.DashLine if row.is_native else Qt.PenStyle.SolidLine
        pen = pg.mkPen(style.colour, width=1.6, style=line)
        edges, share = row.timed.distribution.histogram()
        self._histogram.addItem(pg.PlotCurveItem(np.log10(edges), share, stepMode="center", pen=pen))
        times, percent = row.timed.distribution.cumulative()
        self._cumulative.addItem(pg.PlotCurveItem(np.log10(times), percent, pen=pen))
        middle = int(np.argmax(share))
        at = [(float(np.log10(edges[middle : middle + 2]).mean()), float(share[middle]), self._histogram)]
        at.append((float(np.log10(times[len(times) // 2])), 50.0, self._cumulative))
        for x, y, plot in at:
            plot.addItem(
                pg.ScatterPlotItem([x], [y], symbol=style.symbol, size=9, brush=style.colour, pen=pg.mkPen(self._theme.base))
            )
        return float(share.max())

    def _set_ranges(self, highest: float) -> None:
        ends: list[Floats] = [row.timed.distribution.histogram()[0][[0, -1]] for row in self.rows if row.timed is not None]
        low, high = np.log10(min(float(one[0]) for one in ends)), np.log10(max(float(one[1]) for one in ends))
        self._histogram.getViewBox().setRange(
            xRange=(low, high), yRange=(0, highest * 1.1), padding=0.02, disableAutoRange=True
        )
        self._cumulative.getViewBox().setRange(yRange=(0, 104), padding=0, disableAutoRange=True)

    def export_name(self) -> str:
        """File name."""
        return "benchmark-distribution"

    def reset_zoom(self) -> None:
        self._redraw()

    def recolour(self, theme: Theme) -> None:
        if self.rows:
            self._redraw()

    def export_data(self) -> Data:
        """Bins with their share, and quantiles with theirs."""
        rows: list[tuple[Cell, ...]] = []
        for row in self.rows:
            if row.timed is not None:
                edges, share = row.timed.distribution.histogram()
                rows += [
                    (*_head(row), "bin", float(a), float(b), float(s)) for a, b, s in zip(edges, edges[1:], share, strict=False)
                ]
                times, percent = row.timed.distribution.cumulative()
                rows += [
                    (*_head(row), "no longer than", float(t), float(t), float(s)) for t, s in zip(times, percent, strict=True)
                ]
        return Data((*_NAMES, "what", "from_ms", "to_ms", "calls_percent"), rows, {"version": __version__})
