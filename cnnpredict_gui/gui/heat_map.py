"""Heat map of one predictor's times over two parameters."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QGuiApplication,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QTransform,
)
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QToolTip, QWidget

from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.core.table import Floats
from cnnpredict_gui.gui.charts import ChartView
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.curves import ValueAxis, runs
from cnnpredict_gui.gui.export import Data
from cnnpredict_gui.gui.format import interval_words, sig3
from cnnpredict_gui.gui.problems import told
from cnnpredict_gui.gui.series import KIND_AXES, predictor_title
from cnnpredict_gui.gui.sweep_chart import sweep_data
from cnnpredict_gui.gui.sweep_data import Curve, SweepAnswer
from cnnpredict_gui.gui.symbols import hatch
from cnnpredict_gui.gui.theme import LIGHT, Theme

_STOPS = 5
_LEFT_AXIS_PX = 62


class CellsItem(pg.GraphicsObject):  # type: ignore[misc]
    """Cells of a grid, coloured by the logarithm of their time: hatched where extrapolating, crossed where refused.

    Columns run over the first parameter, rows (from below) over the second; cell (0, 0) covers 0..1 each way.
    """

    def __init__(self) -> None:
        super().__init__()
        self.times = np.empty((0, 0))
        self.status = np.empty((0, 0), dtype=np.uint8)
        self.theme: Theme = LIGHT
        self.cursor: tuple[int, int] | None = None
        self._colours: list[QColor] = []
        self._image = QImage()

    def set_cells(self, times: Floats, status: npt.NDArray[np.uint8]) -> None:
        """Show times in ms and their :class:`Status`, shape (columns, rows)."""
        self.prepareGeometryChange()
        self.times, self.status = times, status
        levels = self.levels()
        logs = np.log10(times)
        span = max(levels[1] - levels[0], 1e-9)
        table = pg.colormap.get("viridis").getLookupTable(0.0, 1.0, 256)
        numbers = np.nan_to_num((logs - levels[0]) / span * 255).clip(0, 255).astype(int)
        palette = [QColor(*(int(part) for part in row)) for row in table]
        self._colours = [palette[number] for number in numbers.ravel().tolist()]
        self._image = QImage(times.shape[0], times.shape[1], QImage.Format.Format_ARGB32)
        self._image.fill(Qt.GlobalColor.transparent)
        for column, row in np.argwhere(np.isfinite(times)).tolist():  # images run from above, cells from below
            self._image.setPixelColor(column, times.shape[1] - 1 - row, palette[numbers[column, row]])
        self.update()

    def levels(self) -> tuple[float, float]:
        """Smallest and largest log10 of the times."""
        logs = np.log10(self.times[np.isfinite(self.times)])
        return (float(logs.min()), float(logs.max())) if logs.size else (0.0, 0.0)

    def stops(self) -> list[tuple[float, str]]:
        """Times in ms along the colour scale, with their colours."""
        low, high = self.levels()
        table = pg.colormap.get("viridis").getLookupTable(0.0, 1.0, _STOPS)
        places = [low + (high - low) * i / (_STOPS - 1) for i in range(_STOPS)]
        colours = [QColor(*(int(part) for part in row)).name() for row in table]
        return [(10.0**place, colour) for place, colour in zip(places, colours, strict=True)]

    def boundingRect(self) -> QRectF:
        return QRectF(0, 0, *self.times.shape)

    @told
    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        transform = painter.transform()
        painter.save()
        painter.resetTransform()
        painter.setFont(QGuiApplication.font())
        area = transform.mapRect(self.boundingRect())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        painter.drawImage(area, self._image)
        self._paint_outside(painter, transform)
        self._paint_refused(painter, transform)
        columns, rows = self.times.shape
        metrics = QFontMetricsF(painter.font())
        width, height = area.width() / max(columns, 1), area.height() / max(rows, 1)
        if width > metrics.horizontalAdvance("0.00") + 6 and height > metrics.height() + 2:
            for column, row in np.argwhere(np.isfinite(self.times)).tolist():
                self._paint_text(painter, transform.mapRect(QRectF(column, row, 1, 1)), column, row, metrics)
        if self.cursor is not None:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            frame = transform.mapRect(QRectF(*self.cursor, 1, 1))
            for colour, inset in (("#000000", 1.0), ("#ffffff", 3.0)):
                painter.setPen(QPen(QColor(colour), 2))
                painter.drawRect(frame.adjusted(inset, inset, -inset, -inset))
        painter.restore()

    def _paint_outside(self, painter: QPainter, transform: QTransform) -> None:
        """Hatching, one piece for cells that lie above each other."""
        outside, areas = self.status == Status.EXTRAPOLATING, defaultdict[int, list[QRectF]](list)
        for column in range(len(outside)):
            for start, end in runs(outside[column]):
                ink = _ink(self._colours[column * self.times.shape[1] + (start + end) // 2])
                areas[ink.rgb()].append(transform.mapRect(QRectF(column, start, 1, end - start)))
        for shade, hatched in areas.items():
            faint = QColor(shade)
            faint.setAlpha(70)
            hatch(painter, hatched, faint, 7)

    def _paint_refused(self, painter: QPainter, transform: QTransform) -> None:
        painter.setPen(QPen(QColor(self.theme.error), 1.2))
        for column, row in np.argwhere(np.isnan(self.times)).tolist():
            cell = transform.mapRect(QRectF(column, row, 1, 1))
            middle, d = cell.center(), min(cell.width(), cell.height(), 12) / 3
            one, other = QPointF(d, d), QPointF(d, -d)
            painter.drawLines([QLineF(middle - one, middle + one), QLineF(middle - other, middle + other)])

    def _paint_text(self, painter: QPainter, cell: QRectF, column: int, row: int, metrics: QFontMetricsF) -> None:
        text = sig3(float(self.times[column, row]))
        if metrics.horizontalAdvance(text) + 6 < cell.width():
            painter.setPen(_ink(self._colours[column * self.times.shape[1] + row]))
            painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, text)


def _ink(colour: QColor) -> QColor:
    """Black or white, whichever is read better on a colour."""
    return QColor("#000000" if colour.lightness() > 110 or colour.green() > 150 else "#ffffff")


class HeatMap(ChartView):
    """Times of one predictor over two parameters; arrow keys move a cell cursor, Return or a double click takes it over."""

    def __init__(self, context: AppContext, picked: Callable[[SweepAnswer, int], None] | None = None) -> None:
        self.answer: SweepAnswer | None = None
        self.curve: Curve | None = None
        self.cells = CellsItem()
        super().__init__(context, "Heat map", "Choose predictors in the list on the left to see their times.")
        self._picked = picked
        self.axes = {side: ValueAxis(side) for side in ("bottom", "left")}
        self.plot = self.add_plot(mouse=False, axes=dict(self.axes))
        self.axes["left"].setWidth(_LEFT_AXIS_PX)
        self.plot.addItem(self.cells)
        self.graphics.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.graphics.installEventFilter(self)
        self.graphics.viewport().setMouseTracking(True)
        self.graphics.viewport().installEventFilter(self)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of values of the two parameters."""
        points = self.answer.result.points if self.answer else []
        first = len({point[0] for point in points})
        return first, len(points) // max(first, 1)

    def show_answer(self, answer: SweepAnswer | None, predictor: str, names: tuple[str, str]) -> None:
        """Draw the answers of one predictor; ``names`` are the parameters' names with units."""
        self.answer = answer
        self.curve = answer.curve(predictor) if answer else None
        usable = self.curve is not None and bool(np.isfinite(self.curve.time_ms).any())
        self.set_empty(not usable)
        if answer is None or self.curve is None or not usable:
            return
        self.set_title(f"{predictor_title(self.curve.target, self.curve.family)}: {KIND_AXES[self.curve.target.time_kind]}")
        columns, rows = self.shape
        self.cells.theme = self._theme
        self.cells.set_cells(self.curve.time_ms.reshape(columns, rows), self.curve.status.reshape(columns, rows))
        for place, side in enumerate(("bottom", "left")):
            values = list(dict.fromkeys(point[place] for point in answer.result.points))
            self.axes[side].set_marks([(i + 0.5, f"{value:,}") for i, value in enumerate(values)])
            self.plot.setLabel(side, names[place], color=self._theme.muted)
        self.plot.getViewBox().setRange(xRange=(0, columns), yRange=(0, rows), padding=0, disableAutoRange=True)
        entries = [(f"{sig3(time)} ms", colour, "s") for time, colour in self.cells.stops()]
        if (self.curve.status == Status.EXTRAPOLATING).any():
            entries.append(("extrapolated", self._theme.muted, "hatch"))
        if (self.curve.status == Status.REFUSED).any():
            entries.append(("no prediction", self._theme.error, "x"))
        self.legend.set_entries(entries)
        self.legend.setVisible(True)

    def recolour(self, theme: Theme) -> None:
        self.cells.theme = theme
        self.cells.update()

    def point_of(self, cell: tuple[int, int]) -> int:
        """Number of the point of a cell."""
        return cell[0] * self.shape[1] + cell[1]

    def cell_at(self, position: QPointF) -> tuple[int, int] | None:
        """The cell under a place of the drawing (viewport pixels)."""
        place = self.plot.getViewBox().mapSceneToView(self.graphics.mapToScene(position.toPoint()))
        cell = math.floor(place.x()), math.floor(place.y())
        columns, rows = self.shape
        return cell if 0 <= cell[0] < columns and 0 <= cell[1] < rows else None

    def describe(self, cell: tuple[int, int]) -> str:
        """What a cell says."""
        if self.answer is None or self.curve is None:
            return ""
        point = self.point_of(cell)
        found = self.answer.result.prediction(self.curve.predictor, point)
        values = self.answer.result.points[point]
        head = ", ".join(f"{name} {value:,}" for name, value in zip(self.answer.result.parameters, values, strict=True))
        if found.status == Status.REFUSED:
            return f"{head}\n{found.verdict}"
        return f"{head}\n{sig3(found.time_ms)} ms, {interval_words(found.low_ms, found.high_ms)}\n{found.verdict}"

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        if self.answer is not None and not self.is_empty:
            if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
                cell = self.cell_at(QPointF(event.pos()))
                if cell is not None:
                    QToolTip.showText(event.globalPos(), self.describe(cell), self)
                return True
            if isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseButtonDblClick:
                self._pick(self.cell_at(event.position()))
                return True
            if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
                return self._key(event.key())
        return False

    def _key(self, key: int) -> bool:
        columns, rows = self.shape
        column, row = self.cells.cursor or (0, 0)
        steps = {
            Qt.Key.Key_Left: (-1, 0),
            Qt.Key.Key_Right: (1, 0),
            Qt.Key.Key_Up: (0, 1),
            Qt.Key.Key_Down: (0, -1),
        }
        if key in steps:
            step = steps[Qt.Key(key)] if self.cells.cursor is not None else (0, 0)
            self.cells.cursor = min(max(column + step[0], 0), columns - 1), min(max(row + step[1], 0), rows - 1)
            self.context.say(self.describe(self.cells.cursor).replace("\n", ": "))
            self.cells.update()
            return True
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._pick(self.cells.cursor)
            return True
        return False

    def _pick(self, cell: tuple[int, int] | None) -> None:
        if self._picked is not None and self.answer is not None and cell is not None:
            self._picked(self.answer, self.point_of(cell))

    def export_data(self) -> Data:
        """Every answer of the sweep, refused points too."""
        return sweep_data(self.answer)
