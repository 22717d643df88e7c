"""Batch: a file of layers through all chosen predictors into a file of times."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QLabel,
    QProgressBar,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
)

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.gui.batch_data import Preview, Results, check, look, run, save
from cnnpredict_gui.gui.batch_pages import BatchPages
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.drop import FileDrop
from cnnpredict_gui.gui.file_dialogs import ask_to_open, ask_to_save
from cnnpredict_gui.gui.format import sig3
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.gui.view import View
from cnnpredict_gui.gui.workers import Cancelled, Progress, Task

if TYPE_CHECKING:
    from cnnpredict_gui.studies.batch import BatchSummary

CHANNEL = "batch mapping"
SUFFIXES = (".csv", ".parquet", ".pq", ".tsv", ".txt")
_OPEN_FILTER = "Tables (*.csv *.parquet *.pq *.tsv *.txt);;All files (*)"
_SAVE_FILTER = "CSV (*.csv);;Parquet (*.parquet)"
_EMPTY = (
    "Open a table of layers, or drop it here.\n\n"
    "CSV (UTF-8) or Parquet with a row per layer and columns such as input_channels, input_height, input_width, "
    "output_channels, kernel_size, stride. Columns with other names can be assigned after opening."
)


class BatchView(View):
    """Opens a table, shows what it holds, runs it through the chosen predictors and saves the answers."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.preview: Preview | None = None
        self.summary: BatchSummary | None = None
        self._task: Task | None = None
        self._results = Results()
        self._saved = True
        self.open_button, self.run_button, self.save_button = QPushButton("Open…"), QPushButton("Run"), QPushButton("Save…")
        self.network_button = QPushButton("As network")
        self.cancel = QToolButton()
        self.progress = QProgressBar()
        self.file, self.message, self.note = QLabel(), QLabel(), QLabel()
        self.pages = BatchPages(context)
        self._build()
        self._connect()
        self._drop = FileDrop(self, SUFFIXES, self.open_path)
        self.destroyed.connect(self._results.forget)
        self._show_state()

    # -- building -----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.open_button.setToolTip("Open a table of layers: CSV or Parquet")
        self.run_button.setToolTip("Predict every row of the file with the predictors chosen on the left")
        self.save_button.setToolTip("Save the times as CSV or Parquet: the columns of the file, then the predictions")
        self.network_button.setToolTip("Its rows have names or counts: open the table as the layers of one network")
        self.network_button.setAccessibleName("Open as network")
        self.cancel.setText("Cancel")
        self.cancel.setToolTip("Stop; nothing is kept")
        self.progress.setAccessibleName("Progress in rows")
        self.progress.setFormat("%p %")
        set_role(self.message, "error")
        set_role(self.note, "muted")
        for label in (self.file, self.message, self.note):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.message.hide()
        buttons = (
            self.open_button,
            self.file,
            self.network_button,
            self.progress,
            self.cancel,
            self.run_button,
            self.save_button,
        )
        row = header_row(*buttons)
        row.setStretch(1, 1)
        empty = QLabel(_EMPTY)
        empty.setWordWrap(True)
        empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        set_role(empty, "muted")
        empty.setContentsMargins(64, 0, 64, 0)
        self.stack = QStackedWidget()
        self.stack.addWidget(empty)
        self.stack.addWidget(self.pages)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID // 2)
        layout.setSpacing(GRID // 2)
        layout.addLayout(row)
        layout.addWidget(self.message)
        layout.addWidget(self.stack, 1)
        layout.addWidget(self.note)

    def _connect(self) -> None:
        self.open_button.clicked.connect(self._open_dialog)
        self.run_button.clicked.connect(self.run)
        self.save_button.clicked.connect(self._save_dialog)
        self.cancel.clicked.connect(self._cancel)
        self.network_button.clicked.connect(self._open_as_network)
        self.pages.mapping.changed.connect(self._mapping_changed)
        self.context.state.selection_changed.connect(self._show_state)
        self.context.models.progressed.connect(self._show_state)
        self.context.models.finished.connect(self._show_state)

    # -- opening ------------------------------------------------------------------------------------------------------

    def _open_dialog(self) -> None:
        path = ask_to_open(self, "Open a table of layers", _OPEN_FILTER)
        if path:
            self.open_path(path)

    def open_file(self, path: str) -> bool:
        """Open a table of layers."""
        if not path.lower().endswith(SUFFIXES):
            return False
        self.open_path(path)
        return True

    def open_path(self, path: str, mapping: dict[str, str] | None = None) -> None:
        """Look at a file in the background."""

        def work(_progress: Progress, _cancelled: Cancelled) -> Preview:
            return look(Path(path), mapping)

        task = self._start(f"Opening {Path(path).name}", work)
        task.succeeded.connect(self._opened)

    def _open_as_network(self) -> None:
        if self.preview is not None:
            self.context.open_in("network", str(self.preview.table.path))

    def _opened(self, preview: Preview) -> None:
        self._drop_results()
        self.pages.show_file(preview)
        self._show_preview(preview)

    def _mapping_changed(self) -> None:
        if self.preview is None:
            return
        self._drop_results()
        table, mapping, suggested = self.preview.table, self.pages.mapping.mapping(), self.preview.suggested
        self.context.predictions.submit(
            CHANNEL, lambda _cancelled: check(table, mapping, suggested), self._show_preview, self._complain
        )

    def _show_preview(self, preview: Preview) -> None:
        self.preview = preview
        self.pages.show_preview(preview)
        self._show_state()

    # -- running ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Predict every row of the file."""
        preview, library = self.preview, self.context.models.library
        names = [one.name for one in self.context.models.chosen(self.context.state.selection)]
        if preview is None or library is None or not names:
            return
        self._drop_results()
        path, folders, mapping = preview.table.path, library.folders, dict(preview.mapping)

        def work(progress: Progress, cancelled: Cancelled) -> BatchSummary:
            return run(path, folders, names, mapping, progress, cancelled)

        task = self._start(f"Predicting {path.name}", work)
        self._progressed(0, preview.table.rows)
        task.succeeded.connect(self._ran)

    def _ran(self, summary: BatchSummary) -> None:
        self.summary, self._saved, self._results.path = summary, False, summary.path
        self.pages.show_summary(summary)
        self._show_state()

    def _start(self, title: str, work: Any) -> Task:
        """Run a task with progress and Cancel; only one at a time."""
        if self._task is not None:
            self._task.cancel()
        self.message.hide()
        self.progress.setRange(0, 0)
        task = self._task = self.context.tasks.run(title, work)
        task.progress.connect(self._progressed)
        task.failed.connect(self._complain)
        task.ended.connect(self._ended)
        self._show_state()
        return task

    def _progressed(self, done: int, total: int) -> None:
        self.progress.setRange(0, max(total, 1))
        self.progress.setValue(done)

    def _ended(self) -> None:
        self._task = None
        self._show_state()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self.context.say("Cancelled, nothing was written")

    def _complain(self, error: CnnPredictError) -> None:
        self.message.setText(str(error))
        self.message.show()

    # -- saving -------------------------------------------------------------------------------------------------------

    def _save_dialog(self) -> None:
        if self.preview is None:
            return
        start = self.preview.table.path.with_name(f"{self.preview.table.path.stem}-times.csv")
        path, chosen = ask_to_save(self, "Save the times", str(start), _SAVE_FILTER)
        if path:
            suffix = ".parquet" if "parquet" in chosen else ".csv"
            self.save_to(Path(path) if Path(path).suffix else Path(path).with_suffix(suffix))

    def save_to(self, out: Path) -> None:
        """Write the results into a file."""
        if self.summary is None or self.preview is None:
            return
        results, separator = self.summary.path, self.preview.table.separator

        def work(progress: Progress, cancelled: Cancelled) -> Path:
            return save(results, out, separator, progress, cancelled)

        task = self._start(f"Saving {out.name}", work)
        task.succeeded.connect(self._file_saved)

    def _file_saved(self, out: Path) -> None:
        self._saved = True
        self.context.say(f"Saved {out}")
        self._show_state()

    def _drop_results(self) -> None:
        self._results.forget()
        self.summary = None
        self.pages.show_summary(None)

    # -- what can be done ---------------------------------------------------------------------------------------------

    def _show_state(self) -> None:
        preview, busy = self.preview, self._task is not None
        chosen = len(self.context.models.chosen(self.context.state.selection))
        self.stack.setCurrentIndex(1 if preview else 0)
        self.progress.setVisible(busy)
        self.cancel.setVisible(busy)
        self.run_button.setEnabled(preview is not None and not preview.problem and chosen > 0 and not busy)
        self.save_button.setEnabled(self.summary is not None and not busy)
        self.network_button.setVisible(preview is not None and preview.like_network and not busy)
        self.open_button.setEnabled(not busy)
        self.pages.mapping.setEnabled(not busy)
        self.run_button.setText(f"Run {chosen} predictor{'s' if chosen != 1 else ''}" if chosen else "Run")
        self._show_texts(preview, chosen)

    def _show_texts(self, preview: Preview | None, chosen: int) -> None:
        self.file.setText("")
        self.note.setText("")
        if preview is None:
            return
        table = preview.table
        self.file.setText(f"<b>{table.path.name}</b>: {table.rows:,} rows, {len(table.columns)} columns")
        self.file.setToolTip(f"{table.path}\nRows of a CSV are counted by its lines.")
        first = len(preview.rows)
        found = (
            f'Not possible as a layer: {preview.wrong} of the first {first} rows, see the column "problem"'
            if preview.wrong
            else ""
        )
        if self.summary is not None:
            done = self.summary
            speed = sig3(done.rows * len(done.models) / max(done.seconds, 1e-9))
            saved = "" if self._saved else " · not saved yet"
            found = (
                f"{done.rows:,} rows in {sig3(done.seconds)} s ({speed} predictions/s), {done.rows_in_error:,} in error{saved}"
            )
        elif not chosen:
            found = "Choose predictors in the list on the left."
        self.note.setText(found)

    def busy(self) -> bool:
        """Whether a file is being read or predicted."""
        return self._task is not None or self.context.predictions.busy(CHANNEL)

    # -- session ------------------------------------------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        """The file, its mapping, and the layout."""
        return {
            "file": str(self.preview.table.path) if self.preview else "",
            "mapping": dict(self.preview.mapping) if self.preview else {},
            "split": self.pages.sizes(),
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`save` gave; a file that is still there is opened again."""
        sizes = data.get("split")
        if isinstance(sizes, list) and len(sizes) == 2 and all(isinstance(size, int) for size in sizes):
            self.pages.setSizes(sizes)
        path, mapping = data.get("file"), data.get("mapping")
        if isinstance(path, str) and path and Path(path).is_file() and isinstance(mapping, dict):
            self.open_path(path, {str(theirs): str(ours) for theirs, ours in mapping.items()})
