"""Small on/off tools of a chart's header."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QToolButton


class Switch(QToolButton):
    """A small on/off tool of a chart's header."""

    def __init__(self, text: str, name: str, tip: str, changed: Callable[[bool], None], on: bool = True) -> None:
        super().__init__()
        self.setText(text)
        self.setCheckable(True)
        self.setChecked(on)
        self.setAccessibleName(name)
        self.setToolTip(tip)
        self.toggled.connect(changed)


class LogSwitch(Switch):
    """Switch between logarithmic and linear axes."""

    def __init__(self, changed: Callable[[bool], None], on: bool = True) -> None:
        super().__init__("log", "Logarithmic axis", "Logarithmic or linear axis", changed, on)
