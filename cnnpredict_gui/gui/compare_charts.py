"""Charts of the Compare view: times and algorithms of one layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QComboBox

from cnnpredict_gui.core.names import FAMILIES, TIME_KINDS
from cnnpredict_gui.core.prediction import Prediction, Status
from cnnpredict_gui.gui.bars import BarsChart
from cnnpredict_gui.gui.bars_item import Bar, Panel
from cnnpredict_gui.gui.compare_data import CompareResult, fastest, is_time
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import Data
from cnnpredict_gui.gui.legend import family_legend, measured_legend
from cnnpredict_gui.gui.prediction_cells import KIND_TITLES, PREDICTION_COLUMNS, config_columns, prediction_cells
from cnnpredict_gui.gui.switch import LogSwitch
from cnnpredict_gui.gui.theme import FAMILY_SYMBOLS, Theme

if TYPE_CHECKING:
    from cnnpredict_gui.studies.comparison import ComparisonRow


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
        self.log_switch = LogSwitch(self.set_log)
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
                panels.append(Panel(title, tuple(_bar(row, by_family) for row in rows), result.measured_ms(kind)))
                mine = base is not None and is_time(base.prediction) and base.target.time_kind == kind
                baselines.append(base.prediction.time_ms if mine and base is not None else math.nan)
        families = [row.family for row in drawn]
        extrapolating = any(row.prediction.status == Status.EXTRAPOLATING for row in drawn)
        entries = family_legend(self._theme, families, extrapolating)
        self.legend.set_entries(entries + measured_legend(panels, self._theme))
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
        self.log_switch = LogSwitch(self.set_log)
        self.add_tool(self.log_switch)

    def show_result(self, result: CompareResult) -> None:
        """Draw the algorithms of the predictor in focus."""
        self._result, self._row = result, result.row(result.focus)
        usable = sorted((a for a in result.algorithms if math.isfinite(a[1].time_ms)), key=lambda pair: pair[1].time_ms)
        best, row = fastest(usable), self._row
        if row is None or not usable:
            name = row.target.title if row else "This target"
            why = "Every algorithm is refused for this layer." if result.algorithms else f"{name} has one algorithm only."
            text = why if row else "Select a predictor to compare the algorithms of its target."
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
