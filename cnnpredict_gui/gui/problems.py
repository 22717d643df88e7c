"""Catches what nobody caught: exceptions of any thread and messages of Qt go to the log, crashes to a report and a dialog."""

from __future__ import annotations

import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec

from PySide6.QtCore import QMessageLogContext, QObject, Qt, QtMsgType, Signal, Slot, qInstallMessageHandler

from cnnpredict_gui.core.errors import CnnPredictError, WorkerError
from cnnpredict_gui.gui.workers import as_error
from cnnpredict_gui.infra.crash import watch_for_faults, write_crash_report

logger = logging.getLogger(__name__)
qt_logger = logging.getLogger("cnnpredict_gui.qt")
_QT_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}
P = ParamSpec("P")
Show = Callable[[CnnPredictError, Path | None], None]


class Problems(QObject):
    """Installs the hooks; ``show(error, report)`` is called on the GUI thread, once per different error.

    An error that comes again is counted in the log: it writes no second report, of which only some are kept.
    """

    _caught = Signal(object, object)

    def __init__(self, show: Show, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._show = show
        self._counts: Counter[str] = Counter()
        self._caught.connect(self._on_caught, Qt.ConnectionType.QueuedConnection)

    def install(self) -> None:
        """Take over ``sys.excepthook``, ``threading.excepthook`` and Qt's messages."""
        sys.excepthook = self.on_exception
        threading.excepthook = self.on_thread_exception
        qInstallMessageHandler(log_qt_message)
        watch_for_faults()

    def uninstall(self) -> None:
        """Give everything back."""
        sys.excepthook = sys.__excepthook__
        threading.excepthook = threading.__excepthook__
        qInstallMessageHandler(None)

    def on_exception(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """An exception nobody caught in the GUI thread; Ctrl+C in a terminal still ends the program."""
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        self._record(error, "GUI thread")

    def on_thread_exception(self, args: threading.ExceptHookArgs) -> None:
        """An exception nobody caught in another thread."""
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            self._record(args.exc_value, f"thread {args.thread.name if args.thread else '?'}")

    def _record(self, error: BaseException, where: str) -> None:
        key = f"{type(error).__name__}: {error}"
        self._counts[key] += 1
        times = self._counts[key]
        if times > 1:  # as often as something is painted, perhaps
            if times.bit_count() == 1:
                logger.error("%s, %d times until now, in %s", key, times, where)
            return
        logger.critical("unexpected error in %s", where, exc_info=error)
        expected = isinstance(error, CnnPredictError) and not isinstance(error, WorkerError)
        self._caught.emit(error, None if expected else write_crash_report(error, where))

    @Slot(object, object)
    def _on_caught(self, error: BaseException, report: Path | None) -> None:
        self._show(as_error(error), report)


def log_qt_message(kind: QtMsgType, _context: QMessageLogContext, text: str | None) -> None:
    """Write a message of Qt to the log."""
    qt_logger.log(_QT_LEVELS.get(kind, logging.WARNING), "%s", text)


def told(method: Callable[P, Any]) -> Callable[P, Any]:
    """A method that Qt calls many times for one call of Qt, e.g. to paint a chart, with its errors told at once.

    Left to PySide 6.10 they would wait until Qt returns, and the second of them would end the program.
    """

    @wraps(method)
    def safely(*args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return method(*args, **kwargs)
        except Exception as error:
            sys.excepthook(type(error), error, error.__traceback__)
            return None

    return safely
