"""The lower half of the Network view: tables of the layers and the sums, and what is not in the sum."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QLabel, QSplitter, QTabWidget, QVBoxLayout, QWidget

from cnnpredict_gui.core.names import FAMILIES
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import export_button
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.network_data import NetworkAnswer
from cnnpredict_gui.gui.network_tables import LAYER_TABLE, NOT_PREDICTED_TABLE, SUM_TABLE, NetworkTable
from cnnpredict_gui.gui.theme import GRID, set_role


class NetworkPanes(QSplitter):
    """Tables of an answer. Layers are named by their index into all layers of the network."""

    layer_selected = Signal(int)
    layer_activated = Signal(int)

    def __init__(self, context: AppContext) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.context = context
        self.layers = NetworkTable(context, "Layers", LAYER_TABLE)
        self.totals = NetworkTable(context, "Sums", SUM_TABLE)
        self.not_predicted = NetworkTable(context, "Not predicted", NOT_PREDICTED_TABLE)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.tabs.setUsesScrollButtons(False)
        self.tabs.setAccessibleName("Tables")
        self.tabs.addTab(self.layers, "Layers")
        self.tabs.addTab(self.totals, "Sums")
        self.tabs.setCornerWidget(self._exports())
        self.setChildrenCollapsible(False)
        self.addWidget(self.tabs)
        self.addWidget(self._aside())
        self.setStretchFactor(0, 3)
        self.setStretchFactor(1, 2)
        self.setSizes([620, 270])
        self.layers.activated.connect(self._activated)
        self.layers.selectionModel().currentRowChanged.connect(self._selected)

    def _aside(self) -> QWidget:
        """What no predictor was asked about, always in sight."""
        aside = QWidget()
        layout = QVBoxLayout(aside)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID // 2)
        title = QLabel("Not in the sum")
        set_role(title, "title")
        title.setToolTip("Layers that no predictor is trained on; the sum does not contain them")
        head = header_row(title)
        head.addStretch(1)
        head.addWidget(export_button(self.not_predicted, lambda: self.context.theme.current, self, self.context.report))
        layout.addLayout(head)
        layout.addWidget(self.not_predicted, 1)
        return aside

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

    # -- showing ------------------------------------------------------------------------------------------------------

    def show_answer(self, answer: NetworkAnswer, predictor: str) -> None:
        """Fill the tables; the layers' with the times of ``predictor``, or of the first one."""
        before = self.layers.answer
        for table in (self.layers, self.totals, self.not_predicted):
            table.answer = answer
        self.show_layers(answer, predictor)
        self.totals.set_rows(answer.prediction.results)
        self.not_predicted.set_rows(answer.prediction.not_predicted)
        if answer.is_measured != (before is not None and before.is_measured):
            for table in (self.layers, self.totals):
                table.show_columns(("measured_ms", "error_percent"), answer.is_measured)

    def show_layers(self, answer: NetworkAnswer, predictor: str) -> None:
        """Fill the table of the layers."""
        result = answer.result(predictor)
        self.layers.predictor = result.predictor if result else ""
        self.layers.set_rows(answer.rows(self.layers.predictor))
        of = f" · {result.target.device} · {FAMILIES[result.family]}" if result else ""
        self.tabs.setTabText(0, f"Layers{of}")
        self.tabs.setTabToolTip(0, "Times of the predictor looked at; click a bar of the sums to look at another")

    def select_layer(self, layer: int) -> None:
        """Select a layer in the table; :attr:`layer_selected` is not emitted."""
        for row, shown in enumerate(self.layers.shown_rows()):
            if shown.index == layer:
                with QSignalBlocker(self.layers.selectionModel()):
                    self.layers.selectRow(row)
                self.layers.viewport().update()
                self.layers.scrollTo(self.layers.rows_model.index(row, 0))

    def _selected(self) -> None:
        for row in self.layers.selected_rows()[:1]:
            self.layer_selected.emit(row.index)

    def _activated(self) -> None:
        for row in self.layers.selected_rows()[:1]:
            self.layer_activated.emit(row.index)
