"""Train: predictors of one's own, from layers measured here or from a file of measurements of any device."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QLabel,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from cnnpredict_gui import __version__
from cnnpredict_gui.core.card import Device, ModelCard
from cnnpredict_gui.core.errors import CnnPredictError, ConfigError
from cnnpredict_gui.core.names import FAMILIES
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.drop import FileDrop
from cnnpredict_gui.gui.export import export_button
from cnnpredict_gui.gui.file_dialogs import ask_to_open
from cnnpredict_gui.gui.format import percent, sig3
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.mapping_form import MappingForm
from cnnpredict_gui.gui.tables import Column, TableView
from cnnpredict_gui.gui.task_row import TaskRow
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.gui.train_data import OpenedTable, TrainPlan, check, look, run
from cnnpredict_gui.gui.train_form import TrainForm, row, title
from cnnpredict_gui.gui.view import View
from cnnpredict_gui.gui.workers import Cancelled, Progress, Task

if TYPE_CHECKING:
    from cnnpredict_gui.training.importing import ImportReport, ImportRequest

DEVICES_CHANNEL = "train devices"
SUFFIXES = (".csv", ".parquet", ".pq", ".tsv", ".txt")
_FILTER = "Measurements (*.csv *.parquet *.pq *.tsv *.txt);;All files (*)"
_UNITS = {"ms": "milliseconds", "s": "seconds", "us": "microseconds", "ns": "nanoseconds"}
_NO_FILE = (
    "Open a file of measurements, or drop it here: CSV (UTF-8) or Parquet, a row per layer with its sizes and its time.\n\n"
    "Columns with other names can be assigned after opening. Layers measured on the Measure page and exported as CSV fit as "
    "they are."
)
_GROUPED = "grouped_by_shape"


def _metric(name: str, title: str, tip: str) -> Column:
    def value(card: ModelCard) -> float | None:
        found = getattr(card.metrics.get(_GROUPED), name, None)
        return float(found) if found is not None else None

    def text(card: ModelCard) -> str:
        found = value(card)
        return "–" if found is None else percent(found)

    return Column(f"{name}_percent", title, value, text, tip, numeric=True)


COLUMNS = (
    Column("predictor", "predictor", lambda card: card.name, hidden=True),
    Column("family", "family", lambda card: FAMILIES[card.family]),
    _metric("mape", "MAPE", "Mean absolute error on layers held out"),
    _metric("median_ape", "median error", "Median absolute error on layers held out"),
    _metric("within_20", "within 20 %", "Share of layers held out with an error of at most 20 %"),
    _metric("coverage_90", "in interval", "Share of times held out that lie in the 90 % interval"),
    Column("rows", "rows", lambda card: card.provenance.rows, tip="Measurements it was trained on", numeric=True),
)


class TrainPage(View):
    """Source, target, device and effort on the left; columns, checks and the errors of what was trained on the right."""

    #: Stage, done and total, from the task's thread.
    staged = Signal(str, int, int)

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.opened: OpenedTable | None = None
        self.report: ImportReport | None = None
        self.cards: list[ModelCard] = []
        self._checking: Task | None = None
        self.form, self.mapping = TrainForm(), MappingForm()
        self.time_column, self.time_unit = QComboBox(), QComboBox()
        self.work = TaskRow(context, "Train", "Measure or import, train all families, and add them to the list", "Training")
        self.checks, self.stage = QLabel(_NO_FILE), QLabel()
        self.table = TableView(context, "Trained predictors", COLUMNS, lambda card: card.name, lambda: {"version": __version__})
        self._build()
        self._connect()
        self._drop = FileDrop(self, SUFFIXES, self.open_path)
        context.predictions.submit(DEVICES_CHANNEL, _find_devices, self._show_devices, context.report)
        self._source_changed()

    # -- building -----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._build_file_boxes()
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName("File and results")
        self.tabs.addTab(self._file_pane(), "File")
        self.tabs.addTab(self._result_pane(), "Result")
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(self.form)
        self.split.addWidget(self.tabs)
        self.split.setSizes([360, 540])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID // 2)
        layout.setSpacing(GRID // 2)
        layout.addWidget(self.work)
        layout.addWidget(self.stage)
        layout.addWidget(self.split, 1)

    def _build_file_boxes(self) -> None:
        for unit, words in _UNITS.items():
            self.time_unit.addItem(words, unit)
        for box, name, tip in (
            (self.time_column, "Column of the times", "Which column holds the times"),
            (self.time_unit, "Unit of the times", "Unit of the column of times"),
        ):
            box.setAccessibleName(name)
            box.setToolTip(tip)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(12)
        set_role(self.stage, "muted")
        self.stage.hide()
        self.checks.setWordWrap(True)
        self.checks.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.checks.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def _file_pane(self) -> QWidget:
        pane = QWidget()
        column = QVBoxLayout(pane)
        column.setContentsMargins(0, GRID // 2, 0, 0)
        column.setSpacing(GRID // 2)
        label = QLabel("Times in")
        label.setBuddy(self.time_column)
        self.time_row = row(label, self.time_column, self.time_unit)
        column.addWidget(self.time_row)
        column.addWidget(self.checks)
        column.addWidget(self.mapping, 1)
        return pane

    def _result_pane(self) -> QWidget:
        pane = QWidget()
        column = QVBoxLayout(pane)
        column.setContentsMargins(0, GRID // 2, 0, 0)
        column.setSpacing(GRID // 2)
        head = header_row(title("Errors on layers held out"))
        head.addStretch(1)
        head.addWidget(export_button(self.table, lambda: self.context.theme.current, pane, self.context.report))
        column.addLayout(head)
        column.addWidget(self.table, 1)
        return pane

    def _connect(self) -> None:
        self.form.open_button.clicked.connect(self._open_dialog)
        self.mapping.changed.connect(self._check)
        for box in (self.time_column, self.time_unit, self.form.kind):
            box.activated.connect(self._check)
        self.form.device.changed.connect(self._check)
        self.work.wanted.connect(self.train)
        self.work.running.connect(self._running)
        self.staged.connect(self._show_stage)

    def _show_devices(self, found: tuple[dict[str, Device], Device]) -> None:
        known, here = found
        self.form.device.show_known(known)
        if not self.form.device.name.text():
            self.form.device.show_device(here)

    def _source_changed(self) -> None:
        for widget in (self.time_row, self.mapping):
            widget.setVisible(self.opened is not None)

    # -- the file -----------------------------------------------------------------------------------------------------

    def _open_dialog(self) -> None:
        path = ask_to_open(self, "Open measurements", _FILTER)
        if path:
            self.open_path(path)

    def open_path(self, path: str) -> None:
        """Look at a file in the background."""
        self.form.from_file.setChecked(True)
        task = self.context.tasks.run(f"Opening {Path(path).name}", lambda _progress, _cancelled: look(Path(path)))
        task.succeeded.connect(self._opened)
        task.failed.connect(self.work.complain)

    def _opened(self, opened: OpenedTable) -> None:
        self.opened = opened
        table = opened.table
        self.form.file_label.setText(f"<b>{table.path.name}</b>: {table.rows:,} rows")
        self.form.file_label.setToolTip(str(table.path))
        self.time_column.clear()
        for name in table.columns:
            self.time_column.addItem(name, name)
        self.time_column.setCurrentIndex(self.time_column.findData(opened.time_column))
        self.time_unit.setCurrentIndex(self.time_unit.findData(opened.time_unit))
        self.mapping.show_columns(table.columns, opened.suggested, opened.suggested)
        if not self.form.target.text():
            self.form.target.setText(re.sub(r"[^a-z0-9]+", "-", table.path.stem.lower()).strip("-"))
        self._take_constants(opened)
        self._source_changed()
        self.tabs.setCurrentIndex(0)
        self._check()

    def _take_constants(self, opened: OpenedTable) -> None:
        """Take kind of time, framework and device from the file where it has them."""
        first = dict(zip(opened.table.columns, opened.table.sample[0], strict=True)) if opened.table.sample else {}
        place = self.form.kind.findData(first.get("time_kind", ""))
        if place >= 0:
            self.form.kind.setCurrentIndex(place)
        if first.get("framework") and not self.form.framework.text():
            self.form.framework.setText(first["framework"])
        title = first.get("device_title") or first.get("device")
        if title and title in self.form.device.known:
            self.form.device.show_device(self.form.device.known[title])
        elif title:
            self.form.device.name.setText(title)

    def _import(self, device: Device) -> ImportRequest | None:
        from cnnpredict_gui.training.importing import ImportRequest

        if self.opened is None:
            return None
        return ImportRequest(
            self.opened.table.path,
            self.form.target.text() or "own",
            device,
            self.time_column.currentData() or "",
            self.time_unit.currentData(),
            self.form.kind.currentData(),
            self.form.framework.text().strip() or "unknown",
            self.mapping.mapping(),
        )

    def _check(self) -> None:
        """Check the file as it is mapped now; without figures of the device, whatever does not need them."""
        if self.opened is None:
            return
        try:
            device = self.form.device.device()
        except ConfigError:
            device = Device(
                name="unknown",
                compute_units=1,
                boost_clock_mhz=1,
                fp32_tflops=1e6,
                fp16_tflops=1e6,
                memory_bandwidth_gbs=1,
                l2_mb=1,
            )
        request = self._import(device)
        if request is not None:
            self.report = None
            self.checks.setText("Checking…")
            if self._checking is not None:
                self._checking.cancel()
            self._checking = self.context.tasks.run("checking a file", lambda _progress, cancelled: check(request, cancelled))
            self._checking.succeeded.connect(self._checked)
            self._checking.failed.connect(self._check_failed)

    def _checked(self, report: ImportReport) -> None:
        self.report = report
        theme = self.context.theme.current
        span = f"{sig3(report.fastest_ms)} to {sig3(report.slowest_ms)} ms"
        rows = f"<b>{report.usable:,} of {report.rows:,} rows</b> can be used"
        lines = [f"{rows}: {report.shapes:,} different layers, {span}."]
        lines += [f'<span style="color:{theme.error}">{_escaped(text)}.</span>' for text in report.problems]
        lines += [f'<span style="color:{theme.warning}">{_escaped(text)}.</span>' for text in report.warnings]
        self.checks.setText("<br>".join(lines))

    def _check_failed(self, error: CnnPredictError) -> None:
        self.checks.setText(f'<span style="color:{self.context.theme.current.error}">{_escaped(str(error))}</span>')

    # -- training -----------------------------------------------------------------------------------------------------

    def plan(self) -> TrainPlan:
        """What would be trained now.

        Raises:
            ConfigError: something is missing.
        """
        form, target = self.form, self.form.target_name()
        device = form.device.device()
        if form.from_file.isChecked() and self.opened is None:
            raise ConfigError("no file is open", "open a file of measurements, or measure on this machine", "file")
        file = self._import(device) if form.from_file.isChecked() else None
        numbers = (form.layers.value(), form.rounds.value(), form.threads.value())
        return TrainPlan(target, device, file, *numbers, trials=form.effort.currentData())

    def train(self) -> None:
        """Measure or import, and train, in child processes; then the library is read again."""
        try:
            plan = self.plan()
        except CnnPredictError as error:
            self.work.complain(error)
            return

        def work(_progress: Progress, cancelled: Cancelled) -> list[ModelCard]:
            return run(plan, self.staged.emit, cancelled)

        self.work.run(f"Training {plan.target}", work, self._trained)
        self.work.progress.setFormat("%v of %m")

    def _show_stage(self, stage: str, done: int, total: int) -> None:
        if self.work.busy:
            self.stage.setText(stage[:1].upper() + stage[1:])
            self.work.progress.setRange(0, total)
            self.work.progress.setValue(done)

    def _running(self, on: bool) -> None:
        self.stage.setText("Starting")
        self.stage.setVisible(on)
        self.form.setEnabled(not on)

    def _trained(self, cards: list[ModelCard]) -> None:
        self.cards = cards
        self.table.set_rows(cards)
        self.tabs.setCurrentIndex(1)
        self.context.models.load()
        self.context.say(f"Added {cards[0].target.title}")

    # -- view ---------------------------------------------------------------------------------------------------------

    def busy(self) -> bool:
        """Whether something is being read, checked or trained."""
        checking = self._checking is not None and self._checking.running
        return self.work.busy or checking or self.context.predictions.busy(DEVICES_CHANNEL)

    def open_file(self, path: str) -> bool:
        """Open a file of measurements."""
        if not path.lower().endswith(SUFFIXES):
            return False
        self.open_path(path)
        return True

    def save(self) -> dict[str, Any]:
        """Everything that was filled in."""
        file = str(self.opened.table.path) if self.opened and self.form.from_file.isChecked() else ""
        return self.form.save() | {"file": file}

    def restore(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`save` gave; a file that was open is read again."""
        self.form.restore(data)
        if data.get("file") and Path(str(data["file"])).is_file():
            self.open_path(str(data["file"]))


def _find_devices(_cancelled: Cancelled) -> tuple[dict[str, Device], Device]:
    """Devices whose figures come with the program, and this machine's processor with typical ones."""
    from cnnpredict_gui.bench.machine import processor_name
    from cnnpredict_gui.training.datasets import COLLECTED, find_device, known_devices

    return known_devices(), find_device(processor_name(), COLLECTED)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
