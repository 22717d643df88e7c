"""The models library as the GUI sees it: loads in one background thread and reports each model as it arrives."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QThread, QTimer, Signal, Slot

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.gui.workers import as_error

if TYPE_CHECKING:
    from cnnpredict_gui.serving.library import ModelEntry, ModelLibrary
    from cnnpredict_gui.serving.predictor import Predictor


#: Models that arrive within this time are told of together.
_FLUSH_MS = 60


class _Loader(QThread):
    """Scans and loads; makes the library itself when there is none yet, so that its imports do not block the window.

    Before that it asks the system for the name of the processor, which may take a moment.
    """

    scanned = Signal(object, object)
    arrived = Signal(object, int, int)
    broke = Signal(object)

    def __init__(self, library: ModelLibrary | None, folders: Sequence[Path] | None) -> None:
        super().__init__()
        self.setObjectName("models")
        self._library, self._folders = library, folders
        self.stop = threading.Event()
        self.processor = ""

    def run(self) -> None:
        try:
            from cnnpredict_gui.bench.machine import processor_name
            from cnnpredict_gui.serving.library import ModelLibrary

            self.processor = processor_name()
            library = self._library or ModelLibrary(self._folders)
            self.scanned.emit(library, library.scan())
            library.load_all(lambda entry, done, total: self.arrived.emit(entry, done, total), self.stop.is_set)
        except Exception as failure:
            self.broke.emit(as_error(failure))


class ModelHub(QObject):
    """Entries and loaded predictors, with signals. Predictors are safe to use from worker threads."""

    #: list of ModelEntry, right after the folders were read
    scanned = Signal(object)
    #: ModelEntry (loaded or failed), how many are done, of how many
    arrived = Signal(object, int, int)
    #: how many are done, of how many: once for several that arrived at about the same time
    progressed = Signal(int, int)
    #: numbers of loaded and failed models
    finished = Signal(int, int)
    #: CnnPredictError: the library as a whole could not be read
    failed = Signal(object)

    def __init__(self, folders: Sequence[Path] | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.library: ModelLibrary | None = None
        self.entries: list[ModelEntry] = []
        self.predictors: dict[str, Predictor] = {}
        #: Name of this computer's processor; empty until the folders were read.
        self.processor = ""
        self._folders = folders
        self._thread: _Loader | None = None
        self._again = False
        self._outdated = False
        self._news: list[tuple[ModelEntry, int, int]] = []
        self._flush = QTimer(self)
        self._flush.setSingleShot(True)
        self._flush.setInterval(_FLUSH_MS)
        self._flush.timeout.connect(self._tell)

    @property
    def loading(self) -> bool:
        """Whether models are being read."""
        return self._thread is not None

    def load(self) -> None:
        """Scan the folders (again) and load everything new in the background."""
        if self._thread is not None:
            self._again = True
            return
        thread = _Loader(self.library, self._folders)
        thread.scanned.connect(self._on_scanned, Qt.ConnectionType.QueuedConnection)
        thread.arrived.connect(self._on_arrived, Qt.ConnectionType.QueuedConnection)
        thread.broke.connect(self._on_broke, Qt.ConnectionType.QueuedConnection)
        thread.finished.connect(self._on_finished, Qt.ConnectionType.QueuedConnection)
        self._thread = thread
        thread.start()

    def set_folders(self, folders: Sequence[Path] | None) -> None:
        """Look into other folders from now on, and load."""
        self._folders = folders
        self.library = None
        if self._thread is not None:
            self._outdated = True
            self._thread.stop.set()
        self.load()

    def chosen(self, names: Sequence[str]) -> list[Predictor]:
        """The loaded ones of these predictors, in this order."""
        return [self.predictors[name] for name in names if name in self.predictors]

    @Slot(object, object)
    def _on_scanned(self, library: ModelLibrary, entries: list[ModelEntry]) -> None:
        if self._outdated:
            return
        self.library = library
        self.entries = list(entries)
        self.processor = self._thread.processor if self._thread is not None else self.processor
        self.predictors = dict(library.predictors)
        self.scanned.emit(self.entries)

    @Slot(object, int, int)
    def _on_arrived(self, entry: ModelEntry, done: int, total: int) -> None:
        self._news.append((entry, done, total))
        if not self._flush.isActive():
            self._flush.start()

    def _tell(self) -> None:
        """Take over what the library has now, and tell of what arrived since the last time."""
        self._flush.stop()
        if self.library is not None:
            self.predictors = self.library.predictors
            self.entries = self.library.entries
        news, self._news = self._news, []
        for entry, done, total in news:
            self.arrived.emit(entry, done, total)
        if news:
            self.progressed.emit(*news[-1][1:])

    @Slot(object)
    def _on_broke(self, error: CnnPredictError) -> None:
        self.failed.emit(error)

    @Slot()
    def _on_finished(self) -> None:
        if self._thread is None:
            return
        self._thread.wait()
        self._thread = None
        self._tell()
        if self._again:
            self._again = self._outdated = False
            self.load()
            return
        states = [entry.status for entry in self.entries]
        self.finished.emit(states.count("loaded"), states.count("failed"))

    def shutdown(self) -> None:
        """Stop loading and wait for the thread."""
        self._again = False
        self._flush.stop()
        if self._thread is not None:
            self._thread.stop.set()
            self._thread.wait()
            self._thread = None


def entry_key(entry: Any) -> str:
    """Unique key of an entry among versions: ``name@version``."""
    return f"{entry.name}@{entry.version}"
