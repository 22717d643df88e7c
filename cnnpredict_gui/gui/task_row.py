"""One long task of a page at a time: its button, progress, Cancel, and the message of what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.resource_monitor import Span
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.gui.workers import Cancelled, Progress, Task


class TaskRow(QWidget):
    """Start button, progress bar and Cancel in a row, a message below. ``work`` of :meth:`run` reports done and total.

    The time a task takes is marked in the charts of the machine's resources.
    """

    #: The Start button was pressed.
    wanted = Signal()
    #: Whether a task runs now.
    running = Signal(bool)

    def __init__(self, context: AppContext, start: str, tip: str, progress: str) -> None:
        super().__init__()
        self.context = context
        self.task: Task | None = None
        self._elsewhere = False
        self._span: Span | None = None
        self.start, self.cancel = QPushButton(start), QPushButton("Cancel")
        self.progress, self.message = QProgressBar(), QLabel()
        self.start.setToolTip(tip)
        self.cancel.setToolTip("Stop now")
        self.progress.setAccessibleName(progress)
        self.progress.setFormat("%v of %m")
        set_role(self.message, "error")
        self.message.setWordWrap(True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.message.hide()
        row = header_row(self.start, self.progress, self.cancel)
        row.setStretch(1, 1)
        self.spacer = QLabel()
        row.addWidget(self.spacer, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID // 2)
        layout.addLayout(row)
        layout.addWidget(self.message)
        self.start.clicked.connect(self.wanted)
        self.cancel.clicked.connect(self.stop)
        self._show()

    @property
    def busy(self) -> bool:
        """Whether a task runs."""
        return self.task is not None

    def run(self, title: str, work: Callable[[Progress, Cancelled], Any], done: Callable[[Any], None]) -> Task:
        """Start a task, ending one that still runs; ``done`` gets its result."""
        self.stop()
        self.message.hide()
        self.progress.setRange(0, 0)
        self._span = self.context.monitor.begin(title)
        task = self.task = self.context.tasks.run(title, work)
        task.progress.connect(self._progressed)
        task.succeeded.connect(done)
        task.failed.connect(self.complain)
        task.ended.connect(self._ended)
        self._show()
        self.running.emit(True)
        return task

    def stop(self) -> None:
        """End the task."""
        if self.task is not None:
            self.task.cancel()

    def complain(self, error: CnnPredictError) -> None:
        """Say what went wrong."""
        self.message.setText(str(error))
        self.message.show()

    def _progressed(self, done: int, total: int) -> None:
        self.progress.setRange(0, max(total, 1))
        self.progress.setValue(done)

    def _ended(self) -> None:
        self.task = None
        if self._span is not None:
            self.context.monitor.end(self._span)
            self._span = None
        self._show()
        self.running.emit(False)

    def put_start(self, row: QHBoxLayout) -> None:
        """Have the Start button at the end of another row; this one then takes no room while nothing runs."""
        row.addWidget(self.start)
        self._elsewhere = True
        self._show()

    def _show(self) -> None:
        for widget in (self.progress, self.cancel):
            widget.setVisible(self.busy)
        self.spacer.setVisible(not self.busy and not self._elsewhere)
        self.start.setEnabled(not self.busy)
