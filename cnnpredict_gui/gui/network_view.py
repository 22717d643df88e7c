"""Network: every layer of a whole network, the sum of its convolutions, and what is not predicted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QLabel,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.drop import FileDrop
from cnnpredict_gui.gui.file_dialogs import ask_to_open
from cnnpredict_gui.gui.format import percent, scaled
from cnnpredict_gui.gui.layer_chart import LayerChart
from cnnpredict_gui.gui.live import LiveRequests
from cnnpredict_gui.gui.network_choice import RHO_TIP, NetworkChoice
from cnnpredict_gui.gui.network_data import NetworkAnswer, compute
from cnnpredict_gui.gui.network_opening import NetworkOpening
from cnnpredict_gui.gui.network_panes import NetworkPanes
from cnnpredict_gui.gui.network_tables import SumChart
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.gui.turns import Turns
from cnnpredict_gui.gui.view import View
from cnnpredict_gui.gui.workers import Cancelled, Task

if TYPE_CHECKING:
    from cnnpredict_gui.studies.network_source import OpenedNetwork
    from cnnpredict_gui.studies.own_presets import OwnPreset
    from cnnpredict_gui.studies.presets import Preset

CHANNEL, PRESETS_CHANNEL = "network", "network presets"
SUFFIXES = (".onnx", ".csv", ".parquet", ".json")
_FILTER = "Networks (*.onnx *.csv *.parquet *.json);;All files (*)"


class NetworkView(View):
    """Bars along the network, sums, the layers' table, and a list of what no predictor was asked about."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.state = context.state
        self.answer: NetworkAnswer | None = None
        self._stale = True
        self.choice = NetworkChoice()
        self.opening = NetworkOpening(context.tasks, self)
        self.chart = LayerChart(context, self._choose_layer, self._take_over)
        self.sums = SumChart(context)
        self.panes = NetworkPanes(context)
        self.summary, self.help, self.message = QLabel(), QLabel(), QLabel()
        self._requests = LiveRequests(context.predictions, CHANNEL, self.show_answer, self._complain, self)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.refresh)
        self._later = Turns(self)
        self._place()
        self._connect()
        self._drop = FileDrop(self, SUFFIXES, self.open_path)
        self.reload()

    # -- building -----------------------------------------------------------------------------------------------------

    def _place(self) -> None:
        set_role(self.message, "error")
        set_role(self.help, "muted")
        self.help.setToolTip(RHO_TIP)
        for label in (self.summary, self.help, self.message):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.message.hide()
        self.top = _splitter(Qt.Orientation.Horizontal, self.chart, self.sums, (500, 400))
        self.split = _splitter(Qt.Orientation.Vertical, self.top, self.panes, (400, 260))
        page = QVBoxLayout(self)
        page.setContentsMargins(GRID, GRID, GRID, GRID // 2)
        page.setSpacing(GRID // 2)
        page.addWidget(self.choice)
        for label in (self.message, self.summary):
            page.addWidget(label)
        page.addWidget(self.split, 1)
        page.addWidget(self.help)

    def _connect(self) -> None:
        state, models = self.state, self.context.models
        state.selection_changed.connect(self._ask)
        state.focus_changed.connect(self._focus_changed)
        models.progressed.connect(self._ask)
        models.finished.connect(self._ask)
        self.context.measurements.changed.connect(self._ask)
        self.context.measurements.load(self.context.predictions)
        choice, opening = self.choice, self.opening
        choice.changed.connect(self._ask)
        choice.open_button.clicked.connect(self._open_dialog)
        choice.cancel.clicked.connect(opening.cancel)
        opening.running.connect(choice.show_opening)
        opening.opened.connect(self._file_opened)
        opening.failed.connect(self._complain)
        self.panes.layer_selected.connect(self.chart.show_layer)
        self.panes.layer_activated.connect(self._take_over)

    # -- presets ------------------------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Read the presets in the background."""

        def work(_cancelled: Cancelled) -> tuple[list[Preset], list[OwnPreset]]:
            from cnnpredict_gui.studies.own_presets import OwnPresets
            from cnnpredict_gui.studies.presets import list_presets

            return list_presets(), OwnPresets().list()

        self.context.predictions.submit(PRESETS_CHANNEL, work, self._show_presets, self._complain)

    def _show_presets(self, found: tuple[list[Preset], list[OwnPreset]]) -> None:
        self.choice.show_presets(*found)

    # -- files --------------------------------------------------------------------------------------------------------

    def _open_dialog(self) -> None:
        path = ask_to_open(self, "Open a network", _FILTER)
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
        self.message.hide()
        return self.opening.open(path, dimensions)

    def _file_opened(self, network: OpenedNetwork) -> None:
        self.choice.show_file(network, Path(self.opening.path).name)

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
        return waiting or self._soon.isActive() or self._later.waiting or self.chart.busy or self.opening.busy

    def refresh(self) -> None:
        """Ask for predictions of the current state."""
        if self.answer is not None and not self.isVisible():
            return
        request = self.choice.request(tuple(self.context.models.chosen(self.state.selection)))
        if request is not None:
            request = replace(request, measured=tuple(self.context.measurements.shown))
            self._stale = False
            self._requests.submit(lambda cancelled: compute(request, cancelled))

    def _complain(self, error: CnnPredictError) -> None:
        self.message.setText(str(error))
        self.message.show()

    def show_answer(self, answer: NetworkAnswer) -> None:
        """Bring everything on screen up to date: the layers at once, the rest in turns of the event loop of their own."""
        self.answer = answer
        self.message.hide()
        self.chart.show_answer(answer)
        self._later.start(self._show_sums, self._show_tables, self._show_texts)

    def _show_sums(self) -> None:
        if self.answer is not None:
            self.sums.show_answer(self.answer)

    def _show_tables(self) -> None:
        if self.answer is not None:
            self.panes.show_answer(self.answer, self.state.focus)

    def _focus_changed(self) -> None:
        if self.answer is not None:
            self.panes.show_layers(self.answer, self.state.focus)
        self._show_sums()

    def _show_texts(self) -> None:
        from cnnpredict_gui.studies.network import SUM_NOTES

        answer = self.answer
        if answer is None:
            return
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

    # -- layers -------------------------------------------------------------------------------------------------------

    def _choose_layer(self, layer: int) -> None:
        """Select a layer in the table, which marks it in the chart."""
        self.chart.show_layer(layer)
        self.panes.select_layer(layer)

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
        return self.choice.save() | {
            "file": self.opening.path if self.choice.opened is not None else "",
            "dimensions": dict(self.opening.dimensions),
            "log": self.chart.log.isChecked(),
            "same": self.chart.same.isChecked(),
            "columns": self.panes.layers.save_columns(),
            "tab": self.panes.tabs.currentIndex(),
            "split": self.split.sizes(),
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`save` gave; a file that was open is read again."""
        self.choice.restore(data)
        self.chart.log.setChecked(bool(data.get("log", False)))
        self.chart.same.setChecked(bool(data.get("same", True)))
        self.panes.layers.restore_columns(data.get("columns", {}))
        self.panes.tabs.setCurrentIndex(int(data.get("tab", 0)))
        sizes = data.get("split")
        if isinstance(sizes, list) and len(sizes) == 2 and all(isinstance(size, int) for size in sizes):
            self.split.setSizes(sizes)
        if data.get("network") == "file" and Path(str(data.get("file", ""))).is_file():
            dimensions = data.get("dimensions", {})
            self.open_path(str(data["file"]), {str(k): int(v) for k, v in dict(dimensions).items()})


def _splitter(orientation: Qt.Orientation, first: QWidget, second: QWidget, sizes: tuple[int, int]) -> QSplitter:
    made = QSplitter(orientation)
    made.setChildrenCollapsible(False)
    made.addWidget(first)
    made.addWidget(second)
    made.setStretchFactor(0, 3)
    made.setStretchFactor(1, 2)
    made.setSizes(list(sizes))
    return made
