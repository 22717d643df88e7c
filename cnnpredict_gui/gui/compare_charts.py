"""Charts of the Compare view: times, algorithms, agreement of the families, pinned layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QComboBox, QToolButton

from cnnpredict_gui import __version__
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.names import FAMILIES, TIME_KINDS
from cnnpredict_gui.core.prediction import Prediction, Status
from cnnpredict_gui.gui.bars import Bar, BarsChart, Panel
from cnnpredict_gui.gui.charts import ChartView, family_legend
from cnnpredict_gui.gui.compare_data import NOW, Agreement, CompareResult, fastest, is_time
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.csv_text import Cell
from cnnpredict_gui.gui.export import Data
from cnnpredict_gui.gui.theme import FAMILY_SYMBOLS, Theme

if TYPE_CHECKING:
    from cnnpredict_gui.studies.comparison import ComparisonRow

#: Headings of the panels.
KIND_TITLES = {
    "kernel": "Kernel time (ms): the device kernel alone",
    "call_with_host_copies": "Call time (ms): one library call with allocation and host copies",
    "framework_wall_clock": "Wall-clock time (ms): host clock around one framework call",
}
PREDICTION_COLUMNS = (
    "predictor",
    "family",
    "target",
    "device",
    "framework",
    "time_kind",
    "time_ms",
    "low_90_ms",
    "high_90_ms",
    "verdict",
)


def config_columns(config: ConvConfig) -> dict[str, Cell]:
    """A configuration and the program's version as constant columns of an export."""
    return {**config.model_dump(), "version": __version__}


def prediction_cells(row: ComparisonRow) -> tuple[Cell, ...]:
    """Values for :data:`PREDICTION_COLUMNS`."""
    target, answer = row.target, row.prediction
    head = (row.predictor, row.family, target.name, target.device, target.framework, target.time_kind)
    return (*head, answer.time_ms, answer.low_ms, answer.high_ms, answer.verdict)


def _bar(row: ComparisonRow, by_family: bool) -> Bar:
    answer = row.prediction
    group = FAMILIES[row.family] if by_family else row.target.title
    return Bar(
        row.predictor,
        group,
        f"{row.target.title} · {FAMILIES[row.family]}",
        answer.time_ms,
        answer.low_ms,
        answer.high_ms,
        row.family,
        symbol=FAMILY_SYMBOLS[row.family],
        hatched=answer.status == Status.EXTRAPOLATING,
        mark=row.target.device if by_family else "",
        note=f"{TIME_KINDS[row.target.time_kind]}\n{answer.verdict}",
    )


class LogSwitch(QToolButton):
    """Switch between logarithmic and linear axes."""

    def __init__(self, chart: BarsChart) -> None:
        super().__init__()
        self.setText("log")
        self.setCheckable(True)
        self.setChecked(True)
        self.setAutoRaise(True)
        self.setAccessibleName("Logarithmic axis")
        self.setToolTip("Logarithmic or linear axis")
        self.toggled.connect(chart.set_log)


class TimesChart(BarsChart):
    """Times of the chosen predictors, one panel per time kind, grouped by target or family."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(
            context, "Predicted time", "Choose predictors in the list on the left to see their times.", context.state.set_focus
        )
        self.result: CompareResult | None = None
        self.group = QComboBox()
        self.group.addItem("by target", "target")
        self.group.addItem("by family", "family")
        self.group.setAccessibleName("Group bars by")
        self.group.setToolTip("Group the bars by target or by family")
        self.group.currentIndexChanged.connect(lambda _index: self._regroup())
        self.add_tool(self.group)
        self.log_switch = LogSwitch(self)
        self.add_tool(self.log_switch)

    def _regroup(self) -> None:
        if self.result is not None:
            self.show_result(self.result)

    def set_log(self, on: bool) -> None:
        self.log = on
        self._regroup()

    def show_result(self, result: CompareResult) -> None:
        """Draw what can be drawn of a result."""
        self.result = result
        drawn = [row for row in result.rows if is_time(row.prediction)]
        by_family = self.group.currentData() == "family"
        if by_family:
            order = list(FAMILIES)
            drawn.sort(key=lambda row: order.index(row.family))
        panels, baselines = [], []
        base = result.row(result.baseline)
        for kind, title in KIND_TITLES.items():
            rows = [row for row in drawn if row.target.time_kind == kind]
            if rows:
                panels.append(Panel(title, tuple(_bar(row, by_family) for row in rows)))
                mine = base is not None and is_time(base.prediction) and base.target.time_kind == kind
                baselines.append(base.prediction.time_ms if mine and base is not None else math.nan)
        families = [row.family for row in drawn]
        extrapolating = any(row.prediction.status == Status.EXTRAPOLATING for row in drawn)
        self.legend.set_entries(family_legend(self._theme, families, extrapolating))
        if result.rows and not drawn:
            self.set_empty(True, "Every chosen predictor refuses this layer; the table says why.")
        self.show_panels(panels, result.focus, baselines)

    def recolour(self, theme: Theme) -> None:
        super().recolour(theme)
        if getattr(self, "result", None) is not None:
            self._regroup()

    def export_data(self) -> Data:
        """Every chosen predictor, refused ones too."""
        rows = self.result.rows if self.result else ()
        constants = config_columns(self.result.config) if self.result else {}
        return Data(PREDICTION_COLUMNS, [prediction_cells(row) for row in rows], constants)


class AlgorithmChart(BarsChart):
    """Time of each algorithm by the predictor in focus, the fastest marked."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context, "Algorithms", "Select a predictor to compare the algorithms of its target.")
        self._result: CompareResult | None = None
        self._row: ComparisonRow | None = None
        self.log_switch = LogSwitch(self)
        self.add_tool(self.log_switch)

    def show_result(self, result: CompareResult) -> None:
        """Draw the algorithms of the predictor in focus."""
        self._result, self._row = result, result.row(result.focus)
        usable = sorted((a for a in result.algorithms if math.isfinite(a[1].time_ms)), key=lambda pair: pair[1].time_ms)
        best, row = fastest(usable), self._row
        if row is None or not usable:
            name = row.target.title if row else "This target"
            text = f"{name} has one algorithm only." if row else "Select a predictor to compare the algorithms of its target."
            self.legend.set_entries([])
            self.show_panels([])
            self.set_empty(True, text)
            return
        bars = tuple(_algorithm_bar(name, answer, row, name == best) for name, answer in usable)
        hatched = any(bar.hatched for bar in bars)
        self.legend.set_entries(family_legend(self._theme, [row.family], hatched))
        self.show_panels([Panel(f"{FAMILIES[row.family]}: time (ms)", bars)])

    def recolour(self, theme: Theme) -> None:
        super().recolour(theme)
        if getattr(self, "_result", None) is not None and self._result is not None:
            self.show_result(self._result)

    def export_data(self) -> Data:
        """All algorithms, refused ones too."""
        result, row = self._result, self._row
        if result is None or row is None:
            return Data((), [])
        cells = [(n, a.time_ms, a.low_ms, a.high_ms, a.verdict, n == fastest(result.algorithms)) for n, a in result.algorithms]
        constants = {"predictor": row.predictor, "target": row.target.name, "time_kind": row.target.time_kind}
        config = {k: v for k, v in config_columns(result.config).items() if k != "algorithm"}
        return Data(("algorithm", "time_ms", "low_90_ms", "high_90_ms", "verdict", "fastest"), cells, {**constants, **config})


def _algorithm_bar(name: str, answer: Prediction, row: ComparisonRow, best: bool) -> Bar:
    hatched = answer.status == Status.EXTRAPOLATING
    title = name.replace("_", " ")
    return Bar(
        name,
        title,
        title,
        answer.time_ms,
        answer.low_ms,
        answer.high_ms,
        row.family,
        symbol=FAMILY_SYMBOLS[row.family],
        hatched=hatched,
        mark="◀ fastest" if best else "",
        note=answer.verdict,
    )


class PinnedChart(BarsChart):
    """Pinned layers and the current one, side by side for every chosen predictor."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(
            context,
            "Pinned layers",
            "Pin this layer (Ctrl+D), change it, and see both side by side here.",
            context.state.set_focus,
        )
        self._result: CompareResult | None = None
        self.log_switch = LogSwitch(self)
        self.add_tool(self.log_switch)

    def show_result(self, result: CompareResult) -> None:
        """Draw every pin's time for every chosen predictor."""
        self._result = result
        if not result.pins:
            self.legend.set_entries([])
            self.show_panels([])
            return
        pins = [*(pin for pin, _ in result.pins), NOW]
        panels = []
        for kind, title in KIND_TITLES.items():
            names = [row.predictor for row in result.rows if row.target.time_kind == kind]
            rows = [result.comparison.row(name, pin) for name in names for pin in pins]
            drawn = tuple(_pinned_bar(row, pins.index(row.config)) for row in rows if is_time(row.prediction))
            if drawn:
                panels.append(Panel(title, drawn))
        colours = self._theme.series
        self.legend.set_entries([(pin, colours[i % len(colours)], _SYMBOLS[i % len(_SYMBOLS)]) for i, pin in enumerate(pins)])
        self.show_panels(panels, result.focus)

    def recolour(self, theme: Theme) -> None:
        super().recolour(theme)
        if getattr(self, "_result", None) is not None and self._result is not None:
            self.show_result(self._result)

    def export_data(self) -> Data:
        """One line per pin and predictor, with the pin's configuration."""
        result = self._result
        if result is None:
            return Data((), [])
        configs = {**dict(result.pins), NOW: result.config}
        fields = tuple(result.config.model_dump())
        rows: list[tuple[Cell, ...]] = []
        for row in result.comparison.rows:
            answer, target = row.prediction, row.target
            head = (row.config, row.predictor, target.name, target.time_kind, answer.time_ms, answer.low_ms, answer.high_ms)
            rows.append((*head, answer.verdict, *(getattr(configs[row.config], field) for field in fields)))
        columns = ("pin", "predictor", "target", "time_kind", "time_ms", "low_90_ms", "high_90_ms", "verdict")
        return Data((*columns, *fields), rows, {"version": __version__})


_SYMBOLS = ("o", "s", "t1", "d", "star", "t")


def _pinned_bar(row: ComparisonRow, number: int) -> Bar:
    pin, answer = row.config, row.prediction
    return Bar(
        row.predictor,
        f"{row.target.title} · {FAMILIES[row.family]}",
        f"{pin}: {row.target.title} · {FAMILIES[row.family]}",
        answer.time_ms,
        answer.low_ms,
        answer.high_ms,
        row.family,
        number,
        _SYMBOLS[number % len(_SYMBOLS)],
        answer.status == Status.EXTRAPOLATING,
        mark=pin,
        note=answer.verdict,
    )


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
        colours = {family: pg.mkBrush(theme.family(family)) for family in FAMILIES}
        hollow, edge = pg.mkBrush(theme.base), {family: pg.mkPen(theme.family(family), width=1.6) for family in FAMILIES}
        self.points.setData(
            x=np.log10([one.median_ms for one in self._agreement]),
            y=np.array([one.ratio for one in self._agreement]),
            symbol=[FAMILY_SYMBOLS[one.family] for one in self._agreement],
            brush=[hollow if one.hatched else colours[one.family] for one in self._agreement],
            pen=[edge[one.family] for one in self._agreement],
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
