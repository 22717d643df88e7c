"""Context menus leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QTimer
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from cnnpredict_gui.gui.compare import CHANNEL, CompareView
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.predictor_tree import PredictorTree
from tests.gui.contract import settle
from tests.gui.test_system_page import make_chart

Asked = Callable[[], object]


def right_click(widget: QWidget) -> Asked:
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, QPoint(5, 5), QPoint(5, 5))
    return lambda: widget.contextMenuEvent(event)


def in_compare(qtbot: QtBot, context: AppContext) -> list[Asked]:
    view = CompareView(context)
    qtbot.addWidget(view)
    settle(qtbot, context, CHANNEL)
    view.table.selectRow(0)
    header = view.table.horizontalHeader().customContextMenuRequested
    return [*map(right_click, (view.table, view.times, view.gauge)), lambda: header.emit(QPoint(5, 5))]


def in_the_tree(qtbot: QtBot, context: AppContext) -> list[Asked]:
    tree = PredictorTree(context)
    qtbot.addWidget(tree)
    tree.show()
    return [lambda: tree.tree.customContextMenuRequested.emit(QPoint(20, 8))]


def in_a_strip_chart(qtbot: QtBot, context: AppContext) -> list[Asked]:
    return [right_click(make_chart(qtbot, context, 30))]


def close_menu() -> None:
    popup = QApplication.activePopupWidget()
    assert isinstance(popup, QMenu)
    popup.close()


@pytest.mark.parametrize("place", [in_compare, in_the_tree, in_a_strip_chart])
def test_a_context_menu_is_deleted_when_it_was_closed(
    qtbot: QtBot, context: AppContext, place: Callable[[QtBot, AppContext], list[Asked]]
) -> None:
    for ask in place(qtbot, context):
        before = sum(isinstance(widget, QMenu) for widget in QApplication.allWidgets())
        for _ in range(3):
            QTimer.singleShot(0, close_menu)
            ask()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        assert sum(isinstance(widget, QMenu) for widget in QApplication.allWidgets()) == before
