"""The Batch view with small real models; runs happen in real child processes."""

from __future__ import annotations

import csv as csv_module
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.gui.batch_data import Results, run
from cnnpredict_gui.gui.batch_view import BatchView
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.infra.paths import cache_dir
from tests.gui.contract import WidgetContract

NAMES = ("input_channels", "input_height", "input_width", "output_channels", "kernel_size")
ROWS = [(16, 56, 56, 32, 3), (64, 28, 28, 64, 1), (3, 224, 224, 64, 7), (16, 14, 14, 16, 0)]


def write_csv(path: Path, names: tuple[str, ...] = NAMES) -> Path:
    path.write_text("\n".join([",".join(names), *(",".join(map(str, row)) for row in ROWS)]) + "\n", encoding="utf-8")
    return path


def wait(qtbot: QtBot, view: BatchView) -> None:
    qtbot.waitUntil(lambda: not view.busy(), timeout=40_000)


@pytest.fixture
def view(qtbot: QtBot, context: AppContext) -> BatchView:
    view = BatchView(context)
    qtbot.addWidget(view)
    view.resize(940, 700)
    with qtbot.waitExposed(view):
        view.show()
    return view


def opened(qtbot: QtBot, view: BatchView, path: Path) -> BatchView:
    assert view.open_file(str(path))
    wait(qtbot, view)
    return view


class TestBatchContract(WidgetContract):
    """With a file that was run: summary, verdicts and errors are on screen."""

    def make(self, context: AppContext) -> QWidget:
        view = BatchView(context)
        path = cache_dir().parent / "layers.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        view.open_path(str(write_csv(path)))
        return view

    def shown(self, qtbot: QtBot, context: AppContext) -> QWidget:
        view = super().shown(qtbot, context)
        assert isinstance(view, BatchView)
        wait(qtbot, view)
        view.run()
        wait(qtbot, view)
        assert view.summary is not None
        return view


def test_empty_state_says_what_to_do(view: BatchView) -> None:
    assert view.stack.currentIndex() == 0 and not view.run_button.isEnabled() and not view.save_button.isEnabled()


def test_preview_shows_rows_and_what_is_wrong_with_them(qtbot: QtBot, view: BatchView, tmp_path: Path) -> None:
    opened(qtbot, view, write_csv(tmp_path / "layers.csv"))
    assert view.pages.sample is not None and len(view.pages.sample.shown_rows()) == 4 and "4 rows" in view.file.text()
    problems = [row.error for row in view.pages.sample.shown_rows()]
    assert problems[:3] == ["", "", ""] and "kernel" in problems[3]
    assert "1 of the first 4" in view.note.text() and view.run_button.isEnabled()


def test_run_shows_and_saves_what_the_predictors_say(
    qtbot: QtBot, view: BatchView, context: AppContext, tmp_path: Path
) -> None:
    opened(qtbot, view, write_csv(tmp_path / "layers.csv"))
    qtbot.mouseClick(view.run_button, Qt.MouseButton.LeftButton)
    assert view.cancel.isVisible() and view.progress.isVisible()
    wait(qtbot, view)
    assert view.summary is not None and (view.summary.rows, view.summary.rows_in_error) == (4, 1)
    assert not view.pages.histogram.is_empty and len(view.pages.verdicts.shown_rows()) == 5
    assert [error.line for error in view.pages.errors.shown_rows()] == [5]
    assert all(int(model.histogram.sum()) == 3 for model in view.summary.models)
    view.save_to(tmp_path / "times.csv")
    wait(qtbot, view)
    with (tmp_path / "times.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv_module.DictReader(file))
    assert len(rows) == 20 and {row["verdict"] for row in rows[15:]} == {"error"}
    first = rows[0]
    config = ConvConfig.parse(dict(zip(NAMES, ROWS[0], strict=True)))
    wanted = context.models.predictors[first["model_name"]].predict_one(config)
    assert float(first["execution_time_ms"]) == pytest.approx(wanted.time_ms, rel=1e-5)
    view.save_to(tmp_path / "times.parquet")
    wait(qtbot, view)
    assert pq.read_table(tmp_path / "times.parquet").num_rows == 20


def test_other_column_names_are_suggested_and_can_be_changed(qtbot: QtBot, view: BatchView, tmp_path: Path) -> None:
    opened(qtbot, view, write_csv(tmp_path / "theirs.csv", ("cin", "h", "w", "their_filters", "kernel")))
    assert view.pages.mapping.boxes["cin"].currentData() == "input_channels"
    assert not view.pages.mapping_message.isHidden() and "output_channels" in view.pages.mapping_message.text()
    assert not view.run_button.isEnabled()
    box = view.pages.mapping.boxes["their_filters"]
    box.setFocus()
    qtbot.keyClicks(box, "output")
    wait(qtbot, view)
    assert box.currentData() == "output_channels" and view.pages.mapping_message.isHidden() and view.run_button.isEnabled()


def test_parquet(qtbot: QtBot, view: BatchView, tmp_path: Path) -> None:
    path = tmp_path / "layers.parquet"
    pq.write_table(pa.table(dict(zip(NAMES, map(list, zip(*ROWS, strict=True)), strict=True))), path)
    opened(qtbot, view, path)
    assert view.preview is not None and view.preview.table.kind == "parquet" and view.preview.wrong == 1


def test_cancel_is_immediate_and_leaves_nothing(qtbot: QtBot, view: BatchView, tmp_path: Path) -> None:
    opened(qtbot, view, write_csv(tmp_path / "layers.csv"))
    qtbot.mouseClick(view.run_button, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(view.cancel, Qt.MouseButton.LeftButton)
    assert not view.busy() and not view.cancel.isVisible() and view.summary is None and view.run_button.isEnabled()
    qtbot.waitUntil(lambda: not list(cache_dir().glob("batch/*")), timeout=10_000)


def test_files_that_are_no_tables_say_what_to_do(qtbot: QtBot, view: BatchView, tmp_path: Path) -> None:
    path = tmp_path / "book.csv"
    path.write_bytes(b"PK\x03\x04 whatever")
    opened(qtbot, view, path)
    assert not view.message.isHidden() and "save it as CSV" in view.message.text() and view.preview is None
    opened(qtbot, view, write_csv(tmp_path / "layers.csv"))
    assert view.message.isHidden()


def test_a_file_that_changes_before_the_run_is_reported(qtbot: QtBot, view: BatchView, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "layers.csv")
    opened(qtbot, view, path)
    path.unlink()
    view.run()
    wait(qtbot, view)
    assert "does not exist" in view.message.text() and view.summary is None


def test_a_new_file_drops_the_old_results(qtbot: QtBot, view: BatchView, tmp_path: Path) -> None:
    opened(qtbot, view, write_csv(tmp_path / "layers.csv"))
    view.run()
    wait(qtbot, view)
    assert view.summary is not None
    kept = view.summary.path
    opened(qtbot, view, write_csv(tmp_path / "other.csv"))
    assert view.summary is None and not kept.exists() and view.pages.histogram.is_empty and not view.save_button.isEnabled()


def test_needs_predictors(qtbot: QtBot, view: BatchView, context: AppContext, tmp_path: Path) -> None:
    opened(qtbot, view, write_csv(tmp_path / "layers.csv"))
    context.state.select([])
    assert not view.run_button.isEnabled() and "Choose predictors" in view.note.text()
    context.state.select(["nn_prediction-training-cpu"])
    assert view.run_button.isEnabled() and "1 predictor" in view.run_button.text()


def test_file_and_mapping_are_kept(qtbot: QtBot, view: BatchView, context: AppContext, tmp_path: Path) -> None:
    opened(qtbot, view, write_csv(tmp_path / "theirs.csv", ("cin", "h", "w", "filters", "kernel")))
    box = view.pages.mapping.boxes["cin"]
    box.setCurrentIndex(box.findData("groups"))
    wait(qtbot, view)
    other = BatchView(context)
    qtbot.addWidget(other)
    other.restore(view.save())
    wait(qtbot, other)
    assert (
        other.pages.mapping.boxes["cin"].currentData() == "groups"
        and other.pages.mapping.boxes["h"].currentData() == "input_height"
    )


def test_results_are_removed_with_their_folder(models_folder: Path, tmp_path: Path) -> None:
    counted: list[int] = []
    summary = run(
        write_csv(tmp_path / "layers.csv"),
        [models_folder],
        ["nn_prediction-training-cpu"],
        {},
        lambda done, total: counted.append(done),
        lambda: False,
    )
    assert counted == [4] and summary.models[0].target.name == "cpu" and summary.path.is_file()
    results = Results()
    results.path = summary.path
    results.forget()
    assert not summary.path.parent.exists()


def test_a_table_that_names_its_layers_can_be_opened_as_a_network(
    qtbot: QtBot, context: AppContext, view: BatchView, tmp_path: Path
) -> None:
    asked: list[tuple[str, str]] = []
    context.open_in = lambda name, path: asked.append((name, path))
    columns = "batch_size,input_channels,input_height,input_width,output_channels,kernel_size,stride"
    plain, named = tmp_path / "plain.csv", tmp_path / "named.csv"
    plain.write_text(f"{columns}\n1,3,32,32,8,3,1\n")
    named.write_text(f"name,count,{columns}\nstem,1,1,3,32,32,8,3,1\nblock,4,1,8,32,32,8,3,1\n")
    opened(qtbot, view, plain)
    assert view.network_button.isHidden()
    opened(qtbot, view, named)
    assert view.network_button.isVisible()
    qtbot.mouseClick(view.network_button, Qt.MouseButton.LeftButton)
    assert asked == [("network", str(named))]
