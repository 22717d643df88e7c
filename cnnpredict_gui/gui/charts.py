"""Base of all charts: title, axes with units, theme colours, legend, empty state, accessible name and export.

Imports pyqtgraph, so import this module only after the window is on screen. Items are updated in place, never rebuilt,
so that a frame costs a few milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pyqtgraph as pg
import PySide6.QtCore  # noqa: F401  (before pyqtgraph, which otherwise looks for another binding)
from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QContextMenuEvent, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import Data, export_button, export_menu
from cnnpredict_gui.gui.format import sig3
from cnnpredict_gui.gui.symbols import draw_symbol
from cnnpredict_gui.gui.theme import FAMILY_SYMBOLS, GRID, LIGHT, Theme

pg.setConfigOptions(antialias=True)


class NumberAxis(pg.AxisItem):  # type: ignore[misc]
    """Axis with plain numbers; on a log axis the values are log10 and the labels are 0.1, 1, 10."""

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation=orientation)
        self.enableAutoSIPrefix(False)

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        if self.logMode:
            return self.logTickStrings(values, scale, spacing)
        places = max(0, math.ceil(-math.log10(spacing * scale))) if spacing > 0 else 0
        return [f"{value * scale:,.{places}f}" for value in values]

    def logTickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        texts = []
        for value in values:
            text = sig3(10.0**value)
            texts.append(text.rstrip("0").rstrip(".") if "." in text else text)
        return texts


class Legend(QWidget):
    """A row of symbols with their names; wraps nothing, clips at the right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entries: list[tuple[str, str, str]] = []
        self.theme = LIGHT
        self.setAccessibleName("Legend")

    def set_entries(self, entries: Sequence[tuple[str, str, str]]) -> None:
        """Show these entries: (text, colour, symbol); the symbol ``hatch`` is a hatched box, ``line`` a short line."""
        if list(entries) != self.entries:
            self.entries = list(entries)
            self.setAccessibleDescription(", ".join(entry[0] for entry in entries))
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        """Width of all entries in one row."""
        metrics = self.fontMetrics()
        return QSize(sum(metrics.horizontalAdvance(text) + 32 for text, _, _ in self.entries), metrics.height() + 4)

    def minimumSizeHint(self) -> QSize:
        """A legend never forces the window to be wide."""
        return QSize(0, self.sizeHint().height() if self.entries else 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.paint(painter, QRectF(self.rect()), self.theme)
        painter.end()

    def paint(self, painter: QPainter, area: QRectF, theme: Theme) -> None:
        """Paint the entries from the left of ``area``."""
        painter.setFont(self.font())
        metrics = painter.fontMetrics()
        x, middle = area.left(), area.center().y()
        for text, colour, symbol in self.entries:
            draw_symbol(painter, QPointF(x + 7, middle), symbol, 11, QColor(colour), QColor(theme.base))
            painter.setPen(QColor(theme.text))
            width = metrics.horizontalAdvance(text)
            painter.drawText(QRectF(x + 18, area.top(), width + 2, area.height()), Qt.AlignmentFlag.AlignVCenter, text)
            x += width + 32


class ChartView(QWidget):
    """A chart with header (title, tools, export) and drawing area. Subclasses add plots, ``recolour`` and ``export_data``.

    Args:
        context: The application's services.
        title: Shown above the chart; also its accessible name.
        empty: What to show (and do) while there is nothing to draw.
        scrollable: Whether the drawing may be taller than the widget.
    """

    def __init__(self, context: AppContext, title: str, empty: str, scrollable: bool = False) -> None:
        super().__init__()
        self.context = context
        self.plots: list[pg.PlotItem] = []
        self.graphics = pg.GraphicsLayoutWidget()
        self.graphics.setFrameShape(self.graphics.Shape.NoFrame)
        self.graphics.setAccessibleName(f"{title}, chart")
        self.graphics.ci.layout.setContentsMargins(0, 0, 0, 0)
        self.graphics.ci.layout.setSpacing(4)
        self.graphics.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self._title = QLabel(title)
        self._title.setProperty("role", "title")
        self._empty = QLabel(empty)
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setProperty("role", "muted")
        self.legend = Legend()
        self._build(scrollable)
        self.set_title(title)
        self.set_empty(True)
        context.theme.changed.connect(self.apply_theme)
        self._theme = context.theme.current
        self.apply_theme(self._theme)

    def _build(self, scrollable: bool) -> None:
        self.header = QHBoxLayout()
        self.header.setContentsMargins(GRID, 0, 0, 0)
        self.header.setSpacing(GRID)
        self.header.addWidget(self._title)
        self.header.addWidget(self.legend, 1)
        self.export_button = export_button(self, lambda: self.context.theme.current, self, self.context.report)
        self.header.addWidget(self.export_button)
        body: QWidget = self.graphics
        if scrollable:
            area = QScrollArea()
            area.setWidgetResizable(True)
            area.setFrameShape(area.Shape.NoFrame)
            area.setWidget(self.graphics)
            area.setAccessibleName("Scrolled chart")
            body = area
        self._stack = QStackedWidget()
        self._stack.addWidget(body)
        self._stack.addWidget(self._empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self.header)
        layout.addWidget(self._stack, 1)

    # -- for subclasses and users -------------------------------------------------------------------------------------

    def add_tool(self, widget: QWidget) -> None:
        """Put a control into the header, left of the export button."""
        self.header.insertWidget(self.header.count() - 1, widget)

    def add_plot(self, row: int = 0, column: int = 0, x_label: str = "", y_label: str = "", mouse: bool = True) -> pg.PlotItem:
        """A new plot; labels carry their units in brackets, e.g. ``time (ms)``."""
        axes = {side: NumberAxis(side) for side in ("bottom", "left")}
        plot = self.graphics.addPlot(row=row, col=column, axisItems=axes)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.getViewBox().setMouseEnabled(mouse, mouse)
        plot.getViewBox().setDefaultPadding(0.02)
        if x_label:
            plot.setLabel("bottom", x_label)
        if y_label:
            plot.setLabel("left", y_label)
        self.plots.append(plot)
        self._colour_plot(plot, self.context.theme.current)
        return plot

    def set_title(self, title: str) -> None:
        """Change the title; it is the accessible name too."""
        self._title.setText(title)
        self.setAccessibleName(title)

    def title(self) -> str:
        """The title on screen."""
        return self._title.text()

    def set_empty(self, empty: bool, text: str | None = None) -> None:
        """Show the empty state (with another text, if given) instead of the drawing."""
        if text is not None:
            self._empty.setText(text)
        self._stack.setCurrentIndex(1 if empty else 0)
        self.export_button.setEnabled(not empty)

    @property
    def is_empty(self) -> bool:
        """Whether the empty state is shown."""
        return self._stack.currentIndex() == 1

    def apply_theme(self, theme: Theme) -> None:
        """Take over the colours of ``theme``."""
        self._theme = theme
        self.graphics.setBackground(theme.base)
        self.legend.theme = theme
        for plot in self.plots:
            self._colour_plot(plot, theme)
        self.recolour(theme)
        self.legend.update()

    def recolour(self, theme: Theme) -> None:
        """Hook: colour the items of the chart."""

    def _colour_plot(self, plot: pg.PlotItem, theme: Theme) -> None:
        for side in ("bottom", "left"):
            axis = plot.getAxis(side)
            axis.setPen(pg.mkPen(theme.border))
            axis.setTextPen(pg.mkPen(theme.text))
            if axis.labelText:
                axis.setLabel(axis.labelText, color=theme.muted)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if not self.is_empty:
            self.make_menu().exec(event.globalPos())

    def make_menu(self) -> Any:
        """The context menu."""
        menu = export_menu(self, lambda: self.context.theme.current, self, self.context.report)
        if any(any(plot.getViewBox().state["mouseEnabled"]) for plot in self.plots):
            menu.addSeparator()
            menu.addAction("Reset zoom", self.reset_zoom)
        return menu

    def reset_zoom(self) -> None:
        """Show everything again."""
        for plot in self.plots:
            plot.enableAutoRange()

    # -- Exportable ---------------------------------------------------------------------------------------------------

    def export_name(self) -> str:
        """File name made of the title."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.accessibleName()).lower().split()) or "chart"

    def export_size(self) -> QSizeF:
        """The drawing as it is, plus a line for title and legend."""
        return QSizeF(max(self.graphics.width(), 320), max(self.graphics.height(), 160) + 4 * GRID)

    def export_paint(self, painter: QPainter, area: QRectF, theme: Theme) -> None:
        """Paint title, legend and plots in the colours of ``theme``."""
        head = QRectF(area.left() + GRID, area.top(), area.width() - 2 * GRID, 4 * GRID)
        font = QFont(self.font())
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor(theme.text))
        painter.drawText(head, Qt.AlignmentFlag.AlignVCenter, self.title())
        shift = painter.fontMetrics().horizontalAdvance(self.title()) + 3 * GRID
        before = self._theme
        if theme is not before:
            self.apply_theme(theme)
        try:
            self.legend.paint(painter, head.adjusted(shift, 0, 0, 0), theme)
            self._render_scene(painter, area.adjusted(0, head.height(), 0, 0))
        finally:
            if theme is not before:
                self.apply_theme(before)

    def _render_scene(self, painter: QPainter, area: QRectF) -> None:
        scene = self.graphics.scene()
        scene.prepareForPaint()
        modes = [item for item in scene.items() if hasattr(item, "setExportMode")]
        for item in modes:
            item.setExportMode(True, {"antialias": True, "resolutionScale": 1.0, "painter": painter})
        try:
            scene.render(painter, area, QRectF(self.graphics.viewRect()), Qt.AspectRatioMode.KeepAspectRatio)
        finally:
            for item in modes:
                item.setExportMode(False)

    def export_data(self) -> Data:
        """The numbers behind the chart.

        Raises:
            NotImplementedError: the chart does not say what its numbers are.
        """
        raise NotImplementedError(f"{type(self).__name__} must hand over its numbers")


def family_legend(theme: Theme, families: Sequence[str], extrapolating: bool = False) -> list[tuple[str, str, str]]:
    """Legend entries of families, in their fixed order, and of hatching where something is extrapolated."""
    from cnnpredict_gui.core.names import FAMILIES

    entries = [(FAMILIES[name], theme.family(name), FAMILY_SYMBOLS[name]) for name in FAMILIES if name in families]
    if extrapolating:
        entries.append(("extrapolated", theme.muted, "hatch"))
    return entries


def disconnect_theme(chart: ChartView) -> None:
    """Stop following the theme, before a chart is deleted."""
    with suppress(RuntimeError):
        chart.context.theme.changed.disconnect(chart.apply_theme)
