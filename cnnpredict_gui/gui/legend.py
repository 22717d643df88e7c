"""Legend of a chart: symbols with their names, wrapped to the width there is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from cnnpredict_gui.core.names import FAMILIES
from cnnpredict_gui.gui.symbols import draw_symbol
from cnnpredict_gui.gui.theme import FAMILY_SYMBOLS, LIGHT, Theme

if TYPE_CHECKING:
    from cnnpredict_gui.gui.bars_item import Panel


class Legend(QWidget):
    """Symbols with their names, in as many lines as the width needs."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entries: list[tuple[str, str, str]] = []
        self.theme = LIGHT
        self.setAccessibleName("Legend")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def set_entries(self, entries: Sequence[tuple[str, str, str]]) -> None:
        """Show these entries: (text, colour, symbol); the symbol ``hatch`` is a hatched box, ``line`` a short line."""
        if list(entries) != self.entries:
            self.entries = list(entries)
            self.setVisible(bool(self.entries))
            self.setAccessibleDescription(", ".join(entry[0] for entry in entries))
            self._fit()
            self.update()

    def places(self, width: float) -> list[QPointF]:
        """Left middle of each entry when there is so much width."""
        metrics, found = self.fontMetrics(), []
        x, y, line = 0.0, 0.0, metrics.height() + 4
        for text, _, _ in self.entries:
            advance = metrics.horizontalAdvance(text) + 32
            if x > 0 and x + advance - 12 > width:
                x, y = 0.0, y + line
            found.append(QPointF(x, y + line / 2))
            x += advance
        return found

    def height_for(self, width: float) -> int:
        """Height of all lines."""
        places = self.places(width)
        return round(places[-1].y() + (self.fontMetrics().height() + 4) / 2) if places else 0

    def _fit(self) -> None:
        self.setFixedHeight(self.height_for(self.width()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.paint(painter, QRectF(self.rect()), self.theme)
        painter.end()

    def paint(self, painter: QPainter, area: QRectF, theme: Theme) -> None:
        """Paint the entries from the upper left of ``area``."""
        painter.setFont(self.font())
        for (text, colour, symbol), place in zip(self.entries, self.places(area.width()), strict=True):
            spot = area.topLeft() + place
            draw_symbol(painter, spot + QPointF(7, 0), symbol, 11, QColor(colour), QColor(theme.base))
            painter.setPen(QColor(theme.text))
            width = painter.fontMetrics().horizontalAdvance(text)
            painter.drawText(QRectF(spot.x() + 18, spot.y() - 12, width + 2, 24), Qt.AlignmentFlag.AlignVCenter, text)


def measured_legend(panels: Sequence[Panel], theme: Theme) -> list[tuple[str, str, str]]:
    """Legend entry of the line across the bars, if a panel has one."""
    marked = any(not math.isnan(panel.measured_ms) for panel in panels)
    return [("measured on this machine", theme.text, "line")] if marked else []


def family_legend(theme: Theme, families: Sequence[str], extrapolating: bool = False) -> list[tuple[str, str, str]]:
    """Legend entries of families, in their fixed order, and of hatching where something is extrapolated."""
    entries = [(FAMILIES[name], theme.family(name), FAMILY_SYMBOLS[name]) for name in FAMILIES if name in families]
    if extrapolating:
        entries.append(("extrapolated", theme.muted, "hatch"))
    return entries
