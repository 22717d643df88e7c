"""The on/off tools of charts."""

from __future__ import annotations

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from cnnpredict_gui.gui.switch import Switch


def test_a_switch_says_whether_it_is_on(qtbot: QtBot) -> None:
    seen: list[bool] = []
    switch = Switch("log", "Logarithmic axis", "Logarithmic or linear axis", seen.append, on=False)
    qtbot.addWidget(switch)
    switch.show()
    width = switch.sizeHint().expandedTo(switch.minimumSize()).width()
    assert switch.text() == "log" and not seen
    qtbot.mouseClick(switch, Qt.MouseButton.LeftButton)
    assert switch.text() == "✓ log" and seen == [True]
    assert switch.sizeHint().expandedTo(switch.minimumSize()).width() == width, "nothing beside it moves"
    qtbot.keyClick(switch, Qt.Key.Key_Space)
    assert switch.text() == "log" and seen == [True, False]
