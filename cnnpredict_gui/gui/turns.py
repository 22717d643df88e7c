"""Work that takes several turns of the event loop, so that the window answers in between.

Whoever asks, one piece is done in each turn: pieces of several views at once would add up to a moment in which the window
stands still.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator
from typing import TypeVar

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.infra.precedence import claim, release

T = TypeVar("T")
Piece = Callable[[], object]
#: Work that gives way between its steps and returns its result.
Steps = Generator[None, None, T]


class Turn(QObject):
    """The turn of the event loop that goes on, from when somebody first asks for it until what was to be painted is painted.

    What takes milliseconds asks when it begins, and what can wait looks whether there is time left. Work in other threads
    gives way meanwhile (:mod:`cnnpredict_gui.infra.precedence`).
    """

    #: The turn is over.
    over = Signal()
    #: A frame of a usual screen: a turn that has lasted so long begins nothing more that can wait.
    FRAME_S = 0.016
    _shared: Turn | None = None

    def __init__(self) -> None:
        super().__init__(QCoreApplication.instance())
        #: Counts the turns that were asked for.
        self.number = 0
        self._end: float | None = None

    @classmethod
    def now(cls) -> Turn:
        """The turn that goes on; it begins here if nobody asked before."""
        if cls._shared is None or not isValid(cls._shared):
            cls._shared = cls()
        cls._shared._begin()
        return cls._shared

    def _begin(self) -> None:
        if self._end is None:
            self.number += 1
            self._end = time.perf_counter() + Turn.FRAME_S
            claim()
            # After Qt's own request to paint, which comes behind everything of normal priority.
            QCoreApplication.postEvent(self, QEvent(QEvent.Type.User), Qt.EventPriority.LowEventPriority.value - 1)

    @property
    def has_time(self) -> bool:
        """Whether something more may begin."""
        return self._end is None or time.perf_counter() < self._end

    def customEvent(self, _event: QEvent) -> None:
        self._end = None
        release()
        self.over.emit()


class _Queue(QObject):
    """All that is to be done in turns, in the order of asking."""

    shared: _Queue | None = None

    def __init__(self) -> None:
        super().__init__(QCoreApplication.instance())
        self._left: deque[tuple[QObject, Piece]] = deque()
        self._put_off = self._rested = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._go_on)

    def put(self, owner: QObject, piece: Piece) -> None:
        self._left.append((owner, piece))
        self._timer.start()

    def _go_on(self) -> None:
        # Timers come after painting; the mouse and the keyboard have their turn before the next round of both.
        self._rested = not self._rested
        if self._rested:
            self._timer.start()
            return
        self._put_off = not (Turn.now().has_time or self._put_off)
        if self._put_off:  # once: a turn may well be long each time
            self._timer.start()
            return
        owner, piece = self._left.popleft()
        if self._left:
            self._timer.start()
        if isValid(owner):
            piece()


def soon(owner: QObject, piece: Piece) -> None:
    """Call ``piece`` in a turn of the event loop of its own, after what was asked for before, if ``owner`` is still there."""
    if _Queue.shared is None or not isValid(_Queue.shared):
        _Queue.shared = _Queue()
    _Queue.shared.put(owner, piece)


def paint_later(widget: QWidget) -> None:
    """Paint what changes in ``widget`` in this turn in the next one: to change much takes long enough."""
    if widget.isVisible() and widget.updatesEnabled():
        widget.setUpdatesEnabled(False)
        soon(widget, lambda: widget.setUpdatesEnabled(True))


def finished(steps: Steps[T]) -> T:
    """Do all steps now, and return the result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def in_turns(steps: Steps[T], owner: QObject, done: Callable[[T], object], failed: Callable[[CnnPredictError], object]) -> None:
    """Do the first step now and each further one in a turn of its own, as long as ``owner`` lives.

    Then ``done`` gets the result, or ``failed`` the error.
    """
    try:
        next(steps)
    except StopIteration as end:
        done(end.value)
    except CnnPredictError as error:
        failed(error)
    else:
        soon(owner, lambda: in_turns(steps, owner, done, failed))


class Turns:
    """Calls functions one by one, each in a turn of its own, as long as ``owner`` lives.

    Started again while some are left, it finishes these first: what comes last is not starved by a parameter being dragged.
    """

    def __init__(self, owner: QObject) -> None:
        self._owner = owner
        self._left: deque[Piece] = deque()
        self._again: tuple[Piece, ...] = ()

    @property
    def waiting(self) -> bool:
        """Whether something is left to do."""
        return bool(self._left)

    def start(self, *pieces: Piece) -> None:
        """Do these from the next turn on."""
        if self.waiting:
            self._again = pieces
        else:
            self._left.extend(pieces)
            soon(self._owner, self._go_on)

    def _go_on(self) -> None:
        piece = self._left.popleft()
        if not self._left:
            self._left.extend(self._again)
            self._again = ()
        if self._left:
            soon(self._owner, self._go_on)
        piece()
