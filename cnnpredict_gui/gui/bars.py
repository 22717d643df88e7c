"""Horizontal bars with interval whiskers in up to three stacked panels, drawn in place by one light item per panel."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QLineF, QObject, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QHelpEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QToolTip, QWidget

from cnnpredict_gui.gui.charts import ChartView
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.format import interval, sig3
from cnnpredict_gui.gui.symbols import draw_symbol, hatch
from cnnpredict_gui.gui.theme import LIGHT, Theme

_BAR_PX = 17
_GAP = 0.7
_CHROME_PX = 32
_MAX_THICKNESS = 20
#: Room for the heading of a panel, in bars.
_HEAD = 1.4


@dataclass(frozen=True)
class Bar:
    """One bar: a time with its interval, in ms.

    ``key`` identifies it, ``group`` is the label of the group it stands in, ``note`` the text of its tooltip.
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


@dataclass(frozen=True)
class Panel:
    """Bars that share an axis, with a heading."""

    title: str
    bars: tuple[Bar, ...]


class BarsItem(pg.GraphicsObject):  # type: ignore[misc]
    """Draws the bars of one panel in pixels, so that symbols, hatching and numbers keep their size."""

    def __init__(self) -> None:
        super().__init__()
        self.bars: tuple[Bar, ...] = ()
        self.places: list[float] = []
        self.theme: Theme = LIGHT
        self.log = True
        self.focus = ""
        self.baseline = math.nan
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
        if not math.isnan(self.baseline):
            x = transform.map(QPointF(self.position(self.baseline), 0)).x()
            top, bottom = (transform.map(QPointF(0, y)).y() for y in (-0.6, self._bounds.bottom()))
            painter.setPen(QPen(QColor(self.theme.accent), 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(x, top), QPointF(x, bottom))
        thickness = min(abs(transform.m22()) * 0.72, _MAX_THICKNESS)
        for bar, place in zip(self.bars, self.places, strict=True):
            points = [transform.map(QPointF(self.position(t), place)) for t in (bar.low_ms, bar.time_ms, bar.high_ms)]
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
        text = self.text_of(bar)
        width = QFontMetricsF(painter.font()).horizontalAdvance(text)
        x = min(high.x() + 6, right - width - 2)
        painter.setPen(QColor(self.theme.text))
        painter.drawText(QRectF(x, high.y() - 10, width + 4, 20), Qt.AlignmentFlag.AlignVCenter, text)


class BarsChart(ChartView):
    """Panels of horizontal bars; :meth:`show_panels` updates them in place.

    Args:
        picked: Called with the key of a bar that was clicked.
    """

    PANELS = 3

    def __init__(self, context: AppContext, title: str, empty: str, picked: Callable[[str], None] | None = None) -> None:
        super().__init__(context, title, empty, scrollable=True)
        self._picked = picked
        self.log = True
        self.panels: tuple[Panel, ...] = ()
        self.items: list[BarsItem] = []
        self._layout_key: object = None
        for row in range(self.PANELS):
            plot = self.add_plot(row, 0, mouse=False)
            plot.invertY(True)
            plot.showGrid(x=True, y=False, alpha=0.12)
            item = BarsItem()
            plot.addItem(item, ignoreBounds=True)
            plot.getViewBox().sigResized.connect(self._rescale)
            self.items.append(item)
        self.recolour(context.theme.current)
        viewport = self.graphics.viewport()
        viewport.setMouseTracking(True)
        viewport.installEventFilter(self)

    def set_log(self, on: bool) -> None:
        """Logarithmic or linear axes."""
        if on != self.log:
            self.log = on
            self.show_panels(self.panels)

    def show_panels(self, panels: Sequence[Panel], focus: str = "", baselines: Sequence[float] = ()) -> None:
        """Show these panels (at most three); ``baselines`` are times (ms, NaN for none) to mark in each."""
        self.panels = tuple(panel for panel in panels[: self.PANELS] if panel.bars)
        self.set_empty(not self.panels)
        self._arrange()
        for number, (plot, item) in enumerate(zip(self.plots, self.items, strict=True)):
            bars = self.panels[number].bars if number < len(self.panels) else ()
            item.bars, item.log, item.focus = bars, self.log, focus
            item.baseline = baselines[number] if number < len(baselines) else math.nan
            item.theme = self._theme
            self._scale(plot, item)

    def _arrange(self) -> None:
        """Give each panel its room and its labels; only when the structure has changed."""
        key = (
            tuple((panel.title, tuple((bar.key, bar.group) for bar in panel.bars)) for panel in self.panels),
            self._theme.name,
        )
        if key == self._layout_key:
            return
        self._layout_key = key
        metrics = QFontMetricsF(self.font())
        groups = {bar.group for panel in self.panels for bar in panel.bars}
        labels = {group: group.replace(" · ", "\n", 1) for group in groups}
        width = max((metrics.horizontalAdvance(line) for label in labels.values() for line in label.split("\n")), default=0)
        heights = []
        for number, (plot, item) in enumerate(zip(self.plots, self.items, strict=True)):
            shown = number < len(self.panels)
            plot.setVisible(shown)
            bars = self.panels[number].bars if shown else ()
            item.places, ticks, last = _places(bars)
            height = round(_CHROME_PX + (last + _HEAD) * _BAR_PX) if shown else 0
            heights.append(height)
            axis = plot.getAxis("left")
            axis.setTicks([[(place, _fitting(group, count)) for place, group, count in ticks]])
            axis.setWidth(min(width, 200) + 14)
            axis.setStyle(tickLength=0, autoExpandTextSpace=False)
            item.title = self.panels[number].title if shown else ""
            layout = self.graphics.ci.layout
            layout.setRowStretchFactor(number, round(last * 10) if shown else 0)
            layout.setRowMinimumHeight(number, height)
            layout.setRowMaximumHeight(number, 16777215 if shown else 0)
        self.graphics.setMinimumHeight(round(sum(heights)) + 16)

    def _scale(self, plot: pg.PlotItem, item: BarsItem) -> None:
        if not item.bars:
            return
        low = min(min(bar.low_ms, bar.time_ms) for bar in item.bars)
        high = max(max(bar.high_ms, bar.time_ms) for bar in item.bars)
        room = self._room(plot, item)
        if self.log:
            left, right = math.floor(math.log10(low) * 4 - 0.4) / 4, math.ceil(math.log10(high) * 4) / 4
            left = min(left, right - 0.75)
            right += (right - left) * room / (1 - room)
        else:
            left, right = 0.0, high / (1 - room)
        top, bottom = -0.6 - _HEAD, item.places[-1] + 0.6
        plot.getAxis("bottom").setLogMode(self.log)
        plot.getViewBox().setRange(xRange=(left, right), yRange=(top, bottom), padding=0, disableAutoRange=True)
        item.set_bounds(QRectF(left, top, right - left, bottom - top))

    def _rescale(self) -> None:
        for plot, item in zip(self.plots, self.items, strict=False):
            self._scale(plot, item)

    def _room(self, plot: pg.PlotItem, item: BarsItem) -> float:
        """Share of the width that the numbers right of the whiskers need."""
        metrics = QFontMetricsF(self.font())
        text = max(metrics.horizontalAdvance(item.text_of(bar)) for bar in item.bars) + 14
        width = max(float(plot.getViewBox().width()), 200.0)
        return min(max(text / width, 0.1), 0.5)

    def recolour(self, theme: Theme) -> None:
        for item in getattr(self, "items", []):
            item.theme = theme
            item.update()
        if getattr(self, "panels", None):
            self._arrange()

    def bar_at(self, point: QPointF) -> Bar | None:
        """The bar under a point of the drawing (viewport pixels), by its row."""
        scene_point = self.graphics.mapToScene(point.toPoint())
        for number, (plot, item) in enumerate(zip(self.plots, self.items, strict=True)):
            box = plot.getViewBox()
            if number < len(self.panels) and box.sceneBoundingRect().contains(scene_point):
                y = box.mapSceneToView(scene_point).y()
                for bar, place in zip(item.bars, item.places, strict=True):
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
    lines = [bar.text, f"{sig3(bar.time_ms)} ms, 90 % interval {interval(bar.low_ms, bar.high_ms)} ms"]
    return "\n".join([*lines, bar.note] if bar.note else lines)


def _places(bars: Sequence[Bar]) -> tuple[list[float], list[tuple[float, str, int]], float]:
    """Places of the bars, (middle, label, bars) of each group, and the extent of all."""
    places: list[float] = []
    spans: list[tuple[float, float, str, int]] = []
    place = 0.0
    for number, bar in enumerate(bars):
        if number and bar.group != bars[number - 1].group:
            place += _GAP
        places.append(place)
        if spans and spans[-1][2] == bar.group and number and bars[number - 1].group == bar.group:
            first, _, group, count = spans[-1]
            spans[-1] = (first, place, group, count + 1)
        else:
            spans.append((place, place, bar.group, 1))
        place += 1.0
    return places, [((first + last) / 2, group, count) for first, last, group, count in spans], place


def _fitting(group: str, bars: int) -> str:
    """A label in two lines where the group has room for them."""
    return group.replace(" · ", "\n", 1) if bars > 1 else group.split(" · ", maxsplit=1)[0] if len(group) > 28 else group
