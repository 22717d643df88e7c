"""System: whether the program is well, and what the machine does, live."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QButtonGroup, QGridLayout, QHBoxLayout, QLabel, QScrollArea, QToolButton, QVBoxLayout, QWidget

from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.health_panel import CHANNEL as HEALTH_CHANNEL
from cnnpredict_gui.gui.health_panel import HealthPanel
from cnnpredict_gui.gui.resource_strips import strips
from cnnpredict_gui.gui.strip_chart import StripChart, ago
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.gui.view import View

if TYPE_CHECKING:
    from cnnpredict_gui.bench.resources import Sample

WATCHER = "system page"
#: Spans of the charts in seconds, and how often (seconds) they are drawn anew: about every second pixel.
SPANS = {60: 1.0, 300: 2.0, 1800: 5.0}
_CHART_PX = 132


class SystemPage(View):
    """Health above, charts below. Watches the machine only while it is on screen."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.charts: list[StripChart] = []
        self.health = HealthPanel(context)
        self.facts = QLabel()
        set_role(self.facts, "muted")
        self.facts.setWordWrap(True)
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.spans = QButtonGroup(self)
        self._drawn = 0.0
        self._build()
        context.monitor.sampled.connect(self._on_sample)
        context.monitor.spans_changed.connect(self._on_marks)

    def _build(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(GRID // 2)
        row.addWidget(self.facts, 1)
        for seconds in SPANS:
            button = QToolButton()
            button.setText(ago(seconds))
            button.setCheckable(True)
            button.setChecked(seconds == min(SPANS))
            button.setAutoRaise(True)
            button.setAccessibleName(f"Show the last {ago(seconds)}")
            button.setToolTip(f"Show the last {ago(seconds)}")
            self.spans.addButton(button, seconds)
            row.addWidget(button)
        self.spans.idClicked.connect(self._on_span)
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(GRID)
        body = QWidget()
        body.setLayout(self._grid)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(self.area.Shape.NoFrame)
        self.area.setAccessibleName("Charts of the machine")
        self.area.setWidget(body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID // 2)
        layout.setSpacing(GRID // 2)
        layout.addWidget(self.health)
        layout.addLayout(row)
        layout.addWidget(self.area, 1)
        self.waiting = QLabel("Waiting for the first sample…")
        set_role(self.waiting, "muted")
        self.waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._grid.addWidget(self.waiting, 0, 0)

    # -- samples ------------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.context.monitor.watch(WATCHER, True)
        self.health.refresh()
        self._draw()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.context.monitor.watch(WATCHER, False)

    def _on_sample(self, sample: Sample) -> None:
        if not self.isVisible():
            return
        if not self.charts:
            self._make_charts(sample)
        if monotonic() - self._drawn >= SPANS[self.span_s()] - 0.5:
            self._draw()
        self.health.take(sample)

    def _make_charts(self, sample: Sample) -> None:
        self.waiting.deleteLater()
        monitor = self.context.monitor
        for place, strip in enumerate(strips(sample)):
            chart = StripChart(self.context, strip, monitor.log)
            chart.setMinimumHeight(_CHART_PX)
            self.charts.append(chart)
            self._grid.addWidget(chart, place // 2, place % 2)
        self._on_span(self.span_s())
        self._on_marks()
        self._show_facts(sample)

    def _show_facts(self, sample: Sample) -> None:
        from cnnpredict_gui.bench.machine import machine_name

        missing = [] if sample.temperatures else ["no temperatures offered"]
        gpus = ", ".join(gpu.name for gpu in sample.gpus) or self.context.monitor.gpu_problem
        self.facts.setText(" · ".join([machine_name(), gpus, *missing]))

    def _draw(self) -> None:
        self._drawn = monotonic()
        for chart in self.charts:
            chart.refresh()

    # -- what is shown ------------------------------------------------------------------------------------------------

    def span_s(self) -> int:
        """The time shown, in seconds."""
        return self.spans.checkedId()

    def _on_span(self, seconds: int) -> None:
        for chart in self.charts:
            chart.span_s = float(seconds)
        self._draw()

    def _on_marks(self) -> None:
        for chart in self.charts:
            chart.marks = self.context.monitor.spans
        self._draw()

    def busy(self) -> bool:
        return self.isVisible() and (not self.charts or self.context.predictions.busy(HEALTH_CHANNEL))

    def save(self) -> dict[str, Any]:
        return {"span_s": self.span_s()}

    def restore(self, data: dict[str, Any]) -> None:
        button = self.spans.button(data["span_s"]) if type(data.get("span_s")) is int else None
        if button is not None:
            button.setChecked(True)
            self._on_span(self.span_s())
