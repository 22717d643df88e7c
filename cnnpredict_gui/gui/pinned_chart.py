"""Pinned layers and the current one, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnpredict_gui import __version__
from cnnpredict_gui.core.names import FAMILIES
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.gui.bars import BarsChart
from cnnpredict_gui.gui.bars_item import Bar, Panel
from cnnpredict_gui.gui.compare_data import NOW, CompareResult, is_time
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.csv_text import Cell
from cnnpredict_gui.gui.export import Data
from cnnpredict_gui.gui.prediction_cells import KIND_TITLES
from cnnpredict_gui.gui.switch import LogSwitch
from cnnpredict_gui.gui.theme import Theme

if TYPE_CHECKING:
    from cnnpredict_gui.studies.comparison import ComparisonRow

_SYMBOLS = ("o", "s", "t1", "d", "star", "t")


class PinnedChart(BarsChart):
    """Pinned layers and the current one, side by side for every chosen predictor."""

    def __init__(self, context: AppContext) -> None:
        self._result: CompareResult | None = None
        super().__init__(
            context,
            "Pinned layers",
            "Pin this layer (Ctrl+D), change it, and see both side by side here.",
            context.state.set_focus,
        )
        self.log_switch = LogSwitch(self.set_log)
        self.add_tool(self.log_switch)

    def show_result(self, result: CompareResult) -> None:
        """Draw every pin's time for every chosen predictor."""
        self._result = result
        if not result.pins:
            self._show_legend()
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
        self._show_legend()
        self.show_panels(panels, result.focus)

    def _show_legend(self) -> None:
        pins = [*(pin for pin, _ in self._result.pins), NOW] if self._result and self._result.pins else []
        colours = self._theme.series
        self.legend.set_entries([(pin, colours[i % len(colours)], _SYMBOLS[i % len(_SYMBOLS)]) for i, pin in enumerate(pins)])

    def recolour(self, theme: Theme) -> None:
        super().recolour(theme)
        self._show_legend()

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
