"""Lines of a sweep over one parameter, one plot per time kind, with a crosshair that reads out every line."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QLabel

from cnnpredict_gui.core.names import FAMILIES, TIME_KINDS
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.core.table import Floats
from cnnpredict_gui.gui.charts import ChartView
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.csv_text import Cell
from cnnpredict_gui.gui.curves import CurvesItem, DrawnCurve, ValueAxis
from cnnpredict_gui.gui.export import Data
from cnnpredict_gui.gui.format import interval, sig3
from cnnpredict_gui.gui.prediction_cells import KIND_TITLES, config_columns
from cnnpredict_gui.gui.series import SeriesStyle, predictor_title, series_legend, series_styles
from cnnpredict_gui.gui.sweep_data import Curve, SweepAnswer, SweepRow
from cnnpredict_gui.gui.switch import Switch
from cnnpredict_gui.gui.theme import GRID, Theme

#: Lines of the readout; more would cover the chart.
_READOUT_LINES = 14
_LEFT_AXIS_PX = 48
#: Least height of a plot; below it the chart is scrolled.
_PLOT_PX = 90
RESULT_COLUMNS = ("predictor", "family", "target", "time_kind", "time_ms", "low_90_ms", "high_90_ms", "verdict")


class SweepChart(ChartView):
    """Times over one parameter.

    The crosshair follows the mouse, and Left, Right, Home, End; Return or a double click hands its point to ``picked``.
    """

    def __init__(self, context: AppContext, picked: Callable[[SweepAnswer, int], None] | None = None) -> None:
        self.answer: SweepAnswer | None = None
        self.items: dict[str, CurvesItem] = {}
        #: Every plot and its item that were ever needed, by time kind.
        self._plots_made: dict[str, pg.PlotItem] = {}
        self._items_made: dict[str, CurvesItem] = {}
        self.point = -1
        self._present: int | None = None
        super().__init__(context, "Sweep", "Choose predictors in the list on the left to see their times.", scrollable=True)
        self._picked = picked
        self._zoomed = False
        self.x_name = ""
        self.log_x = Switch("log x", "Logarithmic x axis", "Logarithmic or linear x axis", self._redraw)
        self.log_y = Switch("log y", "Logarithmic time axis", "Logarithmic or linear time axis", self._redraw)
        self.bands = Switch("intervals", "Interval bands", "Show the 90 % intervals as bands", self._redraw)
        for tool in (self.log_x, self.log_y, self.bands):
            self.add_tool(tool)
        self.readout = QLabel(self.graphics)
        self.readout.setTextFormat(Qt.TextFormat.RichText)
        self.readout.setMargin(GRID // 2)
        self.readout.setAutoFillBackground(True)
        self.readout.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.readout.setFrameShape(QLabel.Shape.Box)
        self.readout.hide()
        self.graphics.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.graphics.setToolTip("Left and Right move the crosshair, Return takes its point over into the layer panel")
        self.graphics.installEventFilter(self)
        self.graphics.viewport().setMouseTracking(True)
        self.graphics.viewport().installEventFilter(self)

    # -- drawing ------------------------------------------------------------------------------------------------------

    def show_answer(self, answer: SweepAnswer | None, x_name: str, present: int | None = None) -> None:
        """Draw an answer; ``x_name`` names the parameter, ``present`` is its value in the layer panel."""
        same = answer is not None and self.answer is not None and len(answer.values) == len(self.answer.values)
        self._zoomed = self._zoomed and same
        self.answer, self.x_name, self._present = answer, x_name, present
        self._redraw()

    def _redraw(self, _on: bool = False) -> None:
        answer = self.answer
        drawn = [curve for curve in answer.curves if np.isfinite(curve.time_ms).any()] if answer else []
        self.set_empty(not drawn)
        if answer is None or not drawn:
            self._hide_readout()
            return
        kinds = [kind for kind in TIME_KINDS if any(curve.target.time_kind == kind for curve in drawn)]
        self._arrange(kinds)
        named = [(curve.predictor, curve.target.title, curve.family) for curve in drawn]
        styles = series_styles(named, self._theme)
        entries = series_legend(named, self._theme)
        if answer.stretches:
            entries.append(("extrapolated", self._theme.muted, "dash"))
        if answer.gaps:
            entries.append(("no prediction", self._theme.error, "x"))
        self.legend.set_entries(entries)
        self.legend.setVisible(True)
        log_x = self._log_x()
        x = np.log10(answer.values) if log_x else answer.values.astype(np.float64)
        missing = x[sorted({point for _, where in answer.gaps for point in where})]
        for kind, plot in zip(kinds, self.plots, strict=True):
            item = self.items[kind]
            item.theme, item.bands = self._theme, self.bands.isChecked()
            mine = [curve for curve in drawn if curve.target.time_kind == kind]
            item.curves = [self._drawn(curve, x, styles[curve.predictor]) for curve in mine]
            item.missing = missing
            item.present = self._place(self._present) if self._present is not None else math.nan
            self._scale(plot, item, x)
        marks = [(float(place), f"{value:,}") for place, value in zip(x, answer.values, strict=True)]
        self.plots[-1].getAxis("bottom").set_marks(marks)
        self._show_crosshair(min(self.point, len(answer.values) - 1))
        self.settle()

    def _log_x(self) -> bool:
        return self.log_x.isChecked() and self.answer is not None and int(self.answer.values.min()) > 0

    def _place(self, value: float) -> float:
        if not self._log_x():
            return value
        return math.log10(value) if value > 0 else math.nan

    def _drawn(self, curve: Curve, x: Floats, style: SeriesStyle) -> DrawnCurve:
        time, low, high = curve.time_ms, curve.low_ms, curve.high_ms
        if self.log_y.isChecked():
            time, low, high = np.log10(time), np.log10(low), np.log10(high)
        return DrawnCurve(style, x, time, low, high, curve.status == int(Status.EXTRAPOLATING))

    def _arrange(self, kinds: list[str]) -> None:
        """A plot for each time kind, below each other on one x axis; each is made once, and put in or taken out as needed."""
        if list(self.items) != kinds:
            self.stack([self._plot_of(kind) for kind in kinds], _PLOT_PX)
            self.items = {kind: self._items_made[kind] for kind in kinds}
        self._label_x()

    def _plot_of(self, kind: str) -> pg.PlotItem:
        if kind not in self._plots_made:
            axes = {side: ValueAxis(side) for side in ("bottom", "left")}
            plot = self._plots_made[kind] = self.make_plot(axes=dict(axes))
            axes["left"].setWidth(_LEFT_AXIS_PX)
            plot.showGrid(x=False, y=True, alpha=0.12)
            item = self._items_made[kind] = CurvesItem(KIND_TITLES[kind])
            plot.addItem(item, ignoreBounds=True)
            box = plot.getViewBox()
            box.sigRangeChangedManually.connect(self._user_zoomed)
            box.sigRangeChanged.connect(partial(_follow_range, item))
        return self._plots_made[kind]

    def _label_x(self) -> None:
        if self.plots[-1].getAxis("bottom").labelText != self.x_name:
            self.plots[-1].setLabel("bottom", self.x_name, color=self._theme.muted)

    def _user_zoomed(self, *_: object) -> None:
        self._zoomed = True

    def _scale(self, plot: pg.PlotItem, item: CurvesItem, x: Floats) -> None:
        """Fit the axes to the lines (and their bands, if shown), unless the user has zoomed."""
        plot.getAxis("left").setLogMode(self.log_y.isChecked())
        if self._zoomed:
            item.update()
            return
        parts = [part for curve in item.curves for part in (curve.y, *((curve.low, curve.high) if item.bands else ()))]
        y = np.concatenate(parts)
        low, high = float(np.nanmin(y)), float(np.nanmax(y))
        if not self.log_y.isChecked():
            low = 0.0
        room = max((high - low) * 0.06, 0.05 if self.log_y.isChecked() else high * 0.02)
        side = max((float(x.max()) - float(x.min())) * 0.03, 0.02 if self._log_x() else 0.5)
        plot.getViewBox().setRange(
            xRange=(float(x.min()) - side, float(x.max()) + side),
            yRange=(low - room if self.log_y.isChecked() else 0.0, high + room),
            padding=0,
            disableAutoRange=True,
        )
        item.update()

    def reset_zoom(self) -> None:
        self._zoomed = False
        self._redraw()

    def recolour(self, theme: Theme) -> None:
        if self.answer is not None:
            self._redraw()

    # -- crosshair ----------------------------------------------------------------------------------------------------

    def _show_crosshair(self, point: int) -> None:
        """Put the crosshair on a point (-1 for none) and read out every line there."""
        self.point = point
        if self.answer is None or point < 0:
            self._hide_readout()
            return
        place = self._place(float(self.answer.values[point]))
        for item in self.items.values():
            item.crosshair = place
            item.update()
        self.readout.setText(self.readout_html(point))
        self.readout.setAccessibleName("Values at the crosshair")
        self.readout.adjustSize()
        at = self.graphics.mapFromScene(self.plots[0].getViewBox().mapViewToScene(QPointF(place, 0))).x()
        left = at + 2 * GRID
        if left + self.readout.width() > self.graphics.width() - 4:
            left = at - 2 * GRID - self.readout.width()
        self.readout.move(max(4, round(left)), self._readout_top(point))
        self.readout.show()

    def _readout_top(self, point: int) -> int:
        """Above the lines, or below them where they run high at this point; with several plots always at the top."""
        if len(self.plots) > 1 or not self.items:
            return GRID
        box, (item,) = self.plots[0].getViewBox(), self.items.values()
        low, high = box.viewRange()[1]
        heights = [float(curve.y[point]) for curve in item.curves if np.isfinite(curve.y[point])]
        if not heights or sum(heights) / len(heights) < (low + high) / 2:
            return 3 * GRID
        bottom = self.graphics.mapFromScene(box.sceneBoundingRect().bottomLeft()).y()
        return max(GRID, int(bottom) - self.readout.height() - 2 * GRID)

    def readout_html(self, point: int) -> str:
        """The values of every line at a point: a block for each kind of time, in it the longest time first."""
        answer = self.answer
        if answer is None:
            return ""
        named = [(c.predictor, c.target.title, c.family) for c in answer.curves if np.isfinite(c.time_ms).any()]
        styles = series_styles(named, self._theme)
        present = [row for row in answer.rows if row.point == point and row.predictor in styles]
        present.sort(key=lambda row: -row.prediction.time_ms if row.prediction.status != Status.REFUSED else math.inf)
        kinds = list(TIME_KINDS)
        present.sort(key=lambda row: kinds.index(row.target.time_kind))
        one_target = len({row.target.name for row in present}) == 1
        several = len({row.target.time_kind for row in present}) > 1
        lines, kind = [], ""
        for row in present[:_READOUT_LINES]:
            if several and row.target.time_kind != kind:
                kind = row.target.time_kind
                lines.append(f"<tr><td></td><td colspan=3><i>{KIND_TITLES[kind].partition(':')[0]}</i></td></tr>")
            name = FAMILIES[row.family] if one_target else predictor_title(row.target, row.family)
            lines.append(_readout_line(row, styles[row.predictor].colour, name))
        if len(present) > _READOUT_LINES:
            lines.append(f"<tr><td></td><td colspan=3>{len(present) - _READOUT_LINES} more in the table</td></tr>")
        if any(row.prediction.status == Status.EXTRAPOLATING for row in present):
            lines.append("<tr><td></td><td colspan=3>* extrapolated</td></tr>")
        head = html.escape(f"{self.x_name} {answer.values[point]:,}")
        return f"<b>{head}</b><table cellspacing=2>{''.join(lines)}</table>"

    def _hide_readout(self) -> None:
        self.point = -1
        self.readout.hide()
        for item in self.items.values():
            item.crosshair = math.nan
            item.update()

    def point_at(self, x: float) -> int:
        """The point nearest to a horizontal place of the drawing (viewport pixels)."""
        if self.answer is None or not self.plots:
            return -1
        place = self.plots[0].getViewBox().mapSceneToView(self.graphics.mapToScene(round(x), 0)).x()
        places = np.array([self._place(float(value)) for value in self.answer.values])
        return int(np.argmin(np.abs(places - place)))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if self.answer is not None and not self.is_empty:
            if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and watched is self.graphics:
                return self._key(event.key())
            if isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseMove and not event.buttons():
                self._show_crosshair(self.point_at(event.position().x()))
            if isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseButtonDblClick:
                self._pick(self.point_at(event.position().x()))
                return True
            if event.type() == QEvent.Type.Leave and not self.graphics.hasFocus():
                self._hide_readout()
        return super().eventFilter(watched, event)

    def _key(self, key: int) -> bool:
        last = len(self.answer.values) - 1 if self.answer else -1
        moves = {
            Qt.Key.Key_Left: max(self.point - 1, 0),
            Qt.Key.Key_Right: min(self.point + 1, last),
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
            Qt.Key.Key_Escape: -1,
        }
        if key in moves:
            self._show_crosshair(moves[Qt.Key(key)])
            return True
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.point >= 0:
            self._pick(self.point)
            return True
        return False

    def _pick(self, point: int) -> None:
        if self._picked is not None and self.answer is not None and point >= 0:
            self._picked(self.answer, point)

    # -- export -------------------------------------------------------------------------------------------------------

    def export_data(self) -> Data:
        """Every answer, refused points too."""
        return sweep_data(self.answer)


def _follow_range(item: CurvesItem, _box: object, ranges: list[list[float]], *_: object) -> None:
    (left, right), (low, high) = ranges
    item.set_bounds(QRectF(left, low, right - left, high - low))


def _readout_line(row: SweepRow, colour: str, name: str) -> str:
    answer = row.prediction
    start = f"<tr><td style='color:{colour}'>■</td><td>{html.escape(name)}&nbsp;</td>"
    if answer.status == Status.REFUSED:
        return f"{start}<td colspan=2>refused</td></tr>"
    mark = " *" if answer.status == Status.EXTRAPOLATING else ""
    return (
        f"{start}<td align=right>{sig3(answer.time_ms)} ms{mark}&nbsp;</td>"
        f"<td align=right>{interval(answer.low_ms, answer.high_ms)}</td></tr>"
    )


def sweep_data(answer: SweepAnswer | None) -> Data:
    """Every answer of a sweep with its varied values; the other parameters are constants."""
    if answer is None:
        return Data((), [])
    names = answer.result.parameters
    return Data((*(f"swept_{name}" for name in names), *RESULT_COLUMNS), map(_cells, answer.rows), sweep_constants(answer))


def _cells(row: SweepRow) -> tuple[Cell, ...]:
    found, target = row.prediction, row.target
    head = (*row.values, row.predictor, row.family, target.name, target.time_kind)
    return *head, found.time_ms, found.low_ms, found.high_ms, found.verdict


def sweep_constants(answer: SweepAnswer) -> dict[str, Cell]:
    """Parameters that were not varied, and the version."""
    from cnnpredict_gui.studies.sweep import VARIABLES

    varied = {field for name in answer.result.parameters for field in VARIABLES[name]}
    return {name: value for name, value in config_columns(answer.result.config).items() if name not in varied}
