"""Family symbols and hatching, drawn with plain lines so that they come out the same on screen, in PNG and in SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF

from cnnpredict_gui.core.table import Floats

#: Dashes and the gaps between them, before the ends of the pen are added and taken off.
_DASH_PX, _GAP_PX = 6.0, 5.0
_LONG_PX = 10_000.0
#: Lines of a hatching; Qt takes a millisecond for about a thousand.
_MOST_LINES = 6000
_CORNERS: dict[str, list[tuple[float, float]]] = {
    "s": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    "t1": [(0, -1.1), (1.05, 0.85), (-1.05, 0.85)],
    "t": [(0, 1.1), (1.05, -0.85), (-1.05, -0.85)],
    "d": [(0, -1.2), (1.0, 0), (0, 1.2), (-1.0, 0)],
    "star": [
        (radius * math.sin(i * math.pi / 5), -radius * math.cos(i * math.pi / 5))
        for i, radius in ((i, 1.3 if i % 2 == 0 else 0.55) for i in range(10))
    ],
}


def symbol_path(symbol: str, centre: QPointF, size: float) -> QPainterPath:
    """Outline of a symbol about ``size`` pixels wide; unknown symbols are circles."""
    path = QPainterPath()
    half = size / 2
    if symbol in _CORNERS:
        path.addPolygon(QPolygonF([QPointF(centre.x() + half * x, centre.y() + half * y) for x, y in _CORNERS[symbol]]))
        path.closeSubpath()
    else:
        path.addEllipse(centre, half, half)
    return path


def draw_symbol(painter: QPainter, centre: QPointF, symbol: str, size: float, colour: QColor, outline: QColor) -> None:
    """Draw a filled symbol; ``hatch`` is a hatched box, ``line`` and ``dash`` are short lines, ``x`` a cross."""
    if symbol == "hatch":
        box = QRectF(centre.x() - size / 2, centre.y() - size / 2, size, size)
        hatch(painter, [box], colour, 4)
        painter.setPen(QPen(colour, 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(box)
    elif symbol == "line":
        painter.setPen(QPen(colour, 2))
        painter.drawLine(QPointF(centre.x() - size / 2, centre.y()), QPointF(centre.x() + size / 2, centre.y()))
    elif symbol in ("dash", "x"):
        half, third = size / 2, size / 3
        painter.setPen(QPen(colour, 1.6))
        dashes = [QLineF(-half, 0, -half + 4, 0), QLineF(half - 4, 0, half, 0)]
        cross = [QLineF(-third, -third, third, third), QLineF(-third, third, third, -third)]
        painter.drawLines([line.translated(centre) for line in (dashes if symbol == "dash" else cross)])
    else:
        painter.setPen(QPen(outline, 1))
        painter.setBrush(colour)
        painter.drawPath(symbol_path(symbol, centre, size))


def draw_symbols(painter: QPainter, x: Floats, y: Floats, symbol: str, size: float, colour: QColor, outline: QColor) -> None:
    """Draw the same filled symbol at many places, arrays of shape (n,) in pixels, as one path."""
    if not len(x):
        return
    one, path = symbol_path(symbol, QPointF(0, 0), size), QPainterPath()
    path.setFillRule(Qt.FillRule.WindingFill)
    for left, top in zip(x.tolist(), y.tolist(), strict=True):
        path.addPath(one.translated(left, top))
    painter.setPen(QPen(outline, 1))
    painter.setBrush(colour)
    painter.drawPath(path)


def fill(painter: QPainter, areas: Sequence[QRectF], colour: QColor) -> None:
    """Fill rectangles in one call: each call lets go of Python's lock and waits for it."""
    if areas:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRects(areas)
        painter.setBrush(Qt.BrushStyle.NoBrush)


def hatch(painter: QPainter, areas: Sequence[QRectF], colour: QColor, gap: float = 6) -> None:
    """Diagonal lines every ``gap`` pixels, cut to ``areas`` by arithmetic; further apart where there would be too many."""
    edges = np.array([(area.left(), area.bottom(), area.width(), area.height()) for area in areas if not area.isEmpty()])
    if not len(edges):
        return
    gap = max(gap, edges[:, 2:].sum() / _MOST_LINES)
    counts = (edges[:, 2:].sum(axis=1) / gap).astype(np.int64) + 1
    left, bottom, width, height = np.repeat(edges, counts, axis=0).T
    step = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
    x = left - height + step * gap
    begin, end = np.maximum(0.0, left - x), np.minimum(height, left + width - x)
    there = end > begin
    ends = ((x + begin)[there], (bottom - begin)[there], (x + end)[there], (bottom - end)[there])
    painter.setPen(QPen(colour, 1))
    painter.drawLines(line_segments(*ends))


def joined(x: Floats, y: Floats) -> list[QLineF]:
    """The lines of a curve through points, arrays of shape (n,) in pixels.

    Single lines are for curves of a solid pen wider than a pixel: Qt outlines a polyline or a path of many points as a whole,
    which takes up to seventy times as long.
    """
    return line_segments(x[:-1], y[:-1], x[1:], y[1:])


def draw_dashed(painter: QPainter, x: Floats, y: Floats, colour: QColor, width: float) -> None:
    """Draw a dashed line through points, arrays of shape (n,) in pixels.

    Lengths are taken along the line, so a dash may cut a corner by a pixel or two. Qt's own dashes take four times as long,
    but Qt leaves out those beyond the edges: they are for lines far longer than a screen, seen when zoomed in.
    """
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    painter.setPen(QPen(colour, width))
    if along[-1] > _LONG_PX:
        painter.setPen(QPen(colour, width, Qt.PenStyle.DashLine))
        painter.drawPolyline(QPolygonF(list(map(QPointF, x.tolist(), y.tolist()))))
        return
    starts = np.arange(0.0, along[-1], _DASH_PX + _GAP_PX)
    ends = np.minimum(starts + _DASH_PX, along[-1])
    painter.drawLines(line_segments(*(np.interp(places, along, values) for places in (starts, ends) for values in (x, y))))


def line_segments(x1: Floats, y1: Floats, x2: Floats, y2: Floats) -> list[QLineF]:
    """Lines between points, arrays of shape (n,) in pixels."""
    return list(map(QLineF, x1.tolist(), y1.tolist(), x2.tolist(), y2.tolist()))
