"""Sessions as files, kept by themselves, and what happens when they are damaged."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from cnnpredict_gui.core.errors import CnnPredictError, DataFileError, OutputError
from cnnpredict_gui.gui import session
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.main_window import MainWindow
from cnnpredict_gui.gui.session import SessionKeeper, autosave_file, last_session, read_session, saved_at
from cnnpredict_gui.gui.views import VIEWS, ViewSpec
from cnnpredict_gui.infra.json_store import write_json
from tests.gui.conftest import Reports


@pytest.fixture
def window(qtbot: QtBot, context: AppContext, reports: Reports) -> Iterator[MainWindow]:
    window = MainWindow()
    qtbot.addWidget(window)
    window.set_context(context)
    context.report = reports.errors.append
    window.add_views(tuple(spec for spec in VIEWS if spec.name in ("models", "log")))
    window.show_view("models")
    yield window
    window.context = None


@pytest.fixture
def keeper(window: MainWindow, context: AppContext) -> SessionKeeper:
    keeper = SessionKeeper(window, window)
    keeper.start(context)
    return keeper


def outcome(qtbot: QtBot, keeper: SessionKeeper, path: Path) -> Path | CnnPredictError:
    """The file that was saved, or why it was not."""
    outcomes: list[Path | CnnPredictError] = []
    keeper.save(path, outcomes.append, outcomes.append)
    assert not outcomes, "the window would wait for the disk"
    qtbot.waitUntil(lambda: bool(outcomes), timeout=5_000)
    return outcomes[0]


def test_a_session_brings_everything_back(
    qtbot: QtBot, keeper: SessionKeeper, context: AppContext, window: MainWindow, tmp_path: Path
) -> None:
    state = context.state
    changed = state.config.model_copy(update={"output_channels": 48})
    state.set_config(changed)
    state.pin()
    state.select(["rf_prediction-training-cpu"])
    state.set_favourite("rf_prediction-training-cpu", True)
    window.make_view("log").level.setCurrentIndex(3)  # type: ignore[attr-defined]
    assert outcome(qtbot, keeper, tmp_path / "mine") == tmp_path / "mine.cnnpredict"
    assert keeper.path == tmp_path / "mine.cnnpredict" and "mine" in window.windowTitle()
    state.set_config(changed.model_copy(update={"output_channels": 7}))
    state.clear_pinned()
    state.select([])
    window.make_view("log").level.setCurrentIndex(0)  # type: ignore[attr-defined]
    window.show_view("log")
    keeper.open(tmp_path / "mine.cnnpredict")
    assert window.make_view("log").level.currentIndex() == 0, "views follow in turns"  # type: ignore[attr-defined]
    keeper.content()  # as kept in between: it must not spoil what the views are given
    qtbot.waitUntil(lambda: window.current_view() == "models", timeout=5_000)
    assert (state.config, state.selection) == (changed, ("rf_prediction-training-cpu",))
    assert [pin.config for pin in state.pinned] == [changed] and state.favourites == {"rf_prediction-training-cpu"}
    assert window.make_view("log").level.currentIndex() == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format": 1}', '{"format": 99, "state": {}}', '{"format": 1, "state": {"format": 1, "config": 3}}'],
)
def test_a_file_that_is_no_session_changes_nothing(
    keeper: SessionKeeper, context: AppContext, tmp_path: Path, text: str
) -> None:
    before = context.state.to_json()
    path = tmp_path / "bad.cnnpredict"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataFileError) as failure:
        keeper.open(path)
    assert failure.value.hint and context.state.to_json() == before and keeper.path is None
    assert path.read_text(encoding="utf-8") == text


def test_a_missing_file_and_an_unwritable_place(qtbot: QtBot, keeper: SessionKeeper, tmp_path: Path) -> None:
    with pytest.raises(DataFileError):
        read_session(tmp_path / "nowhere.cnnpredict")
    (tmp_path / "file").write_text("")
    assert isinstance(outcome(qtbot, keeper, tmp_path / "file" / "x.cnnpredict"), OutputError)
    assert keeper.path is None


def test_the_session_is_kept_when_it_changed(qtbot: QtBot, keeper: SessionKeeper, context: AppContext) -> None:
    keeper.autosave()
    qtbot.waitUntil(lambda: autosave_file().exists() and not context.disk.busy, timeout=5_000)
    stamp = autosave_file().stat().st_mtime_ns
    keeper.autosave()
    assert not context.disk.busy and autosave_file().stat().st_mtime_ns == stamp
    context.state.set_config(context.state.config.model_copy(update={"output_channels": 5}))
    keeper.autosave()
    qtbot.waitUntil(lambda: not context.disk.busy, timeout=5_000)
    assert last_session()[0]["state"]["config"]["output_channels"] == 5


def test_a_slow_write_never_replaces_a_newer_one(
    qtbot: QtBot, keeper: SessionKeeper, context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk takes its time with the first write, while the session changes, is kept again, and the program ends."""
    begun, goes_on = threading.Event(), threading.Event()
    started: list[int] = []

    def slow(path: Path, content: dict[str, Any], number: int) -> None:
        started.append(content["state"]["config"]["output_channels"])
        if len(started) == 1:
            begun.set()
            goes_on.wait(10)
        write_json(path, content, number)

    monkeypatch.setattr(session, "write_json", slow)
    for channels in (5, 6):
        context.state.set_config(context.state.config.model_copy(update={"output_channels": channels}))
        keeper.autosave()
    assert begun.wait(10)
    threading.Timer(0.2, goes_on.set).start()
    keeper.finish()
    qtbot.waitUntil(lambda: not context.disk.busy, timeout=5_000)
    assert started == [5, 6] and last_session()[0]["state"]["config"]["output_channels"] == 6


def test_a_crash_is_noticed_by_the_next_start(window: MainWindow, context: AppContext) -> None:
    first = SessionKeeper(window, window)
    assert not first.start(context)
    second = SessionKeeper(window, window)
    assert second.start(context)
    second.finish()
    assert not SessionKeeper(window, window).start(context) and last_session()[0]["state"]["format"] == 1


def test_the_time_of_a_session_is_told_plainly() -> None:
    assert saved_at({"saved": "2026-01-02T03:04:05+00:00"}).startswith("2026-01-0")
    assert saved_at({}) == saved_at({"saved": 3}) == saved_at({"saved": "?"}) == "its last save"


def test_a_kept_session_that_cannot_be_used_is_set_aside(
    keeper: SessionKeeper, context: AppContext, reports: Reports, own_home: Path
) -> None:
    keeper.finish()
    content = json.loads(autosave_file().read_text(encoding="utf-8"))
    content["state"]["config"]["stride"] = -1
    autosave_file().write_text(json.dumps(content), encoding="utf-8")
    data, problem = last_session()
    assert problem == ""
    before = context.state.config
    keeper.restore(data)
    kept = list((own_home / "data").glob("last-session.damaged-*.cnnpredict"))
    assert len(kept) == 1 and not autosave_file().exists() and context.state.config == before
    assert str(kept[0]) in reports.errors[0].hint


@pytest.mark.parametrize("spec", VIEWS, ids=lambda spec: spec.name)
def test_strange_sessions_do_no_harm_to_a_view(qtbot: QtBot, context: AppContext, spec: ViewSpec) -> None:
    """Whatever a session says of a view, the window goes on; what can be used of it is taken over."""
    window = MainWindow()
    qtbot.addWidget(window)
    window.set_context(context)
    window.add_views(VIEWS)
    view = window.make_view(spec.name)
    kept = view.save()
    strange: list[Any] = [
        "x",
        "",
        None,
        -1,
        10**30,
        float("inf"),
        float("nan"),
        [],
        [1, "a"],
        [[]],
        {},
        {"a": 1},
        {"hidden": 3},
        True,
    ]
    for key in (*kept, "pages"):
        for value in strange:
            context.state.views = {spec.name: kept | {key: value}}
            list(window.restoring_views())
    context.state.views = {spec.name: kept}
    list(window.restoring_views())
    qtbot.waitUntil(lambda: not view.busy(), timeout=20_000)
    assert view.save().keys() == kept.keys()
