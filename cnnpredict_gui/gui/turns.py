"""Work spread over turns of the event loop, so that the window answers in between."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

Pieces = tuple[Callable[[], object], ...]


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
