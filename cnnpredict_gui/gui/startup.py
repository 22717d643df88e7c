"""Filling the window after it is visible, without making it stutter.

What has nothing to do with Qt is imported in a thread. What has is imported on the GUI thread, where alone Qt's classes may
be made (two threads that make them at once crash), in between letting the window live. Imports and pieces take turns: both
hold Python's lock, so side by side they would only slow each other down.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from PySide6.QtCore import QCoreApplication, QEventLoop, QObject, Qt, QThread, QTimer, Signal, Slot

#: What is imported off the GUI thread, in this order; pieces name the stage they need. Nothing here may import Qt.
STAGES: dict[str, tuple[str, ...]] = {
    "core": (
        "numpy",
        "pydantic",
        "cnnpredict_gui.core.config",
        "cnnpredict_gui.core.card",
        "cnnpredict_gui.core.table",
        "psutil",
        "multiprocessing.connection",
    ),
    "serving": (
        "cnnpredict_gui.infra.onnx_runtime",
        "cnnpredict_gui.serving.library",
        "cnnpredict_gui.studies.comparison",
        "cnnpredict_gui.studies.presets",
    ),
}
#: Seconds after which a thread must hand on Python's lock while something else wants it (Python's default is 0.005). Painting
#: lets go of the lock hundreds of times a frame, and may wait so long for it each time.
_SWITCH_INTERVAL = 0.0001
_SLICE_S = 0.008
#: A piece of work; one that is long returns an iterator, which is advanced a slice at a time.
Piece = Callable[[], Iterator[None] | None]


class _Pump(MetaPathFinder):
    """Finds nothing, but lets the window draw whenever an import on the GUI thread has taken a slice of time."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self._thread = threading.get_ident()

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if threading.get_ident() == self._thread and time.perf_counter() - self._last > _SLICE_S:
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
            self._last = time.perf_counter()
        return None


def pumped_import(*modules: str) -> None:
    """Import modules on the GUI thread while the window goes on drawing."""
    pump = _Pump()
    sys.meta_path.insert(0, pump)
    try:
        for module in modules:
            import_module(module)
    finally:
        sys.meta_path.remove(pump)


def make_qt_classes() -> Iterator[None]:
    """Have PySide make its classes one by one; pyqtgraph asks for all of them at once."""
    for name in ("QtCore", "QtGui", "QtWidgets", "QtSvg", "QtTest", "QtOpenGL", "QtOpenGLWidgets"):
        try:
            module = import_module(f"PySide6.{name}")
        except ImportError:  # left out of a slim build
            continue
        for attribute in dir(module):
            getattr(module, attribute, None)
            yield


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
        self._pieces: dict[str, deque[Piece]] = {stage: deque() for stage in STAGES}
        self._running: Iterator[None] | None = None
        self._last = list(STAGES)[-1]
        self._thread = _Importer()
        self._thread.reached.connect(self._run_next, Qt.ConnectionType.QueuedConnection)
        self._thread.broke.connect(self.broke, Qt.ConnectionType.QueuedConnection)

    def add(self, stage: str, piece: Piece) -> None:
        """Queue a piece that needs the imports of ``stage``."""
        self._pieces[stage].append(piece)

    def start(self) -> None:
        """Begin to import, unless the window was closed already."""
        if self._thread.stop:
            return
        sys.setswitchinterval(_SWITCH_INTERVAL)
        self._thread.start()

    @Slot(str)
    def _run_next(self, stage: str) -> None:
        if self._thread.stop:
            return
        try:
            more = self._work(stage)
        except Exception as error:
            self._abandon()
            self.broke.emit(error)
            return
        if more and not self._thread.stop:
            QTimer.singleShot(0, lambda: self._run_next(stage))
        elif not self._thread.stop:
            self._thread.go_on.release()
            if stage == self._last:
                self.finished.emit()

    def _work(self, stage: str) -> bool:
        """Do one piece, or a slice of a long one; false when nothing was left to do."""
        if self._running is not None:
            end = time.perf_counter() + _SLICE_S
            for _ in self._running:
                if time.perf_counter() > end:
                    return True
            self._running = None
            return True
        if not self._pieces[stage]:
            return False
        self._running = self._pieces[stage].popleft()()
        return True

    def _abandon(self) -> None:
        self._thread.stop = True
        self._running = None
        for waiting in self._pieces.values():
            waiting.clear()
        self._thread.go_on.release()

    def shutdown(self) -> None:
        """Wait for the imports to end."""
        self._abandon()
        self._thread.wait()
