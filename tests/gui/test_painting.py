"""Charts and tables that are painted in turns, and errors while they are painted."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from PySide6.QtCore import QRect, QTimer
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractScrollArea, QHBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from cnnpredict_gui.gui.painting import PaintedInTurns
from cnnpredict_gui.gui.turns import Turn, soon
from tests.gui.contract import picture

ROOT = Path(__file__).parents[2]


class Slow(PaintedInTurns):
    """Takes more than a frame to paint itself red."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[int] = []
        self.home: QWidget | None = None
        self.filled = 0
        self.then: Callable[[], object] = lambda: None

    def paint_now(self, event: QPaintEvent) -> None:
        time.sleep(1.2 * Turn.FRAME_S)
        painter = QPainter(self.canvas())
        painter.fillRect(event.rect(), QColor("red"))
        painter.end()
        self.turns.append(Turn.now().number)
        self.then()

    def fill(self, area: QRect) -> None:
        super().fill(area)
        self.filled += 1


class SlowArea(Slow, QAbstractScrollArea):
    """A scroll area."""


class SlowWidget(Slow, QWidget):
    """A widget of its own."""


@pytest.fixture(params=[SlowArea, SlowWidget])
def several(qtbot: QtBot, request: pytest.FixtureRequest) -> list[Slow]:
    window = QWidget()
    qtbot.addWidget(window)
    layout = QHBoxLayout(window)
    made: list[Slow] = [request.param() for _ in range(4)]
    for one in made:
        layout.addWidget(one)
        one.home = window
    window.resize(600, 200)
    window.show()
    qtbot.waitUntil(lambda: all(one.turns for one in made))
    return made


def test_what_does_not_fit_into_a_turn_comes_in_the_next(qtbot: QtBot, several: list[Slow]) -> None:
    for one in several:
        one.turns.clear()
        one.canvas().update()
    qtbot.waitUntil(lambda: all(one.turns for one in several))
    turns = Counter(turn for one in several for turn in one.turns)
    assert set(turns.values()) == {1} and len(turns) == 4


def test_the_user_comes_between_two_turns_of_painting(qtbot: QtBot, several: list[Slow]) -> None:
    done = list[str]()
    timer = QTimer(several[0])
    timer.setSingleShot(True)
    timer.timeout.connect(lambda: done.append("user"))

    def painted() -> None:
        done.append("paint")
        timer.start()

    for one in several:
        one.then = painted
        one.canvas().update()
    qtbot.waitUntil(lambda: done.count("user") == 4)
    assert done == ["paint", "user"] * 4


def test_none_waits_for_ever(qtbot: QtBot, several: list[Slow]) -> None:
    busy, *others = several
    for one in others:
        one.turns.clear()
        one.canvas().update()
    busy.then = lambda: soon(busy, busy.canvas().update)
    busy.turns.clear()
    busy.canvas().update()
    qtbot.waitUntil(lambda: all(one.turns for one in others))
    assert len(busy.turns) < 12
    busy.then = lambda: None


def test_none_waits_for_ever_behind_work_in_turns(qtbot: QtBot, several: list[Slow]) -> None:
    """Each turn begins with a piece that leaves no time."""
    done = list[int]()

    def piece() -> None:
        time.sleep(1.5 * Turn.FRAME_S)
        done.append(Turn.now().number)
        if len(done) < 200 and not all(one.turns for one in several):
            soon(several[0], piece)

    for one in several:
        one.turns.clear()
        one.canvas().update()
    piece()
    qtbot.waitUntil(lambda: all(one.turns for one in several), timeout=20_000)
    assert len(done) < 40


def test_old_pixels_stay_where_nothing_has_moved(qtbot: QtBot, several: list[Slow]) -> None:
    for one in several:
        one.filled = 0
        one.turns.clear()
        one.canvas().update()
    qtbot.waitUntil(lambda: all(one.turns for one in several))
    assert sum(one.filled for one in several) == 0
    several[0].window().resize(700, 220)
    qtbot.waitUntil(lambda: all(len(one.turns) > 1 for one in several))
    assert sum(one.filled for one in several) > 0


def test_a_picture_has_everything(several: list[Slow]) -> None:
    image = picture(several[0].window())
    for one in several:
        place = one.canvas().mapTo(one.window(), one.canvas().rect().center())
        assert image.pixelColor(place) == QColor("red")


def test_errors_while_painting_are_told_and_end_nothing(tmp_path: Path) -> None:
    """In a process of its own: PySide keeps the first error until Qt returns, and the second ends the process."""
    program = dedent("""
        import sys
        from types import SimpleNamespace
        from PySide6.QtWidgets import QApplication
        app = QApplication([])
        from cnnpredict_gui.gui.bars_item import BarsItem
        from cnnpredict_gui.gui.charts import Drawing
        from cnnpredict_gui.gui.curves import CurvesItem
        from cnnpredict_gui.gui.heat_map import CellsItem
        from cnnpredict_gui.gui.strip_item import StripItem
        from cnnpredict_gui.gui.tables import Column, TableView
        from cnnpredict_gui.gui.theme import ThemeManager

        told = []
        sys.excepthook = lambda kind, error, trace: told.append(error)
        drawing = Drawing()
        box = drawing.addViewBox()
        for made in (BarsItem, StripItem, CurvesItem, CellsItem):
            for _ in range(2):
                item = made()
                item.theme = None
                box.addItem(item, ignoreBounds=True)
        context = SimpleNamespace(theme=ThemeManager(app), report=print)
        table = TableView(context, "broken", [Column("a", "a", lambda row: row["a"])], key=id)
        table.rows_model.replace(table.rows_model.columns, [{}, {}, {}])
        for widget in (drawing, table):
            widget.show()
            for _ in range(20):
                app.processEvents()
        print(len({str(error) for error in told}), sorted({type(error).__name__ for error in told}))
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    number, names = done.stdout.splitlines()[-1].split(maxsplit=1)
    assert int(number) >= 2 and names == "['AttributeError', 'KeyError']", done.stdout + done.stderr


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts the threads of the process as Linux shows them")
@pytest.mark.parametrize("alone", [True, False])
def test_painting_starts_no_threads(alone: bool) -> None:
    """And the counter-proof: unless told, Qt starts some for what takes no longer than a turn."""
    script = f"""
from pathlib import Path
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter
from cnnpredict_gui.gui.painting import paint_in_one_thread
if {alone}:
    paint_in_one_thread()
app = QGuiApplication([])
image = QImage(1200, 900, QImage.Format.Format_ARGB32_Premultiplied)
image.fill(0)
before = len(list(Path("/proc/self/task").iterdir()))
painter = QPainter(image)
painter.setRenderHint(QPainter.RenderHint.Antialiasing)
painter.setBrush(QColor(255, 0, 0, 40))
painter.drawEllipse(QPointF(600, 450), 590, 440)
painter.end()
print(len(list(Path("/proc/self/task").iterdir())) - before)
"""
    environment = {name: value for name, value in os.environ.items() if name != "QT_NO_GUI_THREADPOOL"}
    environment["QT_QPA_PLATFORM"] = "offscreen"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT, env=environment, timeout=60
    )
    assert (int(done.stdout) == 0) is alone
