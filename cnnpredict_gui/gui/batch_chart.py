"""Distribution of the predicted times of a file, a step line per predictor, one plot per time kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from cnnpredict_gui import __version__
from cnnpredict_gui.core.names import FAMILIES, TIME_KINDS
from cnnpredict_gui.core.table import Floats
from cnnpredict_gui.gui.axes import NumberAxis
from cnnpredict_gui.gui.charts import ChartView
from cnnpredict_gui.gui.compare_tables import KIND_TEXTS
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.csv_text import Cell
from cnnpredict_gui.gui.export import Data
from cnnpredict_gui.gui.prediction_cells import KIND_TITLES
from cnnpredict_gui.gui.series import SeriesStyle, series_legend, series_styles
from cnnpredict_gui.gui.tables import Column, TableView
from cnnpredict_gui.gui.theme import Theme

if TYPE_CHECKING:
    from cnnpredict_gui.studies.batch import BatchSummary, ModelSummary

_LEFT_AXIS_PX = 62
#: Least height of a plot; below it the chart is scrolled.
_PLOT_PX = 90


def family_of(model: ModelSummary) -> str:
    """Family of a predictor, by its name."""
    return model.name.split("_", 1)[0]


class Histogram(ChartView):
    """How many rows got which time."""

    def __init__(self, context: AppContext) -> None:
        self.summary: BatchSummary | None = None
        self.kinds: list[str] = []
        self._made: list[pg.PlotItem] = []
        super().__init__(
            context, "Distribution of predicted times", "Run the prediction to see how the times are distributed.", True
        )

    def show_summary(self, summary: BatchSummary | None) -> None:
        """Draw a summary, or the empty state."""
        self.summary = summary
        self._redraw()

    def _redraw(self) -> None:
        from cnnpredict_gui.studies.batch import HISTOGRAM_EDGES

        drawn = [model for model in self.summary.models if model.predicted] if self.summary else []
        self.set_empty(not drawn)
        if self.summary is not None and not drawn:
            self.set_empty(True, "No row could be predicted; the tables beside say why.")
        if not drawn:
            return
        named = [(model.name, model.target.title, family_of(model)) for model in drawn]
        styles = series_styles(named, self._theme)
        self.legend.set_entries(series_legend(named, self._theme))
        self.legend.setVisible(True)
        self._arrange([kind for kind in TIME_KINDS if any(model.target.time_kind == kind for model in drawn)])
        edges = np.log10(HISTOGRAM_EDGES)
        used = np.flatnonzero(np.sum([model.histogram for model in drawn], axis=0))
        first, last = max(int(used[0]) - 1, 0), min(int(used[-1]) + 2, len(edges) - 1)
        for kind, plot in zip(self.kinds, self.plots, strict=True):
            plot.clear()
            mine = [model for model in drawn if model.target.time_kind == kind]
            for model in mine:
                _add_steps(plot, edges[first : last + 1], model.histogram[first:last], styles[model.name])
            top = max(int(model.histogram.max()) for model in mine)
            plot.getViewBox().setRange(
                xRange=(edges[first], edges[last]), yRange=(0, top * 1.08), padding=0, disableAutoRange=True
            )
            plot.setTitle(KIND_TITLES[kind], color=self._theme.muted, size="9pt", justify="left")

    def _arrange(self, kinds: list[str]) -> None:
        if self.kinds == kinds:
            return
        self.kinds = kinds
        while len(self._made) < len(kinds):
            self._made.append(self._new_plot())
        self.stack(self._made[: len(kinds)], _PLOT_PX)

    def _new_plot(self) -> pg.PlotItem:
        axes = {side: NumberAxis(side) for side in ("bottom", "left")}
        plot = self.make_plot("predicted time (ms)", "rows", axes=axes)
        axes["left"].setWidth(_LEFT_AXIS_PX)
        axes["bottom"].setLogMode(True)
        plot.getViewBox().setMouseEnabled(True, False)
        plot.showGrid(x=True, y=True, alpha=0.12)
        return plot

    def reset_zoom(self) -> None:
        self._redraw()

    def recolour(self, theme: Theme) -> None:
        if self.summary is not None:
            self._redraw()

    def export_data(self) -> Data:
        """Every bin with rows in it."""
        from cnnpredict_gui.studies.batch import HISTOGRAM_EDGES

        rows: list[tuple[Cell, ...]] = []
        for model in self.summary.models if self.summary else ():
            for place in np.flatnonzero(model.histogram):
                low, high = float(HISTOGRAM_EDGES[place]), float(HISTOGRAM_EDGES[place + 1])
                head = (model.name, model.target.name, model.target.time_kind)
                rows.append((*head, low, high, int(model.histogram[place])))
        columns = ("predictor", "target", "time_kind", "from_ms", "to_ms", "rows")
        return Data(columns, rows, {"version": __version__})


def _add_steps(plot: pg.PlotItem, edges: Floats, counts: npt.NDArray[np.int64], style: SeriesStyle) -> None:
    colour = QColor(style.colour)
    colour.setAlpha(26)
    curve = pg.PlotCurveItem(edges, counts, stepMode="center", pen=pg.mkPen(style.colour, width=1.6), fillLevel=0, brush=colour)
    plot.addItem(curve)
    peak = int(np.argmax(counts))
    middle = (edges[peak] + edges[peak + 1]) / 2
    edge = pg.mkPen(style.colour)
    plot.addItem(pg.ScatterPlotItem([middle], [counts[peak]], symbol=style.symbol, size=10, brush=style.colour, pen=edge))


def _mean(model: ModelSummary) -> float:
    return model.total_ms / model.predicted if model.predicted else float("nan")


SUMMARY_COLUMNS = (
    Column("predictor", "predictor", lambda m: m.name, hidden=True),
    Column("target_title", "target", lambda m: m.target.title),
    Column("family", "family", lambda m: FAMILIES.get(family_of(m), family_of(m))),
    Column("in_range", "in range", lambda m: m.in_range, tip="Rows like those the predictor was trained on", numeric=True),
    Column(
        "extrapolating",
        "extrapolating",
        lambda m: m.extrapolating,
        tip="Rows outside of what was measured",
        colour=lambda m, theme: theme.warning if m.extrapolating else None,
        numeric=True,
    ),
    Column(
        "refused",
        "refused",
        lambda m: m.refused,
        tip="Rows without a time",
        colour=lambda m, theme: theme.error if m.refused else None,
        numeric=True,
    ),
    Column("mean_ms", "mean (ms)", _mean, tip="Mean time of the predicted rows", numeric=True),
    Column("total_ms", "sum (ms)", lambda m: m.total_ms, tip="Sum of the predicted rows", numeric=True),
    Column("time_kind", "time kind", lambda m: m.target.time_kind, lambda m: KIND_TEXTS[m.target.time_kind]),
)
ERROR_COLUMNS = (
    Column("line", "line", lambda e: e.line, tip="Line of the file (row, for Parquet)", numeric=True),
    Column("error", "error", lambda e: e.message),
)


def make_tables(context: AppContext) -> tuple[TableView, TableView]:
    """Tables of the summary and of the errors."""
    constants: dict[str, Cell] = {"version": __version__}
    summary = TableView(context, "Verdicts", SUMMARY_COLUMNS, lambda m: m.name, lambda: constants)
    errors = TableView(context, "Rows in error", ERROR_COLUMNS, lambda e: e.line, lambda: constants)
    for table in (summary, errors):
        table.setTextElideMode(Qt.TextElideMode.ElideRight)
    return summary, errors
