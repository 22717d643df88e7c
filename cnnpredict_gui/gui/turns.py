"""Work spread over turns of the event loop, so that the window answers in between."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import TypeVar

from PySide6.QtCore import QObject, QTimer

from cnnpredict_gui.core.errors import CnnPredictError

T = TypeVar("T")
Pieces = tuple[Callable[[], object], ...]
#: Work that gives way between its steps and returns its result.
Steps = Generator[None, None, T]


def finished(steps: Steps[T]) -> T:
    """Do all steps now, and return the result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def in_turns(steps: Steps[T], owner: QObject, done: Callable[[T], object], failed: Callable[[CnnPredictError], object]) -> None:
    """Do the first step now and each further one in a turn of the event loop of its own, as long as ``owner`` lives.

    Then ``done`` gets the result, or ``failed`` the error.
    """
    try:
        next(steps)
    except StopIteration as end:
        done(end.value)
    except CnnPredictError as error:
        failed(error)
    else:
        QTimer.singleShot(0, owner, lambda: in_turns(steps, owner, done, failed))


class Turns(QObject):
    """Calls functions one by one, each in a turn of the event loop of its own.

    Started again while some are left, it finishes these first: what comes last is not starved by a parameter being dragged.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._left: deque[Callable[[], object]] = deque()
        self._again: Pieces = ()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._go_on)

    @property
    def waiting(self) -> bool:
        """Whether something is left to do."""
        return self._timer.isActive()

    def start(self, *pieces: Callable[[], object]) -> None:
        """Do these from the next turn on."""
        if self.waiting:
            self._again = pieces
        else:
            self._left.extend(pieces)
            self._timer.start()

    def _go_on(self) -> None:
        piece = self._left.popleft()
        if not self._left:
            self._left.extend(self._again)
            self._again = ()
        if self._left:
            self._timer.start()
        piece()
