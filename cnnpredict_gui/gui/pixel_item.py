"""Base of chart items that are painted in pixels, so that symbols, hatching and texts keep their size."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QRectF

from cnnpredict_gui.gui.theme import LIGHT, Theme


class PixelItem(pg.GraphicsObject):  # type: ignore[misc]
    """Covers the part of the axes that is shown; subclasses paint it with their own ``title`` in the colours of ``theme``."""

    def __init__(self, title: str = "") -> None:
        super().__init__()
        self.title = title
        self.theme: Theme = LIGHT
        self._bounds = QRectF(0, 0, 1, 1)

    def set_bounds(self, bounds: QRectF) -> None:
        """The part of the axes that is shown."""
        if bounds != self._bounds:
            self.prepareGeometryChange()
            self._bounds = bounds
        self.update()

    def boundingRect(self) -> QRectF:
        return self._bounds
