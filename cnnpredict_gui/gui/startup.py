"""Filling the window after it is visible: heavy imports in a thread, then one piece per turn of the event loop.

Imports and pieces take turns: both hold Python's lock, so side by side they would only make the window stutter.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable
from importlib import import_module

from PySide6.QtCore import QObject, Qt, QThread, QTimer, Signal, Slot

#: What is imported off the GUI thread, in this order; pieces name the stage they need.
STAGES: dict[str, tuple[str, ...]] = {
    "core": ("numpy", "pydantic", "cnnpredict_gui.core.config", "cnnpredict_gui.core.card", "cnnpredict_gui.core.table"),
    "panels": (
        "cnnpredict_gui.gui.parameter_panel",
        "cnnpredict_gui.gui.predictor_tree",
        "cnnpredict_gui.gui.status_bar",
        "cnnpredict_gui.gui.workbench",
    ),
    "charts": ("pyqtgraph", "cnnpredict_gui.gui.compare"),
    "serving": ("onnxruntime", "cnnpredict_gui.serving.library", "cnnpredict_gui.studies.comparison"),
}
#: Seconds after which a thread must hand on Python's lock while something else wants it (Python's default is 0.005).
_SWITCH_INTERVAL = 0.0005


class _Importer(QThread):
    reached = Signal(str)
    broke = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("imports")
        self.go_on = threading.Semaphore(0)
        self.stop = False

    def run(self) -> None:
        try:
            for stage, modules in STAGES.items():
                for module in modules:
                    if self.stop:
                        return
                    import_module(module)
                self.reached.emit(stage)
                self.go_on.acquire()
        except Exception as error:
            self.broke.emit(error)


class Startup(QObject):
    """Runs queued pieces one by one, each when its stage is reached and in a turn of the event loop of its own."""

    finished = Signal()
    broke = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pieces: dict[str, deque[Callable[[], None]]] = {stage: deque() for stage in STAGES}
        self._last = list(STAGES)[-1]
        self._thread = _Importer()
        self._thread.reached.connect(self._run_next, Qt.ConnectionType.QueuedConnection)
        self._thread.broke.connect(self.broke, Qt.ConnectionType.QueuedConnection)

    def add(self, stage: str, piece: Callable[[], None]) -> None:
        """Queue a piece that needs the imports of ``stage``; a piece may itself add more."""
        self._pieces[stage].append(piece)

    def start(self) -> None:
        """Begin to import, unless the window was closed already."""
        if self._thread.stop:
            return
        sys.setswitchinterval(_SWITCH_INTERVAL)
        self._thread.start()

    @Slot(str)
    def _run_next(self, stage: str) -> None:
        waiting = self._pieces[stage]
        if waiting:
            try:
                waiting.popleft()()
            except Exception as error:
                self._abandon()
                self.broke.emit(error)
                return
            QTimer.singleShot(0, lambda: self._run_next(stage))
            return
        self._thread.go_on.release()
        if stage == self._last and not self._thread.stop:
            self.finished.emit()

    def _abandon(self) -> None:
        self._thread.stop = True
        for waiting in self._pieces.values():
            waiting.clear()
        self._thread.go_on.release()

    def shutdown(self) -> None:
        """Wait for the imports to end."""
        self._abandon()
        self._thread.wait()
