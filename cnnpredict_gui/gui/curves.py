"""Lines with interval bands over one parameter, drawn by one light item per plot, and an axis that marks given values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QPainter, QPen, QTransform
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from cnnpredict_gui.core.table import Floats
from cnnpredict_gui.gui.axes import NumberAxis
from cnnpredict_gui.gui.pixel_item import PixelItem
from cnnpredict_gui.gui.problems import told
from cnnpredict_gui.gui.series import SeriesStyle
from cnnpredict_gui.gui.symbols import draw_dashed, draw_symbols, line_segments

#: About so many points of a curve get a symbol, besides those without neighbours.
_SYMBOLS = 14
_MARK_PX, _LINE_PX = 3.5, 1.8


@dataclass(frozen=True, eq=False)
class DrawnCurve:
    """A curve in axis coordinates (log10 where the axis is logarithmic); NaN is a gap. Arrays have shape (n,)."""

    style: SeriesStyle
    x: Floats
    y: Floats
    low: Floats
    high: Floats
    extrapolating: npt.NDArray[np.bool_]


class ValueAxis(NumberAxis):
    """Marks the swept values themselves, as many as have room, instead of round numbers.

    ``marks`` are (position on the axis, text); without any the axis is a :class:`NumberAxis`.
    """

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation)
        self.marks: list[tuple[float, str]] = []

    def set_marks(self, marks: Sequence[tuple[float, str]]) -> None:
        """Mark these positions."""
        if list(marks) != self.marks:
            self.marks = sorted(marks)
            self.picture = None
            self.update()

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float | None, list[float]]]:
        if not self.marks:
            found: list[tuple[float | None, list[float]]] = super().tickValues(low, high, size)
            return found
        chosen: list[float] = []
        pixels, end = size / max(high - low, 1e-12), -math.inf
        flat = self.orientation in ("left", "right")
        for place, text in self.marks:
            room = 9.0 if flat else 4.0 * len(text) + 4
            at = (place - low) * pixels
            if low <= place <= high and at - room >= end:
                chosen.append(place)
                end = at + room
        return [(1.0, chosen)]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        if not self.marks:
            return super().tickStrings(values, scale, spacing)
        texts = dict(self.marks)
        return [texts.get(value, "") for value in values]


class CurvesItem(PixelItem):
    """Draws bands, lines (dashed where extrapolating), symbols, marks of missing points, the crosshair and the present value.

    ``missing``, ``crosshair`` and ``present`` are positions on the x axis; NaN for none.
    """

    def __init__(self, title: str = "") -> None:
        super().__init__(title)
        self.curves: list[DrawnCurve] = []
        self.missing: Floats = np.array([])
        self.crosshair = math.nan
        self.present = math.nan
        self.bands = True

    @told
    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        transform = painter.transform()
        painter.save()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(QGuiApplication.font())
        area = transform.mapRect(self._bounds)
        painter.setClipRect(area.adjusted(-1, -1, 1, 1))
        painter.setPen(QPen(QColor(self.theme.border), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.setPen(QColor(self.theme.muted))
        painter.drawText(area.adjusted(6, 1, -4, 0), Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft, self.title)
        self._paint_line(painter, transform, self.present, area, QPen(QColor(self.theme.accent), 1, Qt.PenStyle.DashLine))
        if self.bands:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            for curve in self.curves:
                self._paint_band(painter, transform, curve)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for curve in self.curves:
            self._paint_curve(painter, transform, curve)
        self._paint_line(painter, transform, self.crosshair, area, QPen(QColor(self.theme.muted), 1))
        self._paint_missing(painter, transform, area)
        painter.restore()

    @staticmethod
    def _paint_line(painter: QPainter, transform: QTransform, x: float, area: QRectF, pen: QPen) -> None:
        if not math.isnan(x):
            at = transform.map(QPointF(x, 0)).x()
            painter.setPen(pen)
            painter.drawLine(QPointF(at, area.top()), QPointF(at, area.bottom()))

    def _paint_missing(self, painter: QPainter, transform: QTransform, area: QRectF) -> None:
        painter.setPen(QPen(QColor(self.theme.error), 1.4))
        y = area.bottom() - 2 * _MARK_PX
        for x in self.missing:
            at, d = transform.map(QPointF(float(x), 0)).x(), _MARK_PX
            painter.drawLines([QLineF(at - d, y - d, at + d, y + d), QLineF(at - d, y + d, at + d, y - d)])

    def _paint_band(self, painter: QPainter, transform: QTransform, curve: DrawnCurve) -> None:
        colour = QColor(curve.style.colour)
        colour.setAlphaF(0.13 if self.theme.name == "light" else 0.18)
        for start, end in runs(np.isfinite(curve.low)):
            if end - start < 2:
                x, y = _pixels(transform, curve.x[[start, start]], np.array([curve.low[start], curve.high[start]]))
                painter.setPen(QPen(colour.darker(120), 3))
                painter.drawLine(QPointF(x[0], y[0]), QPointF(x[1], y[1]))
                continue
            there = slice(start, end)
            x = np.concatenate([curve.x[there], curve.x[there][::-1]])
            y = np.concatenate([curve.low[there], curve.high[there][::-1]])
            painter.fillPath(pg.arrayToQPath(*_pixels(transform, x, y), connect="all"), colour)

    def _paint_curve(self, painter: QPainter, transform: QTransform, curve: DrawnCurve) -> None:
        there = np.isfinite(curve.y)
        x, y = _pixels(transform, curve.x, np.where(there, curve.y, 0.0))
        joined = np.append(there[:-1] & there[1:], False)
        outside = np.append(curve.extrapolating[:-1] | curve.extrapolating[1:], False)
        colour, base = QColor(curve.style.colour), QColor(self.theme.base)
        for start, end in runs(joined & outside):
            draw_dashed(painter, x[start : end + 1], y[start : end + 1], colour, _LINE_PX)
        starts = np.flatnonzero(joined & ~outside)
        painter.setPen(QPen(colour, _LINE_PX))
        painter.drawLines(line_segments(x[starts], y[starts], x[starts + 1], y[starts + 1]))
        alone = there & ~joined & ~np.append(False, joined[:-1])
        marked = alone.copy()
        marked[:: max(1, len(x) // _SYMBOLS)] |= there[:: max(1, len(x) // _SYMBOLS)]
        for part, fill, edge in ((marked & ~curve.extrapolating, colour, base), (marked & curve.extrapolating, base, colour)):
            draw_symbols(painter, x[part], y[part], curve.style.symbol, 7.5, fill, edge)


def _pixels(transform: QTransform, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    return x * transform.m11() + transform.dx(), y * transform.m22() + transform.dy()


def runs(there: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches of True as (start, end) with the end excluded."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], there.astype(np.int8), [0]])))
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]
