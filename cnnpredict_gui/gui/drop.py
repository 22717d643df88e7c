"""Files dropped onto a view."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QWidget


class FileDrop(QObject):
    """Lets ``widget`` accept files with these endings; others go on to the window.

    ``opened`` is called with the path after the drop has ended, so that it may show dialogs.
    """

    def __init__(self, widget: QWidget, suffixes: tuple[str, ...], opened: Callable[[str], object]) -> None:
        super().__init__(widget)
        self._suffixes, self._opened = suffixes, opened
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def _path(self, event: QDropEvent) -> str:
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        return next((path for path in paths if path.lower().endswith(self._suffixes)), "")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QDragEnterEvent | QDropEvent) and self._path(event):
            event.acceptProposedAction()
            if event.type() == QEvent.Type.Drop:
                path = self._path(event)
                QTimer.singleShot(0, self, lambda: self._opened(path))
            return True
        return False
