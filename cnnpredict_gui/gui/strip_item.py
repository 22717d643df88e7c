"""A strip of upright bars with whiskers: the times of one predictor along a network."""

from __future__ import annotations

import math
from itertools import compress, repeat

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QLineF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QGuiApplication, QPainter, QPen, QTransform
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.core.table import Floats
from cnnpredict_gui.gui.axes import NumberAxis, colour_axis
from cnnpredict_gui.gui.pixel_item import PixelItem
from cnnpredict_gui.gui.problems import told
from cnnpredict_gui.gui.symbols import fill, hatch, line_segments
from cnnpredict_gui.gui.theme import Theme

_AXIS_PX = 48


class StripItem(PixelItem):
    """Bars of one predictor; arrays have shape (n,) over the convolutions, times in ms."""

    def __init__(self) -> None:
        super().__init__()
        self.time: Floats = np.array([])
        self.low: Floats = np.array([])
        self.high: Floats = np.array([])
        self.status: npt.NDArray[np.int64] = np.array([], dtype=np.int64)
        #: Times measured on this machine, NaN where there is none; empty for none at all.
        self.measured: Floats = np.array([])
        self.family = ""
        self.log = False
        self.cursor = -1

    @told
    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        transform = painter.transform()
        painter.save()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(QGuiApplication.font())
        area = transform.mapRect(self._bounds)
        painter.setClipRect(area.toAlignedRect())
        painter.setPen(QPen(QColor(self.theme.border), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        width = abs(transform.m11())
        x: Floats = (np.arange(len(self.time), dtype=np.float64) + 0.5) * transform.m11() + transform.dx()
        if 0 <= self.cursor < len(x):
            shade = QColor(self.theme.accent)
            shade.setAlpha(60)
            painter.fillRect(QRectF(x[self.cursor] - width / 2, area.top(), width, area.height()), shade)
        self._paint_bars(painter, transform, x, min(width * 0.8, 28), area.bottom())
        self._paint_measured(painter, transform, x, min(width, 32))
        self._paint_refused(painter, x[np.isnan(self.time)].tolist(), area.bottom() - 6)
        painter.setPen(QColor(self.theme.text))
        text = QFontMetricsF(painter.font()).elidedText(self.title, Qt.TextElideMode.ElideMiddle, area.width() - 12)
        painter.drawText(area.adjusted(6, 1, -4, 0), Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft, text)
        painter.restore()

    def _paint_measured(self, painter: QPainter, transform: QTransform, x: Floats, width: float) -> None:
        """A line across each bar at the time that was measured."""
        if not len(self.measured):
            return
        known = self.measured > 0
        times = np.log10(self.measured[known]) if self.log else self.measured[known]
        heights, at = times * transform.m22() + transform.dy(), x[known]
        painter.setPen(QPen(QColor(self.theme.text), 2))
        painter.drawLines(line_segments(at - width / 2, heights, at + width / 2, heights))

    def _paint_refused(self, painter: QPainter, places: list[float], y: float) -> None:
        painter.setPen(QPen(QColor(self.theme.error), 1.4))
        for x in places:
            painter.drawLines([QLineF(x - 3, y - 3, x + 3, y + 3), QLineF(x - 3, y + 3, x + 3, y - 3)])

    def _paint_bars(self, painter: QPainter, transform: QTransform, x: Floats, width: float, bottom: float) -> None:
        """All bars in a few calls: filled, paler where extrapolating; hatching and whiskers where there is room for them."""
        there = np.isfinite(self.time)
        ends = [values[there] for values in (self.low, self.time, self.high)]
        low, middle, high = ((np.log10(t) if self.log else t) * transform.m22() + transform.dy() for t in ends)
        places, tops, outside = x[there], np.minimum(middle, bottom), self.status[there] == Status.EXTRAPOLATING
        if width < 1:
            lefts, tops, outside = tallest_per_pixel(places, tops, outside)
            broad = 1.0
        else:
            lefts, broad = places - width / 2, width
        areas = list(map(QRectF, lefts.tolist(), tops.tolist(), repeat(broad), (bottom - tops).tolist()))
        inside, beyond = list(compress(areas, ~outside)), list(compress(areas, outside))
        colour = QColor(self.theme.family(self.family))
        fill(painter, inside, self.theme.on_base(colour, 0.75))
        fill(painter, beyond, self.theme.on_base(colour, 0.25))
        if width < 3:
            return
        hatch(painter, beyond, colour, 5)
        cap, known = min(width * 0.25, 4.0), np.isfinite(low)
        at, least, most = places[known], low[known], high[known]
        painter.setPen(QPen(QColor(self.theme.text), 1))
        painter.drawLines(line_segments(at, least, at, most))
        for end in (least, most):
            painter.drawLines(line_segments(at - cap, end, at + cap, end))


def tallest_per_pixel(
    places: Floats, tops: Floats, outside: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """The highest of all bars in each column of pixels, for networks of more layers than there are pixels.

    Args:
        places: Middles of the bars in pixels from the left, ascending, shape (n,).
        tops: Their upper ends in pixels from above, shape (n,).
        outside: Where they extrapolate, shape (n,); a column does when one of its bars does.

    Returns:
        Left edges, upper ends and whether they extrapolate, one for each column that has a bar.
    """
    columns = np.floor(places)
    starts = np.flatnonzero(np.diff(columns, prepend=-np.inf))
    if not len(starts):
        return columns, tops, outside
    return columns[starts], np.minimum.reduceat(tops, starts), np.logical_or.reduceat(outside, starts)


def paint_item(painter: QPainter, item: QGraphicsItem, to_area: QTransform) -> None:
    """Paint an item of a scene, and those in it, where ``to_area`` takes its place in the scene to."""
    option = QStyleOptionGraphicsItem()
    option.exposedRect = item.boundingRect()
    painter.save()
    painter.setTransform(item.sceneTransform() * to_area, True)
    item.paint(painter, option, None)
    painter.restore()
    for child in item.childItems():
        if child.isVisible():
            paint_item(painter, child, to_area)


class Strip:
    """One strip on screen: a view box with an axis of times. Far lighter than a pyqtgraph plot item."""

    def __init__(self, theme: Theme) -> None:
        self.item = StripItem()
        self.box = pg.ViewBox(enableMenu=False, enableMouse=False, defaultPadding=0)
        self.axis = NumberAxis("left")
        self.axis.setWidth(_AXIS_PX)
        self.axis.linkToView(self.box)
        self.box.addItem(self.item, ignoreBounds=True)
        self.recolour(theme)

    def put(self, graphics: pg.GraphicsLayoutWidget, row: int) -> None:
        """Stand in this row of the drawing; not by pyqtgraph's ``addItem``, which lays everything out anew for each item."""
        for column, item in enumerate((self.axis, self.box)):
            graphics.ci.layout.addItem(item, row, column)

    def take(self, graphics: pg.GraphicsLayoutWidget) -> None:
        """Leave the drawing."""
        for item in (self.axis, self.box):
            graphics.ci.layout.removeItem(item)
            graphics.scene().removeItem(item)

    def recolour(self, theme: Theme) -> None:
        """Take over the colours of ``theme``."""
        self.item.theme = theme
        self.item.update()
        colour_axis(self.axis, theme)

    def scale(self, count: int, low_ms: float, high_ms: float) -> None:
        """Show ``count`` bars and these times, with room for the title above."""
        log = self.item.log
        if self.axis.logMode != log:
            self.axis.setLogMode(log)
        if log:
            low, high = math.log10(low_ms) - 0.1, math.log10(high_ms)
            high += 0.3 * (high - low)
        else:
            low, high = 0.0, high_ms * 1.28
        self.box.setRange(xRange=(0, count), yRange=(low, high), padding=0, disableAutoRange=True)
        self.item.set_bounds(QRectF(0, low, count, high - low))
