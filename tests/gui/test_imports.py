"""Importing native models in the window: dialog, drops, menu, and those found in folders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QDialogButtonBox, QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.import_dialog import ImportDialog
from cnnpredict_gui.gui.imports import Imports
from cnnpredict_gui.gui.main_window import MainWindow
from cnnpredict_gui.gui.model_library import ModelsView
from cnnpredict_gui.gui.views import VIEWS
from tests.artefacts import FEATURES, linear_model, make_card
from tests.gui.conftest import Reports
from tests.gui.contract import WidgetContract


@pytest.fixture
def native(tmp_path: Path) -> Path:
    """An ONNX predictor without a card: the native file that a child process reads fastest."""
    path = tmp_path / "mine" / "Rechen modell.onnx"
    path.parent.mkdir()
    path.write_bytes(linear_model(shift=0.25).SerializeToString())
    return path


@pytest.fixture
def window(qtbot: QtBot, context: AppContext) -> Iterator[MainWindow]:
    made = MainWindow()
    qtbot.addWidget(made)
    context.actions = made.actions_
    made.set_context(context)
    made.add_views(VIEWS)
    made.imports = Imports(made, context)  # type: ignore[attr-defined]
    made.show()
    yield made
    made.context = None


def fill(dialog: ImportDialog, features: str = ", ".join(FEATURES)) -> None:
    for box, value in ((dialog.target, "gpul40s"), (dialog.family, "lasso"), (dialog.output, "log_ms")):
        box.setCurrentIndex(box.findData(value))
    dialog.features.setPlainText(features)


def drop(window: MainWindow, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, left, none))


def dialog_of(qtbot: QtBot, window: MainWindow) -> ImportDialog:
    qtbot.waitUntil(lambda: bool(window.findChildren(ImportDialog)), timeout=5_000)
    return window.findChildren(ImportDialog)[-1]


class TestImportContract(WidgetContract):
    def make(self, context: AppContext) -> QWidget:
        path = Path("model.pth")
        dialog = ImportDialog(context, path)
        fill(dialog)
        return dialog


@pytest.mark.timeout(180)
def test_a_dropped_model_is_imported_and_chosen(
    qtbot: QtBot, window: MainWindow, context: AppContext, native: Path, own_home: Path
) -> None:
    drop(window, native)
    dialog = dialog_of(qtbot, window)
    assert dialog.file_label.text() == "Rechen modell.onnx"
    fill(dialog)
    before = set(context.models.predictors)
    with qtbot.waitSignal(dialog.imported, timeout=120_000):
        qtbot.mouseClick(dialog.import_button, Qt.MouseButton.LeftButton)
    assert "differ from the native model by at most" in dialog.message.text()
    assert "gives no interval" in dialog.message.text()
    name = "lasso_prediction-training-gpul40s-rechen-modell"
    qtbot.waitUntil(lambda: name in context.state.selection, timeout=20_000)
    assert context.state.focus == name
    assert set(context.models.predictors) == before | {name}, "the others stay"
    assert (own_home / "data" / "models").is_dir()
    dialog.reject()


def test_what_is_missing_is_told_before_anything_is_read(qtbot: QtBot, window: MainWindow, native: Path) -> None:
    drop(window, native)
    dialog = dialog_of(qtbot, window)
    for box, value, missing in (
        (dialog.target, "gpul40s", "No target is chosen"),
        (dialog.family, "rf", "No family is chosen"),
        (dialog.output, "ms", "No output is chosen"),
    ):
        qtbot.mouseClick(dialog.import_button, Qt.MouseButton.LeftButton)
        assert missing in dialog.message.text()
        box.setCurrentIndex(box.findData(value))
    qtbot.mouseClick(dialog.import_button, Qt.MouseButton.LeftButton)
    assert "No features are chosen" in dialog.message.text()
    dialog.features.setPlainText("log_mac")
    assert dialog.count_label.text() == "1 named"
    qtbot.mouseClick(dialog.import_button, Qt.MouseButton.LeftButton)
    assert "no feature 'log_mac'" in dialog.message.text() and "log_macs" in dialog.message.text()
    dialog.reject()


def test_a_card_beside_the_file_or_a_chosen_list_fills_the_form(
    qtbot: QtBot, window: MainWindow, native: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    card = make_card("rf", "x", "cpu", output="ms")
    native.with_name("Rechen modell.card.json").write_text(card.model_dump_json(), encoding="utf-8")
    drop(window, native)
    dialog = dialog_of(qtbot, window)
    assert "Described by Rechen modell.card.json" in dialog.source_label.text()
    assert (dialog.target.currentData(), dialog.family.currentData(), dialog.output.currentData()) == ("cpu", "rf", "ms")
    assert tuple(dialog.features.toPlainText().split()) == FEATURES
    assert dialog.mapping().features == FEATURES
    listed = tmp_path / "names.txt"
    listed.write_text("macs\nlog_bytes\n", encoding="utf-8")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(listed), ""))
    qtbot.mouseClick(dialog.file_button, Qt.MouseButton.LeftButton)
    assert dialog.features.toPlainText().split() == ["macs", "log_bytes"]
    dialog.reject()


@pytest.mark.timeout(180)
def test_cancel_ends_the_import_at_once(qtbot: QtBot, window: MainWindow, context: AppContext, native: Path) -> None:
    drop(window, native)
    dialog = dialog_of(qtbot, window)
    fill(dialog)
    qtbot.mouseClick(dialog.import_button, Qt.MouseButton.LeftButton)
    assert dialog.progress.isVisible() and not dialog.features.isEnabled()
    cancel = dialog.buttons.button(QDialogButtonBox.StandardButton.Close)
    assert cancel.text() == "Cancel"
    qtbot.mouseClick(cancel, Qt.MouseButton.LeftButton)
    assert "Cancelled" in dialog.message.text() and dialog.isVisible() and dialog.features.isEnabled()
    assert not context.tasks.running
    dialog.reject()
    assert not dialog.isVisible()


def test_a_network_goes_to_its_view_and_a_folder_is_reported(
    qtbot: QtBot, window: MainWindow, reports: Reports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "net.onnx"
    model = linear_model()
    extents = model.graph.input[0].type.tensor_type.shape.dim
    for extent in (1, 2):
        extents.add().dim_value = extent
    image.write_bytes(model.SerializeToString())
    opened: list[str] = []

    def open_file(path: str) -> bool:
        opened.append(path)
        return True

    monkeypatch.setattr(window.make_view("network"), "open_file", open_file)
    assert window.open_file(str(image))
    assert opened == [str(image)] and window.current_view() == "network"
    folder = tmp_path / "model.joblib"
    folder.mkdir()
    window.report = reports.errors.append  # type: ignore[method-assign, assignment]
    assert window.context is not None
    window.context.report = reports.errors.append
    assert not window.open_file(str(folder))
    assert "model.joblib is a folder" in str(reports.errors[-1])
    assert not window.open_file(str(tmp_path / "best_model.card.json"))
    assert "describes a model and is none" in str(reports.errors[-1])
    assert not window.findChildren(ImportDialog)


def test_the_menu_and_the_models_view_ask_for_a_file(
    qtbot: QtBot, window: MainWindow, context: AppContext, native: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(native), ""))
    context.actions["file.import"].trigger()
    dialog_of(qtbot, window).reject()
    view = window.make_view("models")
    assert isinstance(view, ModelsView)
    window.show_view("models")
    qtbot.mouseClick(view.import_button, Qt.MouseButton.LeftButton)
    assert dialog_of(qtbot, window).file_label.text() == native.name
    dialog_of(qtbot, window).reject()


def test_the_models_view_imports_the_native_file_that_is_selected(
    qtbot: QtBot, window: MainWindow, context: AppContext, models_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "others" / "prediction-training-new" / "rdf"
    folder.mkdir(parents=True)
    (folder / "best_rf_model.joblib").write_bytes(b"x")
    with qtbot.waitSignal(context.models.finished, timeout=20_000):
        context.models.set_folders([models_folder, folder.parents[1]])
    view = window.make_view("models")
    assert isinstance(view, ModelsView)
    window.show_view("models")
    view.search.setText("feature mapping")
    qtbot.waitUntil(lambda: len(view.table.shown_rows()) == 1 and not view.busy(), timeout=10_000)
    view.table.selectRow(0)
    qtbot.mouseClick(view.import_button, Qt.MouseButton.LeftButton)
    dialog = dialog_of(qtbot, window)
    assert dialog.file_label.text() == "best_rf_model.joblib"
    dialog.reject()


@pytest.mark.timeout(240)
def test_native_files_found_in_a_folder_are_imported_by_themselves(
    qtbot: QtBot, window: MainWindow, context: AppContext, models_folder: Path, tmp_path: Path
) -> None:
    """One with a mapping is imported; one with a mapping but damaged fails with the reason; one without needs a mapping."""
    folder = tmp_path / "others" / "prediction-training-new" / "xgboost"
    folder.mkdir(parents=True)
    mapping = {"target": "gpul40s", "features": list(FEATURES), "output": "log_ms"}
    for stem, content in (("best_xgb_good_model", linear_model().SerializeToString()), ("best_xgb_bad_model", b"\x00" * 99)):
        (folder / f"{stem}.onnx").write_bytes(content)
        (folder / f"{stem}.mapping.json").write_text(json.dumps(mapping), encoding="utf-8")
    (folder / "best_xgb_alone_model.joblib").write_bytes(b"x")
    context.models.set_folders([models_folder, folder.parents[1]])

    def states() -> dict[str, str]:
        return {entry.name.rpartition("_")[2]: entry.status for entry in context.models.entries if "new" in entry.name}

    qtbot.waitUntil(lambda: "waiting" in states().values(), timeout=20_000)
    qtbot.waitUntil(lambda: states() == {"good": "loaded", "bad": "failed", "alone": "failed"}, timeout=200_000)
    reasons = {entry.name.rpartition("_")[2]: entry.reason for entry in context.models.entries}
    assert "damaged or no ONNX model" in reasons["bad"]
    assert "needs a feature mapping" in reasons["alone"]
    good = next(entry for entry in context.models.entries if entry.name.endswith("_good"))
    assert good.origin == "imported"
    assert "gpul40s" in {model.target.name for model in context.models.predictors.values() if model.path == good.path}
    assert not context.tasks.running
