"""Closed menus and lists of choices keep no window, and open again."""

from __future__ import annotations

import gc

import shiboken6
from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtGui import QWindow
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QDialog, QMenu, QWidget
from pytestqt.qtbot import QtBot

from cnnpredict_gui.gui.popups import ClosedPopups


def popups(top: QWidget) -> tuple[QComboBox, QMenu, list[QWidget]]:
    """A box and a menu of a shown window, and what they pop up."""
    box, menu = QComboBox(top), QMenu(top)
    box.addItems(["1", "2", "3"])
    menu.addAction("A")
    top.show()
    return box, menu, [box.view().window(), menu]


def has_window(widget: QWidget) -> bool:
    """Whether Qt has made it a window."""
    return widget.testAttribute(Qt.WidgetAttribute.WA_WState_Created)


def test_closed_popups_keep_no_window_and_open_again(qtbot: QtBot) -> None:
    top = QWidget()
    qtbot.addWidget(top)
    box, menu, shown = popups(top)
    owner = QObject()
    releasing = ClosedPopups(owner)
    for _ in range(2):
        box.showPopup()
        assert shown[0].isVisible()
        QTest.keyClick(box.view(), Qt.Key.Key_Down)
        QTest.keyClick(box.view(), Qt.Key.Key_Return)
        menu.popup(QPoint(5, 5))
        assert menu.isVisible()
        menu.hide()
        assert all(has_window(one) for one in shown)
        releasing.release()
        assert not any(has_window(one) for one in shown)
    assert box.currentText() == "3"
    assert has_window(top)
    assert not any(isinstance(one, QWindow) and not shiboken6.isValid(one) for one in gc.get_objects())


def test_nothing_is_released_while_a_popup_or_a_dialog_is_open(qtbot: QtBot) -> None:
    top = QWidget()
    qtbot.addWidget(top)
    box, menu, shown = popups(top)
    owner = QObject()
    releasing = ClosedPopups(owner)
    box.showPopup()
    box.hidePopup()
    menu.popup(QPoint(5, 5))
    releasing.release()
    assert all(has_window(one) for one in shown)
    menu.hide()
    dialog = QDialog(top)
    dialog.setModal(True)
    dialog.show()
    releasing.release()
    assert all(has_window(one) for one in shown)
    dialog.close()
    releasing.release()
    assert not any(has_window(one) for one in shown)
