"""The base every view is built on: charts, tables, exports, workers, state."""

from __future__ import annotations

import csv
import gc
import io
import re
import threading
import time
import weakref
from functools import partial
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QWidget
from pytestqt.qtbot import QtBot

import cnnpredict_gui
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import CancelledByUserError, CnnPredictError, DataFileError, OutputError, WorkerError
from cnnpredict_gui.gui.axes import NumberAxis
from cnnpredict_gui.gui.charts import ChartView
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.csv_text import csv_text
from cnnpredict_gui.gui.export import Data, copy_data, export_menu, save
from cnnpredict_gui.gui.format import scaled, sig3
from cnnpredict_gui.gui.legend import family_legend
from cnnpredict_gui.gui.state import AppState
from cnnpredict_gui.gui.tables import Column, TableView
from cnnpredict_gui.gui.theme import DARK, LIGHT, Theme, ThemeManager, set_role
from cnnpredict_gui.gui.workers import Cancelled, LatestWins, Progress, TaskRunner
from tests.gui.conftest import Reports
from tests.gui.contract import WidgetContract, picture

OTHER = ConvConfig.parse(
    {"input_channels": 3, "input_height": 224, "input_width": 224, "output_channels": 64, "kernel_size": 7}
)


class Line(ChartView):
    """A small chart, to test the base."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context, "Line", "Nothing to draw yet")
        self.curve = self.add_plot(x_label="batch size", y_label="time (ms)").plot([], [])
        self.legend.set_entries(family_legend(LIGHT, ["nn", "rf"], extrapolating=True))

    def recolour(self, theme: Theme) -> None:
        if hasattr(self, "curve"):
            self.curve.setPen(theme.family("nn"), width=2)

    def show_numbers(self, numbers: list[float]) -> None:
        self.curve.setData(range(len(numbers)), numbers, symbol="o")
        self.set_empty(not numbers)

    def export_data(self) -> Data:
        xs, ys = self.curve.getData()
        return Data(("batch_size", "time_ms"), [(int(x), float(y)) for x, y in zip(xs, ys, strict=True)], {"version": "1.0.0"})


def make_table(context: AppContext) -> TableView:
    columns = (
        Column("name", "name", lambda row: str(row[0])),
        Column("time_ms", "time (ms)", lambda row: float(row[1]), numeric=True),
        Column("note", "note", lambda row: str(row[2]), hidden=True),
    )
    return TableView(context, "Sample table", columns, lambda row: row[0], lambda: {"version": cnnpredict_gui.__name__})


ROWS = [("a", 0.012345, "=1+1"), ("b", 12345.6, 'say "hi", now'), ("c", float("nan"), "")]


class TestChartContract(WidgetContract):
    def make(self, context: AppContext) -> QWidget:
        chart = Line(context)
        chart.show_numbers([1.0, 2.0, 3.0])
        return chart


class TestTableContract(WidgetContract):
    def make(self, context: AppContext) -> QWidget:
        table = make_table(context)
        table.set_rows(ROWS)
        return table


def test_chart_shows_its_empty_state_and_leaves_it(qtbot: QtBot, bare_context: AppContext) -> None:
    chart = Line(bare_context)
    qtbot.addWidget(chart)
    assert chart.is_empty and not chart.export_button.isEnabled()
    chart.show_numbers([1.0])
    assert not chart.is_empty and chart.export_button.isEnabled()


def test_a_chart_keeps_no_picture_of_its_background(qtbot: QtBot, bare_context: AppContext) -> None:
    chart = Line(bare_context)
    qtbot.addWidget(chart)
    assert chart.graphics.cacheMode() == chart.graphics.CacheModeFlag.CacheNone


def test_axes_are_painted_again_when_they_change(
    qtbot: QtBot, bare_context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart = Line(bare_context)
    qtbot.addWidget(chart)
    chart.show_numbers([1.0, 2.0, 3.0])
    chart.show()
    qtbot.waitExposed(chart)
    picture(chart)
    painted, paint = [], NumberAxis.paint

    def counted(axis: NumberAxis, *args: object) -> None:
        painted.append(axis.orientation)
        paint(axis, *args)

    monkeypatch.setattr(NumberAxis, "paint", counted)
    picture(chart)
    assert not painted
    chart.plots[0].setYRange(0, 50)
    picture(chart)
    assert painted == ["left"]


def test_svg_of_a_chart_on_screen_holds_no_pixels(qtbot: QtBot, bare_context: AppContext, tmp_path: Path) -> None:
    chart = Line(bare_context)
    qtbot.addWidget(chart)
    chart.show_numbers([1.0, 2.0, 3.0])
    chart.show()
    picture(chart)
    save(chart, tmp_path / "line.svg", LIGHT)
    svg = (tmp_path / "line.svg").read_text(encoding="utf-8")
    assert "<image" not in svg and re.search(r">2\.?0*\s*<", svg), "the numbers of an axis are text"


def test_table_sorts_numbers_by_value_and_keeps_the_selection(qtbot: QtBot, bare_context: AppContext) -> None:
    table = make_table(bare_context)
    qtbot.addWidget(table)
    table.set_rows(ROWS)
    table.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    assert [row[0] for row in table.shown_rows()] == ["a", "b", "c"]
    table.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert [row[0] for row in table.shown_rows()] == ["b", "a", "c"]  # what has no value is last either way
    assert [table.model().index(row, 0).data() for row in range(3)] == ["b", "a", "c"]
    table.selectRow(0)
    table.set_rows([(name, 1 if name == "b" else 2, note) for name, _, note in ROWS])
    assert [row[0] for row in table.shown_rows()] == ["a", "c", "b"]
    assert [row[0] for row in table.selected_rows()] == ["b"] and table.currentIndex().row() == 2
    table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
    assert [row[0] for row in table.shown_rows()] == ["a", "b", "c"] and [row[0] for row in table.selected_rows()] == ["b"]


def test_table_asks_each_row_once_to_sort(qtbot: QtBot, bare_context: AppContext) -> None:
    asked: list[int] = []

    def value(row: int) -> float:
        asked.append(row)
        return float(row * 7919 % 1000)

    table = TableView(bare_context, "Sorted", (Column("time_ms", "time (ms)", value),), lambda row: row)
    qtbot.addWidget(table)
    table.set_rows(range(1000))
    table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    asked.clear()
    table.set_rows(range(999))
    assert len(asked) < 2_000
    assert [value(row) for row in table.shown_rows()] == sorted(map(value, range(999)))


def test_table_sorts_texts_and_numbers_of_one_column(qtbot: QtBot, bare_context: AppContext) -> None:
    table = TableView(bare_context, "Mixed", (Column("value", "value", lambda row: row),), str)
    qtbot.addWidget(table)
    table.set_rows(["b", 2, None, "a", 1.5, True])
    table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    assert table.shown_rows() == [True, 1.5, 2, "a", "b", None]


def test_table_never_hides_its_last_column(qtbot: QtBot, bare_context: AppContext) -> None:
    table = make_table(bare_context)
    qtbot.addWidget(table)
    for action in table.column_menu(table).actions():
        action.setChecked(False)
    assert sum(not table.isColumnHidden(section) for section in range(3)) == 1


def test_a_click_does_not_scroll_sideways(qtbot: QtBot, bare_context: AppContext) -> None:
    table = make_table(bare_context)
    qtbot.addWidget(table)
    table.set_rows(ROWS)
    table.resize(120, 120)
    table.show()
    table.setColumnWidth(0, 100)
    table.setColumnWidth(1, 300)
    hit = table.visualRect(table.model().index(0, 1)).topLeft()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(hit.x() + 3, hit.y() + 3))
    assert table.selected_rows() and table.horizontalScrollBar().value() == 0


def test_pictures_are_written_in_the_font_of_the_screen(qtbot: QtBot, bare_context: AppContext) -> None:
    chart = Line(bare_context)
    qtbot.addWidget(chart)
    chart.show_numbers([1.0, 2.0])
    image = QImage(400, 300, QImage.Format.Format_ARGB32)
    painter = QPainter(image)
    chart.export_paint(painter, QRectF(0, 0, 400, 300), LIGHT)
    bold = painter.font().bold()
    painter.end()
    assert not bold, "what follows the title is not bold"


def test_copied_data_is_tab_separated(qtbot: QtBot, bare_context: AppContext) -> None:
    table = make_table(bare_context)
    qtbot.addWidget(table)
    table.set_rows(ROWS)
    QGuiApplication.clipboard().clear()
    copy_data(table, bare_context.report)
    table.set_rows([])
    qtbot.waitUntil(lambda: QGuiApplication.clipboard().text() != "", timeout=5_000)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].split("\t") == ["name", "time_ms", "note", "version"] and lines[1].startswith("a\t0.012345\t'=1+1\t")


def test_csv_disarms_formulas_and_reads_back() -> None:
    texts = ["=cmd|' /C calc'!A0", "+1", "-1", "@x", "\tx", 'a "b", c', "line\nbreak", "plain"]
    rows = list(csv.reader(io.StringIO(csv_text(["text", "n"], [(text, -1.5) for text in texts]), newline="")))
    assert [row[0] for row in rows[1:]] == [f"'{text}" for text in texts[:5]] + texts[5:]
    assert {row[1] for row in rows[1:]} == {"-1.5"}


def test_export_says_when_it_cannot_write(qtbot: QtBot, bare_context: AppContext, tmp_path: Path) -> None:
    chart = Line(bare_context)
    qtbot.addWidget(chart)
    chart.show_numbers([1.0])
    (tmp_path / "file").write_text("x")
    for suffix in (".png", ".svg", ".csv"):
        with pytest.raises(OutputError):
            save(chart, tmp_path / "file" / f"chart{suffix}", LIGHT)
    with pytest.raises(OutputError):
        save(chart, tmp_path / "chart.bmp", LIGHT)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["file"]


def test_menu_saves_in_the_background_and_says_so(
    qtbot: QtBot, bare_context: AppContext, tmp_path: Path, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart = Line(bare_context)
    qtbot.addWidget(chart)
    chart.show_numbers([1.0])
    menu = export_menu(chart, lambda: LIGHT, chart, bare_context.report)
    entry = next(action for action in menu.actions() if "CSV" in action.text())
    (tmp_path / "file").write_text("x")
    for path, text in ((tmp_path / "chart.csv", "Saved"), (tmp_path / "file" / "chart.csv", "")):
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args, name=path: (str(name), ""))
        entry.trigger()
        qtbot.waitUntil(lambda: not bare_context.tasks.running and not bare_context.tasks.children())
        assert path.exists() == bool(text)
    assert reports.texts == [f"Saved {tmp_path / 'chart.csv'}"] and len(reports.errors) == 1


def test_export_menu_offers_everything(qtbot: QtBot, bare_context: AppContext) -> None:
    chart = Line(bare_context)
    qtbot.addWidget(chart)
    menu = export_menu(chart, lambda: LIGHT, chart, lambda error: None)
    texts = [action.text() for action in menu.actions() if action.text()]
    assert texts == ["Copy picture", "Copy data", "Save as PNG", "Save as SVG…", "Save data as CSV…"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0123456, "0.0123"),
        (1.0, "1.00"),
        (9.999, "10.0"),
        (123.4, "123"),
        (12345.0, "12,300"),
        (0.0, "0"),
        (float("nan"), "–"),
    ],
)
def test_three_significant_digits(value: float, text: str) -> None:
    assert sig3(value) == text


def test_prefixes() -> None:
    assert [scaled(value) for value in (115.6e6, 1500.0, 12.0)] == ["116 M", "1.50 k", "12.0 "]


def _number(number: int, cancelled: Cancelled) -> int:
    return number


class Large:
    """What a job works on."""


def _job_with(_data: Large, _cancelled: Cancelled) -> str:
    return "done"


def _task_with(_data: Large, _progress: Progress, _cancelled: Cancelled) -> str:
    return "done"


def test_newest_request_wins(qtbot: QtBot) -> None:
    service, gate = LatestWins(), threading.Event()
    answers: list[object] = []

    def slow(cancelled: Cancelled) -> int:
        gate.wait(5)
        return 0

    service.submit("a", slow, answers.append, answers.append)
    for number in range(1, 5):
        service.submit("a", partial(_number, number), answers.append, answers.append)
    service.submit("b", lambda cancelled: "other", answers.append, answers.append)
    gate.set()
    qtbot.waitUntil(lambda: len(answers) == 2)
    assert sorted(map(str, answers)) == ["4", "other"]
    service.shutdown()


def test_a_failing_request_is_reported_as_one_of_our_errors(qtbot: QtBot) -> None:
    service = LatestWins()
    errors: list[CnnPredictError] = []
    service.submit("a", lambda cancelled: 1 / 0, lambda result: None, errors.append)
    qtbot.waitUntil(lambda: len(errors) == 1)
    assert isinstance(errors[0], WorkerError) and "ZeroDivisionError" in errors[0].message
    service.shutdown()


def test_task_reports_progress_and_success(qtbot: QtBot) -> None:
    runner, seen = TaskRunner(), []

    def work(progress: Progress, cancelled: Cancelled) -> str:
        for done in range(3):
            progress(done + 1, 3)
        return "result"

    task = runner.run("count", work)
    task.progress.connect(lambda done, total: seen.append((done, total)))
    with qtbot.waitSignal(task.succeeded) as blocker:
        pass
    assert blocker.args == ["result"] and seen == [(1, 3), (2, 3), (3, 3)]
    runner.shutdown()


def test_cancel_is_immediate_and_nothing_arrives_afterwards(qtbot: QtBot) -> None:
    runner, gate, seen = TaskRunner(), threading.Event(), []

    def stubborn(progress: Progress, cancelled: Cancelled) -> str:
        gate.wait(5)
        progress(1, 1)
        return "too late"

    task = runner.run("stubborn", stubborn)
    for signal in (task.progress, task.succeeded, task.failed):
        signal.connect(lambda *args: seen.append(args))
    with qtbot.waitSignals([task.cancelled, task.ended], timeout=100):
        task.cancel()
    gate.set()
    qtbot.waitUntil(lambda: not runner._tasks)
    assert seen == [] and not task.running


def test_done_work_is_let_go_of(qtbot: QtBot) -> None:
    service, runner = LatestWins(), TaskRunner()
    answers: list[object] = []
    for_task, for_job = Large(), Large()
    left = [weakref.ref(for_task), weakref.ref(for_job)]
    task = runner.run("work", partial(_task_with, for_task))
    service.submit("a", partial(_job_with, for_job), answers.append, answers.append)
    del for_task, for_job
    qtbot.waitUntil(lambda: not task.running and len(answers) == 1)
    qtbot.waitUntil(lambda: not any(one() for one in left))
    runner.shutdown()
    service.shutdown()


def test_task_that_stops_itself_counts_as_cancelled(qtbot: QtBot) -> None:
    runner = TaskRunner()

    def work(progress: Progress, cancelled: Cancelled) -> None:
        raise CancelledByUserError("stopped")

    task = runner.run("stop", work)
    with qtbot.waitSignal(task.cancelled):
        pass
    runner.shutdown()


def test_failed_task_carries_our_error(qtbot: QtBot) -> None:
    runner = TaskRunner()

    def work(progress: Progress, cancelled: Cancelled) -> None:
        raise DataFileError("no column", "add it")

    task = runner.run("fail", work)
    with qtbot.waitSignal(task.failed) as blocker:
        pass
    assert isinstance(blocker.args[0], CnnPredictError) and blocker.args[0].hint == "add it"
    runner.shutdown()


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize("share", [0.0, 0.25, 0.75, 1.0])
def test_a_colour_on_the_base_is_what_painting_it_half_transparent_gives(theme: Theme, share: float) -> None:
    colour = QColor(theme.family("xgb"))
    image = QImage(1, 1, QImage.Format.Format_RGB32)
    image.fill(QColor(theme.base))
    colour.setAlphaF(share)
    painter = QPainter(image)
    painter.fillRect(0, 0, 1, 1, colour)
    painter.end()
    seen, mixed = image.pixelColor(0, 0), theme.on_base(colour, share)
    pairs = ((seen.red(), mixed.red()), (seen.green(), mixed.green()), (seen.blue(), mixed.blue()))
    assert mixed.alpha() == 255 and all(abs(one - other) <= 2 for one, other in pairs)


def test_followers_of_the_theme_are_told_in_turns_those_in_sight_first(qtbot: QtBot, qapp: QApplication) -> None:
    theme, told = ThemeManager(qapp, "light"), list[str]()

    class Follower(QWidget):
        def recolour(self) -> None:
            told.append(self.objectName())
            time.sleep(0.01)  # more than a turn may take

    followers = [Follower(), Follower(), Follower()]
    for one, name in zip(followers, ("hidden", "deleted", "shown"), strict=True):
        one.setObjectName(name)
        theme.follow(one.recolour)
    qtbot.addWidget(followers[0])
    qtbot.addWidget(followers[2])
    followers[2].show()
    shiboken6.delete(followers[1])
    with qtbot.waitSignal(theme.settled):
        theme.set_mode("dark")
        assert told == [], "nothing yet: the window goes on"
        while not told:
            qapp.processEvents()
        assert told == ["shown"], "one fills a turn"
    assert told == ["shown", "hidden"]
    theme.set_mode("light")


def test_a_merged_step_that_leads_back_is_none(qtbot: QtBot) -> None:
    state, heard = AppState(), list[ConvConfig]()
    first = state.config
    state.config_changed.connect(heard.append)
    state.set_config(first.model_copy(update={"batch_size": 2}), merge="batch_size")
    state.set_config(first, merge="batch_size")
    assert (state.undo_stack.count(), state.config, heard[-1], len(heard)) == (0, first, first, 2)
    state.set_config(first.model_copy(update={"batch_size": 4}), merge="batch_size")
    state.undo_stack.undo()
    state.set_config(first.model_copy(update={"batch_size": 8}), merge="batch_size")  # a new step: the one undone is gone
    assert (state.undo_stack.count(), state.undo_stack.canRedo()) == (1, False)


def test_merged_steps_are_freed(qtbot: QtBot) -> None:
    state = AppState()
    for size in range(2, 300):
        state.set_config(state.config.model_copy(update={"batch_size": size}), merge="batch_size")
    assert state.undo_stack.count() == 1
    gc.collect()
    assert sum(type(one) is type(state.undo_stack.command(0)) for one in gc.get_objects()) < 100


def test_undo_and_redo_with_merged_steps(qtbot: QtBot) -> None:
    state = AppState()
    first = state.config
    for height in (57, 58, 59):
        state.set_config(state.config.model_copy(update={"input_height": height}), "Change height", "input_height")
    state.set_config(OTHER, "Choose layer")
    assert state.undo_stack.count() == 2
    state.undo_stack.undo()
    assert state.config.input_height == 59
    state.undo_stack.undo()
    assert state.config == first
    state.undo_stack.redo()
    state.undo_stack.redo()
    assert state.config == OTHER


def test_state_survives_json() -> None:
    state = AppState()
    state.set_config(OTHER)
    state.select(["nn_x", "rf_x"])
    state.set_baseline("rf_x")
    state.pin()
    state.pin(state.config.model_copy(update={"batch_size": 8}))
    state.set_favourite("nn_x", True)
    other = AppState()
    other.from_json(state.to_json())
    assert other.to_json() == state.to_json()
    assert [pin.name for pin in other.pinned] == ["A", "B"] and other.undo_stack.count() == 0


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"format": 99},
        {"format": 1, "config": {"input_channels": -1}},
        {"format": 1, "pinned": [{}]},
        {"format": 1, "views": 3},
    ],
)
def test_bad_state_changes_nothing(data: dict[str, object]) -> None:
    state = AppState()
    before = state.to_json()
    with pytest.raises(DataFileError):
        state.from_json(data)
    assert state.to_json() == before


def test_no_style_sheets() -> None:
    """With one, every change of the theme and every new widget costs many times as long; ``set_role`` does what is needed."""
    sources = {path.name: path.read_text(encoding="utf-8") for path in Path(cnnpredict_gui.__file__).parent.glob("gui/*.py")}
    assert sources and not [name for name, text in sources.items() if "setStyleSheet" in text]
    assert [name for name, text in sources.items() if 'setProperty("role"' in text] == ["theme.py"]


def test_roles_follow_the_theme(qtbot: QtBot, bare_context: AppContext) -> None:
    label, plain = QLabel("x"), QLabel("y")
    for one in (label, plain):
        qtbot.addWidget(one)
        one.show()
    for role in ("muted", "warning", "error"):
        set_role(label, role)
        for theme in (DARK, LIGHT):
            bare_context.theme.apply(theme)
            qtbot.wait(1)  # Qt tells its widgets of a palette in a turn of the event loop
            assert label.palette().windowText().color().name() == getattr(theme, role).lower() and not label.font().bold()
            assert plain.palette().windowText().color().name() == theme.text.lower()
    set_role(label, "title")
    assert label.font().bold() and label.palette().windowText().color().name() == LIGHT.text.lower()
