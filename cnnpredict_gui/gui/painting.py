"""Painting in several turns of the event loop: charts and tables that do not fit into one come in the next.

All charts and tables of a view painted at once, after a resize or a change of colours, would add up to a moment in which the
window stands still.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPoint, QRect, QSize, Qt, QTimer
from PySide6.QtGui import QHideEvent, QPainter, QPaintEvent, QRegion
from shiboken6 import isValid

from cnnpredict_gui.gui.problems import told

if TYPE_CHECKING:
    from PySide6.QtWidgets import QAbstractScrollArea as Base
else:
    Base = object

#: As long as less than this was painted in a turn, a chart or table may still begin: a frame of a usual screen.
FRAME_S = 0.016


class _Turn:
    """What is painted in one turn of the event loop."""

    now: _Turn | None = None
    #: Those that had to wait in the turn before; they come first, so that none waits for ever.
    first: frozenset[PaintedInTurns] = frozenset()

    def __init__(self) -> None:
        self._end = time.perf_counter() + FRAME_S
        self.waiting: dict[PaintedInTurns, QRegion] = {}
        QTimer.singleShot(0, self._over)

    @classmethod
    def takes(cls, widget: PaintedInTurns, region: QRegion) -> bool:
        """Whether ``widget`` is to be painted now; if not, it will be asked to paint ``region`` again."""
        turn = cls.now = cls.now or cls()
        if time.perf_counter() < turn._end and (not cls.first or widget in cls.first):
            return True
        turn.waiting[widget] = turn.waiting.get(widget, QRegion()).united(region)
        return False

    def _over(self) -> None:
        there = {widget: region for widget, region in self.waiting.items() if isValid(widget)}
        _Turn.now, _Turn.first = None, frozenset(there)
        for widget, region in there.items():
            widget.viewport().update(region)


class PaintedInTurns(Base):
    """To be inherited before a scroll area that takes milliseconds to paint.

    It is painted from Python, which keeps its lock meanwhile. Qt asks charts and tables some thousands of questions; while a
    prediction is computed, each would wait for the lock.
    """

    _painted: tuple[QPoint, QSize, QSize] | None = None
    _whole = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    @staticmethod
    @contextmanager
    def at_once() -> Iterator[None]:
        """Paint everything when asked, for a picture of a widget."""
        PaintedInTurns._whole = True
        try:
            yield
        finally:
            PaintedInTurns._whole = False

    @told
    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint now, or leave what is on the screen until the next turn."""
        if self._whole or _Turn.takes(self, event.region()):
            self.paint_now(event)
            self._painted = self._place()
        elif self._painted != self._place():
            self.fill(event.rect())

    def paint_now(self, event: QPaintEvent) -> None:
        """Paint all of ``event``, the background too: Qt does not clear the viewport before."""
        super().paintEvent(event)

    def fill(self, area: QRect) -> None:
        """Fill a part of the viewport with the background."""
        painter = QPainter(self.viewport())
        painter.fillRect(area, self.palette().base())
        painter.end()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._painted = None

    def _place(self) -> tuple[QPoint, QSize, QSize]:
        """Where what was painted is found: in the same place of a window of the same size."""
        viewport, window = self.viewport(), self.window()
        return viewport.mapTo(window, QPoint()), viewport.size(), window.size()
