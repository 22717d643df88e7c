"""Work off the GUI thread: newest-request-wins jobs, long tasks with progress and Cancel, and a shutdown that waits.

Nothing here shares mutable data with the GUI thread: functions go in, results come out through queued signals.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QObject, Qt, QThread, Signal, Slot
from shiboken6 import isValid

from cnnpredict_gui.core.errors import CancelledByUserError, CnnPredictError, WorkerError
from cnnpredict_gui.gui.turns import soon
from cnnpredict_gui.infra.precedence import give_way

Cancelled = Callable[[], bool]
Progress = Callable[[int, int], None]


def as_error(error: BaseException) -> CnnPredictError:
    """The error itself when it is one of ours, else one that carries the traceback for the details box."""
    if isinstance(error, CnnPredictError):
        return error
    if isinstance(error, MemoryError):
        return WorkerError("memory ran out", "use fewer rows or models at a time, or close other programs")
    made = WorkerError(f"unexpected {type(error).__name__}: {error}", "see the log; please report it with the details")
    made.__cause__ = error
    made.add_note("".join(traceback.format_exception(error)))
    return made


@dataclass
class _Job:
    channel: str
    ticket: int
    work: Callable[[Cancelled], Any]
    done: Callable[[Any], None]
    failed: Callable[[CnnPredictError], None]
    stop: threading.Event = field(default_factory=threading.Event)

    def cancelled(self) -> bool:
        """Asked by the work between its steps, where the window may go first."""
        give_way()
        return self.stop.is_set()


class _JobThread(QThread):
    """Runs the newest job of each channel, one at a time, in the order the channels asked."""

    answered = Signal(object, object, object)

    def __init__(self) -> None:
        super().__init__()
        self._condition = threading.Condition()
        self._waiting: OrderedDict[str, _Job] = OrderedDict()
        self._closing = False

    def put(self, job: _Job) -> None:
        with self._condition:
            self._waiting[job.channel] = job
            self._condition.notify()

    def drop(self, channel: str) -> None:
        with self._condition:
            self._waiting.pop(channel, None)

    def close(self) -> None:
        with self._condition:
            self._closing = True
            self._waiting.clear()
            self._condition.notify()

    def run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._closing or bool(self._waiting))
                if self._closing:
                    return
            self._do_next()

    def _do_next(self) -> None:
        """In a function of its own: while the thread waits, it holds neither job nor result."""
        with self._condition:
            if not self._waiting:
                return
            _, job = self._waiting.popitem(last=False)
        if job.stop.is_set():
            return
        result, error = None, None
        try:
            result = job.work(job.cancelled)
        except Exception as failure:
            error = as_error(failure)
        self.answered.emit(job, result, error)


def call_back(callback: Callable[[Any], object], value: Any) -> None:
    """Call back, unless the callback is a method of a widget that is gone."""
    owner = getattr(callback, "__self__", None)
    if not isinstance(owner, QObject) or isValid(owner):
        callback(value)


class LatestWins(QObject):
    """Predictions for the screen: one background thread, the newest request of a channel wins, stale answers are dropped.

    A channel is a text such as ``"compare"``; each view uses its own, so views never cancel each other.
    """

    #: channel, milliseconds from request to answer
    finished = Signal(str, float)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._current: dict[str, _Job] = {}
        self._started: dict[str, float] = {}
        self._tickets = 0
        self._thread = _JobThread()
        self._thread.setObjectName("predictions")
        self._thread.answered.connect(self._answer, Qt.ConnectionType.QueuedConnection)
        self._thread.start()

    def submit(
        self,
        channel: str,
        work: Callable[[Cancelled], Any],
        done: Callable[[Any], None],
        failed: Callable[[CnnPredictError], None],
    ) -> None:
        """Run ``work(cancelled)`` in the background and call ``done(result)`` or ``failed(error)`` on the GUI thread.

        Give methods of your widget as callbacks: they are not called when the widget is gone.

        A job of the same channel that is still waiting is forgotten; one that is running is told to stop and its answer
        is dropped.
        """
        self.cancel(channel)
        self._tickets += 1
        job = _Job(channel, self._tickets, work, done, failed)
        self._current[channel] = job
        self._started[channel] = time.perf_counter()
        self._thread.put(job)

    def cancel(self, channel: str) -> None:
        """Forget the running and waiting job of a channel; neither of its callbacks is called."""
        job = self._current.pop(channel, None)
        if job is not None:
            job.stop.set()
            self._thread.drop(channel)

    def busy(self, channel: str) -> bool:
        """Whether an answer of this channel is still to come."""
        return channel in self._current

    @Slot(object, object, object)
    def _answer(self, job: _Job, result: Any, error: CnnPredictError | None) -> None:
        soon(self, lambda: self._deliver(job, result, error))

    def _deliver(self, job: _Job, result: Any, error: CnnPredictError | None) -> None:
        if self._current.get(job.channel) is not job:
            return
        del self._current[job.channel]
        if isinstance(error, CancelledByUserError):
            return
        if error is not None:
            call_back(job.failed, error)
        else:
            call_back(job.done, result)
        self.finished.emit(job.channel, 1e3 * (time.perf_counter() - self._started[job.channel]))

    def shutdown(self) -> None:
        """Stop the thread and wait for it."""
        for channel in list(self._current):
            self.cancel(channel)
        self._thread.close()
        self._thread.wait()


class _TaskThread(QThread):
    def __init__(self, body: Callable[[], None]) -> None:
        super().__init__()
        self._body = body

    def run(self) -> None:
        self._body()


class Task(QObject):
    """One long piece of work in a thread of its own; start it with :meth:`TaskRunner.run`.

    ``work(progress, cancelled)`` reports ``progress(done, total)`` and asks ``cancelled()`` often. Exactly one of
    ``succeeded(result)``, ``failed(CnnPredictError)`` and ``cancelled()`` is emitted, on the GUI thread. After
    :meth:`cancel` no progress and no result can arrive any more, whatever the work still does.
    """

    progress = Signal(int, int)
    succeeded = Signal(object)
    failed = Signal(object)
    cancelled = Signal()
    #: Always emitted once, after one of the three above.
    ended = Signal()
    _progressed = Signal(int, int)
    _returned = Signal(object, object)

    def __init__(self, title: str, work: Callable[[Progress, Cancelled], Any], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.title = title
        self._work = work
        self._stop = threading.Event()
        self._open = True
        self._progressed.connect(self._on_progress, Qt.ConnectionType.QueuedConnection)
        self._returned.connect(self._on_return, Qt.ConnectionType.QueuedConnection)
        self.thread_ = _TaskThread(self._body)
        self.thread_.setObjectName(f"task {title}")

    @property
    def running(self) -> bool:
        """Whether the outcome is still open."""
        return self._open

    def cancel(self) -> None:
        """End the task for the user at once; the work itself stops at its next ``cancelled()``."""
        self._stop.set()
        if self._open:
            self._open = False
            self.cancelled.emit()
            self.ended.emit()

    def _cancelled(self) -> bool:
        give_way()
        return self._stop.is_set()

    def _body(self) -> None:
        result, error = None, None
        try:
            result = self._work(self._progressed.emit, self._cancelled)
        except Exception as failure:
            error = as_error(failure)
        self._returned.emit(result, error)

    @Slot(int, int)
    def _on_progress(self, done: int, total: int) -> None:
        if self._open:
            self.progress.emit(done, total)

    @Slot(object, object)
    def _on_return(self, result: Any, error: CnnPredictError | None) -> None:
        soon(self, lambda: self._deliver(result, error))

    def _deliver(self, result: Any, error: CnnPredictError | None) -> None:
        if not self._open:
            return
        self._open = False
        if isinstance(error, CancelledByUserError):
            self.cancelled.emit()
        elif error is not None:
            self.failed.emit(error)
        else:
            self.succeeded.emit(result)
        self.ended.emit()


class TaskRunner(QObject):
    """Keeps running tasks alive and waits for them when the application closes."""

    started = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks: list[Task] = []

    def run(self, title: str, work: Callable[[Progress, Cancelled], Any]) -> Task:
        """Make and start a task. Connect its signals right away: none is emitted before the event loop runs again."""
        task = Task(title, work, self)
        self._tasks.append(task)
        task.thread_.finished.connect(lambda: soon(self, lambda: self._forget(task)), Qt.ConnectionType.QueuedConnection)
        task.thread_.start()
        self.started.emit(task)
        return task

    @property
    def running(self) -> list[Task]:
        """Tasks whose outcome is open."""
        return [task for task in self._tasks if task.running]

    def _forget(self, task: Task) -> None:
        """Let a task go whose thread has ended; its outcome was told before."""
        if task in self._tasks:
            task.thread_.wait()
            del task._work  # whoever keeps the task does not keep what it worked on
            self._tasks.remove(task)
            task.thread_.deleteLater()
            task.deleteLater()

    def shutdown(self) -> None:
        """Cancel everything and wait."""
        for task in self._tasks:
            task.cancel()
        for task in list(self._tasks):
            task.thread_.wait()
        self._tasks.clear()
