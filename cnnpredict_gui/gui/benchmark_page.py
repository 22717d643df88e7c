"""Predictors: how fast the chosen predictors answer on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QSplitter, QTabWidget, QVBoxLayout, QWidget

from cnnpredict_gui import __version__
from cnnpredict_gui.core.errors import CnnPredictError, DataFileError
from cnnpredict_gui.gui.benchmark_charts import DistributionChart, LatencyChart
from cnnpredict_gui.gui.benchmark_data import ResultRow, plan_text, result_rows, run_text
from cnnpredict_gui.gui.benchmark_form import BenchmarkForm
from cnnpredict_gui.gui.benchmark_history import HistoryPanel
from cnnpredict_gui.gui.benchmark_tables import result_table
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.csv_text import Cell
from cnnpredict_gui.gui.export import export_button
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.task_row import TaskRow
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.gui.view import View
from cnnpredict_gui.gui.workers import Cancelled, Progress

if TYPE_CHECKING:
    from cnnpredict_gui.bench.benchmark import BenchmarkRun, Outcome, Plan

TABS = ("result", "distribution", "history")


class BenchmarkPage(View):
    """Times the chosen predictors in child processes, shows the result, keeps it, compares it to earlier ones."""

    #: Plan and Outcome, from the thread of the run
    _arrived = Signal(object, object)

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.run: BenchmarkRun | None = None
        self.outcomes: list[Outcome] = []
        self._wanted = 0
        self._plan: Plan | None = None
        self.form = BenchmarkForm()
        self.work = TaskRow(
            context, "Run", "Time the predictors chosen on the left, each in a process of its own", "Progress in calls"
        )
        self.about = QLabel()
        self.bars = LatencyChart(context)
        #: Made when its tab is first shown.
        self.distribution: DistributionChart | None = None
        self.table = result_table(context, self._constants)
        self.history = HistoryPanel(context)
        self.tabs = QTabWidget()
        self._build()
        self._connect()
        self._show_state()

    # -- building -----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.work.cancel.setToolTip("Stop now; what was measured so far stays on screen but is not kept")
        self.work.progress.setFormat("%p %")
        set_role(self.about, "muted")
        self.about.setWordWrap(True)
        self.about.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = header_row(self.form.native, self.work)
        row.setAlignment(self.form.native, Qt.AlignmentFlag.AlignTop)
        row.setStretch(1, 1)
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName("Benchmark results")
        self.tabs.addTab(self._result_page(), "Result")
        self._holder = QWidget()
        QVBoxLayout(self._holder).setContentsMargins(0, 0, 0, 0)
        self.tabs.addTab(self._holder, "Distribution")
        self.tabs.addTab(self.history, "History")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID // 2)
        layout.setSpacing(GRID // 2)
        layout.addWidget(self.form)
        layout.addLayout(row)
        layout.addWidget(self.tabs, 1)

    def _result_page(self) -> QWidget:
        below = QWidget()
        layout = QVBoxLayout(below)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID // 2)
        row = header_row(self.about)
        row.setStretch(0, 1)
        row.addWidget(export_button(self.table, lambda: self.context.theme.current, self, self.context.report))
        layout.addLayout(row)
        layout.addWidget(self.table, 1)
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.addWidget(self.bars)
        split.addWidget(below)
        split.setSizes([300, 240])
        return split

    def _connect(self) -> None:
        self.work.wanted.connect(self.start)
        self._arrived.connect(self._on_arrived, Qt.ConnectionType.QueuedConnection)
        self.work.running.connect(self._show_state)
        self.tabs.currentChanged.connect(self._on_tab)
        self.history.chosen.connect(self._on_chosen)
        self.table.selectionModel().selectionChanged.connect(self._show_distribution)
        self.context.state.selection_changed.connect(self._show_state)
        self.context.models.progressed.connect(self._show_state)
        self.context.models.finished.connect(self._on_models)

    # -- running ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Time the chosen predictors."""
        from cnnpredict_gui.bench.benchmark import Plan, jobs_for, run_benchmark
        from cnnpredict_gui.bench.history import BenchmarkHistory

        library = self.context.models.library
        names = {one.path: one.name for one in self.context.models.chosen(self.context.state.selection)}
        entries = [replace(one, name=names[one.path]) for one in self.context.models.entries if one.path in names]
        if library is None or not entries or self.work.busy:
            return
        sizes = self.form.save()
        jobs = jobs_for(entries, sizes["native"])
        plan, folders = Plan(jobs, sizes["rows"], sizes["iterations"], sizes["warm_up"]), library.folders
        arrived = partial(self._arrived.emit, plan)

        def work(progress: Progress, cancelled: Cancelled) -> tuple[BenchmarkRun, str, CnnPredictError | None]:
            run = run_benchmark(plan, folders, progress, cancelled, arrived)
            history = BenchmarkHistory()
            try:
                return history.add(run), history.problem, None
            except CnnPredictError as error:
                return run, "", error

        self._plan, self.run, self.outcomes = plan, None, []
        task = self.work.run(f"Benchmark, {len(entries):,} predictors", work, self._on_finished)
        task.cancelled.connect(self._on_cancelled)
        self._show_outcomes()

    def _on_cancelled(self) -> None:
        self.context.say("Cancelled; the run is not kept")
        self._show_outcomes()

    def _on_arrived(self, plan: Plan, outcome: Outcome) -> None:
        if self.work.busy and plan is self._plan:
            self.outcomes = [*self.outcomes, outcome]
            self._show_outcomes()

    def _on_finished(self, answer: tuple[BenchmarkRun, str, CnnPredictError | None]) -> None:
        run, problem, error = answer
        if error is not None or problem:
            self.work.complain(error or DataFileError(problem))
        self._on_chosen(run)
        self.history.reload()

    # -- showing ------------------------------------------------------------------------------------------------------

    def _on_chosen(self, run: BenchmarkRun) -> None:
        self.run, self.outcomes = run, list(run.outcomes)
        self._show_outcomes()
        if self.tabs.currentIndex() == TABS.index("history"):
            self.tabs.setCurrentIndex(0)

    def _on_models(self) -> None:
        self._show_state()
        self.table.set_rows([])  # so that columns are fitted to the titles, known only now
        self._show_outcomes()

    def _show_outcomes(self) -> None:
        rows = result_rows(self.outcomes, self.context.models.entries)
        self.table.set_rows(rows)
        self.bars.show_rows(rows)
        self._show_distribution()
        if self.run is not None:
            self.about.setText(run_text(self.run))
            self.about.setToolTip(self.run.machine)
        elif self._plan is not None:
            done = f"{len(self.outcomes)} of {len(self._plan.jobs)}"
            done = done if self.work.busy else f"Stopped after {done}"
            self.about.setText(f"{done}: {plan_text(self._plan.rows, self._plan.iterations, self._plan.warm_up)}")

    def _on_tab(self, index: int) -> None:
        layout = self._holder.layout()
        if index == TABS.index("distribution") and self.distribution is None and layout is not None:
            self.distribution = DistributionChart(self.context)
            layout.addWidget(self.distribution)
            self._show_distribution()

    def _show_distribution(self) -> None:
        """The selected rows, or all if none is selected."""
        if self.distribution is not None:
            selected: Sequence[ResultRow] = self.table.selected_rows()
            self.distribution.show_rows(selected or self.table.rows_model.rows, bool(selected))

    def _show_state(self) -> None:
        chosen = len(self.context.models.chosen(self.context.state.selection))
        self.work.start.setText(f"Run {chosen} predictor{'s' if chosen != 1 else ''}" if chosen else "Run")
        self.work.start.setEnabled(chosen > 0 and not self.work.busy)
        self.form.setEnabled(not self.work.busy)
        self.form.native.setEnabled(not self.work.busy)

    def _constants(self) -> dict[str, Cell]:
        if self.run is None:
            return {"version": __version__}
        plan = self.run.plan
        return {
            "run": self.run.number or None,
            "started": self.run.started,
            "machine": self.run.machine,
            "rows_per_call": plan.rows,
            "calls": plan.iterations,
            "warm_up": plan.warm_up,
            "version": self.run.version,
        }

    # -- session ------------------------------------------------------------------------------------------------------

    def activated(self) -> None:
        """Read the history; show the run that was on screen last time, or else the newest."""
        if self.run is None and not self.outcomes and not self.work.busy:
            self.history.open_run(self._wanted)
        else:
            self.history.reload()

    def busy(self) -> bool:
        return self.work.busy or self.history.busy()

    def save(self) -> dict[str, Any]:
        run = self.run.number if self.run is not None else self._wanted
        return self.form.save() | {"tab": TABS[self.tabs.currentIndex()], "run": run, "columns": self.table.save_columns()}

    def restore(self, data: dict[str, Any]) -> None:
        self.form.restore(data)
        if data.get("tab") in TABS:
            self.tabs.setCurrentIndex(TABS.index(data["tab"]))
        self._wanted = data["run"] if type(data.get("run")) is int else 0
        if isinstance(data.get("columns"), dict):
            self.table.restore_columns(data["columns"])
