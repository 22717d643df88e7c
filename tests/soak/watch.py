"""What a walk is watched for: errors nobody caught, Qt's complaints, stalls, and what is left behind."""

from __future__ import annotations

import gc
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from types import TracebackType

import psutil
from PySide6.QtCore import QMessageLogContext, QObject, QTimer, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from cnnpredict_gui.core.errors import CnnPredictError, WorkerError
from cnnpredict_gui.infra.memory import give_memory_back

#: Longest turn of the event loop in ms, and growth of memory, that a long walk may have.
STALL_MS, GROWTH = 100.0, 0.05
#: Messages of the off-screen platform and of readers that are given damaged files: nobody's fault.
_HARMLESS = (
    "not accepted by receiving widget",
    "propagateSizeHints",
    "This plugin does not support",
    "libpng",
    "QFont::setP",
)
_STALLS_KEPT = 12


@dataclass(frozen=True)
class Stall:
    """A long turn of the event loop: wall clock and processor time of the GUI thread in ms, and the move before it."""

    wall_ms: float
    cpu_ms: float
    move: str


@dataclass(frozen=True)
class Sample:
    """What the process holds when the window is at rest; ``seconds`` since the walk began."""

    seconds: float
    memory_mb: float
    threads: int
    files: int
    children: int
    widgets: int


class Watch(QObject):
    """Listens from :meth:`start` to :meth:`stop`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.move = "start"
        self.problems: list[str] = []
        self.stalls: list[Stall] = []
        self.turns = 0
        self.samples: list[Sample] = []
        self._begin = time.perf_counter()
        self._process = psutil.Process()
        self._timer = QTimer(self)
        self._timer.setInterval(1)
        self._timer.timeout.connect(self._tick)
        self._last = (0.0, 0.0)
        self._hooks: tuple[Callable[..., object], Callable[..., object]] = (sys.excepthook, threading.excepthook)

    def start(self) -> None:
        """Begin to listen."""
        self._hooks = sys.excepthook, threading.excepthook
        sys.excepthook = self._on_exception
        threading.excepthook = lambda args: self._note(args.exc_value)
        qInstallMessageHandler(self._on_message)
        self.listen()

    def stop(self) -> None:
        """Give everything back."""
        self._timer.stop()
        sys.excepthook, threading.excepthook = self._hooks
        qInstallMessageHandler(None)

    def listen(self) -> None:
        """Measure turns from now on."""
        self._last = _clocks()
        self._timer.start()

    def pause(self) -> None:
        """Do not measure turns: the walk itself is busy."""
        self._timer.stop()

    @contextmanager
    def not_counted(self) -> Iterator[None]:
        """Leave what the walk does here out of the turn: no user looks through all widgets of the program."""
        before = _clocks()
        yield
        now = _clocks()
        self._last = (self._last[0] + now[0] - before[0], self._last[1] + now[1] - before[1])

    def _tick(self) -> None:
        now = _clocks()
        wall, cpu = (1e3 * (new - old) for new, old in zip(now, self._last, strict=True))
        self._last = now
        self.turns += 1
        if wall > STALL_MS / 2:
            self.stalls.append(Stall(wall, cpu, self.move))
            self.stalls = sorted(self.stalls, key=lambda stall: -stall.wall_ms)[:_STALLS_KEPT]

    def _on_exception(self, _kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        self._note(error)

    def _note(self, error: BaseException | None) -> None:
        if error is not None:
            self.problems.append(f"after {self.move}: " + "".join(traceback.format_exception(error)[-6:]))

    def report(self, error: CnnPredictError) -> None:
        """An error told to the user: fine, unless it wraps one that nobody expected."""
        if isinstance(error, WorkerError) and error.message.startswith("unexpected"):
            self.problems.append(f"after {self.move}: {error}\n" + "".join(getattr(error, "__notes__", [])))

    def _on_message(self, kind: QtMsgType, _context: QMessageLogContext, text: str | None) -> None:
        serious = kind in (QtMsgType.QtWarningMsg, QtMsgType.QtCriticalMsg, QtMsgType.QtFatalMsg)
        if serious and not any(word in (text or "") for word in _HARMLESS):
            self.problems.append(f"after {self.move}: Qt says {text}")

    def sample(self) -> Sample:
        """Note what the process holds now, after a full collection."""
        gc.collect()
        give_memory_back()
        with self._process.oneshot():
            found = Sample(
                time.perf_counter() - self._begin,
                self._process.memory_info().rss / 2**20,
                self._process.num_threads(),
                self._process.num_fds(),
                len(self._process.children(recursive=True)),
                len(QApplication.allWidgets()),
            )
        self.samples.append(found)
        return found

    def leaks(self, warm_up_s: float) -> list[str]:
        """What grew after the warm-up: memory by its median, the rest by its least value at the end."""
        warm = [one for one in self.samples if one.seconds >= warm_up_s]
        if len(warm) < 6:
            return []
        third = len(warm) // 3
        first, last = warm[:third], warm[-third:]
        before, after = (median(one.memory_mb for one in part) for part in (first, last))
        found = [f"memory grew from {before:.0f} to {after:.0f} MB"] if after > before * (1 + GROWTH) else []
        for name in ("threads", "files", "children"):
            most, least = max(getattr(one, name) for one in first), min(getattr(one, name) for one in last)
            if least > most:
                found.append(f"{name}: at most {most} after the warm-up, at least {least} at the end")
        return found


def _clocks() -> tuple[float, float]:
    """Wall clock and processor time of this thread in seconds."""
    return time.perf_counter(), time.thread_time()
