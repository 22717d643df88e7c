"""Horizontal bars with interval whiskers in stacked panels, drawn in place by one light item per panel."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QLineF, QObject, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QHelpEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QToolTip, QWidget

from cnnpredict_gui.gui.axes import NumberAxis, colour_axis
from cnnpredict_gui.gui.charts import ChartView
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.format import interval_words, sig3
from cnnpredict_gui.gui.symbols import draw_symbol, hatch
from cnnpredict_gui.gui.theme import LIGHT, Theme

_BAR_PX = 17
#: Space between groups, in bars: of several bars each, and of one bar each.
_GAP, _SINGLE_GAP = 0.7, 0.2
_AXIS_PX = 24
_MAX_THICKNESS = 20
_LABEL_PX = 168
#: A drawing area is taken to be at least so wide.
_LEAST_BOX_PX = 60.0
_SOLID = Qt.PenStyle.SolidLine
#: Room for the heading of a panel, in bars.
_HEAD = 1.4


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


class BarsItem(pg.GraphicsObject):  # type: ignore[misc]
    """Draws the bars of one panel in pixels, so that symbols, hatching and numbers keep their size."""

    def __init__(self) -> None:
        super().__init__()
        self.bars: tuple[Bar, ...] = ()
        self.places: list[float] = []
        self.theme: Theme = LIGHT
        self.log = True
        self.focus = ""
        self.baseline = self.measured = math.nan
        self.title = ""
        self._bounds = QRectF(0, 0, 1, 1)

    def position(self, time_ms: float) -> float:
        """Place of a time on the axis."""
        return math.log10(time_ms) if self.log else time_ms

    def set_bounds(self, bounds: QRectF) -> None:
        """The part of the axes that is shown."""
        if bounds != self._bounds:
            self.prepareGeometryChange()
            self._bounds = bounds
        self.update()

    def boundingRect(self) -> QRectF:
        return self._bounds

    def colour(self, bar: Bar) -> QColor:
        """Colour of the family, or of the series."""
        if bar.series >= 0:
            return QColor(self.theme.series[bar.series % len(self.theme.series)])
        return QColor(self.theme.family(bar.family))

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        transform = painter.transform()
        painter.save()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left = transform.map(QPointF(self._bounds.left(), 0)).x()
        right = transform.map(QPointF(self._bounds.right(), 0)).x()
        self._paint_title(painter, transform.map(self._bounds.topLeft()), right)
        lines = ((self.baseline, self.theme.accent, 1, Qt.PenStyle.DashLine), (self.measured, self.theme.text, 2, _SOLID))
        for time_ms, colour, width, style in lines:
            if not math.isnan(time_ms):
                x = transform.map(QPointF(self.position(time_ms), 0)).x()
                top, bottom = (transform.map(QPointF(0, y)).y() for y in (-0.6, self._bounds.bottom()))
                painter.setPen(QPen(QColor(colour), width, style))
                painter.drawLine(QPointF(x, top), QPointF(x, bottom))
        thickness = min(abs(transform.m22()) * 0.72, _MAX_THICKNESS)
        for bar, place in zip(self.bars, self.places, strict=True):
            points = [transform.map(QPointF(self.position(t), place)) for t in (bar.ends[0], bar.time_ms, bar.ends[1])]
            self._paint_bar(painter, bar, points, left, right, thickness)
        painter.restore()

    def _paint_title(self, painter: QPainter, corner: QPointF, right: float) -> None:
        metrics = QFontMetricsF(painter.font())
        area = QRectF(corner.x() + 4, corner.y(), right - corner.x() - 8, metrics.height() + 4)
        painter.setPen(QColor(self.theme.muted))
        text = metrics.elidedText(self.title, Qt.TextElideMode.ElideRight, area.width())
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, text)

    def _paint_bar(
        self, painter: QPainter, bar: Bar, points: list[QPointF], left: float, right: float, thickness: float
    ) -> None:
        colour, (low, middle, high) = self.colour(bar), points
        area = QRectF(left, middle.y() - thickness / 2, max(middle.x() - left, 0), thickness)
        fill = QColor(colour)
        fill.setAlphaF(0.25 if bar.hatched else 0.75)
        painter.fillRect(area, fill)
        if bar.hatched:
            hatch(painter, area, colour)
        if bar.key == self.focus:
            painter.setPen(QPen(QColor(self.theme.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(area)
        cap = max(thickness * 0.28, 2)
        painter.setPen(QPen(QColor(self.theme.text), 1.2))
        if not math.isnan(bar.low_ms):
            painter.drawLines(
                [
                    QLineF(low, high),
                    QLineF(low.x(), low.y() - cap, low.x(), low.y() + cap),
                    QLineF(high.x(), high.y() - cap, high.x(), high.y() + cap),
                ]
            )
        draw_symbol(painter, middle, bar.symbol, max(min(thickness * 0.62, 11), 6), colour, QColor(self.theme.base))
        if thickness >= 9:
            self._paint_text(painter, bar, high, right)

    @staticmethod
    def text_of(bar: Bar) -> str:
        """The number behind a bar, with its mark."""
        return f"{sig3(bar.time_ms)} {bar.mark}" if bar.mark else sig3(bar.time_ms)

    def _paint_text(self, painter: QPainter, bar: Bar, high: QPointF, right: float) -> None:
        text, metrics = self.text_of(bar), QFontMetricsF(painter.font())
        width = metrics.horizontalAdvance(text)
        if high.x() + 8 + width > right:  # rather without its mark than over the bar
            text = sig3(bar.time_ms)
            width = metrics.horizontalAdvance(text)
        x = min(high.x() + 6, right - width - 2)
        painter.setPen(QColor(self.theme.text))
        painter.drawText(QRectF(x, high.y() - 10, width + 4, 20), Qt.AlignmentFlag.AlignVCenter, text)


class Lane:
    """One panel on screen: two axes and a view box. Far lighter than a pyqtgraph plot item, of which only these are needed."""

    def __init__(self, graphics: pg.GraphicsLayoutWidget, number: int) -> None:
        self.item = BarsItem()
        self.box = pg.ViewBox(enableMenu=False, enableMouse=False, invertY=True, defaultPadding=0)
        self.left, self.bottom = NumberAxis("left"), NumberAxis("bottom")
        self.left.setStyle(tickLength=0, autoExpandTextSpace=False)
        self.left.linkToView(self.box)
        self.bottom.linkToView(self.box)
        self.bottom.setGrid(40)
        self.box.addItem(self.item, ignoreBounds=True)
        self._layout, self._row = graphics.ci.layout, 2 * number
        self._layout.setColumnStretchFactor(1, 1)
        graphics.addItem(self.left, self._row, 0)
        graphics.addItem(self.box, self._row, 1)
        graphics.addItem(self.bottom, self._row + 1, 1)
        self.bottom.setZValue(-1)

    def set_room(self, bars: float) -> int:
        """Room for so many bars (0 hides the lane); returns the least height in pixels."""
        shown = bars > 0
        height = round((bars + _HEAD) * _BAR_PX) if shown else 0
        for part in (self.left, self.box, self.bottom):
            part.setVisible(shown)
        self._layout.setRowStretchFactor(self._row, round(bars * 10))
        self._layout.setRowMinimumHeight(self._row, height)
        self._layout.setRowMaximumHeight(self._row, 16777215 if shown else 0)
        self._layout.setRowFixedHeight(self._row + 1, _AXIS_PX if shown else 0)
        return height + (_AXIS_PX + 8 if shown else 0)

    def recolour(self, theme: Theme) -> None:
        """Take over the colours of ``theme``."""
        self.item.theme = theme
        for axis in (self.left, self.bottom):
            colour_axis(axis, theme)
        self.item.update()

    def scale(self, room_px: float) -> None:
        """Fit the axes to the bars, with ``room_px`` pixels for the numbers on the right."""
        item = self.item
        if not item.bars:
            return
        marks = [] if math.isnan(item.measured) else [item.measured]
        low = min(min(bar.ends[0], bar.time_ms) for bar in item.bars)
        high = max([*marks, *(max(bar.ends[1], bar.time_ms) for bar in item.bars)])
        low = min([*marks, low])
        room = min(max(room_px / max(float(self.box.width()), _LEAST_BOX_PX), 0.1), 0.7)
        if item.log:
            left, right = math.floor(math.log10(low) * 4 - 0.4) / 4, math.ceil(math.log10(high) * 4) / 4
            left = min(left, right - 0.75)
            right += (right - left) * room / (1 - room)
        else:
            left, right = 0.0, high / (1 - room)
        top, bottom = -0.6 - _HEAD, item.places[-1] + 0.6
        if self.bottom.logMode != item.log:
            self.bottom.setLogMode(item.log)
        self.box.setRange(xRange=(left, right), yRange=(top, bottom), padding=0, disableAutoRange=True)
        item.set_bounds(QRectF(left, top, right - left, bottom - top))


class BarsChart(ChartView):
    """Panels of horizontal bars; :meth:`show_panels` updates them in place.

    Args:
        picked: Called with the key of a bar that was clicked.
    """

    def __init__(self, context: AppContext, title: str, empty: str, picked: Callable[[str], None] | None = None) -> None:
        self.lanes: list[Lane] = []
        self.panels: tuple[Panel, ...] = ()
        super().__init__(context, title, empty, scrollable=True)
        self._picked = picked
        self.log = True
        self._layout_key: object = None
        viewport = self.graphics.viewport()
        viewport.setMouseTracking(True)
        viewport.installEventFilter(self)

    def set_log(self, on: bool) -> None:
        """Logarithmic or linear axes."""
        if on != self.log:
            self.log = on
            self.show_panels(self.panels)

    def show_panels(self, panels: Sequence[Panel], focus: str = "", baselines: Sequence[float] = ()) -> None:
        """Show these panels; ``baselines`` are times (ms, NaN for none) to mark in each."""
        self.panels = tuple(panel for panel in panels if panel.bars)
        self.set_empty(not self.panels)
        self._arrange()
        for number, lane in enumerate(self.lanes):
            item = lane.item
            item.bars = self.panels[number].bars if number < len(self.panels) else ()
            item.log, item.focus = self.log, focus
            item.measured = self.panels[number].measured_ms if number < len(self.panels) else math.nan
            item.baseline = baselines[number] if number < len(baselines) else math.nan
        self._rescale()

    def _arrange(self) -> None:
        """Give each panel its room and its labels; only when the structure has changed."""
        structure = tuple((panel.title, tuple((bar.key, bar.group) for bar in panel.bars)) for panel in self.panels)
        if structure == self._layout_key:
            return
        self._layout_key = structure
        while len(self.lanes) < len(self.panels):
            lane = Lane(self.graphics, len(self.lanes))
            lane.recolour(self._theme)
            lane.box.sigResized.connect(self._rescale)
            self.lanes.append(lane)
        labels = self._labels()
        metrics = QFontMetricsF(self.font())
        width = max((metrics.horizontalAdvance(line) for text in labels.values() for line in text.split("\n")), default=0)
        height = 0
        for number, lane in enumerate(self.lanes):
            panel = self.panels[number] if number < len(self.panels) else Panel("", ())
            lane.item.bars, lane.item.title = panel.bars, panel.title
            lane.item.places, ticks, extent = _places(panel.bars)
            lane.left.setTicks([[(place, labels[group, count > 1]) for place, group, count in ticks]])
            lane.left.setWidth(width + 14)
            height += lane.set_room(extent)
        self.graphics.setMinimumHeight(height)

    def _labels(self) -> dict[tuple[str, bool], str]:
        """Axis label of each group: in two lines where it has several bars, without the framework where that is not needed."""
        metrics = QFontMetricsF(self.font())
        groups = {bar.group for panel in self.panels for bar in panel.bars}
        devices = Counter(group.split(" · ", maxsplit=1)[0] for group in groups)
        labels: dict[tuple[str, bool], str] = {}
        for group in groups:
            device = group.split(" · ", maxsplit=1)[0]
            short = group if metrics.horizontalAdvance(group) < _LABEL_PX or devices[device] > 1 else device
            for several, text in ((True, group.replace(" · ", "\n", 1)), (False, short)):
                lines = [metrics.elidedText(line, Qt.TextElideMode.ElideRight, _LABEL_PX) for line in text.split("\n")]
                labels[group, several] = "\n".join(lines)
        return labels

    def _rescale(self) -> None:
        metrics = QFontMetricsF(self.font())
        for lane in self.lanes:
            texts = (metrics.horizontalAdvance(lane.item.text_of(bar)) for bar in lane.item.bars)
            lane.scale(max(texts, default=0) + 14)
            lane.item.update()

    def recolour(self, theme: Theme) -> None:
        for lane in self.lanes:
            lane.recolour(theme)

    def bar_at(self, point: QPointF) -> Bar | None:
        """The bar under a point of the drawing (viewport pixels), by its row."""
        scene_point = self.graphics.mapToScene(point.toPoint())
        for lane in self.lanes:
            if lane.item.bars and lane.box.sceneBoundingRect().contains(scene_point):
                y = lane.box.mapSceneToView(scene_point).y()
                for bar, place in zip(lane.item.bars, lane.item.places, strict=True):
                    if abs(y - place) <= 0.5:
                        return bar
        return None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            bar = self.bar_at(QPointF(event.pos()))
            if bar is None:
                QToolTip.hideText()
            else:
                QToolTip.showText(event.globalPos(), tooltip(bar), self)
            return True
        if isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseButtonRelease and self._picked is not None:
            bar = self.bar_at(event.position())
            if bar is not None and event.button() == Qt.MouseButton.LeftButton:
                self._picked(bar.key)
        return super().eventFilter(watched, event)


def tooltip(bar: Bar) -> str:
    """What hovering over a bar says."""
    lines = [bar.text, f"{sig3(bar.time_ms)} ms, {interval_words(bar.low_ms, bar.high_ms, bar.whiskers)}"]
    return "\n".join([*lines, bar.note] if bar.note else lines)


def _places(bars: Sequence[Bar]) -> tuple[list[float], list[tuple[float, str, int]], float]:
    """Places of the bars, (middle, label, bars) of each group, and the extent of all."""
    gap = _GAP if len({bar.group for bar in bars}) < len(bars) else _SINGLE_GAP
    places: list[float] = []
    spans: list[tuple[float, float, str, int]] = []
    place = 0.0
    for number, bar in enumerate(bars):
        if number and bar.group != bars[number - 1].group:
            place += gap
        places.append(place)
        if spans and spans[-1][2] == bar.group and number and bars[number - 1].group == bar.group:
            first, _, group, count = spans[-1]
            spans[-1] = (first, place, group, count + 1)
        else:
            spans.append((place, place, bar.group, 1))
        place += 1.0
    return places, [((first + last) / 2, group, count) for first, last, group, count in spans], place
