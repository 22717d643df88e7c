"""Rolling charts of the machine's resources, painted directly: one costs well under a millisecond a second."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QContextMenuEvent, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from cnnpredict_gui import __version__
from cnnpredict_gui.bench.resource_log import Floats, ResourceLog, thinned
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.csv_text import Cell
from cnnpredict_gui.gui.export import Data, export_button, export_menu
from cnnpredict_gui.gui.format import sig3
from cnnpredict_gui.gui.menus import pop_up
from cnnpredict_gui.gui.painting import PaintedInTurns
from cnnpredict_gui.gui.resource_monitor import SLOW_S, Span
from cnnpredict_gui.gui.symbols import fill, joined
from cnnpredict_gui.gui.theme import GRID, Theme, set_role

#: Longer without a sample (seconds), and the line is interrupted.
_GAP_S = 2.5 * SLOW_S
_LEFT_PX, _BOTTOM_PX, _TOP_PX = 46, 18, 20
#: Narrower marks have no text.
_MARK_TEXT_PX = 60
#: Pixels per point of a line.
_STEP_PX = 2


@dataclass(frozen=True)
class Line:
    """One line: ``column`` of the log times ``scale``, called ``text``; ``colour`` counts in the theme's series, -1 is muted.

    Muted lines are thin and are not in the legend.
    """

    column: str
    text: str
    colour: int = 0
    scale: float = 1.0


@dataclass(frozen=True)
class Strip:
    """What a chart shows: ``unit`` of all its lines, ``top`` of the axis (0: as high as needed, at least ``least``)."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    top: float = 0.0
    least: float = 0.01


class StripPlot(PaintedInTurns, QWidget):
    """The drawing area of a :class:`StripChart`."""

    def __init__(self, chart: StripChart) -> None:
        super().__init__(chart)
        self._chart = chart
        self.paints = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def minimumSizeHint(self) -> QSize:
        """Still readable."""
        return QSize(200, 90)

    def paint_now(self, _event: QPaintEvent) -> None:
        self.paints += 1
        theme = self._chart.context.theme.current
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.base))
        self._chart.paint(painter, QRectF(self.rect()), theme)
        painter.end()


class StripChart(QWidget):
    """One quantity over the last minutes. Implements ``Exportable``.

    Args:
        context: The application's services.
        strip: What to show.
        log: Where the numbers come from.
    """

    def __init__(self, context: AppContext, strip: Strip, log: ResourceLog) -> None:
        super().__init__()
        self.context, self.strip, self._log = context, strip, log
        self.span_s = 60.0
        self.marks: Sequence[Span] = ()
        self.plot = StripPlot(self)
        self.setAccessibleName(f"{strip.title} ({strip.unit})")
        self.plot.setAccessibleName(f"{strip.title}, chart")
        title = QLabel(f"{strip.title} ({strip.unit})")
        set_role(title, "title")
        head = QHBoxLayout()
        head.setContentsMargins(GRID, 0, 0, 0)
        head.addWidget(title, 1)
        head.addWidget(export_button(self, lambda: context.theme.current, self, context.report))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(self.plot, 1)
        context.theme.changed.connect(self._recolour)

    def _recolour(self) -> None:
        self.plot.update()

    def refresh(self) -> None:
        """Draw what has come since; nothing happens while the chart is not on screen."""
        if self.isVisible():
            self.plot.update()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not len(self._log)

    def values(self) -> tuple[Floats, dict[str, Floats]]:
        """Times (seconds since the epoch) and scaled values of each line within the span shown."""
        latest = self._log.latest
        columns = self._log.since(latest.time - self.span_s) if latest else {}
        times = columns.get("time", np.empty(0))
        return times, {line.column: columns[line.column] * line.scale for line in self.strip.lines if line.column in columns}

    def describe(self) -> str:
        """The latest values in words."""
        _, values = self.values()
        texts = [
            f"{line.text} {sig3(float(values[line.column][-1]))} {self.strip.unit}"
            for line in self.strip.lines
            if line.colour >= 0 and line.column in values and len(values[line.column])
        ]
        return ", ".join(texts)

    # -- painting -----------------------------------------------------------------------------------------------------

    def paint(self, painter: QPainter, area: QRectF, theme: Theme) -> None:
        """Paint axes, lines, marks and legend into ``area``."""
        painter.setFont(self.font())
        times, values = self.values()
        if not len(times):
            painter.setPen(QColor(theme.muted))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, "Waiting for the first sample…")
            return
        inner = area.adjusted(_LEFT_PX, _TOP_PX, -GRID, -_BOTTOM_PX)
        end, top = float(times[-1]), self._top(values)
        self._paint_marks(painter, inner, end, theme)
        self._paint_axes(painter, inner, top, theme)
        painter.save()
        painter.setClipRect(inner.adjusted(0, -1, 1, 1))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for line in sorted(self.strip.lines, key=lambda one: one.colour >= 0):
            if line.column in values:
                self._paint_line(painter, inner, (times, values[line.column]), (end, top), line, theme)
        painter.restore()
        self._paint_legend(painter, area, values, theme)

    def _top(self, values: dict[str, Floats]) -> float:
        if self.strip.top:
            return self.strip.top
        highest = max((float(np.nanmax(one)) for one in values.values() if np.isfinite(one).any()), default=0.0)
        return nice_top(max(highest, self.strip.least))

    def _paint_axes(self, painter: QPainter, inner: QRectF, top: float, theme: Theme) -> None:
        painter.setPen(QPen(QColor(theme.border), 1))
        for share in (0.0, 0.5, 1.0):
            y = round(inner.bottom() - share * inner.height()) + 0.5
            painter.drawLine(QPointF(inner.left(), y), QPointF(inner.right(), y))
        painter.setPen(QColor(theme.muted))
        for share in (0.0, 0.5, 1.0):
            y = inner.bottom() - share * inner.height()
            text = sig3(share * top)
            text = text.rstrip("0").rstrip(".") if "." in text else text
            right = QRectF(inner.left() - _LEFT_PX, y - 9, _LEFT_PX - 4, 18)
            painter.drawText(right, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        below = QRectF(inner.left(), inner.bottom(), inner.width(), _BOTTOM_PX)
        for side, share in ((Qt.AlignmentFlag.AlignLeft, 1.0), (Qt.AlignmentFlag.AlignHCenter, 0.5)):
            painter.drawText(below, side | Qt.AlignmentFlag.AlignVCenter, f"−{ago(share * self.span_s)}")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, "now")

    def _paint_line(
        self,
        painter: QPainter,
        inner: QRectF,
        data: tuple[Floats, Floats],
        ends: tuple[float, float],
        line: Line,
        theme: Theme,
    ) -> None:
        times, values = thinned(*data, int(inner.width() / _STEP_PX))
        end, top = ends
        x = inner.right() - (end - times) * (inner.width() / self.span_s)
        y = inner.bottom() - np.clip(values, 0.0, top) * (inner.height() / top)
        muted = line.colour < 0
        painter.setPen(QPen(QColor(theme.muted if muted else colour_of(line, theme)), 0.6 if muted else 1.4))
        finite = np.isfinite(y)
        breaks = np.flatnonzero(~finite | (np.diff(times, prepend=times[0]) > max(_GAP_S, 2.5 * self._step(times))))
        start = 0
        for stop in (*breaks.tolist(), len(x)):
            if stop - start == 1:
                painter.drawPoint(QPointF(x[start], y[start]))
            else:
                painter.drawLines(joined(x[start:stop], y[start:stop]))
            start = stop if stop < len(x) and finite[stop] else stop + 1

    @staticmethod
    def _step(times: Floats) -> float:
        return float(np.median(np.diff(times))) if len(times) > 2 else 0.0

    def _paint_marks(self, painter: QPainter, inner: QRectF, end: float, theme: Theme) -> None:
        """A band for each time in which something was measured, with its title where there is room."""
        bands: list[tuple[QRectF, str]] = []
        for span in self.marks:
            left = inner.right() - (end - span.start) * inner.width() / self.span_s
            right = inner.right() if span.end is None else inner.right() - (end - span.end) * inner.width() / self.span_s
            left, right = max(left, inner.left()), min(right, inner.right())
            if right > inner.left() and left <= inner.right():
                bands.append((QRectF(left, inner.top(), max(right - left, 2.0), inner.height()), span.title))
        colour = QColor(theme.accent)
        colour.setAlphaF(0.16)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        begins = [QRectF(band.left(), band.top(), 1, band.height()) for band, _ in bands]
        fill(painter, begins, QColor(theme.accent))
        fill(painter, [band for band, _ in bands], colour)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(theme.muted))
        metrics = QFontMetricsF(self.font())
        for band, title in bands:
            if band.width() > _MARK_TEXT_PX:
                text = metrics.elidedText(title, Qt.TextElideMode.ElideRight, band.width() - 8)
                painter.drawText(band.adjusted(4, 2, 0, 0), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, text)

    def _paint_legend(self, painter: QPainter, area: QRectF, values: dict[str, Floats], theme: Theme) -> None:
        """Name and latest value of each line, as many as have room."""
        metrics = QFontMetricsF(self.font())
        x, y = area.left() + _LEFT_PX, area.top() + _TOP_PX / 2
        for line in self.strip.lines:
            if line.colour < 0 or line.column not in values:
                continue
            text = f"{line.text} {sig3(float(values[line.column][-1]))}"
            width = metrics.horizontalAdvance(text)
            if x + 18 + width > area.right():
                break
            painter.setPen(QPen(QColor(colour_of(line, theme)), 2))
            painter.drawLine(QPointF(x, y), QPointF(x + 12, y))
            painter.setPen(QColor(theme.text))
            painter.drawText(QRectF(x + 16, y - 10, width + 4, 20), Qt.AlignmentFlag.AlignVCenter, text)
            x += width + 32

    # -- Exportable ---------------------------------------------------------------------------------------------------

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if not self.is_empty:
            pop_up(export_menu(self, lambda: self.context.theme.current, self, self.context.report), event.globalPos())

    def export_name(self) -> str:
        """File name made of the title."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.strip.title).lower().split())

    def export_size(self) -> QSizeF:
        """The drawing as it is, with the title above."""
        return QSizeF(max(self.plot.width(), 320), max(self.plot.height(), 120) + 3 * GRID)

    def export_paint(self, painter: QPainter, area: QRectF, theme: Theme) -> None:
        """Paint title and drawing in the colours of ``theme``."""
        font = self.font()
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor(theme.text))
        head = QRectF(area.left() + GRID, area.top(), area.width(), 3 * GRID)
        painter.drawText(head, Qt.AlignmentFlag.AlignVCenter, f"{self.strip.title} ({self.strip.unit})")
        self.paint(painter, area.adjusted(0, 3 * GRID, 0, 0), theme)

    def export_data(self) -> Data:
        """Every sample within the span, with the title of what was measured then."""
        times, values = self.values()
        rows: list[tuple[Cell, ...]] = []
        for place, time in enumerate(times.tolist()):
            measured = [span.title for span in self.marks if span.start <= time <= (span.end or math.inf)]
            rows.append((time, *(float(one[place]) for one in values.values()), "; ".join(measured)))
        names = [f"{line.text} ({self.strip.unit})" for line in self.strip.lines if line.column in values]
        return Data(("time_s", *names, "measured"), rows, {"version": __version__})


def colour_of(line: Line, theme: Theme) -> str:
    """Colour of a line that is not muted."""
    return theme.series[line.colour % len(theme.series)]


def nice_top(value: float) -> float:
    """The least of 1, 2, 5, 10, 20, … times a power of ten that is not below ``value``."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9))


def ago(seconds: float) -> str:
    """A time span in the unit that suits it."""
    return f"{seconds / 60:.10g} min" if seconds >= 60 else f"{seconds:.10g} s"
