"""Base of all charts: title, axes with units, theme colours, legend, empty state, accessible name and export.

Imports pyqtgraph, so import this module only after the window is on screen. Items are updated in place, never rebuilt,
so that a frame costs a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import pyqtgraph as pg
import PySide6.QtCore  # noqa: F401  (before pyqtgraph, which otherwise looks for another binding)
from PySide6.QtCore import QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QContextMenuEvent, QFont, QPainter, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from cnnpredict_gui.gui.axes import NumberAxis, colour_axis
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import Data, export_button, export_menu
from cnnpredict_gui.gui.legend import Legend
from cnnpredict_gui.gui.menus import pop_up
from cnnpredict_gui.gui.painting import PaintedInTurns
from cnnpredict_gui.gui.theme import GRID, Theme, set_role
from cnnpredict_gui.gui.turns import Steps, Turn, paint_later

pg.setConfigOptions(antialias=True)


@cache
def symbol_pen(colour: str, width: float) -> Any:
    """The same ``QPen`` each time: for every pen and brush it has not seen, pyqtgraph draws a picture of the symbol."""
    return pg.mkPen(colour, width=width)


@cache
def symbol_brush(colour: str) -> Any:
    """The same ``QBrush`` each time, see :func:`symbol_pen`."""
    return pg.mkBrush(colour)


class Drawing(PaintedInTurns, pg.GraphicsLayoutWidget):  # type: ignore[misc]
    """The drawing area of a chart."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        Turn.now()  # of which pyqtgraph takes some
        super().resizeEvent(event)


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
        self.graphics = Drawing()
        self.graphics.setFrameShape(self.graphics.Shape.NoFrame)
        # Of one colour: else a picture of it is kept, as large as the chart was ever drawn.
        self.graphics.setCacheMode(self.graphics.CacheModeFlag.CacheNone)
        self.graphics.setAccessibleName(f"{title}, chart")
        self.graphics.ci.layout.setContentsMargins(0, 0, 0, 0)
        self.graphics.ci.layout.setSpacing(4)
        self.graphics.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self._title = QLabel(title)
        set_role(self._title, "title")
        self._empty = QLabel(empty)
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        set_role(self._empty, "muted")
        self.legend = Legend()
        self._build(scrollable)
        self.set_title(title)
        self.set_empty(True)
        context.theme.follow(self._follow_theme)
        self._theme = context.theme.current
        self.apply_theme(self._theme)

    def _build(self, scrollable: bool) -> None:
        self.header = QHBoxLayout()
        self.header.setContentsMargins(GRID, 0, 0, 0)
        self.header.setSpacing(GRID)
        self.header.addWidget(self._title, 1)
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
        layout.addLayout(self._legend_row())
        layout.addWidget(self._stack, 1)

    def _legend_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(GRID, 0, GRID, 0)
        row.addWidget(self.legend)
        return row

    # -- for subclasses and users -------------------------------------------------------------------------------------

    def add_tool(self, widget: QWidget) -> None:
        """Put a control into the header, left of the export button."""
        self.header.insertWidget(self.header.count() - 1, widget)

    def add_plot(
        self,
        row: int = 0,
        column: int = 0,
        x_label: str = "",
        y_label: str = "",
        mouse: bool = True,
        axes: dict[str, NumberAxis] | None = None,
    ) -> pg.PlotItem:
        """A new plot in a place of the drawing; labels carry their units in brackets, e.g. ``time (ms)``."""
        plot = self.make_plot(x_label, y_label, mouse, axes)
        self.graphics.addItem(plot, row, column)
        self.plots.append(plot)
        return plot

    def make_plot(
        self, x_label: str = "", y_label: str = "", mouse: bool = True, axes: dict[str, NumberAxis] | None = None
    ) -> pg.PlotItem:
        """A new plot that is nowhere yet; ``axes`` replaces "bottom" and "left"."""
        axes = axes or {side: NumberAxis(side) for side in ("bottom", "left")}
        plot = pg.PlotItem(axisItems=axes, viewBox=pg.ViewBox(enableMenu=False), enableMenu=False)
        plot.hideButtons()
        plot.getViewBox().setMouseEnabled(mouse, mouse)
        plot.getViewBox().setDefaultPadding(0.02)
        if x_label:
            plot.setLabel("bottom", x_label)
        if y_label:
            plot.setLabel("left", y_label)
        self._colour_plot(plot, self.context.theme.current)
        return plot

    def stack(self, plots: Sequence[pg.PlotItem], least_px: int) -> None:
        """Show these plots, at least so high, below each other on one x axis, and no others.

        Plots of :meth:`make_plot` should be made once and shown again as needed: pyqtgraph never lets go of one.
        """
        for plot in self.plots:
            self.graphics.removeItem(plot)
        self.plots = list(plots)
        self.graphics.setMinimumHeight(len(plots) * least_px + 40)
        for row, plot in enumerate(self.plots):
            last = row == len(plots) - 1
            self.graphics.addItem(plot, row, 0)
            plot.setXLink(plots[0] if row else None)
            plot.getAxis("bottom").setVisible(last)
            plot.getAxis("bottom").setHeight(None if last else 0)
            self._colour_plot(plot, self._theme)

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
        self.legend.setVisible(not empty and bool(self.legend.entries))
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

    def _follow_theme(self) -> None:
        self.apply_theme(self.context.theme.current)

    def settle(self) -> None:
        """Bring transforms up to date now; left to the next paint, they would make it be followed by a second one."""
        self.graphics.scene().prepareForPaint()

    def recolour(self, theme: Theme) -> None:
        """Hook: colour the items of the chart."""

    def _colour_plot(self, plot: pg.PlotItem, theme: Theme) -> None:
        for side in ("bottom", "left"):
            colour_axis(plot.getAxis(side), theme)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if not self.is_empty:
            pop_up(self.make_menu(), event.globalPos())

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
        """The drawing as it is, with title and legend above."""
        width = max(self.graphics.width(), 320)
        return QSizeF(width, max(self.graphics.height(), 160) + self._head_height(width))

    def _head_height(self, width: float) -> float:
        return 3 * GRID + self.legend.height_for(width - 2 * GRID) + GRID

    def export_paint(self, painter: QPainter, area: QRectF, theme: Theme) -> Steps[None] | None:
        """Paint title, legend and plots in the colours of ``theme``."""
        with self._coloured(self.apply_theme, theme):
            self._render_scene(painter, self._paint_head(painter, area, theme))
        return None

    @contextmanager
    def _coloured(self, recolour: Callable[[Theme], None], theme: Theme) -> Iterator[None]:
        """Something in the colours of ``theme``; if they are those of the chart, what it keeps is not made anew."""
        before = self._theme
        if theme is before:
            yield
            return
        paint_later(self.graphics)
        recolour(theme)
        try:
            yield
        finally:
            recolour(before)

    def _paint_head(self, painter: QPainter, area: QRectF, theme: Theme) -> QRectF:
        """Paint title and legend; what remains below is returned."""
        inner = area.adjusted(GRID, 0, -GRID, 0)
        font = QFont(self.font())
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor(theme.text))
        painter.drawText(QRectF(inner.left(), area.top(), inner.width(), 3 * GRID), Qt.AlignmentFlag.AlignVCenter, self.title())
        painter.setFont(self.font())
        painter.save()
        self.legend.paint(painter, inner.adjusted(0, 3 * GRID, 0, 0), theme)
        painter.restore()  # a brush left set would fill the plots
        return area.adjusted(0, self._head_height(area.width()), 0, 0)

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
