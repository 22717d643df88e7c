"""Measure: real layers timed on this machine, beside what the chosen predictors say of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QSplitter,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from cnnpredict_gui.core.config import LIMITS, ConvConfig
from cnnpredict_gui.core.measurement import Measurement, Setting
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import export_button
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.measure_tables import ErrorTable, MeasurementTable, error_series
from cnnpredict_gui.gui.scatter_chart import ScatterChart
from cnnpredict_gui.gui.task_row import TaskRow
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.gui.view import View
from cnnpredict_gui.gui.workers import Cancelled, Progress

if TYPE_CHECKING:
    from cnnpredict_gui.bench.measuring import MeasureResult
    from cnnpredict_gui.studies.measured import MeasuredErrors
    from cnnpredict_gui.studies.presets import Preset

CHANNEL, PRESETS_CHANNEL = "measured errors", "measure presets"
_NOTE = (
    "Times are the host clock around one call of PyTorch (wall clock). A predictor is held against a measured time of its own "
    "kind only; times with host copies are not measured here."
)


class MeasurePage(View):
    """Chooses what to time, times it in a child process row by row, and shows the errors of the predictors."""

    #: The arriving row, from the task's thread.
    arrived = Signal(object)

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.hub = context.measurements
        self.result: MeasureResult | None = None
        self._presets: dict[str, Preset] = {}
        self._wanted: dict[str, Any] = {}
        self._rows: dict[ConvConfig, Measurement] = {}
        self.what, self.device, self.setting = QComboBox(), QComboBox(), QComboBox()
        self.resolution, self.batch_size, self.threads, self.rounds = QSpinBox(), QSpinBox(), QSpinBox(), QSpinBox()
        self.tf32 = QCheckBox("TF32")
        self.work = TaskRow(context, "Measure", "Time the layers with PyTorch in a process of its own", "Layers timed")
        self.warning, self.note = QLabel(), QLabel(_NOTE)
        self.table, self.errors = MeasurementTable(context), ErrorTable(context)
        self.scatter = ScatterChart(
            context, "Predicted against measured", "Measure layers, and choose predictors of wall-clock times on the left."
        )
        #: Whether the errors are to be compared again when the page is next shown.
        self._stale = False
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._compare)
        self._build()
        self._connect()
        self.hub.load(context.predictions)
        context.predictions.submit(PRESETS_CHANNEL, _find_presets, self._show_presets, context.report)
        self._devices = context.tasks.run("looking for devices", find_devices)
        self._devices.succeeded.connect(self._show_devices)
        self._devices.failed.connect(self.work.complain)
        self._show_kept()

    # -- building -----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._build_boxes()
        set_role(self.warning, "warning")
        set_role(self.note, "muted")
        for label in (self.warning, self.note):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.warning.hide()
        first = header_row(self.what, self.resolution, self.batch_size)
        first.setStretch(0, 1)
        second = header_row(self.device, self.threads, self.rounds, self.tf32)
        second.setStretch(0, 1)
        self.work.put_start(first)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName("Measurements and errors")
        self.tabs.addTab(self._layers_pane(), "Layers")
        self.tabs.addTab(_pane(self.errors, self), "Errors of predictors")
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(self.tabs)
        self.split.addWidget(self.scatter)
        self.split.setSizes([520, 380])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID // 2)
        layout.setSpacing(GRID // 2)
        layout.addLayout(first)
        layout.addLayout(second)
        layout.addWidget(self.work)
        layout.addWidget(self.warning)
        layout.addWidget(self.split, 1)
        layout.addWidget(self.note)

    def _build_boxes(self) -> None:
        self.what.addItem("Current layer", "")
        self.device.addItem("CPU", "cpu")
        cores = os.cpu_count() or 1
        boxes: tuple[tuple[QWidget, str, str], ...] = (
            (self.what, "What to measure", "The layer of the panel on the left, or each distinct layer of a network"),
            (self.resolution, "Resolution of the network's input in px", "Height and width of the network's input"),
            (self.batch_size, "Batch size of the network in images", "Images at once"),
            (self.device, "Device to measure on", "What PyTorch computes on"),
            (self.threads, "Threads of PyTorch", f"Threads on the CPU, 1 to {cores}; 1 repeats best on shared cores"),
            (self.rounds, "Rounds over all layers", "The least of the rounds' medians counts; more rounds for a busy machine"),
            (self.tf32, "Let a GPU round fp32 to TF32", "Quicker and less exact; only GPUs that have it"),
            (self.setting, "Measurements to show", "Device, threads and PyTorch's version of the times shown in the window"),
        )
        for widget, name, tip in boxes:
            widget.setAccessibleName(name)
            widget.setToolTip(tip)
        self.resolution.setRange(1, LIMITS["input_height"])
        self.resolution.setSuffix(" px")
        self.resolution.setSingleStep(32)
        self.batch_size.setRange(1, LIMITS["batch_size"])
        self.batch_size.setPrefix("batch ")
        self.threads.setRange(1, cores)
        self.threads.setPrefix("threads ")
        self.rounds.setRange(1, 20)
        self.rounds.setPrefix("rounds ")
        for box in (self.what, self.device, self.setting):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(16)
        self.tf32.hide()
        self._what_changed()

    def _layers_pane(self) -> QWidget:
        self.forget_button = QToolButton()
        self.forget_button.setText("Forget")
        self.forget_button.setToolTip("Remove the selected measurements for good")
        return _pane(self.table, self, self.setting, self.forget_button)

    def _connect(self) -> None:
        self.what.activated.connect(self._what_changed)
        self.device.activated.connect(self._device_changed)
        self.work.wanted.connect(self.measure)
        self.work.running.connect(self._running)
        self.arrived.connect(self._row_arrived)
        self.forget_button.clicked.connect(self._forget)
        self.setting.activated.connect(self._setting_chosen)
        self.hub.changed.connect(self._show_kept)
        self.hub.failed.connect(self.work.complain)
        self.table.selectionModel().selectionChanged.connect(self._selection_changed)
        for signal in (self.context.state.selection_changed, self.context.models.progressed, self.context.models.finished):
            signal.connect(self._ask)

    # -- what to measure ----------------------------------------------------------------------------------------------

    def _show_presets(self, presets: list[Preset]) -> None:
        self._presets = {one.name: one for one in presets}
        for one in presets:
            self.what.addItem(f"Network: {one.title}", one.name)
        if "what" in self._wanted:
            self.restore(self._wanted)

    def _show_devices(self, devices: list[tuple[str, str]]) -> None:
        for name, title in devices:
            if name == "cpu":
                self.device.setItemText(0, f"CPU: {title}")
            else:
                self.device.addItem(f"{name}: {title}", name)
        if "device" in self._wanted:
            self.device.setCurrentIndex(max(self.device.findData(self._wanted["device"]), 0))
            self._device_changed()

    def _what_changed(self) -> None:
        preset = self._presets.get(self.what.currentData() or "")
        for box in (self.resolution, self.batch_size):
            box.setVisible(preset is not None)
        if preset is not None:
            self.resolution.setMinimum(preset.minimum_resolution)
            self.resolution.setValue(preset.default_resolution)

    def _device_changed(self) -> None:
        on_cpu = self.device.currentData() == "cpu"
        self.threads.setEnabled(on_cpu)
        self.tf32.setVisible(not on_cpu)

    def chosen_layers(self) -> Callable[[], list[ConvConfig]]:
        """Gives the layers that Measure times; for a worker thread, since a large network takes a moment to be unfolded."""
        preset, config = self._presets.get(self.what.currentData() or ""), self.context.state.config
        resolution, batch_size = self.resolution.value(), self.batch_size.value()

        def layers() -> list[ConvConfig]:
            from cnnpredict_gui.studies.layers import distinct_layers

            return [config] if preset is None else list(distinct_layers(preset.layers(resolution, batch_size)))

        return layers

    # -- measuring ----------------------------------------------------------------------------------------------------

    def measure(self) -> None:
        """Time the layers chosen."""
        layers, device = self.chosen_layers(), self.device.currentData()
        threads = self.threads.value() if device == "cpu" else 1
        tf32, rounds = self.tf32.isChecked(), self.rounds.value()

        def work(progress: Progress, cancelled: Cancelled) -> MeasureResult:
            from cnnpredict_gui.bench.measuring import MeasureRequest, measure

            request = MeasureRequest(layers(), device, threads, tf32, rounds)
            return measure(request, lambda _place, one: self.arrived.emit(one), progress, cancelled)

        self._rows = {}
        self.warning.hide()
        self.work.run(f"Measuring {self.what.currentText().lower()}", work, self._measured)
        self.work.progress.setFormat("%v of %m timings")

    def _row_arrived(self, one: Measurement) -> None:
        if self.work.busy:
            self._rows[one.config] = one
            self.table.set_rows(list(self._rows.values()))

    def _measured(self, result: MeasureResult) -> None:
        self.result = result
        warnings = result.conditions.warnings
        self.warning.setText("Doubtful times: " + "; ".join(warnings) + "." if warnings else "")
        self.warning.setVisible(bool(warnings))

    def _running(self, on: bool) -> None:
        if on:
            return
        arrived, self._rows = list(self._rows.values()), {}
        failed = [one for one in arrived if one.error]
        if failed:
            self.work.message.setText(f"{failed[0].config.label()} could not be measured: {failed[0].error}")
            self.work.message.show()
        self.hub.keep(arrived, self.context.tasks)
        self._show_kept()

    # -- showing ------------------------------------------------------------------------------------------------------

    def _show_kept(self) -> None:
        settings = self.hub.settings
        if [self.setting.itemData(place) for place in range(self.setting.count())] != settings:
            self.setting.clear()
            for one in settings:
                self.setting.addItem(one.title, one)
        if self.hub.setting is not None:
            self.setting.setCurrentIndex(settings.index(self.hub.setting))
        self.setting.setVisible(bool(settings))
        self._selection_changed()
        if not self._rows:
            self.table.set_rows(self.hub.shown[::-1])
        self._ask()

    def _setting_chosen(self) -> None:
        chosen = self.setting.currentData()
        if isinstance(chosen, Setting):
            self.hub.show_setting(chosen)

    def _forget(self) -> None:
        self.hub.forget(self.table.selected_rows(), self.context.tasks)

    def _selection_changed(self) -> None:
        selected = self.table.selected_rows()
        self.forget_button.setEnabled(bool(selected) and not self.work.busy)
        if len(selected) == 1:
            self.context.say(f"{selected[0].config.label()}: double-click to make it the current layer")

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._ask()

    def _ask(self) -> None:
        self._stale = not self.isVisible()
        if not self._stale and not self._soon.isActive():
            self._soon.start(0)

    def _compare(self) -> None:
        measurements = self.hub.shown
        predictors = self.context.models.chosen(self.context.state.selection)

        def work(_cancelled: Cancelled) -> list[MeasuredErrors]:
            from cnnpredict_gui.studies.measured import measured_errors

            return measured_errors(measurements, predictors)

        self.context.predictions.submit(CHANNEL, work, self._show_errors, self.work.complain)

    def _show_errors(self, errors: list[MeasuredErrors]) -> None:
        comparable = [one for one in errors if one.points]
        self.errors.set_rows(comparable)
        self.scatter.show_series(error_series(comparable, self.context.theme.current))

    # -- view ---------------------------------------------------------------------------------------------------------

    def busy(self) -> bool:
        """Whether something is still being measured, read or compared."""
        waiting = any(self.context.predictions.busy(name) for name in (CHANNEL, PRESETS_CHANNEL, "measurements"))
        return self.work.busy or self._devices.running or self._soon.isActive() or waiting

    def save(self) -> dict[str, Any]:
        """What to measure and how."""
        return {
            "what": self.what.currentData(),
            "resolution": self.resolution.value(),
            "batch_size": self.batch_size.value(),
            "device": self.device.currentData(),
            "threads": self.threads.value(),
            "rounds": self.rounds.value(),
            "columns": self.table.save_columns(),
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`save` gave; networks and devices once they are known."""
        self._wanted = dict(data)
        self.what.setCurrentIndex(max(self.what.findData(data.get("what", "")), 0))
        self._what_changed()
        self.device.setCurrentIndex(max(self.device.findData(data.get("device", "cpu")), 0))
        self._device_changed()
        for name in ("resolution", "batch_size", "threads", "rounds"):
            if isinstance(data.get(name), int):
                getattr(self, name).setValue(data[name])
        if isinstance(data.get("columns"), dict):
            self.table.restore_columns(data["columns"])


def _find_presets(_cancelled: Cancelled) -> list[Preset]:
    from cnnpredict_gui.studies.presets import list_presets

    return list_presets()


def find_devices(_progress: Progress, cancelled: Cancelled) -> list[tuple[str, str]]:
    """What PyTorch can compute on, as name and title; asked in a child process."""
    from cnnpredict_gui.bench.measuring import list_devices

    return list_devices(cancelled)


def _pane(table: MeasurementTable | ErrorTable, page: View, *tools: QWidget) -> QWidget:
    """A table below its tools and its export button."""
    pane = QWidget()
    layout = QVBoxLayout(pane)
    layout.setContentsMargins(0, GRID // 2, 0, 0)
    layout.setSpacing(GRID // 2)
    row: QHBoxLayout = header_row(*tools)
    row.addStretch(1)
    row.addWidget(export_button(table, lambda: page.context.theme.current, pane, page.context.report))
    if tools:
        row.setStretch(0, 3)
    layout.addLayout(row)
    layout.addWidget(table, 1)
    return pane
