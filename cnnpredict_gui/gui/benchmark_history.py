"""The history of benchmark runs: open one, compare two, delete, export."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QMessageBox, QPushButton, QSplitter, QVBoxLayout, QWidget

from cnnpredict_gui import __version__
from cnnpredict_gui.core.errors import CnnPredictError, DataFileError
from cnnpredict_gui.gui.benchmark_data import changes, run_text
from cnnpredict_gui.gui.benchmark_tables import change_table, run_table
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.csv_text import Cell
from cnnpredict_gui.gui.export import export_button
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.gui.workers import Cancelled, Progress

if TYPE_CHECKING:
    from cnnpredict_gui.bench.benchmark import BenchmarkRun
    from cnnpredict_gui.bench.history import RunSummary

CHANNEL = "benchmark history"
_HINT = "Select a run to show it, or two to compare them."


class HistoryPanel(QWidget):
    """Runs that were kept, and below them the comparison of two; the file is read and written in the background."""

    #: BenchmarkRun that the user wants to see
    chosen = Signal(object)

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.context = context
        self.compared: tuple[BenchmarkRun, BenchmarkRun] | None = None
        self.table = run_table(context)
        self.changes = change_table(context, self._constants)
        self.show_button, self.compare, self.delete = QPushButton("Show"), QPushButton("Compare"), QPushButton("Delete…")
        self.note, self.heading = QLabel(_HINT), QLabel()
        self._then: Callable[[], None] | None = None
        self._build()
        self.table.selectionModel().selectionChanged.connect(self._on_selection)
        self.table.doubleClicked.connect(self._show)
        self.show_button.clicked.connect(self._show)
        self.compare.clicked.connect(self._compare)
        self.delete.clicked.connect(self._ask_delete)
        self._on_selection()

    def _build(self) -> None:
        self.show_button.setToolTip("Show the selected run under Result and Distribution")
        self.compare.setToolTip("Compare the two selected runs, the earlier one as before")
        self.delete.setToolTip("Forget the selected runs")
        for label in (self.note, self.heading):
            label.setWordWrap(True)
        set_role(self.note, "muted")
        set_role(self.heading, "title")
        export = export_button(self.table, lambda: self.context.theme.current, self, self.context.report)
        row = header_row(self.note, self.show_button, self.compare, self.delete, export)
        row.setStretch(0, 1)
        above, self.below = QWidget(), QWidget()
        layout = QVBoxLayout(above)
        layout.setContentsMargins(0, GRID // 2, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.table, 1)
        layout = QVBoxLayout(self.below)
        layout.setContentsMargins(0, GRID // 2, 0, 0)
        row = header_row(self.heading)
        row.setStretch(0, 1)
        row.addWidget(export_button(self.changes, lambda: self.context.theme.current, self, self.context.report))
        layout.addLayout(row)
        layout.addWidget(self.changes, 1)
        self.below.hide()
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.addWidget(above)
        split.addWidget(self.below)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(split)

    def _constants(self) -> dict[str, Cell]:
        runs = self.compared or ()
        return {"version": __version__} | {
            f"run_{name}": run.number for name, run in zip(("before", "after"), runs, strict=False)
        }

    # -- reading and writing ------------------------------------------------------------------------------------------

    def _ask(self, question: Callable[[Any], Any], done: Callable[[Any], None]) -> None:
        """Ask the history in the background; a file that had to be set aside is told of."""

        def work(_cancelled: object) -> tuple[Any, str]:
            from cnnpredict_gui.bench.history import BenchmarkHistory

            history = BenchmarkHistory()
            return question(history), history.problem

        def answered(answer: tuple[Any, str]) -> None:
            if answer[1]:
                self.context.report(DataFileError("the history of benchmarks could not be read", answer[1]))
            done(answer[0])

        self._answered = answered
        self.context.predictions.submit(CHANNEL, work, self._on_answer, self._on_failure)

    def _on_answer(self, answer: tuple[Any, str]) -> None:
        self._answered(answer)

    def _on_failure(self, error: CnnPredictError) -> None:
        self.context.report(error)

    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return self.context.predictions.busy(CHANNEL)

    def reload(self) -> None:
        """Read the list of runs."""
        self._ask(lambda history: history.runs(), self._show_runs)

    def open_run(self, number: int) -> None:
        """Load a run, or the newest if that one is not there, and hand it on; the list is read too."""
        self._ask(lambda history: _runs_and_one(history, number), self._opened)

    def _opened(self, answer: tuple[list[RunSummary], BenchmarkRun | None]) -> None:
        self._show_runs(answer[0])
        if answer[1] is not None:
            self.chosen.emit(answer[1])

    def _show_runs(self, runs: list[RunSummary]) -> None:
        self.table.set_rows(runs)
        self.note.setText(_HINT if runs else "Runs are kept here; there is none yet.")
        self._on_selection()

    # -- actions ------------------------------------------------------------------------------------------------------

    def numbers(self) -> list[int]:
        """Numbers of the selected runs."""
        return [run.number for run in self.table.selected_rows()]

    def _on_selection(self) -> None:
        count = len(self.numbers())
        self.show_button.setEnabled(count == 1)
        self.compare.setEnabled(count == 2)
        self.delete.setEnabled(count > 0)

    def _show(self) -> None:
        if len(self.numbers()) == 1:
            self.open_run(self.numbers()[0])

    def _compare(self) -> None:
        numbers = sorted(self.numbers())
        self._ask(lambda history: [history.load(number) for number in numbers], self._compared)

    def _compared(self, runs: list[BenchmarkRun]) -> None:
        before, after = runs
        self.compared = (before, after)
        self.changes.set_rows(changes(before, after, self.context.models.entries))
        notes = [] if before.machine == after.machine else ["on different machines"]
        if before.plan.rows != after.plan.rows:
            notes.append("with different layers per call: the change is that of the time per layer")
        text = f"Run {before.number} (before) and run {after.number} (after)"
        self.heading.setText(", ".join([text, *notes]))
        self.heading.setToolTip(f"{run_text(before)}\n{run_text(after)}")
        self.below.show()

    def _ask_delete(self) -> None:
        numbers = self.numbers()
        what = f"run {numbers[0]}" if len(numbers) == 1 else f"{len(numbers)} runs"
        box = QMessageBox(QMessageBox.Icon.Question, "Delete", f"Delete {what} from the history?", parent=self)
        box.setStandardButtons(QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.Cancel)
        box.accepted.connect(lambda: self.delete_runs(numbers))
        box.open()

    def delete_runs(self, numbers: list[int]) -> None:
        """Forget these runs."""
        if self.compared and {run.number for run in self.compared} & set(numbers):
            self.compared = None
            self.below.hide()

        def work(_progress: Progress, _cancelled: Cancelled) -> None:
            from cnnpredict_gui.bench.history import BenchmarkHistory

            BenchmarkHistory().delete(numbers)

        task = self.context.tasks.run("Deleting runs", work)
        task.succeeded.connect(self._on_deleted)
        task.failed.connect(self._on_failure)

    def _on_deleted(self, _nothing: object) -> None:
        self.reload()


def _runs_and_one(history: Any, number: int) -> tuple[list[RunSummary], BenchmarkRun | None]:
    """All runs, and the one wanted, else the newest, else None."""
    runs: list[RunSummary] = history.runs()
    known = [run.number for run in runs]
    return runs, history.load(number if number in known else known[0]) if known else None
