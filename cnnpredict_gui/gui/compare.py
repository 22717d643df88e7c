"""Compare: one layer, many predictors, live."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSplitter, QTabWidget, QToolButton, QVBoxLayout, QWidget

from cnnpredict_gui.core.names import FAMILIES, TIME_KINDS, TRAINED_FAMILIES
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.gui.agreement_chart import AgreementChart
from cnnpredict_gui.gui.compare_charts import AlgorithmChart, TimesChart
from cnnpredict_gui.gui.compare_data import CompareRequest, CompareResult, compute, in_short
from cnnpredict_gui.gui.compare_tables import PinnedTable, PredictionTable
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import export_button
from cnnpredict_gui.gui.gauge import Gauge
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.pinned_chart import PinnedChart
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.gui.turns import Turns
from cnnpredict_gui.gui.view import View

if TYPE_CHECKING:
    from cnnpredict_gui.serving.library import ModelEntry
    from cnnpredict_gui.serving.predictor import Predictor

CHANNEL = "compare"
#: Time between redraws while models arrive; afterwards every change is answered at once.
_LOADING_MS = 300
#: Letters of a reason below the table; its tooltip and the table have all.
_WHY_LETTERS = 80


class CompareView(View):
    """The main view: bars, dial, algorithms, agreement, table and pinned layers."""

    def __init__(self, context: AppContext, whole: bool = True) -> None:
        super().__init__(context)
        self.state = context.state
        self.result: CompareResult | None = None
        self._stale = True
        self.baseline = QComboBox()
        self.verdict = QLabel()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.refresh)
        self._later = Turns(self)
        self._build()
        if whole:
            for _ in self.pieces():
                pass

    # -- building -----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.side = _tabs("Details")
        self.right = _splitter(Qt.Orientation.Vertical)
        self.top = _splitter(Qt.Orientation.Horizontal)
        self.bottom = _tabs("Tables")
        self.split = _splitter(Qt.Orientation.Vertical)
        self.split.addWidget(self.top)
        self.split.addWidget(self.bottom)
        self.split.setStretchFactor(0, 3)
        self.split.setStretchFactor(1, 2)
        self.split.setSizes([430, 270])
        self.verdict.setWordWrap(True)
        self.verdict.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.verdict.setFixedHeight(2 * self.verdict.fontMetrics().lineSpacing())  # what is above must not move with it
        self.verdict.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID // 2, GRID, GRID // 2)
        layout.setSpacing(GRID // 2)
        layout.addWidget(self.split, 1)
        layout.addWidget(self.verdict)

    def pieces(self) -> Iterator[None]:
        self.times = TimesChart(self.context)
        yield
        self.top.addWidget(self.times)
        self.top.addWidget(self.right)
        self.top.setStretchFactor(0, 3)
        self.top.setStretchFactor(1, 2)
        yield
        self.gauge = Gauge(self.context)
        self.algorithms = AlgorithmChart(self.context)
        yield
        self.right.addWidget(self.gauge)
        self.right.addWidget(self.side)
        self.right.setSizes([190, 260])
        self.side.addTab(self.algorithms, "Algorithms")
        self.side.addTab(_holder(), "Agreement")
        self.top.setSizes([560, 360])
        yield
        self.table = PredictionTable(self.context)
        page = self._table_page()
        yield
        self.bottom.addTab(page, "Table")
        self.bottom.addTab(_holder(), "Pinned layers")
        yield
        self._connect()
        self.refresh()

    def _table_page(self) -> QWidget:
        page = QWidget()
        label = QLabel("Baseline")
        label.setBuddy(self.baseline)
        self.baseline.setAccessibleName("Baseline predictor")
        self.baseline.setToolTip("Others are compared to this predictor")
        self.baseline.setMinimumContentsLength(32)
        self.baseline.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.baseline.activated.connect(lambda _index: self.state.set_baseline(self.baseline.currentData() or ""))
        columns = QToolButton()
        columns.setText("Columns")
        columns.setAutoRaise(True)
        columns.setToolTip("Show and hide columns")
        columns.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        columns.setMenu(self.table.column_menu(columns))
        row = header_row(label)
        row.addWidget(self.baseline, 3)
        row.addStretch(1)
        row.addWidget(columns)
        row.addWidget(export_button(self.table, lambda: self.context.theme.current, page, self.context.report))
        return _page(page, row, self.table)

    def _pinned_page(self, chart: PinnedChart) -> QWidget:
        page = QWidget()
        self.pin_table = PinnedTable(self.context)
        row = header_row()
        for text, tip, slot in (
            ("Pin layer", "Keep the current layer for comparison (Ctrl+D)", lambda: self.state.pin()),
            ("Unpin", "Remove the selected pins", self._unpin),
            ("Unpin all", "Remove all pins", self.state.clear_pinned),
        ):
            button = QToolButton()
            button.setText(text)
            button.setToolTip(tip)
            button.clicked.connect(slot)
            row.addWidget(button)
        row.addStretch(1)
        split = _splitter(Qt.Orientation.Horizontal)
        split.addWidget(self.pin_table)
        split.addWidget(chart)
        split.setSizes([380, 480])
        split.setStretchFactor(1, 1)
        return _page(page, row, split)

    def _unpin(self) -> None:
        for pin in self.pin_table.selected_rows():
            self.state.unpin(pin.name)

    def _connect(self) -> None:
        state, models = self.state, self.context.models
        for signal in (
            state.config_changed,
            state.selection_changed,
            state.baseline_changed,
            state.focus_changed,
            state.pinned_changed,
        ):
            signal.connect(self._ask)
        for tabs in (self.side, self.bottom):
            tabs.currentChanged.connect(self._show_tabs)
        models.arrived.connect(self._model_arrived)
        models.finished.connect(self._ask)
        self.context.measurements.changed.connect(self._ask)
        self.context.measurements.load(self.context.predictions)

    # -- predicting ---------------------------------------------------------------------------------------------------

    def _model_arrived(self, entry: ModelEntry) -> None:
        if entry.name in self.state.selection:
            self._ask()

    @cached_property
    def agreement(self) -> AgreementChart:
        """Made when its tab is first opened: that keeps the start short."""
        chart = AgreementChart(self.context, self.state.set_focus)
        _put(self.side.widget(1), chart)
        return chart

    @cached_property
    def pinned(self) -> PinnedChart:
        """Made, with the list beside it, when its tab is first opened."""
        chart = PinnedChart(self.context)
        _put(self.bottom.widget(1), self._pinned_page(chart))
        return chart

    def _ask(self) -> None:
        self._stale = True
        if not self._soon.isActive():
            self._soon.start(_LOADING_MS if self.context.models.loading else 0)

    def activated(self) -> None:
        """Catch up with what changed while another view was in front."""
        if self._stale:
            self._ask()

    def busy(self) -> bool:
        """Whether predictions are on their way."""
        return self._soon.isActive() or self._later.waiting or self.context.predictions.busy(CHANNEL)

    def refresh(self) -> None:
        """Ask for predictions of the current state."""
        if self.result is not None and not self.isVisible():
            return
        self._stale = False
        predictors = tuple(sorted(self.context.models.chosen(self.state.selection), key=_order))
        targets = {predictor.target.name for predictor in predictors}
        peers = tuple(
            one
            for one in self.context.models.predictors.values()
            if one.target.name in targets and one.family in TRAINED_FAMILIES
        )
        request = CompareRequest(
            self.state.config,
            predictors,
            tuple(one for one in peers if "@" not in one.name),
            self.state.baseline,
            self.state.focus,
            tuple((pin.name, pin.config) for pin in self.state.pinned),
            self.context.measurements.find(self.state.config),
        )
        self.context.predictions.submit(CHANNEL, lambda _cancelled: compute(request), self.show_result, self.context.report)

    def show_result(self, result: CompareResult) -> None:
        """Bring everything on screen up to date: the times at once, the rest in turns of the event loop of their own."""
        self.result = result
        self.times.show_result(result)
        self.gauge.show_row(result.row(result.focus), result.config)
        self._show_verdict(result)
        self._later.start(self._show_table, self._show_side, self._show_pinned)

    def _show_table(self) -> None:
        if self.result is not None:
            self.table.show_result(self.result)
            self._show_baselines(self.result)

    def _show_tabs(self) -> None:
        """Draw the charts in the tabs that are open; the others are drawn when they are opened."""
        self._show_side()
        self._show_pinned()

    def _show_side(self) -> None:
        if self.result is not None:
            self.algorithms.show_result(self.result)
            if self.side.currentIndex() == 1:
                self.agreement.show_result(self.result)

    def _show_pinned(self) -> None:
        if self.result is not None and self.bottom.currentIndex() == 1:
            self.pinned.show_result(self.result)

    def _show_baselines(self, result: CompareResult) -> None:
        names = [row.predictor for row in result.rows]
        if [self.baseline.itemData(i) for i in range(self.baseline.count())] != names:
            self.baseline.clear()
            for row in result.rows:
                self.baseline.addItem(f"{row.target.title} · {FAMILIES[row.family]}", row.predictor)
        self.baseline.setCurrentIndex(self.baseline.findData(result.baseline))

    def _show_verdict(self, result: CompareResult) -> None:
        self.verdict.setText(in_short(result.rows, _WHY_LETTERS))
        self.verdict.setToolTip(in_short(result.rows))
        worst = max((row.prediction.status for row in result.rows), default=Status.IN_RANGE)
        role = {Status.REFUSED: "error", Status.EXTRAPOLATING: "warning"}.get(worst, "muted")
        set_role(self.verdict, role)

    # -- session ------------------------------------------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        """Grouping, axes, columns, tabs."""
        return {
            "group": self.times.group.currentData(),
            "log": self.times.log,
            "columns": self.table.save_columns(),
            "side": self.side.currentIndex(),
            "bottom": self.bottom.currentIndex(),
            "split": self.split.sizes(),
            "top": self.top.sizes(),
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`save` gave."""
        if data.get("group") == "family":
            self.times.group.setCurrentIndex(1)
        self.times.log_switch.setChecked(bool(data.get("log", True)))
        self.table.restore_columns(data.get("columns", {}))
        self.side.setCurrentIndex(int(data.get("side", 0)))
        self.bottom.setCurrentIndex(int(data.get("bottom", 0)))
        for splitter, key in ((self.split, "split"), (self.top, "top")):
            sizes = data.get(key)
            if isinstance(sizes, list) and len(sizes) == 2 and all(isinstance(size, int) for size in sizes):
                splitter.setSizes(sizes)


def _order(predictor: Predictor) -> tuple[int, str, str, int, str]:
    """Time kind, target, family: the order of the list on the left."""
    target = predictor.target
    family = list(FAMILIES).index(predictor.family)
    return list(TIME_KINDS).index(target.time_kind), target.title, target.name, family, predictor.name


def _tabs(name: str) -> QTabWidget:
    tabs = QTabWidget()
    tabs.setDocumentMode(True)
    tabs.setAccessibleName(name)
    return tabs


def _splitter(orientation: Qt.Orientation) -> QSplitter:
    splitter = QSplitter(orientation)
    splitter.setChildrenCollapsible(False)
    return splitter


def _holder() -> QWidget:
    """An empty page that is filled later."""
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(0, 0, 0, 0)
    return page


def _put(page: QWidget | None, content: QWidget) -> None:
    layout = page.layout() if page else None
    if layout is not None:
        layout.addWidget(content)


def _page(page: QWidget, row: QHBoxLayout, body: QWidget) -> QWidget:
    layout = QVBoxLayout(page)
    layout.setContentsMargins(0, GRID // 2, 0, 0)
    layout.setSpacing(GRID // 2)
    layout.addLayout(row)
    layout.addWidget(body, 1)
    return page
