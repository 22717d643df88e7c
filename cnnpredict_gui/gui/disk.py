"""Small files written off the GUI thread: until the disk has them, which takes tens of milliseconds, the window goes on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.gui.workers import as_error, call_back


def _ignore(_result: Any) -> None:
    pass


class Disk(QObject):
    """Does one thing after another, in the order asked, in a thread of its own."""

    _returned = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(1, "disk")
        self._left, self._closed = 0, False
        self._returned.connect(self._answer, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._left > 0

    def run(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], object] = _ignore,
        failed: Callable[[CnnPredictError], object] = _ignore,
    ) -> None:
        """Do ``work()`` after all that was asked before, and call ``done(result)`` or ``failed(error)`` on the GUI thread."""
        self._left += 1
        if self._closed:
            self._do(work, done, failed)
        else:
            self._pool.submit(self._do, work, done, failed)

    def _do(self, work: Callable[[], Any], done: Callable[[Any], object], failed: Callable[[CnnPredictError], object]) -> None:
        try:
            result = work()
        except Exception as error:
            self._returned.emit(failed, as_error(error))
        else:
            self._returned.emit(done, result)

    @Slot(object, object)
    def _answer(self, callback: Callable[[Any], object], value: Any) -> None:
        self._left -= 1
        if not self._closed:
            call_back(callback, value)

    def shutdown(self) -> None:
        """Finish all that was asked. What is asked later is done at once; nobody is called back any more."""
        self._closed = True
        self._pool.shutdown()
