"""Small on/off tools of a chart's header."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QToolButton


class Switch(QToolButton):
    """A small on/off tool of a chart's header, with a tick while it is on: the colours of a pressed button tell too little."""

    def __init__(self, text: str, name: str, tip: str, changed: Callable[[bool], None], on: bool = True) -> None:
        super().__init__()
        self._text = text
        self.setCheckable(True)
        self.toggled.connect(self._mark)
        self.setChecked(True)
        self.setMinimumWidth(self.sizeHint().width())  # the same without the tick
        self.setChecked(on)
        self.setAccessibleName(name)
        self.setToolTip(tip)
        self.toggled.connect(changed)

    def _mark(self, on: bool) -> None:
        self.setText(f"✓ {self._text}" if on else self._text)


class LogSwitch(Switch):
    """Switch between logarithmic and linear axes."""

    def __init__(self, changed: Callable[[bool], None], on: bool = True) -> None:
        super().__init__("log", "Logarithmic axis", "Logarithmic or linear axis", changed, on)
