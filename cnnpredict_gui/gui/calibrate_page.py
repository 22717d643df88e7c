"""Calibrate: predictors of a similar processor become predictors of this machine, in about two minutes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from cnnpredict_gui import __version__
from cnnpredict_gui.core.names import FAMILIES, is_processor
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import export_button
from cnnpredict_gui.gui.format import percent
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.scatter_chart import ScatterChart, ScatterPoint, ScatterSeries
from cnnpredict_gui.gui.tables import Column, TableView
from cnnpredict_gui.gui.task_row import TaskRow
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.gui.view import View
from cnnpredict_gui.gui.workers import Cancelled, Progress
from cnnpredict_gui.training.quick_calibration import CALIBRATED_FROM

if TYPE_CHECKING:
    from cnnpredict_gui.core.card import Metrics
    from cnnpredict_gui.training.quick_calibration import CalibrationResult, FamilyCalibration

_INTRO = (
    "Measures layers that fill the predictors' domain, fits a correction (the speed of this machine and a small model of what "
    "differs), and saves a new target beside the others. Leave the computer alone meanwhile: all that runs gets into the times."
)
_MOST_ALIKE = "the processor most alike (found by the times)"
_EMPTY = "Start, and see the error of every family before and after, on layers that the correction did not see."


def _error(name: str, title: str, tip: str, of: Callable[[FamilyCalibration], Metrics | None], field: str) -> Column:
    def value(row: FamilyCalibration) -> float | None:
        found = of(row)
        return getattr(found, field) if found else None

    def text(row: FamilyCalibration) -> str:
        found = value(row)
        return "–" if found is None else percent(found)

    return Column(name, title, value, text, tip, numeric=True)


_HELD_OUT = "on the layers measured, each predicted by a correction fitted without it"
_FURTHER = "on further layers, drawn at random, that the correction never saw"
COLUMNS = (
    Column("family", "family", lambda r: FAMILIES[r.family]),
    _error("mape_before", "MAPE before", f"Mean absolute error {_HELD_OUT}", lambda r: r.before, "mape"),
    _error("mape_after", "after", f"Mean absolute error {_HELD_OUT}", lambda r: r.after, "mape"),
    _error("median_before", "median before", f"Median absolute error {_HELD_OUT}", lambda r: r.before, "median_ape"),
    _error("median_after", "after", f"Median absolute error {_HELD_OUT}", lambda r: r.after, "median_ape"),
    _error("check_mape_before", "at random: MAPE", f"Mean absolute error {_FURTHER}", lambda r: r.check_before, "mape"),
    _error("check_mape_after", "after", f"Mean absolute error {_FURTHER}", lambda r: r.check_after, "mape"),
)


class CalibratePage(View):
    """Chooses where to start from and how much to measure; shows the errors and the points before and after."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.result: CalibrationResult | None = None
        self.source, self.name = QComboBox(), QLineEdit()
        self.layers, self.threads, self.rounds = QSpinBox(), QSpinBox(), QSpinBox()
        self.work = TaskRow(context, "Calibrate", "Measure, fit, and add the new target to the list", "Layers timed")
        self.verdict, self.intro = QLabel(), QLabel(_INTRO)
        self.table = TableView(context, "Errors before and after", COLUMNS, lambda row: row.family, self._constants)
        self.scatter = ScatterChart(context, "Calibration: predicted against measured", _EMPTY)
        self._build()
        self.work.wanted.connect(self.calibrate)
        context.models.finished.connect(self._show_sources)
        context.models.scanned.connect(self._show_sources)
        self._show_sources()

    def _build(self) -> None:
        cores = os.cpu_count() or 1
        self.layers.setRange(12, 400)
        self.layers.setValue(60)
        self.layers.setSuffix(" layers")
        self.rounds.setRange(1, 20)
        self.rounds.setValue(3)
        self.rounds.setPrefix("rounds ")
        self.threads.setRange(1, cores)
        self.threads.setPrefix("threads ")
        self.name.setPlaceholderText("this computer's name")
        self.name.setMaxLength(60)
        self.source.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.source.setMinimumContentsLength(24)
        names: tuple[tuple[QWidget, str, str], ...] = (
            (self.source, "Target to start from", "Whose predictors are corrected"),
            (self.layers, "Layers to measure", "Layers for the correction; a third more is measured to tell the error"),
            (self.rounds, "Rounds over all layers", "The least of the rounds' medians counts; more rounds for a busy machine"),
            (self.threads, "Threads of PyTorch", f"Threads on the CPU, 1 to {cores}; the target is for this number of threads"),
            (self.name, "Name of this machine", "Name of the new target in the list"),
        )
        for widget, name, tip in names:
            widget.setAccessibleName(name)
            widget.setToolTip(tip)
        set_role(self.intro, "muted")
        self.verdict.hide()
        for label in (self.intro, self.verdict):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        form = QFormLayout()
        form.setHorizontalSpacing(GRID)
        form.setVerticalSpacing(GRID // 2)
        form.addRow("Start from", self.source)
        form.addRow("Name", self.name)
        numbers = header_row(self.layers, self.rounds, self.threads)
        numbers.addStretch(1)
        form.addRow("Measure", numbers)
        below = QWidget()
        column = QVBoxLayout(below)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        title = QLabel(self.table.accessibleName())
        set_role(title, "title")
        head = header_row(title)
        head.addStretch(1)
        head.addWidget(export_button(self.table, lambda: self.context.theme.current, below, self.context.report))
        column.addLayout(head)
        column.addWidget(self.table, 1)
        self.split = QSplitter(Qt.Orientation.Vertical)
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(self.scatter)
        self.split.addWidget(below)
        self.split.setSizes([340, 180])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID // 2)
        layout.setSpacing(GRID // 2)
        layout.addWidget(self.intro)
        layout.addLayout(form)
        layout.addWidget(self.work)
        layout.addWidget(self.verdict)
        layout.addWidget(self.split, 1)

    def _show_sources(self) -> None:
        """Offer the targets of processors that were not calibrated themselves."""
        found: dict[str, str] = {}
        for entry in self.context.models.entries:
            card = entry.card
            usual = card is not None and card.target.time_kind == "framework_wall_clock" and is_processor(card.target)
            if card is not None and usual and CALIBRATED_FROM not in card.hyperparameters:
                found[card.target.name] = card.target.title
        chosen = self.source.currentData() or ""
        self.source.clear()
        self.source.addItem(_MOST_ALIKE, "")
        for name, title in sorted(found.items(), key=lambda item: item[1]):
            self.source.addItem(title, name)
        self.source.setCurrentIndex(max(self.source.findData(chosen), 0))
        self.work.start.setEnabled(bool(found) and not self.work.busy)

    # -- calibrating --------------------------------------------------------------------------------------------------

    def calibrate(self) -> None:
        """Measure and fit in child processes; then the library is read again."""
        library = self.context.models.library
        if library is None:
            return
        layers = self.layers.value()
        numbers = (layers, max(layers // 3, 4), self.rounds.value(), self.threads.value())
        source, name, folders = self.source.currentData() or "", self.name.text(), tuple(library.folders)

        def work(progress: Progress, cancelled: Cancelled) -> CalibrationResult:
            from cnnpredict_gui.training.quick_calibration import CalibrateRequest, calibrate

            request = CalibrateRequest(folders, source, *numbers, name=name)
            return calibrate(request, progress=progress, cancelled=cancelled)

        self.verdict.hide()
        self.work.run("Calibrating", work, self._calibrated)
        self.work.progress.setFormat("%v of %m timings")

    def _calibrated(self, result: CalibrationResult) -> None:
        self.show_result(result)
        self.context.models.load()
        self.context.say(f"Added {result.target.title}")

    def show_result(self, result: CalibrationResult) -> None:
        """Show errors and points, and say what they mean."""
        self.result = result
        self.table.set_rows(result.families)
        theme = self.context.theme.current
        before, after, checked = list[ScatterPoint](), list[ScatterPoint](), list[ScatterPoint]()
        for point in result.points:
            before.append(ScatterPoint(point.layer, point.measured_ms, point.before_ms, hollow=True))
            (checked if point.is_check else after).append(ScatterPoint(point.layer, point.measured_ms, point.after_ms))
        self.scatter.show_series(
            [
                ScatterSeries("before", theme.series[5], "s", tuple(before)),
                ScatterSeries("after, held out", theme.series[0], "o", tuple(after)),
                ScatterSeries("after, drawn at random", theme.series[2], "d", tuple(checked)),
            ]
        )
        main, checked_scores = result.main, ""
        if main.check_before and main.check_after:
            checked_scores = f"{percent(main.check_before.mape)} → {percent(main.check_after.mape)} on layers drawn at random, "
        text = (
            f"<b>{result.target.title}</b>, made from {result.source}. Mean error of the {FAMILIES[main.family].lower()}: "
            f"{checked_scores}{percent(main.before.mape)} → {percent(main.after.mape)} on the layers measured, each held out "
            "(those lie far apart, so their errors are larger)."
        )
        doubts = [f"Doubtful times: {warning}" for warning in result.conditions.warnings]
        self.verdict.setText(" ".join([text, *(f"{doubt}." for doubt in doubts)]))
        set_role(self.verdict, "warning" if doubts or main.after.mape >= main.before.mape else "")
        self.verdict.show()

    def _constants(self) -> dict[str, str | int | float | bool | None]:
        if self.result is None:
            return {"version": __version__}
        target = self.result.target
        return {"target": target.title, "time_kind": target.time_kind, "from": self.result.source, "version": __version__}

    # -- view ---------------------------------------------------------------------------------------------------------

    def busy(self) -> bool:
        """Whether a calibration runs."""
        return self.work.busy

    def save(self) -> dict[str, Any]:
        """How to calibrate."""
        numbers = {name: getattr(self, name).value() for name in ("layers", "rounds", "threads")}
        return numbers | {"name": self.name.text(), "source": self.source.currentData()}

    def restore(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`save` gave."""
        for name in ("layers", "rounds", "threads"):
            if isinstance(data.get(name), int):
                getattr(self, name).setValue(data[name])
        self.name.setText(str(data.get("name", "")))
        self.source.setCurrentIndex(max(self.source.findData(data.get("source", "")), 0))
