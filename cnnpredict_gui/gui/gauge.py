"""A dial for the predictor in focus: time, 90 % interval and verdict at a glance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QContextMenuEvent, QFont, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from cnnpredict_gui import __version__
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.names import FAMILIES
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.gui.compare_data import is_time
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.csv_text import Cell
from cnnpredict_gui.gui.export import Data, export_menu
from cnnpredict_gui.gui.format import interval, interval_words, sig3
from cnnpredict_gui.gui.menus import pop_up
from cnnpredict_gui.gui.theme import GRID, Theme

if TYPE_CHECKING:
    from cnnpredict_gui.studies.comparison import ComparisonRow

#: The dial runs from lower left over the top to lower right (degrees, counter-clockwise from three o'clock).
_START, _SPAN = 210.0, 240.0


class Gauge(QWidget):
    """Dial on a logarithmic scale whose ends are the decades around the interval."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.context = context
        self.row: ComparisonRow | None = None
        self.config: ConvConfig | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Time of the predictor in focus")
        context.theme.changed.connect(self._recolour)

    def _recolour(self) -> None:
        self.update()

    def sizeHint(self) -> QSize:
        """Room for dial and texts."""
        return QSize(300, 190)

    def minimumSizeHint(self) -> QSize:
        """Still readable."""
        return QSize(200, 140)

    def show_row(self, row: ComparisonRow | None, config: ConvConfig) -> None:
        """Show this answer; None for the empty state."""
        self.row, self.config = row, config
        text = self.summary()
        self.setAccessibleDescription(text)
        self.setToolTip(text)
        self.update()

    def summary(self) -> str:
        """What the dial says, in words."""
        if self.row is None:
            return "No predictor in focus"
        row, answer = self.row, self.row.prediction
        name = f"{row.target.title}, {FAMILIES[row.family]}"
        if not is_time(answer):
            return f"{name}: {answer.verdict}"
        return f"{name}: {sig3(answer.time_ms)} ms, {interval_words(answer.low_ms, answer.high_ms)}, {answer.verdict}"

    def decades(self) -> tuple[int, int]:
        """Powers of ten at the ends of the scale."""
        if self.row is None or not is_time(self.row.prediction):
            return -2, 2
        answer = self.row.prediction
        ends = (answer.time_ms,) * 2 if math.isnan(answer.low_ms) else (answer.low_ms, answer.high_ms)
        low, high = math.floor(math.log10(ends[0])), math.ceil(math.log10(ends[1]))
        return (
            (low, high)
            if high - low > 1
            else (low - (math.log10(answer.time_ms) - low < 0.5), high + (math.log10(answer.time_ms) - low >= 0.5))
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = self.context.theme.current
        painter.fillRect(self.rect(), QColor(theme.base))
        self.paint(painter, QRectF(self.rect()), theme)
        painter.end()

    def paint(self, painter: QPainter, area: QRectF, theme: Theme) -> None:
        """Paint texts and dial into ``area``."""
        painter.setFont(self.font())
        line = QFontMetricsF(self.font()).height() + 2
        head = QRectF(area.left() + GRID, area.top() + GRID / 2, area.width() - 2 * GRID, line)
        if self.row is None:
            painter.setPen(QColor(theme.muted))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, "No predictor in focus")
            return
        metrics = QFontMetricsF(self.font())
        painter.setPen(QColor(theme.text))
        title = f"{self.row.target.title} · {FAMILIES[self.row.family]}"
        painter.drawText(
            head, Qt.AlignmentFlag.AlignCenter, metrics.elidedText(title, Qt.TextElideMode.ElideMiddle, head.width())
        )
        foot = QRectF(head.left(), area.bottom() - line - 2, head.width(), line)
        answer = self.row.prediction
        colours = {Status.IN_RANGE: theme.good, Status.EXTRAPOLATING: theme.warning, Status.REFUSED: theme.error}
        painter.setPen(QColor(colours[answer.status]))
        if not is_time(answer):
            middle = area.adjusted(GRID, head.height(), -GRID, -GRID)
            painter.drawText(middle, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, answer.verdict)
            return
        painter.drawText(
            foot, Qt.AlignmentFlag.AlignCenter, metrics.elidedText(answer.verdict, Qt.TextElideMode.ElideRight, foot.width())
        )
        self._paint_dial(painter, QRectF(area.left(), head.bottom(), area.width(), foot.top() - head.bottom()), theme)

    def _paint_dial(self, painter: QPainter, area: QRectF, theme: Theme) -> None:
        row = self.row
        if row is None:
            return
        radius = min((area.height() - 44) / 1.5, area.width() / 2 - 48)  # room for numbers above and at both ends
        centre = QPointF(area.center().x(), area.top() + 24 + radius)
        dial = QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius)
        low, high = self.decades()

        def angle(time_ms: float) -> float:
            return _START - _SPAN * (math.log10(time_ms) - low) / (high - low)

        def arc(begin: float, end: float, colour: QColor, width: float) -> None:
            painter.setPen(QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
            painter.drawArc(dial, round(16 * begin), round(16 * (end - begin)))

        arc(_START, _START - _SPAN, QColor(theme.border), 6)
        answer, family = row.prediction, QColor(theme.family(row.family))
        if not math.isnan(answer.low_ms):
            arc(angle(answer.low_ms), angle(answer.high_ms), family, 12)
        self._paint_scale(painter, centre, radius, (low, high), theme)
        at = math.radians(angle(answer.time_ms))
        tip = QPointF(centre.x() + (radius + 6) * math.cos(at), centre.y() - (radius + 6) * math.sin(at))
        tail = QPointF(centre.x() + (radius - 12) * math.cos(at), centre.y() - (radius - 12) * math.sin(at))
        painter.setPen(QPen(QColor(theme.text), 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(tail, tip)
        self._paint_numbers(painter, centre, radius, theme)

    def _paint_scale(self, painter: QPainter, centre: QPointF, radius: float, ends: tuple[int, int], theme: Theme) -> None:
        small = QFont(self.font())
        small.setPointSizeF(max(small.pointSizeF() * 0.85, 6))
        painter.setFont(small)
        low, high = ends
        for power in range(low, high + 1):
            at = math.radians(_START - _SPAN * (power - low) / (high - low))
            spot = QPointF(centre.x() + (radius + 24) * math.cos(at), centre.y() - (radius + 18) * math.sin(at))
            painter.setPen(QColor(theme.muted))
            text = f"{10**power:,}" if power >= 0 else f"{10.0**power:.{-power}f}"
            painter.drawText(QRectF(spot.x() - 30, spot.y() - 9, 60, 18), Qt.AlignmentFlag.AlignCenter, text)
        painter.setFont(self.font())

    def _paint_numbers(self, painter: QPainter, centre: QPointF, radius: float, theme: Theme) -> None:
        if self.row is None:
            return
        answer = self.row.prediction
        big = QFont(self.font())
        big.setPointSizeF(big.pointSizeF() * (1.7 if radius > 66 else 1.25))
        big.setBold(True)
        painter.setFont(big)
        painter.setPen(QColor(theme.text))
        middle = QRectF(centre.x() - radius, centre.y() - 22, 2 * radius, 28)
        painter.drawText(middle, Qt.AlignmentFlag.AlignCenter, f"{sig3(answer.time_ms)} ms")
        painter.setFont(self.font())
        painter.setPen(QColor(theme.muted))
        bounds = "no interval known" if math.isnan(answer.low_ms) else interval(answer.low_ms, answer.high_ms)
        narrow = QFontMetricsF(self.font()).horizontalAdvance(bounds) > 1.8 * radius - 16
        drop = max(radius / 2, 6) if narrow else 6  # into the opening of the dial where it would cross its arc
        below = QRectF(centre.x() - radius - 20, centre.y() + drop, 2 * radius + 40, 18)
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, bounds)

    # -- Exportable ---------------------------------------------------------------------------------------------------

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self.row is not None:
            pop_up(export_menu(self, lambda: self.context.theme.current, self, self.context.report), event.globalPos())

    def export_name(self) -> str:
        """Name of the picture."""
        return f"gauge-{self.row.predictor}" if self.row else "gauge"

    def export_size(self) -> QSizeF:
        """As on screen."""
        return QSizeF(max(self.width(), 240), max(self.height(), 160))

    def export_paint(self, painter: QPainter, area: QRectF, theme: Theme) -> None:
        """As on screen, in the colours asked for."""
        self.paint(painter, area, theme)

    def export_data(self) -> Data:
        """One line."""
        if self.row is None or self.config is None:
            return Data((), [])
        answer, target = self.row.prediction, self.row.target
        columns = ("predictor", "target", "time_kind", "time_ms", "low_90_ms", "high_90_ms", "verdict")
        cells: tuple[Cell, ...] = (
            self.row.predictor,
            target.name,
            target.time_kind,
            answer.time_ms,
            answer.low_ms,
            answer.high_ms,
            answer.verdict,
        )
        return Data(columns, [cells], {**self.config.model_dump(), "version": __version__})
