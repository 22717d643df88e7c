"""Painting in several turns of the event loop: charts and tables that do not fit into one come in the next.

All charts and tables of a view painted at once, after a resize or a change of colours, would add up to a moment in which the
window stands still.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QHideEvent, QPainter, QPaintEvent, QRegion
from PySide6.QtWidgets import QAbstractScrollArea, QWidget
from shiboken6 import isValid

from cnnpredict_gui.gui.problems import told
from cnnpredict_gui.gui.turns import Turn

if TYPE_CHECKING:
    Base = QWidget
else:
    Base = object


def paint_in_one_thread() -> None:
    """To be called before anything is painted.

    Else Qt hands pieces of a grid line or a bar to threads of its own, and waits for them longer than it takes to paint them.
    """
    os.environ["QT_NO_GUI_THREADPOOL"] = "1"


class _Waiting(QObject):
    """Those that did not fit into a turn."""

    _shared: _Waiting | None = None

    def __init__(self, turn: Turn) -> None:
        super().__init__(turn)
        self._regions: dict[PaintedInTurns, QRegion] = {}
        #: Those of the turn before come first, and one of them whether there is time or not, so that none waits for ever.
        self._first: frozenset[PaintedInTurns] = frozenset()
        self._one_taken = False
        turn.over.connect(self._ask_again)

    @classmethod
    def shared(cls) -> _Waiting:
        """The one of the program."""
        if cls._shared is None or not isValid(cls._shared):
            cls._shared = cls(Turn.now())
        return cls._shared

    def takes(self, widget: PaintedInTurns, region: QRegion) -> bool:
        """Whether ``widget`` is to be painted now; if not, it will be asked to paint ``region`` in the next turn."""
        turn, was_waiting = Turn.now(), widget in self._first
        if (turn.has_time and (was_waiting or not self._first)) or (was_waiting and not self._one_taken):
            self._one_taken = True
            return True
        self._regions[widget] = self._regions.get(widget, QRegion()).united(region)
        return False

    def _ask_again(self) -> None:
        there = {widget: region for widget, region in self._regions.items() if isValid(widget)}
        self._first, self._regions, self._one_taken = frozenset(there), {}, False
        for widget, region in there.items():
            widget.canvas().update(region)


class PaintedInTurns(Base):
    """To be inherited before a widget or scroll area that takes milliseconds to paint.

    It is painted from Python, which keeps its lock meanwhile. Qt asks charts and tables some thousands of questions; while a
    prediction is computed, each would wait for the lock.
    """

    _painted: tuple[QPoint, QSize, QSize] | None = None
    _whole = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.canvas().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def canvas(self) -> QWidget:
        """What is painted on: the viewport of a scroll area, else the widget itself."""
        return self.viewport() if isinstance(self, QAbstractScrollArea) else self

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
        if self._whole or _Waiting.shared().takes(self, event.region()):
            self.paint_now(event)
            self._painted = self._place()
        elif self._painted != self._place():
            self.fill(event.rect())

    def paint_now(self, event: QPaintEvent) -> None:
        """Paint all of ``event``, the background too: Qt does not clear the canvas before."""
        super().paintEvent(event)

    def fill(self, area: QRect) -> None:
        """Fill a part of the canvas with the background."""
        painter = QPainter(self.canvas())
        painter.fillRect(area, self.palette().base())
        painter.end()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._painted = None

    def _place(self) -> tuple[QPoint, QSize, QSize]:
        """Where what was painted is found: in the same place of a window of the same size."""
        canvas, window = self.canvas(), self.window()
        return canvas.mapTo(window, QPoint()), canvas.size(), window.size()
