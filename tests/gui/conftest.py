"""Fixtures for tests of the window: Qt offscreen, small models, and nothing left running."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("PYQTGRAPH_QT_LIB", "PySide6")

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QThread
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.gui.actions import Actions
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.models import ModelHub
from cnnpredict_gui.gui.state import AppState
from cnnpredict_gui.gui.theme import ThemeManager
from cnnpredict_gui.gui.workers import LatestWins, TaskRunner
from tests.artefacts import write_models

pytest.register_assert_rewrite("tests.gui.contract")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A slot that hangs must not hang the suite."""
    for item in items:
        if "tests/gui" in str(item.path) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(60))


@pytest.fixture(autouse=True)
def garbage_on_this_thread() -> Iterator[None]:
    """As in the application, nothing is collected by chance: a collection in a worker would delete widgets there, and hang."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has its own settings, cache and log folders, and does not see the user's models."""
    monkeypatch.setenv("CNNPREDICT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MODELS_DIR", raising=False)
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def no_dangling_threads() -> Iterator[None]:
    """Fail a test that leaves a QThread of ours running."""
    started: list[QThread] = []
    original = QThread.start

    def start(self: QThread, *args: object) -> None:
        started.append(self)
        original(self, *args)  # type: ignore[arg-type]

    QThread.start = start  # type: ignore[method-assign, assignment]
    yield
    QThread.start = original  # type: ignore[method-assign]
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)  # no event loop runs that would do it
    gc.collect()  # what a test leaves is deleted in its own time, so that a crash names the test
    gc.freeze()
    left = []
    for thread in started:
        try:
            if thread.isRunning():
                left.append(thread.objectName())
                thread.wait(5000)
        except RuntimeError:  # deleted, so it had ended
            continue
    assert not left, f"threads still running: {left}"


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small models of three targets with three time kinds, all families; made once."""
    return write_models(tmp_path_factory.mktemp("models"))


class Reports:
    """Collects what the application would have told the user."""

    def __init__(self) -> None:
        self.errors: list[CnnPredictError] = []
        self.texts: list[str] = []
        self.views: list[str] = []


@pytest.fixture
def reports() -> Reports:
    """Errors reported and texts said through the context of the test."""
    return Reports()


def _make(app: QApplication, folders: list[Path], reports: Reports) -> AppContext:
    return AppContext(
        AppState(),
        ThemeManager(app, "light"),
        ModelHub(folders),
        LatestWins(),
        TaskRunner(),
        Actions(),
        report=reports.errors.append,
        say=reports.texts.append,
        show_view=reports.views.append,
    )


@pytest.fixture
def bare_context(qapp: QApplication, reports: Reports, tmp_path: Path) -> Iterator[AppContext]:
    """Services without any model."""
    context = _make(qapp, [tmp_path / "no models"], reports)
    yield context
    context.shutdown()


@pytest.fixture
def context(qtbot: QtBot, qapp: QApplication, reports: Reports, models_folder: Path) -> Iterator[AppContext]:
    """Services with the small models loaded: 15 predictors, of which the first target's are chosen."""
    context = _make(qapp, [models_folder], reports)
    with qtbot.waitSignal(context.models.finished, timeout=20_000):
        context.models.load()
    names = sorted(context.models.predictors)
    context.state.select([name for name in names if name.endswith("gpul40s")])
    yield context
    context.shutdown()
