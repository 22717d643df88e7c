"""Bars with whiskers and symbols: what is drawn, and the item that draws one panel of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QTransform
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from cnnpredict_gui.gui.format import sig3
from cnnpredict_gui.gui.pixel_item import PixelItem
from cnnpredict_gui.gui.problems import told
from cnnpredict_gui.gui.symbols import draw_symbol, fill, hatch

_MAX_THICKNESS = 20
_SOLID = Qt.PenStyle.SolidLine
#: Of each bar the ends of its whisker and, between them, its time, in pixels.
Spots = list[list[QPointF]]


@dataclass(frozen=True)
class Bar:
    """One bar: a time with its interval, in ms.

    ``key`` identifies it, ``group`` is the label of the group it stands in, ``note`` the text of its tooltip, ``whiskers`` says
    what the interval is.
    """

    key: str
    group: str
    text: str
    time_ms: float
    low_ms: float
    high_ms: float
    family: str = ""
    series: int = -1
    symbol: str = "o"
    hatched: bool = False
    mark: str = ""
    note: str = ""
    whiskers: str = "90 % interval"

    @property
    def ends(self) -> tuple[float, float]:
        """Where the whisker ends; at the time itself if no interval is known."""
        return (self.time_ms, self.time_ms) if math.isnan(self.low_ms) else (self.low_ms, self.high_ms)


@dataclass(frozen=True)
class Panel:
    """Bars that share an axis, with a heading."""

    title: str
    bars: tuple[Bar, ...]
    #: A time measured on this machine (ms) to be marked across the bars, NaN for none.
    measured_ms: float = math.nan


class BarsItem(PixelItem):
    """Draws the bars of one panel in pixels, so that symbols, hatching and numbers keep their size."""

    def __init__(self) -> None:
        super().__init__()
        self.setFlag(self.GraphicsItemFlag.ItemUsesExtendedStyleOption)  # to be told what is in sight
        self.bars: tuple[Bar, ...] = ()
        self.places: list[float] = []
        self.log = True
        self.focus = ""
        self.baseline = self.measured = math.nan

    def position(self, time_ms: float) -> float:
        """Place of a time on the axis."""
        return math.log10(time_ms) if self.log else time_ms

    def colour(self, bar: Bar) -> QColor:
        """Colour of the family, or of the series."""
        if bar.series >= 0:
            return QColor(self.theme.series[bar.series % len(self.theme.series)])
        return QColor(self.theme.family(bar.family))

    @told
    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        transform = painter.transform()
        painter.save()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left = transform.map(QPointF(self._bounds.left(), 0)).x()
        right = transform.map(QPointF(self._bounds.right(), 0)).x()
        self._paint_title(painter, transform.map(self._bounds.topLeft()), right)
        thickness = min(abs(transform.m22()) * 0.72, _MAX_THICKNESS)
        bars, spots = self._in_sight(transform, option.exposedRect)
        self._paint_areas(painter, bars, spots, left, thickness)
        self._paint_lines(painter, transform)
        self._paint_whiskers(painter, bars, spots, max(thickness * 0.28, 2))
        size, base = max(min(thickness * 0.62, 11), 6), QColor(self.theme.base)
        for bar, (_, middle, _) in zip(bars, spots, strict=True):
            draw_symbol(painter, middle, bar.symbol, size, self.colour(bar), base)
        if thickness >= 9:
            self._paint_texts(painter, bars, spots, right)
        painter.restore()

    def _in_sight(self, transform: QTransform, exposed: QRectF) -> tuple[list[Bar], Spots]:
        """The bars that reach into ``exposed`` (a row more on each side), and their spots."""
        least, most = exposed.top() - 1.5, exposed.bottom() + 1.5
        rows = [(bar, place) for bar, place in zip(self.bars, self.places, strict=True) if least < place < most]
        return [bar for bar, _ in rows], [
            [transform.map(QPointF(self.position(t), place)) for t in (bar.ends[0], bar.time_ms, bar.ends[1])]
            for bar, place in rows
        ]

    def _paint_title(self, painter: QPainter, corner: QPointF, right: float) -> None:
        metrics = QFontMetricsF(painter.font())
        area = QRectF(corner.x() + 4, corner.y(), right - corner.x() - 8, metrics.height() + 4)
        painter.setPen(QColor(self.theme.muted))
        text = metrics.elidedText(self.title, Qt.TextElideMode.ElideRight, area.width())
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, text)

    def _paint_lines(self, painter: QPainter, transform: QTransform) -> None:
        """The baseline and the time measured, across the bars."""
        lines = ((self.baseline, self.theme.accent, 1, Qt.PenStyle.DashLine), (self.measured, self.theme.text, 2, _SOLID))
        for time_ms, colour, width, style in lines:
            if not math.isnan(time_ms):
                x = transform.map(QPointF(self.position(time_ms), 0)).x()
                top, bottom = (transform.map(QPointF(0, y)).y() for y in (-0.6, self._bounds.bottom()))
                painter.setPen(QPen(QColor(colour), width, style))
                painter.drawLine(QPointF(x, top), QPointF(x, bottom))

    def _paint_areas(self, painter: QPainter, bars: list[Bar], spots: Spots, left: float, thickness: float) -> None:
        """The bars themselves, paler and hatched where extrapolating, with a frame around the one in focus."""
        alike: dict[tuple[str, bool], list[QRectF]] = {}
        focus = []
        for bar, (_, middle, _) in zip(bars, spots, strict=True):
            area = QRectF(left, middle.y() - thickness / 2, max(middle.x() - left, 0), thickness)
            alike.setdefault((self.colour(bar).name(), bar.hatched), []).append(area)
            if bar.key == self.focus:
                focus.append(area)
        for (name, hatched), areas in alike.items():
            colour = QColor(name)
            fill(painter, areas, self.theme.on_base(colour, 0.25 if hatched else 0.75))
            if hatched:
                hatch(painter, areas, colour)
        painter.setPen(QPen(QColor(self.theme.accent), 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRects(focus)

    def _paint_whiskers(self, painter: QPainter, bars: list[Bar], spots: Spots, cap: float) -> None:
        """The intervals that are known, with ends of twice ``cap`` pixels."""
        lines = []
        for bar, (low, _, high) in zip(bars, spots, strict=True):
            if not math.isnan(bar.low_ms):
                lines.append(QLineF(low, high))
                lines += [QLineF(end.x(), end.y() - cap, end.x(), end.y() + cap) for end in (low, high)]
        painter.setPen(QPen(QColor(self.theme.text), 1.2))
        painter.drawLines(lines)

    @staticmethod
    def text_of(bar: Bar) -> str:
        """The number behind a bar, with its mark."""
        return f"{sig3(bar.time_ms)} {bar.mark}" if bar.mark else sig3(bar.time_ms)

    def _paint_texts(self, painter: QPainter, bars: list[Bar], spots: Spots, right: float) -> None:
        metrics = QFontMetricsF(painter.font())
        painter.setPen(QColor(self.theme.text))
        for bar, (_, _, high) in zip(bars, spots, strict=True):
            text = self.text_of(bar)
            width = metrics.horizontalAdvance(text)
            if high.x() + 8 + width > right:  # rather without its mark than over the bar
                text = sig3(bar.time_ms)
                width = metrics.horizontalAdvance(text)
            x = min(high.x() + 6, right - width - 2)
            painter.drawText(QRectF(x, high.y() - 10, width + 4, 20), Qt.AlignmentFlag.AlignVCenter, text)
