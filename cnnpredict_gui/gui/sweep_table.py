"""Table of the Sweep view: a row per point and predictor."""

from __future__ import annotations

from cnnpredict_gui.core.names import FAMILIES
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.csv_text import Cell
from cnnpredict_gui.gui.format import interval
from cnnpredict_gui.gui.sweep_chart import sweep_constants
from cnnpredict_gui.gui.sweep_choice import parameter_name
from cnnpredict_gui.gui.sweep_data import SweepAnswer, SweepRow
from cnnpredict_gui.gui.tables import Column, TableView
from cnnpredict_gui.gui.theme import Theme

_SECOND_COLUMN = 1


def _verdict_colour(row: SweepRow, theme: Theme) -> str | None:
    return {Status.EXTRAPOLATING: theme.warning, Status.REFUSED: theme.error}.get(row.prediction.status)


def _first_value(row: SweepRow) -> int:
    return row.values[0]


def _second_value(row: SweepRow) -> int | None:
    return row.values[1] if len(row.values) > 1 else None


_COLUMNS = (
    Column("first_value", "value", _first_value, tip="Value of the varied parameter", numeric=True),
    Column("second_value", "second value", _second_value, tip="Value of the second varied parameter", numeric=True),
    Column("predictor", "predictor", lambda r: r.predictor, hidden=True),
    Column("family", "family", lambda r: FAMILIES[r.family]),
    Column("target_title", "target", lambda r: r.target.title),
    Column("time_ms", "time (ms)", lambda r: r.prediction.time_ms, numeric=True),
    Column(
        "interval_90_ms",
        "90 % (ms)",
        lambda r: interval(r.prediction.low_ms, r.prediction.high_ms),
        tip="The measured time lies in here in 90 of 100 cases",
        numeric=True,
    ),
    Column("low_90_ms", "from (ms)", lambda r: r.prediction.low_ms, hidden=True, numeric=True),
    Column("high_90_ms", "to (ms)", lambda r: r.prediction.high_ms, hidden=True, numeric=True),
    Column("time_kind", "time kind", lambda r: r.target.time_kind, hidden=True),
    Column("verdict", "verdict", lambda r: r.prediction.verdict, colour=_verdict_colour),
)


class SweepTable(TableView):
    """What it exports carries the layer and the varied parameters."""

    def __init__(self, context: AppContext) -> None:
        self.answer: SweepAnswer | None = None
        super().__init__(context, "Sweep table", _COLUMNS, lambda row: (row.point, row.predictor), self._constants_now)

    def show_answer(self, answer: SweepAnswer) -> None:
        """Bring the rows up to date."""
        self.answer = answer
        for key, name in zip(("first_value", "second_value"), answer.result.parameters, strict=False):
            self.set_title(key, parameter_name(name).lower())
        before = len(self.rows_model.rows)
        self.set_rows(answer.rows)
        if before != len(answer.rows):
            self.fit_columns()

    def show_second(self, on: bool) -> None:
        """Show or hide the value of the second parameter."""
        self.setColumnHidden(_SECOND_COLUMN, not on)

    def _constants_now(self) -> dict[str, Cell]:
        if self.answer is None:
            return {}
        ordinals = ("first_parameter", "second_parameter")
        return dict(zip(ordinals, self.answer.result.parameters, strict=False)) | sweep_constants(self.answer)
