"""Hatching: cut to its areas, and never of more lines than can be painted in a moment."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QLineF, QRectF
from PySide6.QtGui import QColor

from cnnpredict_gui.gui.symbols import hatch

GAP = 5.0


class _Painter:
    """Notes what is painted."""

    def __init__(self) -> None:
        self.lines = list[QLineF]()

    def setPen(self, _pen: object) -> None:
        """Nothing to note."""

    def drawLines(self, lines: list[QLineF]) -> None:
        self.lines += lines


def _hatched(areas: list[QRectF]) -> list[QLineF]:
    painter = _Painter()
    hatch(painter, areas, QColor("red"), GAP)  # type: ignore[arg-type]
    return painter.lines


def test_lines_stand_apart_as_asked_and_end_at_the_edges() -> None:
    area = QRectF(10, 20, 30, 40)
    lines = _hatched([area])
    assert len(lines) == 13  # every 5 of the 70 pixels along both edges, but at its ends
    assert all(area.adjusted(-1e-9, -1e-9, 1e-9, 1e-9).contains(end) for line in lines for end in (line.p1(), line.p2()))
    assert np.diff([line.x1() + line.y1() for line in lines]) == pytest.approx(GAP)


@pytest.mark.parametrize("count", [400, 3000])
def test_many_high_bars_are_all_hatched_by_few_lines(count: int) -> None:
    """400 bars of 3 by 800 pixels would take 64,000 lines, and a paint 80 ms."""
    areas = [QRectF(4 * n, 0, 3, 800) for n in range(count)]
    lines = _hatched(areas)
    assert len(lines) <= 6000 + 2 * count
    assert {int(line.x1()) // 4 for line in lines} == set(range(count))
