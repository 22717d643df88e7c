"""Axes of the charts: plain numbers, linear or logarithmic.

Imports pyqtgraph, so import this module only after the window is on screen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

import pyqtgraph as pg
from PySide6.QtWidgets import QGraphicsItem

from cnnpredict_gui.gui.format import sig3
from cnnpredict_gui.gui.problems import told
from cnnpredict_gui.gui.theme import Theme


class NumberAxis(pg.AxisItem):  # type: ignore[misc]
    """Axis with plain numbers; on a log axis the values are log10 and the labels are 0.1, 0.2, 0.5, 1.

    On screen its picture is kept by Qt until it changes; an export draws it anew, so that SVG gets lines and text.
    """

    #: Steps within a decade, densest first; then whole decades.
    _STEPS = ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))
    _LABEL_PX: ClassVar = {"bottom": 44, "top": 44, "left": 20, "right": 20}
    paint = told(pg.AxisItem.paint)

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation=orientation)
        self.enableAutoSIPrefix(False)
        self.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)

    def setExportMode(self, export: bool, opts: dict[str, Any] | None = None) -> None:
        """Without the kept picture while an export is painted."""
        super().setExportMode(export, opts)
        modes = QGraphicsItem.CacheMode
        self.setCacheMode(modes.NoCache if export else modes.DeviceCoordinateCache)

    def logTickValues(
        self, low: float, high: float, size: float, _standard: list[tuple[float, list[float]]]
    ) -> list[tuple[float | None, list[float]]]:
        room = self._LABEL_PX[self.orientation] * (high - low) / max(size, 1.0)
        decades = range(math.floor(low), math.ceil(high) + 1)
        for steps in self._STEPS:
            gaps = [math.log10(b / a) for a, b in pairwise((*steps, 10))]
            if min(gaps) >= room:
                values = [power + math.log10(step) for power in decades for step in steps]
                break
        else:
            every = math.ceil(room)
            values = [float(power) for power in decades if power % every == 0]
        return [(None, [value for value in values if low <= value <= high])]

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


def colour_axis(axis: pg.AxisItem, theme: Theme) -> None:
    """Give an axis, its numbers and its label the colours of ``theme``."""
    axis.setPen(pg.mkPen(theme.border))
    axis.setTextPen(pg.mkPen(theme.text))
    if axis.labelText:
        axis.setLabel(axis.labelText, color=theme.muted)
