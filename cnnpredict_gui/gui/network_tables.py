"""Tables and the chart of sums of the Network view."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cnnpredict_gui.core.names import FAMILIES
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.gui.bars import BarsChart
from cnnpredict_gui.gui.bars_item import Bar, Panel
from cnnpredict_gui.gui.compare_tables import KIND_TEXTS
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.csv_text import Cell
from cnnpredict_gui.gui.export import Data
from cnnpredict_gui.gui.format import interval, percent, scaled
from cnnpredict_gui.gui.layer_chart import network_constants
from cnnpredict_gui.gui.legend import family_legend, measured_legend
from cnnpredict_gui.gui.measured_columns import measured_columns
from cnnpredict_gui.gui.network_data import LayerRow, NetworkAnswer
from cnnpredict_gui.gui.series import predictor_title
from cnnpredict_gui.gui.switch import LogSwitch
from cnnpredict_gui.gui.tables import Column, TableView
from cnnpredict_gui.gui.theme import FAMILY_SYMBOLS, Theme

if TYPE_CHECKING:
    from cnnpredict_gui.studies.network import NetworkResult

_SUM_TITLES = {
    "kernel": "Kernel times, sum (ms)",
    "call_with_host_copies": "Call times, sum (ms)",
    "framework_wall_clock": "Wall clock, sum (ms)",
}


def _verdict_colour(row: LayerRow, theme: Theme) -> str | None:
    if row.answer is None:
        return theme.muted
    return {Status.EXTRAPOLATING: theme.warning, Status.REFUSED: theme.error}.get(row.answer.status)


def _configuration(row: LayerRow) -> str:
    return row.layer.config.label() if row.layer.config else row.layer.kind


LAYER_TABLE = (
    Column("number", "#", lambda r: r.index + 1, tip="Place in the order of execution", numeric=True),
    Column("layer", "layer", lambda r: r.layer.name),
    Column("kind", "kind", lambda r: r.layer.kind, hidden=True),
    Column("count", "count", lambda r: r.layer.count, tip="How often the layer occurs", hidden=True, numeric=True),
    Column(
        "time_ms", "time (ms)", lambda r: r.answer.time_ms if r.answer else None, tip="Time of one occurrence", numeric=True
    ),
    Column(
        "interval_90_ms",
        "90 % (ms)",
        lambda r: interval(r.answer.low_ms, r.answer.high_ms) if r.answer else None,
        tip="The measured time of one occurrence lies in here in 90 of 100 cases",
        numeric=True,
    ),
    *measured_columns(
        lambda r: r.measured_ms, lambda r: r.error_percent, "One occurrence, measured on this machine in the same kind of time"
    ),
    Column(
        "share",
        "share",
        lambda r: r.share,
        lambda r: percent(100 * r.share) if r.answer else "",
        "Part of the sum",
        numeric=True,
    ),
    Column("configuration", "configuration", lambda r: r.layer.config.label() if r.layer.config else "", _configuration),
    Column(
        "macs", "MACs", lambda r: r.layer.macs, lambda r: scaled(r.layer.macs).strip() if r.layer.macs else "", numeric=True
    ),
    Column("parameters", "parameters", lambda r: r.layer.parameters, hidden=True, numeric=True),
    Column("output_shape", "output", lambda r: "×".join(str(n) for n in r.layer.output_shape), tip="Batch first", hidden=True),
    Column("verdict", "verdict", lambda r: r.verdict, colour=_verdict_colour),
    Column("note", "note", lambda r: r.layer.note, hidden=True),
)


def _verdicts(result: NetworkResult) -> str:
    return result.error or ", ".join(f"{count} {status.label}" for status, count in result.verdicts.items() if count)


def _sum_colour(result: NetworkResult, theme: Theme) -> str | None:
    if result.refused:
        return theme.error
    return theme.warning if result.verdicts[Status.EXTRAPOLATING] else None


SUM_TABLE = (
    Column("predictor", "predictor", lambda r: r.predictor, hidden=True),
    Column("target", "target", lambda r: r.target.title),
    Column("family", "family", lambda r: FAMILIES[r.family]),
    Column("sum_ms", "sum (ms)", lambda r: r.total.time_ms, tip="Sum over all convolutions that were predicted", numeric=True),
    Column(
        "interval_90_ms",
        "90 % (ms)",
        lambda r: interval(r.total.low_ms, r.total.high_ms),
        tip="Interval of the sum; the layers' intervals are not simply added",
        numeric=True,
    ),
    *measured_columns(
        lambda r: r.measured_total_ms,
        lambda r: r.measured_error_percent,
        "Sum of the layers measured on this machine, if all of them were",
    ),
    Column(
        "independent_90_ms",
        "if independent (ms)",
        lambda r: interval(*r.total.independent),
        tip="Interval if the layers' errors had nothing in common (ρ = 0)",
        numeric=True,
    ),
    Column(
        "dependent_90_ms",
        "if dependent (ms)",
        lambda r: interval(*r.total.dependent),
        tip="Interval if the layers' errors were all the same (ρ = 1)",
        numeric=True,
    ),
    Column(
        "images_per_s",
        "images/s",
        lambda r: r.images_per_second,
        tip="Images per second if the convolutions were all there is",
        numeric=True,
    ),
    Column("time_kind", "time kind", lambda r: r.target.time_kind, lambda r: KIND_TEXTS[r.target.time_kind]),
    Column("verdicts", "convolutions", _verdicts, colour=_sum_colour),
)
NOT_PREDICTED_TABLE = (
    Column("kind", "kind", lambda r: r.kind),
    Column("count", "count", lambda r: r.count, numeric=True),
    Column("reason", "why", lambda r: r.reason),
)


class NetworkTable(TableView):
    """A table of the view; what it exports carries the network."""

    def __init__(self, context: AppContext, title: str, columns: tuple[Column, ...]) -> None:
        self.answer: NetworkAnswer | None = None
        super().__init__(context, title, columns, _row_key, self._constants_now)
        #: Name of the predictor whose answers are shown; empty where all are.
        self.predictor = ""

    def _constants_now(self) -> dict[str, Cell]:
        if self.answer is None:
            return {}
        named: dict[str, Cell] = {"predictor": self.predictor} if self.predictor else {}
        result = self.answer.result(self.predictor) if self.predictor else None
        if result is not None:
            named |= {"target": result.target.name, "time_kind": result.target.time_kind}
        return named | network_constants(self.answer)


def _row_key(row: object) -> object:
    for name in ("index", "predictor"):
        if hasattr(row, name):
            return getattr(row, name)
    return row


class SumChart(BarsChart):
    """Sums over the network with their intervals, a panel per time kind."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(
            context, "Sum of the convolutions", "Choose predictors in the list on the left.", context.state.set_focus
        )
        self.answer: NetworkAnswer | None = None
        self.log = False
        self.log_switch = LogSwitch(self.set_log, on=False)
        self.add_tool(self.log_switch)

    def show_answer(self, answer: NetworkAnswer) -> None:
        """Draw an answer."""
        self.answer = answer
        drawn = [one for one in answer.prediction.results if one.total.time_ms > 0]
        panels = []
        for kind, title in _SUM_TITLES.items():
            bars = tuple(_bar(one) for one in drawn if one.target.time_kind == kind)
            marks = (one.measured_total_ms for one in drawn if one.target.time_kind == kind and one.measured_total_ms > 0)
            panels.append(Panel(title, bars, next(marks, math.nan)))
        hatched = any(bar.hatched for panel in panels for bar in panel.bars)
        entries = family_legend(self._theme, [one.family for one in drawn], hatched)
        self.legend.set_entries(entries + measured_legend(panels, self._theme))
        self.show_panels(panels, self.context.state.focus)

    def recolour(self, theme: Theme) -> None:
        super().recolour(theme)
        if getattr(self, "answer", None) is not None and self.answer is not None:
            self.show_answer(self.answer)

    def export_data(self) -> Data:
        """Every predictor's sum."""
        if self.answer is None:
            return Data((), [])
        columns = (
            *("predictor", "family", "target", "time_kind", "sum_ms", "low_90_ms", "high_90_ms", "refused", "verdicts"),
            *("measured_ms", "error_percent"),
        )
        rows = [
            (
                one.predictor,
                one.family,
                one.target.name,
                one.target.time_kind,
                one.total.time_ms,
                one.total.low_ms,
                one.total.high_ms,
                one.refused,
                _verdicts(one),
                one.measured_total_ms,
                one.measured_error_percent,
            )
            for one in self.answer.prediction.results
        ]
        return Data(columns, rows, network_constants(self.answer))


def _bar(result: NetworkResult) -> Bar:
    total = result.total
    return Bar(
        result.predictor,
        result.target.title,
        predictor_title(result.target, result.family),
        total.time_ms,
        total.low_ms,
        total.high_ms,
        result.family,
        symbol=FAMILY_SYMBOLS[result.family],
        hatched=result.verdicts[Status.EXTRAPOLATING] > 0,
        mark="at least" if result.is_lower_bound else "",
        note=f"Sum of the convolutions: {_verdicts(result)}",
    )
