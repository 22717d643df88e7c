"""Bars out of sight are not painted; those in sight come out as when all are painted."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QRect
from PySide6.QtGui import QColor, QImage, QPainter, QRegion
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnpredict_gui.gui.bars import BarsChart
from cnnpredict_gui.gui.bars_item import Bar, Panel
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import picture
from cnnpredict_gui.gui.symbols import draw_symbol
from cnnpredict_gui.gui.theme import LIGHT
from cnnpredict_gui.gui.turns import finished

BARS = 200


@pytest.fixture
def chart(qtbot: QtBot, context: AppContext, monkeypatch: pytest.MonkeyPatch) -> tuple[BarsChart, list[str]]:
    """A chart far higher than its window, and the symbols that were painted."""
    made = BarsChart(context, "Many", "empty")
    qtbot.addWidget(made)
    bars = [
        Bar(f"{n}", f"group {n // 4}", f"bar {n}", 1.0 + n, 0.5 + n, 2.0 + n, "nn", symbol="ostd"[n % 4], hatched=n % 3 == 0)
        for n in range(BARS)
    ]
    made.resize(500, 400)
    made.show()
    made.show_panels([Panel("One kind (ms)", tuple(bars)), Panel("Another kind (ms)", tuple(bars[:3]))], "7")
    QApplication.processEvents()
    painted = list[str]()

    def noted(painter: QPainter, place: object, symbol: str, *others: object) -> None:
        painted.append(symbol)
        draw_symbol(painter, place, symbol, *others)  # type: ignore[arg-type]

    monkeypatch.setattr("cnnpredict_gui.gui.bars_item.draw_symbol", noted)
    return made, painted


def _painted(chart: BarsChart, area: QRect) -> QImage:
    viewport = chart.graphics.viewport()
    image = QImage(viewport.size(), QImage.Format.Format_RGB32)
    image.fill(QColor(LIGHT.base))
    with chart.graphics.at_once():
        viewport.render(image, area.topLeft(), QRegion(area))
    return image.copy(area)


@pytest.mark.parametrize("top", [0, 1_003, 2_500, 3_300])
def test_only_bars_in_sight_are_painted(chart: tuple[BarsChart, list[str]], top: int) -> None:
    view, painted = chart
    viewport = view.graphics.viewport()
    assert viewport.height() > 3_500
    area = QRect(0, top, viewport.width(), 150)
    whole = _painted(view, viewport.rect()).copy(area)
    assert len(painted) == BARS + 3
    painted.clear()
    part = _painted(view, area)
    assert 5 <= len(painted) <= 20
    assert part == whole


def test_the_screen_asks_for_what_it_shows(qtbot: QtBot, chart: tuple[BarsChart, list[str]]) -> None:
    view, painted = chart
    painted.clear()
    view.graphics.viewport().update()
    qtbot.waitUntil(lambda: bool(painted), timeout=5_000)
    assert len(painted) < BARS / 2


def test_a_picture_for_a_file_has_all_bars(chart: tuple[BarsChart, list[str]]) -> None:
    view, painted = chart
    painted.clear()
    finished(picture(view, LIGHT, 1))
    assert len(painted) == BARS + 3
