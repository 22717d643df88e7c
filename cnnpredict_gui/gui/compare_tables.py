"""Tables of the Compare view: predictions, and pinned layers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QMenu

from cnnpredict_gui.core.names import FAMILIES
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.gui.compare_data import CompareResult
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.csv_text import Cell
from cnnpredict_gui.gui.format import interval, percent, scaled, sig3
from cnnpredict_gui.gui.measured_columns import measured_columns
from cnnpredict_gui.gui.prediction_cells import config_columns
from cnnpredict_gui.gui.state import Pinned
from cnnpredict_gui.gui.tables import Column, TableView
from cnnpredict_gui.gui.theme import Theme

if TYPE_CHECKING:
    from cnnpredict_gui.studies.comparison import ComparisonRow

KIND_TEXTS = {"kernel": "kernel", "call_with_host_copies": "call + copies", "framework_wall_clock": "wall clock"}


def _verdict_colour(row: ComparisonRow, theme: Theme) -> str | None:
    return {Status.EXTRAPOLATING: theme.warning, Status.REFUSED: theme.error}.get(row.prediction.status)


def _ratio(row: ComparisonRow) -> str:
    return f"{sig3(row.ratio)} ×" if math.isfinite(row.ratio) else "–"


COLUMNS: tuple[Column, ...] = (
    Column("predictor", "predictor", lambda r: r.predictor, hidden=True),
    Column("target", "target", lambda r: r.target.title),
    Column("family", "family", lambda r: FAMILIES[r.family]),
    Column("time_ms", "time (ms)", lambda r: r.prediction.time_ms, colour=_verdict_colour, numeric=True),
    Column(
        "interval_90_ms",
        "90 % (ms)",
        lambda r: interval(r.prediction.low_ms, r.prediction.high_ms),
        tip="The measured time lies in here in 90 of 100 cases",
        numeric=True,
    ),
    Column("low_90_ms", "from (ms)", lambda r: r.prediction.low_ms, hidden=True, numeric=True),
    Column("high_90_ms", "to (ms)", lambda r: r.prediction.high_ms, hidden=True, numeric=True),
    Column(
        "ratio_to_baseline",
        "ratio",
        lambda r: r.ratio,
        _ratio,
        "Time over that of the baseline; a dash for another time kind",
        numeric=True,
    ),
    Column(
        "percent_to_baseline",
        "diff. (%)",
        lambda r: r.percent,
        lambda r: percent(r.percent, signed=True),
        "Difference to the baseline's time",
        numeric=True,
    ),
    *measured_columns(
        lambda r: r.measured_ms,
        lambda r: r.error_percent,
        "Measured on this machine in the same kind of time (This machine, Measure)",
    ),
    Column(
        "images_per_s", "images/s", lambda r: r.images_per_s, tip="Images per second through this layer alone", numeric=True
    ),
    Column("time_kind", "time kind", lambda r: r.target.time_kind, lambda r: KIND_TEXTS[r.target.time_kind]),
    Column("device", "device", lambda r: r.target.device, hidden=True),
    Column("framework", "framework", lambda r: r.target.framework, hidden=True),
    Column("verdict", "verdict", lambda r: r.prediction.verdict, colour=_verdict_colour),
)


class PredictionTable(TableView):
    """All chosen predictors; the baseline can be changed from its menu."""

    def __init__(self, context: AppContext) -> None:
        self.result: CompareResult | None = None
        super().__init__(context, "Predictions", COLUMNS, lambda row: row.predictor, self._constants_now)
        self.selectionModel().currentRowChanged.connect(lambda *_: self._focus())

    def _constants_now(self) -> dict[str, Cell]:
        if self.result is None:
            return {}
        return {"baseline": self.result.baseline, **config_columns(self.result.config)}

    def show_result(self, result: CompareResult) -> None:
        """Show every row of a result."""
        had = self.result is not None and self.result.measured is not None
        self.result = result
        self.set_rows(result.rows)
        if had != (result.measured is not None):
            self.show_columns(("measured_ms", "error_percent"), not had)

    def _focus(self) -> None:
        rows = self.selected_rows()
        if rows:
            self.context.state.set_focus(rows[-1].predictor)

    def make_menu(self) -> QMenu:
        menu = super().make_menu()
        rows = self.selected_rows()
        if rows:
            menu.addSeparator()
            menu.addAction("Use as baseline", lambda: self.context.state.set_baseline(rows[-1].predictor))
            menu.addAction("Remove from the comparison", lambda: self._remove({row.predictor for row in rows}))
        return menu

    def _remove(self, names: set[str]) -> None:
        state = self.context.state
        state.select([name for name in state.selection if name not in names])


class PinnedTable(TableView):
    """Pinned layers themselves; removed, or made the current layer, from the menu."""

    def __init__(self, context: AppContext) -> None:
        columns = (
            Column("pin", "pin", lambda pin: pin.name),
            Column("layer", "layer", lambda pin: pin.config.label()),
            Column("macs", "MACs", lambda pin: pin.config.macs, lambda pin: scaled(pin.config.macs).strip(), numeric=True),
            Column("parameters", "parameters", lambda pin: pin.config.weight_elements, _parameters, numeric=True),
        )
        super().__init__(
            context, "Pinned layers, list", columns, lambda pin: (pin.name, pin.config), lambda: {"version": _version()}
        )
        self.setToolTip("Double-click or Return makes a pin the current layer")
        self.activated.connect(lambda _index: self._make_current())
        context.state.pinned_changed.connect(self.set_rows)
        self.set_rows(context.state.pinned)

    def make_menu(self) -> QMenu:
        menu = super().make_menu()
        rows: list[Any] = self.selected_rows()
        if rows:
            pin, state = rows[-1], self.context.state
            menu.addSeparator()
            menu.addAction(f"Make {pin.name} the current layer", self._make_current)
            menu.addAction(f"Unpin {pin.name}", lambda: state.unpin(pin.name))
        return menu

    def _make_current(self) -> None:
        for pin in self.selected_rows()[-1:]:
            self.context.state.set_config(pin.config, f"choice of pin {pin.name}")


def _parameters(pin: Pinned) -> str:
    return scaled(pin.config.weight_elements).strip()


def _version() -> str:
    from cnnpredict_gui import __version__

    return __version__
