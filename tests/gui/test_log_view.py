"""The Log view: lines as they come, levels, search, copying."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.log_view import LogView
from cnnpredict_gui.infra.logs import ROOT, set_up_logging
from tests.gui.contract import WidgetContract

logger = logging.getLogger(f"{ROOT}.test")


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    set_up_logging(logging.DEBUG)
    logger.debug("small")
    logger.info("hello")
    logger.warning("a model failed")
    try:
        raise ValueError("deep inside")
    except ValueError:
        logger.exception("went wrong")
    yield
    for handler in list(logging.getLogger(ROOT).handlers):
        logging.getLogger(ROOT).removeHandler(handler)
        handler.close()


def make(qtbot: QtBot, context: AppContext) -> LogView:
    view = LogView(context)
    qtbot.addWidget(view)
    with qtbot.waitExposed(view):
        view.show()
    return view


def messages(view: LogView) -> list[str]:
    return [line.message.partition(" | ")[0] for line in view.table.shown_rows()]


class TestLogContract(WidgetContract):
    def make(self, context: AppContext) -> QWidget:
        return LogView(context)


def test_levels_and_search(qtbot: QtBot, bare_context: AppContext) -> None:
    view = make(qtbot, bare_context)
    assert messages(view) == ["hello", "a model failed", "went wrong"] and "1 hidden" in view.summary.text()
    view.level.setFocus()
    qtbot.keyClick(view.level, Qt.Key.Key_Down)
    assert messages(view) == ["a model failed", "went wrong"]
    qtbot.keyClick(view.level, Qt.Key.Key_Home)
    assert messages(view)[0] == "small"
    qtbot.keyClicks(view.search, "VALUEERROR deep")
    assert messages(view) == ["went wrong"]


def test_new_lines_appear_and_the_chosen_one_stays_chosen(qtbot: QtBot, bare_context: AppContext) -> None:
    view = make(qtbot, bare_context)
    view.table.selectRow(1)
    for number in range(40):
        logger.info("event %d", number)
    qtbot.waitUntil(lambda: messages(view)[-1] == "event 39", timeout=5_000)
    assert [line.message for line in view.table.selected_rows()] == ["a model failed"]
    bar = view.table.verticalScrollBar()
    assert bar.value() == bar.maximum() > 0
    view.follow.click()
    bar.setValue(3)
    logger.info("one more")
    qtbot.waitUntil(lambda: messages(view)[-1] == "one more", timeout=5_000)
    assert bar.value() == 3


def test_a_traceback_is_shown_line_by_line_and_copied(qtbot: QtBot, bare_context: AppContext) -> None:
    view = make(qtbot, bare_context)
    view.table.selectRow(2)
    text = view.detail.toPlainText()
    assert "Traceback" in text and text.splitlines()[-1].strip() == "ValueError: deep inside"
    qtbot.mouseClick(view.copy_button, Qt.MouseButton.LeftButton)
    assert "went wrong" in QGuiApplication.clipboard().text() and "hello" not in QGuiApplication.clipboard().text()
    view.table.clearSelection()
    qtbot.mouseClick(view.copy_button, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text().count("\n") == 2


def test_a_hidden_view_reads_nothing_and_catches_up(qtbot: QtBot, bare_context: AppContext) -> None:
    view = make(qtbot, bare_context)
    view.hide()
    logger.info("while away")
    assert not view._timer.isActive() and "while away" not in messages(view)
    view.show()
    assert "while away" in messages(view)


def test_what_is_kept(qtbot: QtBot, bare_context: AppContext) -> None:
    view = make(qtbot, bare_context)
    view.level.setCurrentIndex(2)
    view.follow.setChecked(False)
    again = make(qtbot, bare_context)
    again.restore(view.save())
    assert again.level.currentIndex() == 2 and not again.follow.isChecked()
    again.restore({"level": 5})
    assert again.level.currentIndex() == 2
