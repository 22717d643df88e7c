"""Closed menus and lists of choices keep no window, and open again."""

from __future__ import annotations

import gc

import pytest
import shiboken6
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QWindow
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QDialog, QMenu, QWidget
from pytestqt.qtbot import QtBot

from cnnpredict_gui.gui.popups import ClosedPopups


class Shown(QWidget):
    """A window with a box and a menu, what they pop up, and what releases that."""

    def __init__(self) -> None:
        super().__init__()
        self.box, self.menu = QComboBox(self), QMenu(self)
        self.box.addItems(["1", "2", "3"])
        self.menu.addAction("A")
        self.popups = [self.box.view().window(), self.menu]
        self.releasing = ClosedPopups(self)


@pytest.fixture
def top(qtbot: QtBot) -> Shown:
    shown = Shown()
    qtbot.addWidget(shown)
    shown.show()
    return shown


def has_window(widget: QWidget) -> bool:
    """Whether Qt has made it a window."""
    return widget.testAttribute(Qt.WidgetAttribute.WA_WState_Created)


def test_closed_popups_keep_no_window_and_open_again(top: Shown) -> None:
    box, menu, shown = top.box, top.menu, top.popups
    for _ in range(2):
        box.showPopup()
        assert shown[0].isVisible()
        QTest.keyClick(box.view(), Qt.Key.Key_Down)
        QTest.keyClick(box.view(), Qt.Key.Key_Return)
        menu.popup(QPoint(5, 5))
        assert menu.isVisible()
        menu.hide()
        assert all(has_window(one) for one in shown)
        top.releasing.release()
        assert not any(has_window(one) for one in shown)
    assert box.currentText() == "3"
    assert has_window(top)
    assert not any(isinstance(one, QWindow) and not shiboken6.isValid(one) for one in gc.get_objects())


def test_nothing_is_released_while_a_popup_or_a_dialog_is_open(top: Shown) -> None:
    box, menu, shown = top.box, top.menu, top.popups
    box.showPopup()
    box.hidePopup()
    menu.popup(QPoint(5, 5))
    top.releasing.release()
    assert all(has_window(one) for one in shown)
    menu.hide()
    dialog = QDialog(top)
    dialog.setModal(True)
    dialog.show()
    top.releasing.release()
    assert all(has_window(one) for one in shown)
    dialog.close()
    top.releasing.release()
    assert not any(has_window(one) for one in shown)
