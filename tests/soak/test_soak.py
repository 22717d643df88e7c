"""A short random walk (``python -m tests.soak`` walks for an hour), and that the watch sees what it watches for."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QTimer, qWarning
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnpredict_gui.core.errors import WorkerError
from cnnpredict_gui.core.format import show_digits
from cnnpredict_gui.gui.app import Application
from cnnpredict_gui.gui.arguments import parse
from cnnpredict_gui.gui.view import View
from cnnpredict_gui.infra.settings import Settings
from tests.artefacts import write_models
from tests.soak.walk import Walk
from tests.soak.watch import GROWTH, Sample, Watch

SECONDS = 14.0
pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def application(qtbot: QtBot, qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    """The application with small models and a home of its own."""
    models = write_models(tmp_path / "models")
    monkeypatch.setenv("CNNPREDICT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MODELS_DIR", raising=False)
    monkeypatch.setattr("cnnpredict_gui.gui.preferences.model_folders", lambda extra=(): [models, *extra])
    gc.disable()
    made = Application(qapp, parse([]))
    with qtbot.waitSignal(made.startup.finished, timeout=60_000):
        made.start()
    qtbot.waitUntil(lambda: not made.context.models.loading, timeout=60_000)
    yield made
    made.dispose()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.enable()
    show_digits(Settings.digits)  # which a walk may have changed for the whole process


def test_nothing_breaks_in_a_short_walk(application: Application, tmp_path: Path) -> None:
    report = Walk(application, 3, tmp_path / "walk", long=False).run(SECONDS, rest_every_s=SECONDS / 2)
    assert not report.problems, report.text()
    assert len(report.moves) > 15 and len(report.samples) >= 3, report.text()
    assert report.samples[-1].children <= report.samples[0].children + 1, report.text()


def test_the_walk_notices_what_breaks(application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_view: View) -> None:
        raise KeyError("a bug in a slot")

    application.window.make_view("sweep")
    monkeypatch.setattr(type(application.window.views["sweep"]), "refresh", broken)
    application.window.views["sweep"]._soon.timeout.connect(lambda: broken(application.window.views["sweep"]))  # type: ignore[attr-defined]
    report = Walk(application, 3, tmp_path / "walk", long=False).run(3.0, rest_every_s=2.0)
    assert any("a bug in a slot" in problem for problem in report.problems)


def test_the_watch_sees_errors_messages_and_stalls(qtbot: QtBot) -> None:
    watch = Watch()
    watch.start()
    try:
        watch.move = "a move"
        QTimer.singleShot(1, lambda: time.sleep(0.2))
        QTimer.singleShot(2, lambda: dict[str, int]()["missing"])
        qtbot.wait(300)
        qWarning("something is odd")
        watch.report(WorkerError("unexpected ValueError: x", ""))
        watch.report(WorkerError("the process was stopped", ""))
    finally:
        watch.stop()
    assert [word for word in ("KeyError", "something is odd", "unexpected") if word in "".join(watch.problems)] == [
        "KeyError",
        "something is odd",
        "unexpected",
    ]
    assert len(watch.problems) == 3 and watch.stalls[0].move == "a move" and watch.stalls[0].wall_ms > 150


def test_what_the_walk_searches_is_not_counted(qtbot: QtBot) -> None:
    watch = Watch()
    watch.start()

    def search() -> None:
        with watch.not_counted():
            time.sleep(1.0)
        time.sleep(0.2)

    try:
        QTimer.singleShot(1, search)
        qtbot.waitUntil(lambda: bool(watch.stalls))
    finally:
        watch.stop()
    assert 150 < watch.stalls[0].wall_ms < 1_000


def samples(memory: list[float], threads: list[int]) -> list[Sample]:
    return [Sample(10.0 * n, mb, count, 15, 1, 1000) for n, (mb, count) in enumerate(zip(memory, threads, strict=True))]


def test_what_grows_is_a_leak() -> None:
    watch = Watch()
    watch.samples = samples([500.0 + n for n in range(12)], [8] * 12)
    assert watch.leaks(0.0) == []
    watch.samples = samples([500.0 * (1 + 2 * GROWTH * n / 11) for n in range(12)], [8 + n for n in range(12)])
    assert [leak.split()[0] for leak in watch.leaks(0.0)] == ["memory", "threads:"]
    assert watch.leaks(1_000.0) == []
