"""How far the families of each target agree on a layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pyqtgraph as pg

from cnnpredict_gui.gui.charts import ChartView, symbol_brush, symbol_pen
from cnnpredict_gui.gui.compare_data import Agreement, CompareResult
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import Data
from cnnpredict_gui.gui.legend import family_legend
from cnnpredict_gui.gui.prediction_cells import config_columns
from cnnpredict_gui.gui.theme import FAMILY_SYMBOLS, Theme


class AgreementChart(ChartView):
    """How far the families of each target agree: time over the median of the target's trained families."""

    def __init__(self, context: AppContext, picked: Callable[[str], None] | None = None) -> None:
        super().__init__(context, "Agreement of the families", "Choose a target with at least two trained families.")
        self._agreement: Sequence[Agreement] = ()
        self._result: CompareResult | None = None
        self.plot = self.add_plot(x_label="median time of the target's families (ms)", y_label="time / median")
        self.plot.showGrid(x=True, y=True, alpha=0.12)
        self.plot.getAxis("bottom").setLogMode(True)
        self.band = pg.LinearRegionItem((0.9, 1.1), orientation="horizontal", movable=False)
        self.line = pg.InfiniteLine(1.0, angle=0)
        self.points = pg.ScatterPlotItem(size=11, hoverable=True, tip=None)
        for item in (self.band, self.line, self.points):
            self.plot.addItem(item, ignoreBounds=item is not self.points)
        if picked is not None:
            self.points.sigClicked.connect(lambda _item, points, *_: picked(points[0].data()) if len(points) else None)
        self.recolour(context.theme.current)

    def show_result(self, result: CompareResult) -> None:
        """Draw the families of the targets in question."""
        self._result, self._agreement = result, result.agreement
        self.set_empty(not self._agreement)
        if not self._agreement:
            return
        theme = self._theme
        self.points.setData(
            x=np.log10([one.median_ms for one in self._agreement]),
            y=np.array([one.ratio for one in self._agreement]),
            symbol=[FAMILY_SYMBOLS[one.family] for one in self._agreement],
            brush=[symbol_brush(theme.base if one.hatched else theme.family(one.family)) for one in self._agreement],
            pen=[symbol_pen(theme.family(one.family), 1.6) for one in self._agreement],
            data=[one.name for one in self._agreement],
        )
        entries = family_legend(theme, [one.family for one in self._agreement])
        self.legend.set_entries(entries)
        ratios = [one.ratio for one in self._agreement]
        spread = max(max(ratios) - 1, 1 - min(ratios), 0.15) * 1.3
        xs = [math.log10(one.median_ms) for one in self._agreement]
        middle, half = (min(xs) + max(xs)) / 2, max((max(xs) - min(xs)) / 2, 0.4) + 0.1
        box = self.plot.getViewBox()
        box.setRange(
            xRange=(middle - half, middle + half), yRange=(max(1 - spread, 0), 1 + spread), padding=0, disableAutoRange=True
        )

    def reset_zoom(self) -> None:
        if self._result is not None:
            self.show_result(self._result)

    def recolour(self, theme: Theme) -> None:
        if not hasattr(self, "points"):
            return
        shade = pg.mkColor(theme.muted)
        shade.setAlpha(28)
        self.band.setBrush(shade)
        for line in self.band.lines:
            line.setPen(pg.mkPen(None))
        self.line.setPen(pg.mkPen(theme.muted, style=pg.QtCore.Qt.PenStyle.DashLine))
        if self._result is not None:
            self.show_result(self._result)

    def export_data(self) -> Data:
        """One line per family and target."""
        cells = [
            (a.name, a.family, a.target.name, a.target.time_kind, a.median_ms, a.ratio, not a.hatched) for a in self._agreement
        ]
        constants = config_columns(self._result.config) if self._result else {}
        return Data(
            ("predictor", "family", "target", "time_kind", "median_ms", "time_over_median", "in_range"), cells, constants
        )
