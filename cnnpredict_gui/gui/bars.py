"""Horizontal bars with interval whiskers in stacked panels, drawn in place by one light item per panel."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QHelpEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QToolTip

from cnnpredict_gui.gui.axes import NumberAxis, colour_axis
from cnnpredict_gui.gui.bars_item import Bar, BarsItem, Panel
from cnnpredict_gui.gui.charts import ChartView
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.format import interval_words, sig3
from cnnpredict_gui.gui.theme import Theme

_BAR_PX = 17
#: Space between groups, in bars: of several bars each, and of one bar each.
_GAP, _SINGLE_GAP = 0.7, 0.2
_AXIS_PX = 24
#: Labels are at most this wide, and take at most this part of the chart.
_LABEL_PX, _LABEL_PART = 200, 0.4
#: Labels in one line with their framework are at most this wide.
_SHORT_PX = 168
#: A drawing area is taken to be at least so wide.
_LEAST_BOX_PX = 60.0
#: Room for the heading of a panel, in bars.
_HEAD = 1.4


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
        panels = tuple((panel.title, tuple((bar.key, bar.group) for bar in panel.bars)) for panel in self.panels)
        structure = (panels, self._label_room())
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

    def _label_room(self) -> int:
        """Pixels that labels may take, in steps."""
        return min(_LABEL_PX, max(140, int(self.width() * _LABEL_PART) // 20 * 20))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.panels:
            self._arrange()
            self._rescale()

    def _labels(self) -> dict[tuple[str, bool], str]:
        """Axis label of each group: in two lines where it has several bars, without the framework where that is not needed."""
        metrics, room = QFontMetricsF(self.font()), self._label_room()
        groups = {bar.group for panel in self.panels for bar in panel.bars}
        devices = Counter(group.split(" · ", maxsplit=1)[0] for group in groups)
        labels: dict[tuple[str, bool], str] = {}
        for group in groups:
            device = group.split(" · ", maxsplit=1)[0]
            short = group if metrics.horizontalAdvance(group) < min(_SHORT_PX, room) or devices[device] > 1 else device
            for several, text in ((True, group.replace(" · ", "\n", 1)), (False, short)):
                lines = [metrics.elidedText(line, Qt.TextElideMode.ElideRight, room) for line in text.split("\n")]
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
