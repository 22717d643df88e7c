"""Filling the window after it is visible: heavy imports in a thread, then one piece per turn of the event loop."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from PySide6.QtCore import QObject, Qt, QThread, QTimer, Signal, Slot

#: What is imported off the GUI thread, in this order; each name starts the pieces that need it.
STAGES: dict[str, tuple[str, ...]] = {
    "core": ("numpy", "pydantic", "cnnpredict_gui.core.config", "cnnpredict_gui.core.card", "cnnpredict_gui.core.table"),
    "serving": ("cnnpredict_gui.serving.library",),
    "charts": ("PySide6.QtSvg", "pyqtgraph"),
}


class _Importer(QThread):
    reached = Signal(str)
    broke = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("imports")

    def run(self) -> None:
        try:
            for stage, modules in STAGES.items():
                for module in modules:
                    import_module(module)
                self.reached.emit(stage)
        except Exception as error:
            self.broke.emit(error)


class Startup(QObject):
    """Runs queued pieces one by one, each when its stage is reached and in a turn of the event loop of its own."""

    finished = Signal()
    broke = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pieces: list[tuple[str, Callable[[], None]]] = []
        self._reached: set[str] = set()
        self._waiting_turn = False
        self._thread = _Importer()
        self._thread.reached.connect(self._on_stage, Qt.ConnectionType.QueuedConnection)
        self._thread.broke.connect(self.broke, Qt.ConnectionType.QueuedConnection)

    def add(self, stage: str, piece: Callable[[], None]) -> None:
        """Queue a piece that needs the imports of ``stage``."""
        self._pieces.append((stage, piece))

    def start(self) -> None:
        """Begin to import."""
        self._thread.start()

    @Slot(str)
    def _on_stage(self, stage: str) -> None:
        self._reached.add(stage)
        self._next_turn()

    def _next_turn(self) -> None:
        if not self._waiting_turn:
            self._waiting_turn = True
            QTimer.singleShot(0, self._run_piece)

    def _run_piece(self) -> None:
        self._waiting_turn = False
        if self._pieces and self._pieces[0][0] in self._reached:
            _, piece = self._pieces.pop(0)
            try:
                piece()
            except Exception as error:
                self._pieces.clear()
                self.broke.emit(error)
                return
            if self._pieces:
                self._next_turn()
            else:
                self.finished.emit()

    def shutdown(self) -> None:
        """Wait for the imports to end."""
        self._pieces.clear()
        self._thread.wait()
