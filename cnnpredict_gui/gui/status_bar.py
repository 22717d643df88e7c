"""Status bar: models ready, memory, last prediction time, CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QLabel, QProgressBar, QStatusBar, QToolButton

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.format import sig3

if TYPE_CHECKING:
    from cnnpredict_gui.serving.library import ModelEntry

_REFRESH_MS = 2000
#: Channels whose answers are predictions for the screen; others read files or look after the machine.
_PREDICTIONS = ("compare", "sweep", "network")


class StatusBar(QObject):
    """Keeps the texts of a status bar up to date."""

    def __init__(self, bar: QStatusBar, context: AppContext) -> None:
        super().__init__(bar)
        self._context = context
        self._process = psutil.Process()
        psutil.cpu_percent()
        self.models = QToolButton()
        self.models.setAutoRaise(True)
        self.models.setToolTip("Show the models")
        self.models.clicked.connect(lambda: context.show_view("models"))
        self.progress = QProgressBar()
        self.progress.setMaximumWidth(160)
        self.progress.setMaximumHeight(12)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Models loaded")
        self.memory = self._label("Memory of the application", "1,000 MB")
        self.latency = self._label("Time from the last change to its predictions", "Prediction 9.99 ms")
        self.cpu = self._label("Load of all processors", "CPU 100 %")
        bar.clearMessage()
        for widget in (self.progress, self.models, self.memory, self.latency, self.cpu):
            bar.addPermanentWidget(widget)
        self._connect(context)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._measure)
        self._timer.start(_REFRESH_MS)
        self._measure()
        self.cpu.setText("CPU –")
        self._show_models(0, 0)

    def _label(self, tip: str, longest: str) -> QLabel:
        label = QLabel()
        label.setToolTip(tip)
        label.setContentsMargins(8, 0, 8, 0)
        label.setMinimumWidth(label.fontMetrics().horizontalAdvance(longest) + 18)
        return label

    def _connect(self, context: AppContext) -> None:
        context.models.scanned.connect(self._show_found)
        context.models.progressed.connect(self._show_models)
        context.models.finished.connect(self._show_all)
        context.models.failed.connect(self._show_failure)
        context.predictions.finished.connect(self._show_latency)

    def _show_found(self, entries: list[ModelEntry]) -> None:
        self._show_models(0, len(entries))

    def _show_all(self) -> None:
        self._show_models(0, 0)

    def _show_models(self, done: int, total: int) -> None:
        states = [entry.status for entry in self._context.models.entries]
        ready, failed = states.count("loaded"), states.count("failed")
        text = f"{ready} of {len(states)} models ready"
        self.models.setText(f"{text}, {failed} failed" if failed else text)
        self.progress.setVisible(self._context.models.loading and done < total)
        self.progress.setMaximum(max(total, 1))
        self.progress.setValue(done)

    def _show_latency(self, channel: str, ms: float) -> None:
        if channel in _PREDICTIONS:
            self.latency.setText(f"Prediction {sig3(ms)} ms")

    def _show_failure(self, error: CnnPredictError) -> None:
        self.models.setText("no models")
        self._context.report(error)

    def _measure(self) -> None:
        self.memory.setText(f"{self._process.memory_info().rss / 2**20:,.0f} MB")
        self.cpu.setText(f"CPU {psutil.cpu_percent():.0f} %")
