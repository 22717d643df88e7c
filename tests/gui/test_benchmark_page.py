"""The Predictors page: real runs in child processes, their charts, the history and the comparison of runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtWidgets import QAbstractButton, QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from cnnpredict_gui.bench.benchmark import Outcome
from cnnpredict_gui.bench.history import BenchmarkHistory
from cnnpredict_gui.gui.benchmark_charts import DistributionChart, LatencyChart
from cnnpredict_gui.gui.benchmark_data import changes, local_time, plan_text, result_rows, run_text
from cnnpredict_gui.gui.benchmark_history import HistoryPanel
from cnnpredict_gui.gui.benchmark_page import TABS, BenchmarkPage
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import save
from cnnpredict_gui.gui.tables import TableView
from cnnpredict_gui.gui.theme import LIGHT
from tests.bench.test_history import make_outcome, make_run
from tests.gui.conftest import Reports
from tests.gui.contract import WidgetContract

XGB, RF = "xgb_prediction-training-gpul40s", "rf_prediction-training-gpul40s"


def settle(qtbot: QtBot, page: BenchmarkPage) -> None:
    qtbot.waitUntil(lambda: not page.busy(), timeout=50_000)


def click(qtbot: QtBot, button: QAbstractButton) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def select(table: TableView, *rows: int) -> None:
    flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
    table.clearSelection()
    for row in rows:
        table.selectionModel().select(table.model().index(row, 0), flags)


def distribution(page: BenchmarkPage) -> DistributionChart:
    """The chart of the second tab, which is made when it is first shown."""
    page.tabs.setCurrentIndex(TABS.index("distribution"))
    assert page.distribution is not None
    return page.distribution


@pytest.fixture
def page(qtbot: QtBot, context: AppContext) -> Iterator[BenchmarkPage]:
    context.state.select([XGB, RF])
    page = BenchmarkPage(context)
    qtbot.addWidget(page)
    page.resize(740, 600)
    with qtbot.waitExposed(page):
        page.show()
    page.activated()
    page.form.iterations.setValue(6)
    settle(qtbot, page)
    yield page
    page.work.stop()


class TestBenchmarkContract(WidgetContract):
    """With a run from the history on screen, and two compared."""

    def make(self, context: AppContext) -> QWidget:
        history = BenchmarkHistory()
        outcomes = [make_outcome(XGB), make_outcome(XGB, "native", 9.0), make_outcome(RF, median=0.2)]
        history.add(make_run(*outcomes))
        history.add(make_run(*outcomes, Outcome("nn_prediction-training-gone", "onnxruntime", None, "it is broken")))
        page = BenchmarkPage(context)
        page.restore({"run": 2})
        page.activated()
        return page

    def shown(self, qtbot: QtBot, context: AppContext) -> QWidget:
        page = super().shown(qtbot, context)
        assert isinstance(page, BenchmarkPage)
        settle(qtbot, page)
        select(page.history.table, 0, 1)
        page.history.compare.click()
        settle(qtbot, page)
        assert page.run is not None and page.history.compared is not None
        for tab in range(len(TABS)):
            page.tabs.setCurrentIndex(tab)
            qtbot.wait(10)
        return page


class TestHistoryContract(WidgetContract):
    def make(self, context: AppContext) -> QWidget:
        BenchmarkHistory().add(make_run(make_outcome(XGB)))
        panel = HistoryPanel(context)
        panel.reload()
        return panel

    channel = "benchmark history"


# -- runs -------------------------------------------------------------------------------------------------------------


def test_a_run_is_timed_shown_and_kept(qtbot: QtBot, page: BenchmarkPage, context: AppContext) -> None:
    assert page.work.start.text() == "Run 2 predictors" and page.bars.is_empty and page.distribution is None
    click(qtbot, page.form.usual[1])
    assert page.form.rows.value() == 64
    page.form.warm_up.setValue(1)
    click(qtbot, page.work.start)
    assert page.busy() and page.work.cancel.isVisible() and not page.work.start.isEnabled() and not page.form.isEnabled()
    settle(qtbot, page)
    rows = page.table.shown_rows()
    assert {row.outcome.name for row in rows} == {XGB, RF} and all(row.timed is not None for row in rows)
    assert {(row.timed.latency.rows, row.timed.latency.iterations) for row in rows} == {(64, 6)}
    assert not page.bars.is_empty and len(page.bars.panels[0].bars) == 2
    assert not distribution(page).is_empty and len(distribution(page).rows) == 2
    assert page.work.start.isEnabled() and page.form.isEnabled()
    kept = BenchmarkHistory().runs()
    assert [(run.rows, run.iterations, run.warm_up, run.predictors) for run in kept] == [(64, 6, 1, 2)]
    assert page.run is not None and page.run.number == 1 and "Run 1, " in page.about.text()
    assert [row.number for row in page.history.table.shown_rows()] == [1]
    span = context.monitor.spans[-1]
    assert span.title == "Benchmark, 2 predictors" and span.end is not None


def test_results_export_with_everything_needed_to_compare(qtbot: QtBot, page: BenchmarkPage, tmp_path: Path) -> None:
    click(qtbot, page.work.start)
    settle(qtbot, page)
    save(page.table, tmp_path / "results.csv", LIGHT)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text(encoding="utf-8"))))
    assert [row["predictor"] for row in rows] == [row.outcome.name for row in page.table.shown_rows()]
    first = rows[0]
    assert 0 < float(first["min_ms"]) <= float(first["p50_ms"]) <= float(first["p95_ms"]) <= float(first["max_ms"])
    assert float(first["cpu_mean_percent"]) > 0 and float(first["rss_peak_mb"]) > 10 and float(first["load_ms"]) > 0
    assert (first["rows_per_call"], first["calls"], first["run"]) == ("1", "6", "1") and "cores" in first["machine"]
    save(distribution(page), tmp_path / "distribution.csv", LIGHT)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "distribution.csv").read_text(encoding="utf-8"))))
    shares = [float(row["calls_percent"]) for row in rows if row["predictor"] == XGB and row["what"] == "bin"]
    assert sum(shares) == pytest.approx(100)


def test_the_failure_of_one_predictor_leaves_the_others(qtbot: QtBot, page: BenchmarkPage, models_folder: Path) -> None:
    path = models_folder / "prediction-training-gpul40s" / "rdf" / "best_rf_model.onnx"
    content = path.read_bytes()
    path.write_bytes(b"tampered")
    try:
        click(qtbot, page.work.start)
        settle(qtbot, page)
    finally:
        path.write_bytes(content)
    outcomes = {row.outcome.name: row.outcome for row in page.table.shown_rows()}
    assert outcomes[XGB].timed is not None and outcomes[RF].timed is None and "sha256" in outcomes[RF].error
    assert len(page.bars.panels[0].bars) == 1
    assert [(run.predictors, run.failed) for run in BenchmarkHistory().runs()] == [(1, 1)]


def test_cancel_ends_the_run_and_keeps_nothing(qtbot: QtBot, page: BenchmarkPage, context: AppContext) -> None:
    page.form.iterations.setValue(1_000_000)
    click(qtbot, page.work.start)
    qtbot.waitUntil(lambda: page.work.progress.value() > 0, timeout=40_000)
    click(qtbot, page.work.cancel)
    assert not page.busy() and page.work.start.isEnabled() and context.monitor.spans[-1].end is not None
    qtbot.waitUntil(lambda: all(not task.thread_.isRunning() for task in context.tasks._tasks), timeout=10_000)
    qtbot.wait(10)
    assert BenchmarkHistory().runs() == [] and page.run is None


def test_what_arrives_from_a_cancelled_run_is_not_shown(qtbot: QtBot, page: BenchmarkPage) -> None:
    page.form.iterations.setValue(1_000_000)
    click(qtbot, page.work.start)
    old = page._plan
    click(qtbot, page.work.cancel)
    page._arrived.emit(old, make_outcome(XGB))
    click(qtbot, page.work.start)
    page._arrived.emit(old, make_outcome(XGB))
    qtbot.wait(20)
    assert page.outcomes == []
    page._arrived.emit(page._plan, make_outcome(RF))
    qtbot.waitUntil(lambda: [one.name for one in page.outcomes] == [RF], timeout=5_000)


def test_an_absurd_history_file_costs_no_result(qtbot: QtBot, page: BenchmarkPage) -> None:
    path = BenchmarkHistory().path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"no database " * 100)
    click(qtbot, page.work.start)
    settle(qtbot, page)
    assert "was kept as" in page.work.message.text() and page.work.message.isVisible()
    assert len(BenchmarkHistory().runs()) == 1 and not page.bars.is_empty


def test_nothing_chosen_cannot_be_run(page: BenchmarkPage, context: AppContext) -> None:
    context.state.select([])
    assert not page.work.start.isEnabled() and page.work.start.text() == "Run"
    page.start()
    assert not page.busy()


def test_the_native_library_stands_beside(qtbot: QtBot, context: AppContext) -> None:
    rows = result_rows(
        [make_outcome(XGB, median=0.5), make_outcome(XGB, "native", 5.0), Outcome(RF, "native", None, "gone")],
        context.models.entries,
    )
    assert [row.ratio for row in rows] == [None, 10.0, None] and rows[2].engine == "native library"
    chart = LatencyChart(context)
    qtbot.addWidget(chart)
    chart.show_rows(rows)
    bars = chart.panels[0].bars
    assert [(bar.hatched, bar.mark) for bar in bars] == [(False, ""), (True, "native")]
    assert "native library" in [entry[0] for entry in chart.legend.entries]
    assert (bars[0].time_ms, bars[0].low_ms, bars[0].high_ms) == (0.5, 0.25, 1.0)
    chart.show_rows(rows[2:])
    assert chart.is_empty and "says why" in chart._empty.text()


def test_columns_fit_the_titles_that_come_with_the_models(qtbot: QtBot, context: AppContext, bare_context: AppContext) -> None:
    pages = [BenchmarkPage(one) for one in (context, bare_context)]
    for page in pages:
        qtbot.addWidget(page)
        page._on_chosen(make_run(make_outcome(XGB)))
    titles = [page.table.shown_rows()[0].title for page in pages]
    assert titles == ["NVIDIA L40S · cuDNN (ai3)", "gpul40s"]
    bare_context.models.entries = context.models.entries
    bare_context.models.finished.emit(15, 0)
    assert pages[1].table.shown_rows()[0].title == titles[0]
    assert pages[1].table.columnWidth(1) == pages[0].table.columnWidth(1)


def test_selected_rows_alone_are_distributed(qtbot: QtBot, page: BenchmarkPage) -> None:
    page._on_chosen(make_run(make_outcome(XGB), make_outcome(RF)))
    assert len(distribution(page).rows) == 2 and "select rows" in distribution(page).title()
    select(page.table, 1)
    assert [row.outcome.name for row in distribution(page).rows] == [RF] and "selected" in distribution(page).title()


# -- history ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def with_history(qtbot: QtBot, page: BenchmarkPage) -> BenchmarkPage:
    history = BenchmarkHistory()
    for median in (0.5, 1.0, 0.4):
        history.add(make_run(make_outcome(XGB, median=median)))
    page.activated()
    settle(qtbot, page)
    page.tabs.setCurrentIndex(TABS.index("history"))
    return page


def test_an_old_run_is_shown_again(qtbot: QtBot, with_history: BenchmarkPage) -> None:
    panel = with_history.history
    assert not panel.show_button.isEnabled() and not panel.compare.isEnabled() and not panel.delete.isEnabled()
    select(panel.table, 1)
    click(qtbot, panel.show_button)
    settle(qtbot, with_history)
    assert with_history.run is not None and with_history.run.number == 2
    assert with_history.tabs.currentIndex() == 0 and with_history.table.shown_rows()[0].timed.latency.p50_ms == 1.0


def test_two_runs_are_compared_the_earlier_first(qtbot: QtBot, with_history: BenchmarkPage, tmp_path: Path) -> None:
    panel = with_history.history
    select(panel.table, 1, 2)
    assert panel.compare.isEnabled() and not panel.show_button.isEnabled()
    click(qtbot, panel.compare)
    settle(qtbot, with_history)
    (change,) = panel.changes.shown_rows()
    assert change.ratio == 2.0 and panel.heading.text() == "Run 1 (before) and run 2 (after)" and panel.below.isVisible()
    save(panel.changes, tmp_path / "changes.csv", LIGHT)
    (row,) = csv.DictReader(io.StringIO((tmp_path / "changes.csv").read_text(encoding="utf-8")))
    assert (row["change_percent"], row["run_before"], row["run_after"]) == ("100.0", "1", "2")


def test_deleted_runs_leave_list_file_and_comparison(
    qtbot: QtBot, with_history: BenchmarkPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = with_history.history
    select(panel.table, 0, 1)
    click(qtbot, panel.compare)
    settle(qtbot, with_history)
    click(qtbot, panel.delete)
    box = panel.findChild(QMessageBox)
    assert isinstance(box, QMessageBox) and "2 runs" in box.text()
    click(qtbot, box.button(QMessageBox.StandardButton.Yes))
    qtbot.waitUntil(lambda: len(panel.table.shown_rows()) == 1, timeout=10_000)
    assert [run.number for run in BenchmarkHistory().runs()] == [1] and panel.below.isHidden() and panel.compared is None


def test_delete_asks_first(qtbot: QtBot, with_history: BenchmarkPage) -> None:
    panel = with_history.history
    select(panel.table, 0)
    click(qtbot, panel.delete)
    box = panel.findChild(QMessageBox)
    assert isinstance(box, QMessageBox)
    click(qtbot, box.button(QMessageBox.StandardButton.Cancel))
    qtbot.wait(20)
    assert len(BenchmarkHistory().runs()) == 3


def test_a_damaged_history_is_told_once(qtbot: QtBot, page: BenchmarkPage, reports: Reports) -> None:
    path = BenchmarkHistory().path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"no database " * 100)
    for _ in range(2):
        page.activated()
        settle(qtbot, page)
    assert len(reports.errors) == 1 and "history of benchmarks" in reports.errors[0].message


# -- session and texts ------------------------------------------------------------------------------------------------


def test_sizes_and_the_run_on_screen_survive(qtbot: QtBot, with_history: BenchmarkPage, context: AppContext) -> None:
    with_history.form.rows.setValue(10_000)
    with_history.form.native.setChecked(True)
    select(with_history.history.table, 0)
    click(qtbot, with_history.history.show_button)
    settle(qtbot, with_history)
    with_history.tabs.setCurrentIndex(1)
    other = BenchmarkPage(context)
    qtbot.addWidget(other)
    other.restore(with_history.save())
    other.activated()
    settle(qtbot, other)
    assert other.form.save() == with_history.form.save() and other.form.rows.value() == 10_000
    assert other.run is not None and other.run.number == 3 and other.tabs.currentIndex() == 1
    other.restore({"rows": "x", "tab": 3, "run": [1], "columns": 5, "native": 1})
    assert other.form.rows.value() == 10_000


def test_the_newest_run_stands_in_for_one_that_is_gone(qtbot: QtBot, page: BenchmarkPage, reports: Reports) -> None:
    page.restore({"run": 77})
    page.activated()
    settle(qtbot, page)
    assert page.run is None and reports.errors == []
    for _ in range(2):
        BenchmarkHistory().add(make_run(make_outcome(XGB)))
    page.activated()
    settle(qtbot, page)
    assert page.run is not None and page.run.number == 2


def test_changes_count_per_layer_and_keep_what_only_one_has() -> None:
    before = make_run(make_outcome(XGB, median=1.0), make_outcome("old_one"))
    after = make_run(make_outcome("new_one"), make_outcome(XGB, median=20.0, rows=10))
    found = {change.row.outcome.name: change for change in changes(before, after, [])}
    assert list(found) == ["new_one", XGB, "old_one"]
    assert found[XGB].ratio == pytest.approx(2.0)
    assert found["new_one"].before is None and found["old_one"].after is None and found["old_one"].ratio is None


def test_texts_of_a_run() -> None:
    run = make_run(make_outcome(XGB))
    assert run_text(run).startswith("This run, 2026-01-0") and run_text(replace(run, number=7)).startswith("Run 7, ")
    assert plan_text(1, 1, 0) == "1 call of 1 layer, 0 before them"
    assert plan_text(10_000, 50, 3) == "50 calls of 10,000 layers, 3 before them"
    assert local_time("nonsense") == "nonsense"
