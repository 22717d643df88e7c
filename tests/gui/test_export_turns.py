"""Exports are painted in several turns of the event loop, and show what was there when they were asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, QSizeF, QTimer
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter, QPen, QPicture
from pytestqt.qtbot import QtBot
from shiboken6 import delete

from cnnpredict_gui.gui import export
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.tables import Column, TableView
from cnnpredict_gui.gui.theme import LIGHT, Theme
from cnnpredict_gui.gui.turns import Steps, finished
from tests.gui.conftest import Reports

SIDE = 300
T = TypeVar("T")


class Drawing:
    """A large square with a diagonal and a text."""

    def __init__(self, context: AppContext) -> None:
        self.context = context
        self.text = "before"

    def export_name(self) -> str:
        return "drawing"

    def export_size(self) -> QSizeF:
        return QSizeF(SIDE, SIDE)

    def export_paint(self, painter: QPainter, area: QRectF, theme: Theme) -> Steps[None] | None:
        painter.setPen(QColor(theme.text))
        painter.drawLine(area.topLeft(), area.bottomRight())
        painter.setClipRect(area.adjusted(20, 20, -20, -20))
        painter.fillRect(area, QColor(0, 0, 200, 60))
        painter.drawText(area.center(), self.text)
        return None

    def export_data(self) -> export.Data:
        return export.Data((), [])


@pytest.fixture
def drawing(context: AppContext, monkeypatch: pytest.MonkeyPatch) -> Drawing:
    """One whose pictures take ten bands at twice the size."""
    monkeypatch.setattr(export, "_BAND_PIXELS", 4 * SIDE * SIDE // 10)
    return Drawing(context)


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_a_picture_in_bands_is_the_whole_picture(drawing: Drawing, monkeypatch: pytest.MonkeyPatch, scale: int) -> None:
    bands = finished(export.picture(drawing, LIGHT, scale))
    monkeypatch.setattr(export, "_BAND_PIXELS", 10 * SIDE**2)
    whole = QImage(bands.size(), bands.format())
    whole.setDevicePixelRatio(scale)
    whole.fill(QColor(LIGHT.base))
    assert bands == finished(export.picture(drawing, LIGHT, scale)) != whole
    painter = QPainter(whole)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
    drawing.export_paint(painter, QRectF(0, 0, SIDE, SIDE), LIGHT)
    painter.end()
    places = [QPoint(x * scale, y * scale) for x, y in ((5, 5), (19, 40), (21, 40), (100, 200), (279, 30), (281, 30))]
    assert [bands.pixel(place) for place in places] == [whole.pixel(place) for place in places]


def test_a_picture_is_saved_in_turns_as_it_was(
    qtbot: QtBot, drawing: Drawing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    turns, painted, paint = list[int](), list[int](), export._paint_band
    timer = QTimer()
    timer.timeout.connect(lambda: turns.append(1))
    timer.start(0)

    def noted(image: QImage, top: int, rows: int, recorded: list[QPicture], theme: Theme) -> None:
        painted.append(len(turns))
        paint(image, top, rows, recorded, theme)

    monkeypatch.setattr(export, "_paint_band", noted)
    path = tmp_path / "drawing.png"
    export.save_soon(drawing, path, LIGHT, 2, drawing.context.report)
    drawing.text = "after"
    qtbot.waitUntil(path.exists, timeout=10_000)
    timer.stop()
    assert len(painted) == len(set(painted)) == 10, "the window may do something before each band"
    before, after = QImage(str(path)), finished(export.picture(drawing, LIGHT, 2))
    assert before.convertToFormat(after.format()) != after


class Squares(Drawing):
    """Painted in three steps, of which each begins with a painter as new."""

    def export_paint(self, painter: QPainter, area: QRectF, theme: Theme) -> Steps[None]:
        for colour in ("#102030", "#405060", "#708090"):
            yield
            assert painter.transform().isIdentity()
            painter.translate(10, 10)
            painter.fillRect(area.adjusted(0, 0, -30, -30), QColor(colour))


def _counted(steps: Steps[T]) -> tuple[T, int]:
    """The result, and how many times the window could do something before."""
    turns = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result, turns
        turns += 1


def test_what_is_painted_in_steps_is_written_in_steps(context: AppContext) -> None:
    written, turns = _counted(export.svg(Squares(context), LIGHT))
    document = written.decode()
    assert turns >= 6, "three to record, three to write"
    places = [document.index(colour) for colour in ("#102030", "#405060", "#708090")]
    assert places == sorted(places)
    image = finished(export.picture(Squares(context), LIGHT, 1))
    assert image.pixelColor(20, 20) == QColor("#708090")
    assert image.pixelColor(5, 5) == image.pixelColor(SIDE - 1, SIDE - 1) == QColor(LIGHT.base)


class Lines(Drawing):
    """Broad lines below each other, with words at their ends, each painted in a step of its own."""

    def export_paint(self, painter: QPainter, area: QRectF, theme: Theme) -> Steps[None]:
        for number in range(10):
            painter.setPen(QPen(QColor(theme.text), 12))
            y = area.top() + 15 + 29 * number
            painter.drawLine(QPointF(10, y), QPointF(200, y))
            painter.drawText(QPointF(220, y), "Ågy")
            yield


@pytest.mark.parametrize("scale", [1, 2])
def test_a_band_paints_what_reaches_into_it(context: AppContext, monkeypatch: pytest.MonkeyPatch, scale: int) -> None:
    played, play = list[QPicture](), export._play

    def noted(part: QPicture, painter: QPainter) -> None:
        played.append(part)
        play(part, painter)

    monkeypatch.setattr(export, "_play", noted)
    whole = finished(export.picture(Lines(context), LIGHT, scale))
    played.clear()
    monkeypatch.setattr(export, "_BAND_PIXELS", scale * SIDE * 7)
    assert finished(export.picture(Lines(context), LIGHT, scale)) == whole
    assert 60 < len(played) < 300, "in each of some forty bands a few of the eleven parts"


def test_a_copied_picture_comes_in_turns(qtbot: QtBot, drawing: Drawing) -> None:
    clipboard = QGuiApplication.clipboard()
    clipboard.clear()
    export.copy_picture(drawing, LIGHT, drawing.context.report)
    assert clipboard.image().isNull()
    qtbot.waitUntil(lambda: clipboard.image().width() == export.PREFERRED.scale * SIDE, timeout=10_000)


def test_what_cannot_be_saved_is_reported(drawing: Drawing, reports: Reports, tmp_path: Path) -> None:
    export.save_soon(drawing, tmp_path / "drawing.doc", LIGHT, 2, drawing.context.report)
    assert "drawing.doc" in reports.errors[0].message


@pytest.mark.parametrize("suffix", [".png", ".svg", ".csv"])
def test_what_is_exported_may_be_deleted_meanwhile(qtbot: QtBot, context: AppContext, tmp_path: Path, suffix: str) -> None:
    table = TableView(context, "Numbers", [Column("time_ms", "time (ms)", lambda row: row)], lambda row: row)
    table.set_rows([1.5, 2.5])
    path, told = tmp_path / f"numbers{suffix}", list[object]()
    export.save_soon(table, path, LIGHT, 1, told.append)
    delete(table)
    qtbot.waitUntil(path.exists, timeout=5_000)
    assert not told and path.stat().st_size > 10


def test_a_table_is_painted_a_column_a_turn_as_it_was(context: AppContext) -> None:
    columns = [Column(name, name, lambda row: row) for name in "abcd"]
    table = TableView(context, "Numbers", columns, lambda row: row)
    table.set_rows([1.5, 2.5])
    before, steps = finished(export.picture(table, LIGHT)), export.picture(table, LIGHT)
    next(steps)
    table.set_rows([3.5, 4.5])
    table.setColumnHidden(2, True)
    image, turns = _counted(steps)
    assert image == before
    assert turns >= len(columns)
