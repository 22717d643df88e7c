"""Network: every layer of a whole network, the sum of its convolutions, and what is not predicted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtWidgets import (
    QComboBox,
    QCompleter,
    QDoubleSpinBox,
    QFileDialog,
    QLabel,
    QProgressBar,
    QSpinBox,
    QSplitter,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from cnnpredict_gui.core.config import DTYPES, LIMITS
from cnnpredict_gui.core.errors import CnnPredictError, OpenShapeError
from cnnpredict_gui.core.names import FAMILIES
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.dimensions_dialog import DimensionsDialog
from cnnpredict_gui.gui.drop import FileDrop
from cnnpredict_gui.gui.export import export_button
from cnnpredict_gui.gui.format import percent, scaled
from cnnpredict_gui.gui.layer_chart import LayerChart
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.live import LiveRequests
from cnnpredict_gui.gui.network_data import NetworkAnswer, NetworkRequest, compute, open_file
from cnnpredict_gui.gui.network_tables import LAYER_TABLE, NOT_PREDICTED_TABLE, SUM_TABLE, NetworkTable, SumChart
from cnnpredict_gui.gui.theme import GRID
from cnnpredict_gui.gui.view import View
from cnnpredict_gui.gui.workers import Cancelled, Progress, Task

if TYPE_CHECKING:
    from cnnpredict_gui.studies.network_source import OpenedNetwork
    from cnnpredict_gui.studies.own_presets import OwnPreset
    from cnnpredict_gui.studies.presets import Preset

CHANNEL, PRESETS_CHANNEL = "network", "network presets"
SUFFIXES = (".onnx", ".csv", ".parquet", ".json")
_FILTER = "Networks (*.onnx *.csv *.parquet *.json);;All files (*)"
_DEFAULT = "preset:resnet50"
_BATCH_AS_FILE, _TYPE_AS_FILE = "batch as is", "type as is"
_RHO_TIP = (
    "How much the errors of two layers have in common (ρ): 0 nothing, 1 everything. "
    "With distances d from a layer's time to the end of its interval, that of the sum is √((1 − ρ)·Σd² + ρ·(Σd)²)."
)


class NetworkView(View):
    """Bars along the network, sums, the layers' table, and a list of what no predictor was asked about."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.state = context.state
        self.answer: NetworkAnswer | None = None
        self.dialog: DimensionsDialog | None = None
        self._presets: dict[str, Preset] = {}
        self._own: dict[str, OwnPreset] = {}
        self._opened: OpenedNetwork | None = None
        self._path, self._dimensions = "", dict[str, int]()
        self._wanted: dict[str, Any] = {}
        self._task: Task | None = None
        self._stale = True
        self.network = QComboBox()
        self.resolution, self.batch_size = QSpinBox(), QSpinBox()
        self.dtype, self.rho = QComboBox(), QDoubleSpinBox()
        self.chart = LayerChart(context, self._choose_layer, self._take_over)
        self.sums = SumChart(context)
        self.layers = NetworkTable(context, "Layers", LAYER_TABLE)
        self.totals = NetworkTable(context, "Sums", SUM_TABLE)
        self.not_predicted = NetworkTable(context, "Not predicted", NOT_PREDICTED_TABLE)
        self.summary, self.help, self.message = QLabel(), QLabel(), QLabel()
        self.progress, self.cancel = QProgressBar(), QToolButton()
        self._requests = LiveRequests(context.predictions, CHANNEL, self.show_answer, self._complain, self)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.refresh)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(0)
        self._rest.timeout.connect(self._show_rest)
        self._build()
        self._connect()
        self._drop = FileDrop(self, SUFFIXES, self.open_path)
        self.reload()

    # -- building -----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.network.setEditable(True)
        self.network.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.network.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.network.setMinimumContentsLength(14)
        self.network.setMaxVisibleItems(24)
        self.network.setToolTip("Network: type to search")
        completer = self.network.completer()
        if completer is not None:
            completer.setFilterMode(Qt.MatchFlag.MatchContains)
            completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        self.resolution.setRange(1, LIMITS["input_height"])
        self.resolution.setValue(224)
        self.resolution.setSuffix(" px")
        self.resolution.setSingleStep(32)
        self.batch_size.setRange(1, LIMITS["batch_size"])
        self.batch_size.setPrefix("batch ")
        self.batch_size.setToolTip("Images at once")
        for name in DTYPES:
            self.dtype.addItem(name, name)
        self.dtype.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.dtype.setToolTip("Element type of the convolutions")
        self.rho.setRange(0.0, 1.0)
        self.rho.setSingleStep(0.1)
        self.rho.setDecimals(2)
        self.rho.setValue(0.5)
        self.rho.setToolTip(_RHO_TIP)
        names: tuple[tuple[QWidget, str], ...] = (
            (self.network, "Network to predict"),
            (self.resolution, "Resolution of the network's input in px"),
            (self.batch_size, "Batch size of the network in images"),
            (self.dtype, "Element type of the network"),
            (self.rho, "Correlation of the layers' errors, 0 to 1"),
            (self.progress, "Progress of opening"),
        )
        for widget, name in names:
            widget.setAccessibleName(name)
        self.cancel.setText("Cancel")
        self.cancel.setToolTip("Stop opening the file")
        self.progress.setMaximumWidth(120)
        self.progress.setRange(0, 0)
        self.message.setProperty("role", "error")
        self.help.setProperty("role", "muted")
        for label in (self.summary, self.help, self.message):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.message.hide()
        self.progress.hide()
        self.cancel.hide()
        self._place()

    def _place(self) -> None:
        self.open_button = QToolButton()
        self.open_button.setText("Open file…")
        self.open_button.setToolTip(
            "Open an ONNX file, a table of layers (CSV, Parquet) or an exported preset; or drop it here"
        )
        rho_label = QLabel("ρ")
        rho_label.setToolTip(_RHO_TIP)
        rho_label.setBuddy(self.rho)
        row = header_row(
            self.network, self.open_button, self.resolution, self.batch_size, self.dtype, rho_label, self.rho, self.progress
        )
        row.addWidget(self.cancel)
        row.setStretch(0, 1)
        self.top = _splitter(Qt.Orientation.Horizontal, self.chart, self.sums, (500, 400))
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.tabs.setUsesScrollButtons(False)
        self.tabs.setAccessibleName("Tables")
        self.tabs.addTab(self.layers, "Layers")
        self.tabs.addTab(self.totals, "Sums")
        self.tabs.setCornerWidget(self._exports())
        aside = QWidget()
        layout = QVBoxLayout(aside)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID // 2)
        title = QLabel("Not in the sum")
        title.setProperty("role", "title")
        title.setToolTip("Layers that no predictor is trained on; the sum does not contain them")
        head = header_row(title)
        head.addStretch(1)
        head.addWidget(export_button(self.not_predicted, lambda: self.context.theme.current, self, self.context.report))
        layout.addLayout(head)
        layout.addWidget(self.not_predicted, 1)
        self.bottom = _splitter(Qt.Orientation.Horizontal, self.tabs, aside, (620, 270))
        self.split = _splitter(Qt.Orientation.Vertical, self.top, self.bottom, (400, 260))
        page = QVBoxLayout(self)
        page.setContentsMargins(GRID, GRID, GRID, GRID // 2)
        page.setSpacing(GRID // 2)
        page.addLayout(row)
        for label in (self.message, self.summary):
            page.addWidget(label)
        page.addWidget(self.split, 1)
        page.addWidget(self.help)

    def _exports(self) -> QWidget:
        """Export buttons of the two tables; the one of the table in front is shown."""
        box = QWidget()
        row = header_row()
        box.setLayout(row)
        self._export_buttons = [
            export_button(table, lambda: self.context.theme.current, box, self.context.report)
            for table in (self.layers, self.totals)
        ]
        for button in self._export_buttons:
            row.addWidget(button)
        self.tabs.currentChanged.connect(self._show_export)
        self._show_export(0)
        return box

    def _show_export(self, index: int) -> None:
        for number, button in enumerate(self._export_buttons):
            button.setVisible(number == index)

    def _connect(self) -> None:
        state, models = self.state, self.context.models
        state.selection_changed.connect(self._ask)
        state.focus_changed.connect(self._focus_changed)
        models.progressed.connect(self._ask)
        models.finished.connect(self._ask)
        self.network.activated.connect(self._network_chosen)
        self.resolution.valueChanged.connect(self._ask)
        self.batch_size.valueChanged.connect(self._ask)
        self.dtype.activated.connect(self._ask)
        self.rho.valueChanged.connect(self._ask)
        self.open_button.clicked.connect(self._open_dialog)
        self.cancel.clicked.connect(self._cancel)
        self.layers.activated.connect(self._layer_activated)
        self.layers.selectionModel().currentRowChanged.connect(self._layer_selected)

    # -- presets ------------------------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Read the presets in the background."""

        def work(_cancelled: Cancelled) -> tuple[list[Preset], list[OwnPreset]]:
            from cnnpredict_gui.studies.own_presets import OwnPresets
            from cnnpredict_gui.studies.presets import list_presets

            return list_presets(), OwnPresets().list()

        self.context.predictions.submit(PRESETS_CHANNEL, work, self._show_presets, self._complain)

    def _show_presets(self, found: tuple[list[Preset], list[OwnPreset]]) -> None:
        presets, own = found
        self._presets = {f"preset:{one.name}": one for one in presets}
        self._own = {f"own:{one.name}": one for one in own}
        wanted = self.network.currentData() or self._wanted.pop("network", "") or _DEFAULT
        with QSignalBlocker(self.network):
            self.network.clear()
            if self._opened is not None:
                self.network.addItem(f"{Path(self._path).name} (file)", "file")
            for key, one in self._own.items():
                self.network.addItem(f"{one.name} (own)", key)
            for key, preset in self._presets.items():
                self.network.addItem(preset.title, key)
            self.network.setCurrentIndex(max(self.network.findData(wanted), 0))
        self._show_source()
        self._ask()

    def _network_chosen(self) -> None:
        self._show_source()
        self._ask()

    def _show_source(self) -> None:
        """Fit the boxes to the chosen network: only presets have a choice of resolution."""
        preset = self._presets.get(self.network.currentData() or "")
        wanted, self._wanted = self._wanted, {}
        with QSignalBlocker(self.resolution), QSignalBlocker(self.batch_size):
            self.resolution.setVisible(preset is not None)
            if preset is not None:
                self.resolution.setToolTip(f"Height and width of the network's input, at least {preset.minimum_resolution} px")
                self.resolution.setMinimum(preset.minimum_resolution)
                self.resolution.setValue(int(wanted.get("resolution", preset.default_resolution)))
            self.batch_size.setMinimum(1 if preset else 0)
            self.batch_size.setSpecialValueText("" if preset else _BATCH_AS_FILE)
            self.batch_size.setValue(int(wanted.get("batch_size", self.batch_size.value() if preset else 0)))
        has_choice = self.dtype.findData("") >= 0
        if preset is None and not has_choice:
            self.dtype.insertItem(0, _TYPE_AS_FILE, "")
            self.dtype.setCurrentIndex(0)
        elif preset is not None and has_choice:
            self.dtype.removeItem(self.dtype.findData(""))
        if "dtype" in wanted:
            self.dtype.setCurrentIndex(max(self.dtype.findData(wanted["dtype"]), 0))

    # -- files --------------------------------------------------------------------------------------------------------

    def _open_dialog(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a network", "", _FILTER)
        if path:
            self.open_path(path)

    def open_file(self, path: str) -> bool:
        """Open a network."""
        if not path.lower().endswith(SUFFIXES):
            return False
        self.open_path(path)
        return True

    def open_path(self, path: str, dimensions: dict[str, int] | None = None) -> Task:
        """Read a file in the background; ask for extents it leaves open."""
        if self._task is not None:
            self._task.cancel()
        given = dict(dimensions or {})

        def work(_progress: Progress, cancelled: Cancelled) -> OpenedNetwork:
            return open_file(path, given, cancelled)

        self._path, self._dimensions = path, given
        self.message.hide()
        task = self._task = self.context.tasks.run(f"Opening {Path(path).name}", work)
        self.progress.show()
        self.cancel.show()
        task.succeeded.connect(self._file_opened)
        task.failed.connect(self._file_failed)
        task.ended.connect(self._file_ended)
        return task

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _file_ended(self) -> None:
        self._task = None
        self.progress.hide()
        self.cancel.hide()

    def _file_opened(self, network: OpenedNetwork) -> None:
        self._opened = network
        with QSignalBlocker(self.network):
            index = self.network.findData("file")
            if index >= 0:
                self.network.removeItem(index)
            self.network.insertItem(0, f"{Path(self._path).name} (file)", "file")
            self.network.setCurrentIndex(0)
        self._show_source()
        self._ask()

    def _file_failed(self, error: CnnPredictError) -> None:
        if not isinstance(error, OpenShapeError):
            self._complain(error)
            return
        dialog = self.dialog = DimensionsDialog(Path(self._path).name, error.dimensions, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted.connect(self._dimensions_given)
        dialog.finished.connect(self._dialog_closed)
        dialog.open()

    def _dimensions_given(self) -> None:
        if self.dialog is not None:
            self.open_path(self._path, self._dimensions | self.dialog.values())

    def _dialog_closed(self) -> None:
        self.dialog = None

    # -- predicting ---------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        self._stale = True
        if not self._soon.isActive():
            self._soon.start()

    def activated(self) -> None:
        """Catch up with what changed while another view was in front."""
        if self._stale:
            self._ask()

    def busy(self) -> bool:
        """Whether presets, a file or predictions are on their way."""
        waiting = self._requests.busy or self.context.predictions.busy(PRESETS_CHANNEL)
        return waiting or self._soon.isActive() or self._rest.isActive() or self._task is not None

    def refresh(self) -> None:
        """Ask for predictions of the current state."""
        key = self.network.currentData()
        if not key or (self.answer is not None and not self.isVisible()):
            return
        self._stale = False
        preset = self._presets.get(key)
        source = self._opened if key == "file" else preset.name if preset else key.removeprefix("own:")
        if source is None:
            return
        request = NetworkRequest(
            source,
            self.resolution.value() if preset else None,
            self.batch_size.value(),
            self.dtype.currentData() or "",
            self.rho.value(),
            tuple(self.context.models.chosen(self.state.selection)),
        )
        self._requests.submit(lambda cancelled: compute(request, cancelled))

    def _complain(self, error: CnnPredictError) -> None:
        self.message.setText(str(error))
        self.message.show()

    def show_answer(self, answer: NetworkAnswer) -> None:
        """Bring everything on screen up to date."""
        self.answer = answer
        self.message.hide()
        self.chart.show_answer(answer)
        self._rest.start()

    def _show_rest(self) -> None:
        """Sums, tables and texts, in a turn of the event loop of their own."""
        answer = self.answer
        if answer is None:
            return
        self.sums.show_answer(answer)
        for table in (self.layers, self.totals, self.not_predicted):
            table.answer = answer
        self._show_layers()
        self.totals.set_rows(answer.prediction.results)
        self.not_predicted.set_rows(answer.prediction.not_predicted)
        self._show_texts(answer)

    def _show_layers(self) -> None:
        if self.answer is None:
            return
        result = self.answer.result(self.state.focus)
        self.layers.predictor = result.predictor if result else ""
        self.layers.set_rows(self.answer.rows(self.layers.predictor))
        of = f" · {result.target.device} · {FAMILIES[result.family]}" if result else ""
        self.tabs.setTabText(0, f"Layers{of}")
        self.tabs.setTabToolTip(0, "Times of the predictor looked at; click a bar of the sums to look at another")

    def _focus_changed(self) -> None:
        self._show_layers()
        if self.answer is not None:
            self.sums.show_answer(self.answer)

    def _show_texts(self, answer: NetworkAnswer) -> None:
        from cnnpredict_gui.studies.network import SUM_NOTES

        totals = answer.totals
        part = percent(100 * totals.convolution_macs / totals.macs) if totals.macs else "–"
        others = sum(one.count for one in answer.prediction.not_predicted)
        rest = "1 other layer is" if others == 1 else f"{others:,} other layers are"
        self.summary.setText(
            f"<b>{answer.network.title}</b>: {totals.convolutions:,} convolutions "
            f"({totals.distinct_convolutions:,} different ones) with {part} of {scaled(totals.macs).strip()} MACs, "
            f"{scaled(totals.parameters).strip()} parameters; {rest} not in the sum."
        )
        self.summary.setToolTip(answer.network.source)
        kinds = dict.fromkeys(result.target.time_kind for result in answer.prediction.results)
        notes = "".join(f" · {SUM_NOTES[kind][0].upper()}{SUM_NOTES[kind][1:]}." for kind in kinds)
        self.help.setText(
            f"Interval of the sum: errors of layers are taken as partly common (ρ = {answer.prediction.rho:g}), "
            f"so neither simply added nor independent.{notes}"
        )
        self.help.setToolTip(_RHO_TIP)

    # -- layers -------------------------------------------------------------------------------------------------------

    def _choose_layer(self, layer: int) -> None:
        """Select a layer in the table, which marks it in the chart."""
        self.chart.show_layer(layer)
        for row, shown in enumerate(self.layers.shown_rows()):
            if shown.index == layer:
                with QSignalBlocker(self.layers.selectionModel()):
                    self.layers.selectRow(row)
                self.layers.viewport().update()
                self.layers.scrollTo(self.layers.proxy.index(row, 0))

    def _layer_selected(self) -> None:
        rows = self.layers.selected_rows()
        if rows:
            self.chart.show_layer(rows[0].index)

    def _layer_activated(self) -> None:
        rows = self.layers.selected_rows()
        if rows:
            self._take_over(rows[0].index)

    def _take_over(self, layer: int) -> None:
        """Make a layer of the network the layer of the panel."""
        if self.answer is None:
            return
        found = self.answer.prediction.layers[layer]
        if found.config is None:
            self.context.say(f"{found.name} is not predicted: {found.reason}")
            return
        self.state.set_config(found.config, f"choice of layer {found.name}")
        self.context.say(f"Layer: {found.name}, {found.config.label()}")

    # -- session ------------------------------------------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        """Network, its size, axes and layout."""
        return {
            "network": self.network.currentData() or "",
            "file": self._path if self._opened is not None else "",
            "dimensions": dict(self._dimensions),
            "resolution": self.resolution.value(),
            "batch_size": self.batch_size.value(),
            "dtype": self.dtype.currentData() or "",
            "rho": self.rho.value(),
            "log": self.chart.log.isChecked(),
            "same": self.chart.same.isChecked(),
            "columns": self.layers.save_columns(),
            "tab": self.tabs.currentIndex(),
            "split": self.split.sizes(),
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`save` gave; a file that was open is read again."""
        self._wanted = {
            key: data[key] for key, kind in _KEPT.items() if key in data and isinstance(data[key], kind) and data[key] != ""
        }
        self.rho.setValue(float(data.get("rho", 0.5)))
        self.chart.log.setChecked(bool(data.get("log", False)))
        self.chart.same.setChecked(bool(data.get("same", True)))
        self.layers.restore_columns(data.get("columns", {}))
        self.tabs.setCurrentIndex(int(data.get("tab", 0)))
        sizes = data.get("split")
        if isinstance(sizes, list) and len(sizes) == 2 and all(isinstance(size, int) for size in sizes):
            self.split.setSizes(sizes)
        if data.get("network") == "file":
            self._wanted.pop("network", None)
            if Path(str(data.get("file", ""))).is_file():
                dimensions = data.get("dimensions", {})
                self.open_path(str(data["file"]), {str(k): int(v) for k, v in dict(dimensions).items()})


_KEPT: dict[str, type] = {"network": str, "resolution": int, "batch_size": int, "dtype": str}


def _splitter(orientation: Qt.Orientation, first: QWidget, second: QWidget, sizes: tuple[int, int]) -> QSplitter:
    made = QSplitter(orientation)
    made.setChildrenCollapsible(False)
    made.addWidget(first)
    made.addWidget(second)
    made.setStretchFactor(0, 3)
    made.setStretchFactor(1, 2)
    made.setSizes(list(sizes))
    return made
