"""Work in turns of the event loop, and views made piece by piece."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import delete

from cnnpredict_gui.gui.compare import CompareView
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.main_window import MainWindow
from cnnpredict_gui.gui.turns import Turn, Turns, paint_later, soon
from cnnpredict_gui.gui.views import VIEWS
from cnnpredict_gui.gui.workers import LatestWins
from cnnpredict_gui.infra import precedence
from tests.gui.contract import settle


def test_each_piece_has_a_turn_of_its_own(qtbot: QtBot, qapp: QApplication) -> None:
    owner, done = QObject(), list[str]()
    turns = Turns(owner)
    turns.start(lambda: done.append("a"), lambda: done.append("b"))
    assert turns.waiting and not done
    while not done:
        qapp.processEvents()
    assert done == ["a"] and turns.waiting
    qtbot.waitUntil(lambda: not turns.waiting)
    assert done == ["a", "b"]


def test_the_user_comes_between_the_paint_of_a_piece_and_the_next_piece(qtbot: QtBot) -> None:
    done = list[str]()

    class Painted(QWidget):
        def paintEvent(self, _event: QPaintEvent) -> None:
            done.append("paint")
            QTimer.singleShot(0, lambda: done.append("next round"))

    widget = Painted()
    qtbot.addWidget(widget)
    widget.show()
    qtbot.waitExposed(widget)
    qtbot.waitUntil(lambda: "next round" in done)

    def piece(name: str) -> None:
        done.append(name)
        widget.update()

    done.clear()
    for name in ("a", "b"):
        soon(widget, partial(piece, name))
    qtbot.waitUntil(lambda: done.count("next round") == 2)
    assert done == ["a", "paint", "next round", "b", "paint", "next round"]


def test_a_piece_is_put_off_once_by_a_long_turn(qtbot: QtBot, qapp: QApplication) -> None:
    owner, done = QObject(), list[tuple[str, int]]()
    busy = QTimer(owner)

    def work() -> None:
        number = Turn.now().number
        time.sleep(1.5 * Turn.FRAME_S)
        done.append(("work", number))

    busy.timeout.connect(work)
    busy.start(0)
    for name in ("a", "b"):
        soon(owner, partial(done.append, (name, 0)))
    qtbot.waitUntil(lambda: [name for name, _ in done if name != "work"] == ["a", "b"])
    busy.stop()
    assert len(done) < 12


def test_predictions_give_way_to_a_turn(qtbot: QtBot, qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "_LONGEST_S", 60.0)
    predictions, answers = LatestWins(), list[bool]()
    asked = threading.Event()

    def work(cancelled: Callable[[], bool]) -> bool:
        asked.set()
        return cancelled()

    Turn.now()
    predictions.submit("test", work, answers.append, print)
    assert asked.wait(10)
    time.sleep(0.05)
    assert predictions.busy("test") and not answers
    qtbot.waitUntil(lambda: answers == [False])
    predictions.shutdown()


def test_what_comes_last_is_not_starved(qtbot: QtBot, qapp: QApplication) -> None:
    owner, done = QObject(), list[str]()
    turns = Turns(owner)
    for number in range(5):
        turns.start(partial(done.append, f"first {number}"), partial(done.append, f"last {number}"))
        qapp.processEvents()
    qtbot.waitUntil(lambda: not turns.waiting)
    assert done[:2] == ["first 0", "last 0"] and done[-2:] == ["first 4", "last 4"]


def test_pieces_of_different_owners_do_not_share_a_turn(qtbot: QtBot, qapp: QApplication) -> None:
    owners, done = [QObject() for _ in range(3)], list[int]()
    for number, owner in enumerate(owners):
        Turns(owner).start(partial(done.append, number), partial(done.append, 10 + number))
    counts = []
    while len(done) < 6:
        qapp.processEvents()
        counts.append(len(done))
    assert done == [0, 1, 2, 10, 11, 12]
    assert all(later - before <= 1 for before, later in pairwise([0, *counts]))


def test_nothing_is_done_for_who_is_gone(qtbot: QtBot, qapp: QApplication) -> None:
    gone, here, done = QObject(), QObject(), list[str]()
    soon(gone, partial(done.append, "gone"))
    soon(here, partial(done.append, "here"))
    delete(gone)
    qtbot.waitUntil(lambda: bool(done))
    assert done == ["here"]


def test_a_view_made_in_pieces_is_finished_by_whoever_asks(qtbot: QtBot, context: AppContext) -> None:
    window = MainWindow()
    qtbot.addWidget(window)
    window.set_context(context)
    window.add_views(VIEWS)
    window.show()
    pieces = window.making_view("compare")
    next(pieces)
    next(pieces)
    assert "compare" not in window.views
    view = window.make_view("compare")
    assert isinstance(view, CompareView) and window.views["compare"] is view
    assert list(pieces) == [] and len(window.findChildren(CompareView)) == 1
    settle(qtbot, context, "compare")
    qtbot.waitUntil(lambda: not view.busy())
    assert len(view.table.shown_rows()) == 5
    assert list(window.making_view("compare")) == []


def test_what_changes_is_painted_in_the_next_turn(qtbot: QtBot, qapp: QApplication) -> None:
    widget = QWidget()
    qtbot.addWidget(widget)
    paint_later(widget)
    assert widget.updatesEnabled()
    with qtbot.waitExposed(widget):
        widget.show()
    paint_later(widget)
    paint_later(widget)
    assert not widget.updatesEnabled()
    qtbot.waitUntil(widget.updatesEnabled)
