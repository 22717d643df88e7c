"""Menus and lists of choices give back, soon after they are closed, the window and the picture that Qt keeps for each."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication, QWidget

_INTERVAL_MS = 5000


class ClosedPopups(QObject):
    """Releases closed popups from a timer; Qt makes their windows again when they are opened."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.release)
        self._timer.start(_INTERVAL_MS)

    def release(self) -> None:
        """Release all of them, unless something is open: what opened that may still be at work in a popup."""
        if QApplication.activePopupWidget() is None and QApplication.activeModalWidget() is None:
            for widget in QApplication.topLevelWidgets():
                if _is_closed_popup(widget):
                    widget.destroy()


def _is_closed_popup(widget: QWidget) -> bool:
    """Whether it is a closed popup that has a window; not by ``windowHandle``, of which PySide would keep each object."""
    has_window = widget.testAttribute(Qt.WidgetAttribute.WA_WState_Created)
    return has_window and widget.isHidden() and widget.windowType() == Qt.WindowType.Popup
