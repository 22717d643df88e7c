"""The Models view: list, failures, cards, side by side, folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.model_library import ModelsView
from cnnpredict_gui.gui.model_rows import card_facts, files_of, side_by_side
from cnnpredict_gui.infra.settings import read_settings
from tests.artefacts import write_model, write_training_folder
from tests.gui.conftest import Reports
from tests.gui.contract import WidgetContract


def make(qtbot: QtBot, context: AppContext) -> ModelsView:
    view = ModelsView(context)
    qtbot.addWidget(view)
    view.resize(900, 600)
    with qtbot.waitExposed(view):
        view.show()
    return view


def reload(qtbot: QtBot, context: AppContext, view: ModelsView, folders: list[Path]) -> None:
    with qtbot.waitSignal(context.models.finished, timeout=20_000):
        context.models.set_folders(folders)
    qtbot.waitUntil(lambda: not view.busy(), timeout=5_000)


class TestModelsContract(WidgetContract):
    def make(self, context: AppContext) -> QWidget:
        view = ModelsView(context)
        view.table.selectRow(3)
        view.details.show_entries([row.entry for row in view.table.shown_rows()[:3]])
        return view


def test_lists_everything_with_its_accuracy(qtbot: QtBot, context: AppContext) -> None:
    view = make(qtbot, context)
    rows = view.table.shown_rows()
    assert len(rows) == 15 and all(row.metrics.mape == 5.0 and row.size > 0 for row in rows)
    assert view.summary.text().startswith("15 of 15 models ready")
    qtbot.waitUntil(lambda: view.details.card.toPlainText().startswith("Neural network · CPU"))


def test_search_and_filter_by_keyboard(qtbot: QtBot, context: AppContext) -> None:
    view = make(qtbot, context)
    qtbot.keyClicks(view.search, "l40s forest")
    assert [row.entry.name for row in view.table.shown_rows()] == ["rf_prediction-training-gpul40s"]
    assert "1 shown" in view.summary.text()
    qtbot.keyClicks(view.search, " nonsense")
    assert view.empty.isVisible() and not view.table.isVisible() and not view.use_button.isEnabled()
    view.search.clear()
    view.filter.setCurrentText("Failed")
    assert view.table.shown_rows() == []


def test_enter_and_double_click_show_the_predictors_in_compare(qtbot: QtBot, context: AppContext, reports: Reports) -> None:
    view = make(qtbot, context)
    view.table.setFocus()
    view.table.selectRow(2)
    name = view.table.selected_rows()[0].entry.name
    qtbot.keyClick(view.table, Qt.Key.Key_Return)
    assert context.state.selection == (name,) and context.state.focus == name and reports.views == ["compare"]
    place = view.table.visualRect(view.table.rows_model.index(4, 1)).center()
    qtbot.mouseClick(view.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(view.table.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(place))
    assert context.state.selection == (view.table.shown_rows()[4].entry.name,)


def test_a_broken_model_is_listed_with_its_reason(qtbot: QtBot, context: AppContext, tmp_path: Path) -> None:
    folder = write_training_folder(tmp_path / "models", "cpu", families=("nn", "rf"))
    (folder / "rdf" / "best_rf_model.onnx").write_bytes(b"<b>bad</b>")
    (folder / "nn" / "output" / "best_model.card.json").write_text("{")
    view = make(qtbot, context)
    reload(qtbot, context, view, [tmp_path / "models"])
    write_training_folder(tmp_path / "good", "gpul40s", families=("nn",))
    reload(qtbot, context, view, [tmp_path / "models", tmp_path / "good"])
    assert [row.entry.status for row in view.table.shown_rows()][:3] == ["failed", "failed", "loaded"], "seen at once"
    view.filter.setCurrentText("Failed")
    rows = view.table.shown_rows()
    assert len(rows) == 2 and all(row.entry.reason for row in rows) and "2 failed" in view.summary.text()
    view.table.selectRow(0)
    assert f"This model failed: {rows[0].entry.reason}" in view.details.card.toPlainText()
    assert not view.use_button.isEnabled() and view.location_button.isEnabled()


def test_versions_side_by_side_differences_first(qtbot: QtBot, context: AppContext, tmp_path: Path) -> None:
    write_training_folder(tmp_path / "models", "cpu", families=("nn",))
    write_model(
        tmp_path / "models" / "v2.0.0" / "prediction-training-cpu", "nn", "cpu", version="2.0.0", hyperparameters={"width": 256}
    )
    view = make(qtbot, context)
    reload(qtbot, context, view, [tmp_path / "models"])
    view.table.selectRow(0)
    view.details.setCurrentIndex(2)
    table = view.details.versions
    assert [column.title for column in table.rows_model.columns][1:] == ["Neural network 2.0.0", "Neural network 1.0.0"]
    rows = {row[0]: row[1:] for row in table.shown_rows()}
    assert rows["Model: Version"] == ("2.0.0", "1.0.0") and rows["Hyperparameters: width"] == ("256", "–")
    differing = [len(set(row[1:])) > 1 for row in side_by_side([r.entry for r in view.table.shown_rows()])]
    assert differing == sorted(differing, reverse=True)
    view.table.selectAll()
    view.use_selected()
    assert set(context.state.selection) == set(context.models.predictors)


def test_the_card_shows_everything(qtbot: QtBot, context: AppContext) -> None:
    view = make(qtbot, context)
    qtbot.keyClicks(view.search, "l40s xgboost")
    qtbot.waitUntil(lambda: not view.busy())
    entry = view.table.shown_rows()[0].entry
    text = view.details.card.toPlainText().replace("\u200b", "")
    for _, facts in card_facts(entry):
        for name, value in facts:
            assert name in text and value.split()[0] in text
    for path in files_of(entry)[1:]:
        assert entry.card is not None and entry.card.files[path.name] in text
    assert len(view.details.accuracy.rows_model.rows) == len(entry.card.metrics)


def test_an_added_folder_is_searched_and_remembered(
    qtbot: QtBot, context: AppContext, reports: Reports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "own models"
    write_training_folder(folder, "cpu", families=("rf",), folder="prediction-training-mine")
    view = make(qtbot, context)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_args: str(folder))
    with qtbot.waitSignal(context.models.finished, timeout=20_000):
        qtbot.mouseClick(view.add_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not view.busy(), timeout=5_000)
    assert "rf_prediction-training-mine" in context.models.predictors
    assert read_settings()[0].models_folders == (str(folder),)
    qtbot.mouseClick(view.add_button, Qt.MouseButton.LeftButton)
    assert "already searched" in reports.errors[-1].message


def test_rescan_finds_what_is_new(qtbot: QtBot, context: AppContext, tmp_path: Path) -> None:
    write_training_folder(tmp_path / "models", "cpu", families=("nn",))
    view = make(qtbot, context)
    reload(qtbot, context, view, [tmp_path / "models"])
    write_training_folder(tmp_path / "models", "cpu", families=("lasso",))
    with qtbot.waitSignal(context.models.finished, timeout=20_000):
        qtbot.mouseClick(view.reload_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(view.table.shown_rows()) == 2, timeout=5_000)


def test_folders_that_change_while_loading(qtbot: QtBot, context: AppContext, models_folder: Path, tmp_path: Path) -> None:
    write_training_folder(tmp_path / "models", "cpu", families=("nn",))
    for _ in range(3):
        with qtbot.waitSignal(context.models.finished, timeout=20_000):
            context.models.set_folders([models_folder])
            context.models.set_folders([tmp_path / "models"])
        assert list(context.models.predictors) == ["nn_prediction-training-cpu"]


def test_without_models_it_says_what_to_do(qtbot: QtBot, bare_context: AppContext) -> None:
    view = make(qtbot, bare_context)
    assert view.empty.isVisible() and "Add a folder" in view.empty.text()


def test_what_is_kept(qtbot: QtBot, context: AppContext) -> None:
    view = make(qtbot, context)
    view.filter.setCurrentText("Ready")
    view.table.setColumnHidden(3, True)
    kept = view.save()
    again = make(qtbot, context)
    again.restore(kept)
    assert again.filter.currentText() == "Ready" and again.table.isColumnHidden(3)
    again.restore({"filter": 3, "columns": [], "sizes": ["a"]})
    assert again.filter.currentText() == "Ready"
