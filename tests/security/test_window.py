"""A window with a folder full of hostile files: it lives, the other models are loaded, each file is listed with its reason."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("PYQTGRAPH_QT_LIB", "PySide6")

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnpredict_gui.core.names import LAYOUT
from cnnpredict_gui.gui.actions import Actions
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.import_dialog import ImportDialog
from cnnpredict_gui.gui.imports import Imports
from cnnpredict_gui.gui.main_window import MainWindow
from cnnpredict_gui.gui.models import ModelHub
from cnnpredict_gui.gui.state import AppState
from cnnpredict_gui.gui.theme import ThemeManager
from cnnpredict_gui.gui.views import VIEWS
from cnnpredict_gui.gui.workers import LatestWins, TaskRunner
from tests.artefacts import write_model
from tests.security import cases_code, cases_damage
from tests.security.workshop import CASES, FEATURES, Workshop

assert cases_code and cases_damage
pytestmark = pytest.mark.timeout(300)
#: One case of each kind, to the suffix its file gets in the models folder.
LYING_AROUND = {
    "calls os.system": ("rf", ".joblib"),
    "torch: a call in what torch.save wrote": ("nn", ".pth"),
    "bomb: gzip of 240 MB": ("rf", ".joblib"),
    "forest: a feature that is not there": ("rf", ".joblib"),
    "XGBoost: a circle": ("xgb", ".json"),
    "network.pth cut off at 99 %": ("nn", ".pth"),
    "ONNX: an operator of somebody": ("lasso", ".onnx"),
    "boosted.ubj with a feature too few": ("xgb", ".ubj"),
}


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication, models_folder: Path) -> Iterator[MainWindow]:
    """The window over the small models, all of them loaded."""
    made = MainWindow()
    context = AppContext(
        AppState(), ThemeManager(qapp, "light"), ModelHub([models_folder]), LatestWins(), TaskRunner(), made.actions_
    )
    assert isinstance(context.actions, Actions)
    qtbot.addWidget(made)
    made.set_context(context)
    made.add_views(VIEWS)
    made.imports = Imports(made, context)  # type: ignore[attr-defined]
    made.show()
    with qtbot.waitSignal(context.models.finished, timeout=30_000):
        context.models.load()
    yield made
    context.shutdown()
    made.context = None


def lay_around(workshop: Workshop, models: Path) -> None:
    """Each case's file in a training folder of its own, with a mapping beside it."""
    for number, (name, (family, suffix)) in enumerate(LYING_AROUND.items()):
        case = CASES[name]
        shop = Workshop(workshop.folder / str(number), workshop.sound, workshop.canary)
        shop.folder.mkdir()
        subfolder, stem, _ = LAYOUT[family]
        place = models / f"prediction-training-case{number}" / subfolder
        place.mkdir(parents=True)
        shutil.copy(case.build(shop), place / f"{stem}{suffix}")
        features = case.changes.get("features", FEATURES)
        mapping = {"target": "gpul40s", "features": list(features), "output": "log_ms", "activation": "relu"}
        (place / f"{stem}.mapping.json").write_text(json.dumps(mapping), encoding="utf-8")


def test_hostile_files_in_a_folder_stop_nothing(
    qtbot: QtBot, window: MainWindow, workshop: Workshop, models_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    context = window.context
    assert context is not None
    before = set(context.models.predictors)
    assert len(before) == 15
    models = tmp_path / "models"
    lay_around(workshop, models)
    hashes = write_model(models / "prediction-training-changed", "rf")
    hashes.with_name("best_rf_model.onnx").unlink()
    hashes.with_name("best_rf_model.joblib").write_bytes(workshop.read("forest.joblib"))
    turns: list[int] = []
    beat = QTimer(window)
    beat.timeout.connect(lambda: turns.append(1))
    beat.start(100)
    with caplog.at_level(logging.WARNING):
        context.models.set_folders([models_folder, models])

        def done() -> bool:
            library = context.models.library
            loading = context.models.loading or bool(context.tasks.running)
            return not loading and library is not None and len(library.folders) == 2 and not library.waiting()

        qtbot.waitUntil(done, timeout=280_000)
    assert not workshop.canary.exists()
    assert set(context.models.predictors) == before, "the others are loaded as before"
    listed = {entry.folder.name.removeprefix("prediction-training-"): entry for entry in context.models.entries}
    for number, name in enumerate(LYING_AROUND):
        entry = listed[f"case{number}"]
        assert entry.status == "failed" and CASES[name].says in entry.reason, name
        assert any(CASES[name].says in record.getMessage() for record in caplog.records), name
    assert "is not the file its card describes (sha256 differs)" in listed["changed"].reason
    assert len(turns) > 5 and window.isVisible(), "the window went on"
    for view in ("models", "compare"):
        window.show_view(view)
        assert window.current_view() == view


@pytest.mark.parametrize("name", ["calls os.system", "bomb: a zip of 240 MB as torch's", "forest: a circle", "a text"])
def test_a_hostile_file_that_is_opened_is_told_in_the_dialog(
    name: str, qtbot: QtBot, window: MainWindow, workshop: Workshop
) -> None:
    context = window.context
    assert context is not None
    before = set(context.models.predictors)
    assert window.open_file(str(CASES[name].build(workshop)))
    (dialog,) = window.findChildren(ImportDialog)
    for box, value in ((dialog.target, "gpul40s"), (dialog.family, "rf"), (dialog.output, "log_ms")):
        box.setCurrentIndex(box.findData(value))
    dialog.features.setPlainText("\n".join(FEATURES))
    dialog.import_button.click()
    qtbot.waitUntil(lambda: dialog.message.isVisible(), timeout=120_000)
    said = CASES[name].says
    assert said[1:] in dialog.message.text() and dialog.message.property("role") == "error"
    assert not workshop.canary.exists()
    assert set(context.models.predictors) == before and dialog.import_button.isEnabled()
    dialog.reject()


@pytest.mark.parametrize("name", ["a folder named like a model", "a pipe", "a link to itself", "a path that is too long"])
def test_what_is_no_file_is_reported(name: str, qtbot: QtBot, window: MainWindow, workshop: Workshop) -> None:
    context = window.context
    assert context is not None
    reported: list[str] = []
    context.report = lambda error: reported.append(str(error))
    assert not window.open_file(str(CASES[name].build(workshop)))
    assert len(reported) == 1 and CASES[name].says in reported[0]
    assert not window.findChildren(ImportDialog)
