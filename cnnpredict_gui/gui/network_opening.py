"""Opening a network's file: in the background, with Cancel, asking for the extents that it leaves open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QWidget

from cnnpredict_gui.core.errors import CnnPredictError, OpenShapeError
from cnnpredict_gui.gui.dimensions_dialog import DimensionsDialog
from cnnpredict_gui.gui.network_data import open_file
from cnnpredict_gui.gui.workers import Cancelled, Progress, Task, TaskRunner

if TYPE_CHECKING:
    from cnnpredict_gui.studies.network_source import OpenedNetwork


class NetworkOpening(QObject):
    """Reads one file at a time; a newer one ends the older.

    Args:
        tasks: Where the reading is done.
        parent: Owner, and parent of the dialog.
    """

    #: The network that was read.
    opened = Signal(object)
    #: A CnnPredictError.
    failed = Signal(object)
    #: Whether a file is being read.
    running = Signal(bool)

    def __init__(self, tasks: TaskRunner, parent: QWidget) -> None:
        super().__init__(parent)
        self.dialog: DimensionsDialog | None = None
        self.path, self.dimensions = "", dict[str, int]()
        self._tasks, self._widget = tasks, parent
        self._task: Task | None = None

    @property
    def busy(self) -> bool:
        """Whether a file is being read."""
        return self._task is not None

    def open(self, path: str, dimensions: dict[str, int] | None = None) -> Task:
        """Read a file in the background, with values for extents that it leaves open, by name."""
        self.cancel()
        given = dict(dimensions or {})

        def work(_progress: Progress, cancelled: Cancelled) -> OpenedNetwork:
            return open_file(path, given, cancelled)

        self.path, self.dimensions = path, given
        task = self._task = self._tasks.run(f"Opening {Path(path).name}", work)
        task.succeeded.connect(self.opened)
        task.failed.connect(self._broke)
        task.ended.connect(self._ended)
        self.running.emit(True)
        return task

    def cancel(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()

    def _ended(self) -> None:
        self._task = None
        self.running.emit(False)

    def _broke(self, error: CnnPredictError) -> None:
        if not isinstance(error, OpenShapeError):
            self.failed.emit(error)
            return
        dialog = self.dialog = DimensionsDialog(Path(self.path).name, error.dimensions, self._widget)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted.connect(self._dimensions_given)
        dialog.finished.connect(self._dialog_closed)
        dialog.open()

    def _dimensions_given(self) -> None:
        if self.dialog is not None:
            self.open(self.path, self.dimensions | self.dialog.values())

    def _dialog_closed(self) -> None:
        self.dialog = None
