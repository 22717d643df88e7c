"""Sweep: one or two parameters of the layer varied, live, for all chosen predictors."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.core.names import FAMILIES
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import export_button
from cnnpredict_gui.gui.fields import FIELD_TEXTS
from cnnpredict_gui.gui.format import interval
from cnnpredict_gui.gui.heat_map import HeatMap
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.live import LiveRequests
from cnnpredict_gui.gui.series import predictor_title
from cnnpredict_gui.gui.sweep_chart import SweepChart, sweep_constants
from cnnpredict_gui.gui.sweep_data import SweepAnswer, SweepRequest, SweepRow, compute, in_words
from cnnpredict_gui.gui.tables import Column, TableView
from cnnpredict_gui.gui.theme import GRID, Theme
from cnnpredict_gui.gui.view import View
from cnnpredict_gui.gui.workers import Cancelled

CHANNEL = "sweep"
_TYPING_MS = 250
#: Names on screen of what sets several fields at once.
_SHORT_NAMES = {
    "input_size": "Height and width (px)",
    "channels": "Input and output channels",
    "kernel_size": "Kernel height and width (px)",
    "stride": "Stride height and width (px)",
    "padding": "Padding height and width (px)",
    "dilation": "Dilation height and width (px)",
}
#: Offered first, in this order.
_FIRST = ("batch_size", "input_size", "channels", "input_channels", "output_channels", "kernel_size", "stride", "groups")
#: Values to begin with.
_VALUES = {
    "batch_size": "1,2,4,...,256",
    "groups": "1,2,4,...,128",
    "kernel_size": "1,3,5,7,9,11",
    "stride": "1:4",
    "padding": "0:5",
    "dilation": "1:6",
    "channels": "16:512:16",
    "input_channels": "16:512:16",
    "output_channels": "16:512:16",
    "input_size": "8:224:8",
    "input_height": "8:224:8",
    "input_width": "8:224:8",
}
_VALUES_TIP = "Values: a list 1,2,8, a range 16:256:16 (first:last:step), or a series 1,2,4,...,128"


def parameter_name(parameter: str) -> str:
    """Name of a parameter on screen, with its unit."""
    if parameter in _SHORT_NAMES:
        return _SHORT_NAMES[parameter]
    texts = FIELD_TEXTS[parameter]
    return f"{texts.label} ({texts.unit})" if texts.unit == "px" else texts.label


def first_values(parameter: str) -> str:
    """Values to begin with when a parameter is varied."""
    stem = parameter.rsplit("_", 1)[0]
    return _VALUES.get(parameter) or _VALUES.get(f"{stem}_size") or _VALUES[stem]


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


class SweepView(View):
    """Chart (lines, or a heat map for two parameters), what is missing and why, and the table."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.state = context.state
        self.answer: SweepAnswer | None = None
        self._texts: dict[str, str] = {}
        self._stale = True
        self.parameter, self.second = QComboBox(), QComboBox()
        self.values, self.second_values = QLineEdit(), QLineEdit()
        self.predictor = QComboBox()
        self.message, self.notes = QLabel(), QLabel()
        self.chart = SweepChart(context, self._take_over)
        self.heat_map = HeatMap(context, self._take_over)
        self.table = TableView(context, "Sweep table", _COLUMNS, lambda row: (row.point, row.predictor), self._constants)
        self._requests = LiveRequests(context.predictions, CHANNEL, self.show_answer, self._complain, self)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.refresh)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(0)
        self._rest.timeout.connect(self._show_rest)
        self._build()
        self._connect()
        self._show_second()
        self.refresh()

    # -- building -----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        from cnnpredict_gui.studies.sweep import VARIABLES

        known = [*_FIRST, *(name for name in VARIABLES if name not in _FIRST)]
        self.second.addItem("nothing else", "")
        for name in known:
            self.parameter.addItem(parameter_name(name), name)
            self.second.addItem(parameter_name(name), name)
        for combo, name, tip in (
            (self.parameter, "Varied parameter", "The parameter along the x axis"),
            (self.second, "Second varied parameter", "A second parameter makes a heat map"),
            (self.predictor, "Predictor of the heat map", "Whose times the heat map shows"),
        ):
            combo.setAccessibleName(name)
            combo.setToolTip(tip)
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            combo.setMinimumContentsLength(16)
            combo.setMaxVisibleItems(24)
        for line, name in ((self.values, "Values of the parameter"), (self.second_values, "Values of the second parameter")):
            line.setAccessibleName(name)
            line.setToolTip(_VALUES_TIP)
            line.setPlaceholderText("1,2,4,...,128 or 16:256:16")
            line.setMinimumWidth(110)
        self.values.setText(first_values("batch_size"))
        self.message.setProperty("role", "error")
        for label in (self.message, self.notes):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.hide()
        self.notes.setProperty("role", "warning")
        self._place()

    def _place(self) -> None:
        row = header_row(QLabel("Vary"), self.parameter, self.values, QLabel("and"), self.second, self.second_values)
        row.setStretch(1, 2)
        row.setStretch(2, 3)
        row.setStretch(4, 2)
        row.setStretch(5, 3)
        reset = QToolButton()
        reset.setText("Reset")
        reset.setToolTip("Back to the values the parameters start with")
        reset.clicked.connect(self._reset_values)
        row.addWidget(reset)
        self.heat_map.add_tool(self.predictor)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.chart)
        self.stack.addWidget(self.heat_map)
        table_row = QHBoxLayout()
        title = QLabel("Values")
        title.setProperty("role", "title")
        table_row.setContentsMargins(GRID, 0, 0, 0)
        table_row.addWidget(title, 1)
        table_row.addWidget(export_button(self.table, lambda: self.context.theme.current, self, self.context.report))
        lower = QWidget()
        lower_layout = QVBoxLayout(lower)
        lower_layout.setContentsMargins(0, 0, 0, 0)
        lower_layout.setSpacing(GRID // 2)
        lower_layout.addLayout(table_row)
        lower_layout.addWidget(self.table, 1)
        self.split = QSplitter(Qt.Orientation.Vertical)
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(self.stack)
        self.split.addWidget(lower)
        self.split.setStretchFactor(0, 3)
        self.split.setStretchFactor(1, 1)
        self.split.setSizes([470, 190])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID // 2)
        layout.setSpacing(GRID // 2)
        layout.addLayout(row)
        layout.addWidget(self.message)
        layout.addWidget(self.split, 1)
        layout.addWidget(self.notes)

    def _connect(self) -> None:
        state, models = self.state, self.context.models
        state.config_changed.connect(self._ask)
        state.selection_changed.connect(self._ask)
        state.focus_changed.connect(self._focus_changed)
        models.finished.connect(self._ask)
        models.progressed.connect(self._ask)
        self.parameter.activated.connect(self._parameter_chosen)
        self.second.activated.connect(self._second_chosen)
        self.predictor.activated.connect(self._predictor_chosen)
        self.values.textChanged.connect(self._typed)
        self.second_values.textChanged.connect(self._typed)

    # -- choosing -----------------------------------------------------------------------------------------------------

    def _parameter_chosen(self) -> None:
        name = self.parameter.currentData()
        self._show_values(self.values, name)
        self._ask()

    def _second_chosen(self) -> None:
        name = self.second.currentData()
        if name:
            self._show_values(self.second_values, name)
        self._show_second()
        self._ask()

    def _show_values(self, line: QLineEdit, parameter: str) -> None:
        line.setText(self._texts.get(parameter, first_values(parameter)))
        line.setCursorPosition(0)

    def _show_second(self) -> None:
        on = bool(self.second.currentData())
        self.second_values.setVisible(on)
        self.stack.setCurrentIndex(1 if on else 0)
        self.table.setColumnHidden(1, not on)

    def _reset_values(self) -> None:
        self._texts.clear()
        self._parameter_chosen()
        self._second_chosen()

    def _typed(self) -> None:
        for combo, line in ((self.parameter, self.values), (self.second, self.second_values)):
            if combo.currentData():
                self._texts[combo.currentData()] = line.text()
        self._ask(_TYPING_MS)

    def _predictor_chosen(self) -> None:
        self.state.set_focus(self.predictor.currentData() or "")

    def _focus_changed(self) -> None:
        if self.second.currentData():
            self._ask()

    def _take_over(self, point: int) -> None:
        """Make a point of the sweep the layer of the panel."""
        from cnnpredict_gui.studies.sweep import with_values

        if self.answer is None:
            return
        result = self.answer.result
        try:
            config = with_values(result.config, dict(zip(result.parameters, result.points[point], strict=True)))
        except CnnPredictError as error:
            self.context.say(str(error))
            return
        self.state.set_config(config, "choice of a point of the sweep")
        self.context.say(f"Layer: {config.label()}")

    # -- predicting ---------------------------------------------------------------------------------------------------

    def _ask(self, delay: object = 0) -> None:
        self._stale = True
        self._soon.start(_TYPING_MS if delay == _TYPING_MS else 0)

    def activated(self) -> None:
        """Catch up with what changed while another view was in front."""
        if self._stale:
            self._ask()

    def busy(self) -> bool:
        """Whether predictions are on their way."""
        return self._soon.isActive() or self._rest.isActive() or self._requests.busy

    def varied(self) -> dict[str, list[int]]:
        """Parameters with their values.

        Raises:
            ConfigError: the values typed are none.
        """
        from cnnpredict_gui.studies.sweep import parse_values

        found = {}
        for combo, line in ((self.parameter, self.values), (self.second, self.second_values)):
            if combo.currentData():
                found[combo.currentData()] = parse_values(line.text(), combo.currentData())
        return found

    def refresh(self) -> None:
        """Ask for predictions of the current state."""
        if self.answer is not None and not self.isVisible():
            return
        self._stale = False
        try:
            varied = self.varied()
        except CnnPredictError as error:
            self._requests.cancel()
            self._complain(error)
            return
        self._show_predictors()
        predictors = tuple(self.context.models.chosen(self.state.selection))
        if len(varied) == 2:
            predictors = tuple(one for one in predictors if one.name == self.predictor.currentData())
        request = SweepRequest(self.state.config, varied, predictors)

        def work(cancelled: Cancelled) -> SweepAnswer:
            return compute(request, cancelled)

        self._requests.submit(work)

    def _complain(self, error: CnnPredictError) -> None:
        self.message.setText(str(error))
        self.message.show()

    def show_answer(self, answer: SweepAnswer) -> None:
        """Bring everything on screen up to date."""
        self.answer = answer
        self.message.hide()
        if len(answer.result.parameters) == 1:
            name = answer.result.parameters[0]
            self.chart.show_answer(answer, parameter_name(name), self._present(name))
        self._show_heat_map()
        self._rest.start()

    def _show_rest(self) -> None:
        """The table and the notes, in a turn of the event loop of their own."""
        answer = self.answer
        if answer is None:
            return
        before = len(self.table.rows_model.rows)
        self.table.set_rows(answer.rows)
        if before != len(answer.rows):
            self.table.fit_columns()
        self._show_notes()

    def _present(self, name: str) -> int | None:
        """The varied parameter's value in the layer panel, if it has one value."""
        from cnnpredict_gui.studies.sweep import VARIABLES

        values = {getattr(self.state.config, field) for field in VARIABLES[name]}
        return int(values.pop()) if len(values) == 1 else None

    def _show_predictors(self) -> None:
        chosen = self.context.models.chosen(self.state.selection)
        names = [one.name for one in chosen]
        if [self.predictor.itemData(i) for i in range(self.predictor.count())] != names:
            self.predictor.clear()
            for one in chosen:
                self.predictor.addItem(predictor_title(one.target, one.family), one.name)
        index = self.predictor.findData(self.state.focus)
        self.predictor.setCurrentIndex(index if index >= 0 else (0 if names else -1))

    def _show_heat_map(self) -> None:
        answer = self.answer
        if answer is not None and len(answer.result.parameters) == 2:
            first, second = (parameter_name(name) for name in answer.result.parameters)
            self.heat_map.show_answer(answer, self.predictor.currentData() or "", (first, second))

    def _show_notes(self) -> None:
        answer, parts = self.answer, []
        if answer is not None and answer.gaps:
            parts.append(f"No prediction: {in_words(answer.gaps, answer.result.points)}")
        if answer is not None and answer.stretches:
            parts.append(f"Extrapolated: {in_words(answer.stretches, answer.result.points, 2)}")
        text = "\n".join(parts)
        self.notes.setText(text)
        self.notes.setVisible(bool(text))

    def _constants(self) -> dict[str, Any]:
        if self.answer is None:
            return {}
        names = self.answer.result.parameters
        ordinals = ("first_parameter", "second_parameter")
        return dict(zip(ordinals, names, strict=False)) | sweep_constants(self.answer)

    # -- session ------------------------------------------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        """Parameters, values, axes and layout."""
        return {
            "parameter": self.parameter.currentData(),
            "second": self.second.currentData(),
            "values": dict(self._texts),
            "log_x": self.chart.log_x.isChecked(),
            "log_y": self.chart.log_y.isChecked(),
            "bands": self.chart.bands.isChecked(),
            "columns": self.table.save_columns(),
            "split": self.split.sizes(),
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`save` gave."""
        texts = data.get("values")
        if isinstance(texts, dict):
            self._texts = {str(name): str(text) for name, text in texts.items()}
        for combo, line, key in ((self.parameter, self.values, "parameter"), (self.second, self.second_values, "second")):
            index = combo.findData(data.get(key, combo.currentData()))
            combo.setCurrentIndex(max(index, 0))
            name = combo.currentData()
            if name:
                self._show_values(line, name)
        for switch, key in ((self.chart.log_x, "log_x"), (self.chart.log_y, "log_y"), (self.chart.bands, "bands")):
            switch.setChecked(bool(data.get(key, True)))
        self.table.restore_columns(data.get("columns", {}))
        self._show_second()
        sizes = data.get("split")
        if isinstance(sizes, list) and len(sizes) == 2 and all(isinstance(size, int) for size in sizes):
            self.split.setSizes(sizes)
        self._ask()
