"""Sweep: one or two parameters of the layer varied, live, for all chosen predictors."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import export_button
from cnnpredict_gui.gui.heat_map import HeatMap
from cnnpredict_gui.gui.live import LiveRequests
from cnnpredict_gui.gui.series import predictor_title
from cnnpredict_gui.gui.sweep_chart import SweepChart
from cnnpredict_gui.gui.sweep_choice import SweepChoice, fit, parameter_name
from cnnpredict_gui.gui.sweep_data import SweepAnswer, SweepRequest, compute, in_words
from cnnpredict_gui.gui.sweep_table import SweepTable
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.gui.turns import Turns
from cnnpredict_gui.gui.view import View
from cnnpredict_gui.gui.workers import Cancelled

CHANNEL = "sweep"
#: Waiting time after a key, so that half a number is not asked for.
_TYPING_MS = 250


class SweepView(View):
    """Chart (lines, or a heat map for two parameters), what is missing and why, and the table."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.state = context.state
        self.answer: SweepAnswer | None = None
        self._stale = True
        self.choice = SweepChoice()
        self.predictor = QComboBox()
        self.message, self.notes = QLabel(), QLabel()
        self.chart = SweepChart(context, self._take_over)
        self.heat_map = HeatMap(context, self._take_over)
        self.table = SweepTable(context)
        self._requests = LiveRequests(context.predictions, CHANNEL, self.show_answer, self._complain, self)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.refresh)
        self._later = Turns(self)
        self._build()
        self._connect()
        self._show_second()
        self.refresh()

    # -- building -----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.predictor.setAccessibleName("Predictor of the heat map")
        self.predictor.setToolTip("Whose times the heat map shows")
        fit(self.predictor, 40)
        set_role(self.message, "error")
        for label in (self.message, self.notes):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.hide()
        set_role(self.notes, "warning")
        self._place()

    def _place(self) -> None:
        self.heat_map.add_tool(self.predictor)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.chart)
        self.stack.addWidget(self.heat_map)
        table_row = QHBoxLayout()
        title = QLabel("Values")
        set_role(title, "title")
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
        layout.addWidget(self.choice)
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
        self.choice.changed.connect(self._parameters_chosen)
        self.choice.typed.connect(self._typed)
        self.predictor.activated.connect(self._predictor_chosen)

    # -- choosing -----------------------------------------------------------------------------------------------------

    def _parameters_chosen(self) -> None:
        self._show_second()
        self._ask()

    def _show_second(self) -> None:
        on = self.choice.has_second
        self.stack.setCurrentIndex(1 if on else 0)
        self.table.show_second(on)

    def _typed(self) -> None:
        self._ask(_TYPING_MS)

    def _predictor_chosen(self) -> None:
        self.state.set_focus(self.predictor.currentData() or "")

    def _focus_changed(self) -> None:
        if self.choice.has_second:
            self._ask()

    def _take_over(self, answer: SweepAnswer, point: int) -> None:
        """Make a point of an answer, as a chart shows it, the layer of the panel."""
        from cnnpredict_gui.studies.sweep import with_values

        result = answer.result
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
        return self._soon.isActive() or self._later.waiting or self._requests.busy

    def refresh(self) -> None:
        """Ask for predictions of the current state."""
        if self.answer is not None and not self.isVisible():
            return
        self._stale = False
        try:
            varied = self.choice.varied()
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
        """Bring everything on screen up to date: the chart at once, the rest in turns of the event loop of their own."""
        self.answer = answer
        self.message.hide()
        if len(answer.result.parameters) == 1:
            name = answer.result.parameters[0]
            self.chart.show_answer(answer, parameter_name(name), self._present(name))
        self._show_heat_map()
        self._later.start(self._show_table, self._show_notes)

    def _show_table(self) -> None:
        if self.answer is not None:
            self.table.show_answer(self.answer)

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

    # -- session ------------------------------------------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        """Parameters, values, axes and layout."""
        return self.choice.save() | {
            "log_x": self.chart.log_x.isChecked(),
            "log_y": self.chart.log_y.isChecked(),
            "bands": self.chart.bands.isChecked(),
            "columns": self.table.save_columns(),
            "split": self.split.sizes(),
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`save` gave."""
        self.choice.restore(data)
        for switch, key in ((self.chart.log_x, "log_x"), (self.chart.log_y, "log_y"), (self.chart.bands, "bands")):
            switch.setChecked(bool(data.get(key, True)))
        self.table.restore_columns(data.get("columns", {}))
        self._show_second()
        sizes = data.get("split")
        if isinstance(sizes, list) and len(sizes) == 2 and all(isinstance(size, int) for size in sizes):
            self.split.setSizes(sizes)
        self._ask()
