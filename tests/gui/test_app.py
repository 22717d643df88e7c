"""The whole application: start, loading, arguments, memory, one instance, smoke test and screenshots."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QRect, QSize, QUrl
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QToolButton
from pytestqt.qtbot import QtBot

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.gui.app import Application
from cnnpredict_gui.gui.arguments import Arguments, parse
from cnnpredict_gui.gui.error_dialog import ErrorDialog
from cnnpredict_gui.gui.main_window import MainWindow, first_size, within
from cnnpredict_gui.gui.network_view import NetworkView
from cnnpredict_gui.gui.single_instance import SingleInstance
from cnnpredict_gui.gui.views import VIEWS
from cnnpredict_gui.studies.network_source import OpenedNetwork
from tests.artefacts import write_training_folder

ROOT = Path(__file__).parents[2]


@pytest.fixture
def started(qtbot: QtBot, qapp: QApplication, models_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    monkeypatch.setattr("cnnpredict_gui.gui.preferences.model_folders", lambda extra=(): [models_folder, *extra])
    application = start(qtbot, qapp, Arguments())
    yield application
    application.dispose()


def start(qtbot: QtBot, qapp: QApplication, arguments: Arguments) -> Application:
    """Start and wait until the models are loaded and the first view is there."""
    application = Application(qapp, arguments)
    with qtbot.waitSignal(application.startup.finished, timeout=30_000):
        application.start()
    qtbot.waitUntil(lambda: not application.context.models.loading, timeout=30_000)
    qtbot.waitUntil(lambda: not any(view.busy() for view in application.window.views.values()), timeout=10_000)
    return application


def run(home: Path, *arguments: str, models: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own."""
    environment = {**os.environ, "CNNPREDICT_HOME": str(home), "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)}
    environment["MODELS_DIR"] = str(models) if models else ""
    command = [sys.executable, "-m", "cnnpredict_gui", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)


def test_a_table_goes_from_batch_to_network(qtbot: QtBot, started: Application, tmp_path: Path) -> None:
    path = tmp_path / "layers.csv"
    path.write_text("name,batch_size,input_channels,input_height,input_width,output_channels,kernel_size\nstem,1,3,32,32,8,3\n")
    window = started.window
    assert window.open_file(str(path)) and window.current_view() == "batch"
    started.context.open_in("network", str(path))
    assert window.current_view() == "network"
    qtbot.waitUntil(lambda: not window.views["network"].busy() and not window.views["batch"].busy(), timeout=20_000)
    network = window.views["network"]
    assert isinstance(network, NetworkView)
    request = network.choice.request(())
    assert request is not None and isinstance(request.source, OpenedNetwork) and len(request.source.layers) == 1


def test_the_window_is_filled_and_predicts(started: Application) -> None:
    window = started.window
    assert window.isVisible() and window.current_view() == "compare"
    assert sum(entry.status == "loaded" for entry in started.context.models.entries) == 15
    assert len(started.context.state.selection) == 7 and not window.views["compare"].busy()
    texts = [button.text() for button in window.statusBar().findChildren(QToolButton)]
    assert "15 of 15 models ready" in texts


def test_every_menu_entry_is_reachable_by_name(started: Application) -> None:
    names = [action.objectName() for action in started.context.actions.all()]
    assert {"file.open", "file.quit", "edit.undo", "edit.redo", "edit.pin", "models.reload", "view.theme_dark"} <= set(names)
    assert {f"view.{spec.name}" for spec in VIEWS} <= set(names)
    shortcuts = [sequence.toString() for action in started.context.actions.all() for sequence in action.shortcuts()]
    assert len(shortcuts) == len(set(shortcuts)), "two actions share a shortcut"


def test_every_view_opens(qtbot: QtBot, started: Application) -> None:
    for spec in VIEWS:
        started.context.actions[f"view.{spec.name}"].trigger()
        assert started.window.current_view() == spec.name and spec.name in started.window.views


def test_fits_1024_by_700(qtbot: QtBot, started: Application) -> None:
    for spec in VIEWS:
        started.window.show_view(spec.name)
    started.window.resize(1024, 700)
    qtbot.wait(20)
    assert (started.window.width(), started.window.height()) == (1024, 700)


@pytest.mark.parametrize(
    ("screen", "size"),
    [((1920, 1040), (1600, 936)), ((1440, 870), (1296, 800)), ((1280, 720), (1280, 720)), ((3840, 2100), (1600, 1000))],
)
def test_first_size_of_the_window(screen: tuple[int, int], size: tuple[int, int]) -> None:
    assert first_size(QSize(*screen)) == QSize(*size)


def test_a_window_of_a_larger_screen_is_brought_onto_this_one() -> None:
    screen = QRect(100, 30, 960, 570)
    assert within(QRect(500, 200, 1280, 800), screen) == screen
    assert within(QRect(900, -50, 600, 400), screen) == QRect(460, 30, 600, 400)
    assert within(QRect(200, 100, 600, 400), screen) == QRect(200, 100, 600, 400)


def test_a_remembered_window_fits_the_screen(qtbot: QtBot, qapp: QApplication) -> None:
    before = MainWindow()
    before.resize(3000, 2000)
    window = MainWindow()
    window.restore_geometry(before.save_geometry())
    room = window.screen().availableGeometry()
    assert room.contains(window.geometry()) and window.geometry().top() > room.top(), "room for the title bar"


def test_copies_of_the_layer(started: Application, models_folder: Path) -> None:
    from PySide6.QtGui import QGuiApplication

    clipboard = QGuiApplication.clipboard()
    started.context.actions["edit.copy_json"].trigger()
    assert json.loads(clipboard.text()) == started.context.state.config.compact()
    started.context.actions["edit.copy_cli"].trigger()
    assert clipboard.text().startswith(f"cnnpredict predict --models-dir {models_folder} --model "), "others do not know it"
    started.context.actions["edit.copy_python"].trigger()
    compile(clipboard.text(), "copied", "exec")


def test_colours_change_live(started: Application) -> None:
    seen: list[str] = []
    started.theme.changed.connect(lambda theme: seen.append(theme.name))
    for mode in ("light", "dark", "light"):
        started.context.actions[f"view.theme_{mode}"].trigger()
    assert seen[-2:] == ["dark", "light"]


def test_what_the_user_left_is_there_again(qtbot: QtBot, qapp: QApplication, started: Application) -> None:
    state = started.context.state
    state.set_config(state.config.model_copy(update={"output_channels": 77}))
    state.select(["nn_prediction-training-cpu"])
    state.pin()
    started.context.actions["view.theme_dark"].trigger()
    started.window.close()
    again = start(qtbot, qapp, Arguments())
    assert again.context.state.config == state.config and again.context.state.selection == ("nn_prediction-training-cpu",)
    assert again.context.state.pinned == state.pinned and again.theme.mode == "dark"
    again.dispose()
    safe = start(qtbot, qapp, Arguments(safe_mode=True))
    assert safe.context.state.config != state.config and safe.theme.mode == "system"
    safe.dispose()


def test_a_damaged_memory_does_not_stop_the_start(
    qtbot: QtBot, qapp: QApplication, own_home: Path, models_folder: Path
) -> None:
    (own_home / "data").mkdir(parents=True)
    for text in (
        "{",
        "[]",
        '{"format": 1, "window": 3, "state": []}',
        '{"format": 1, "window": {"geometry": "?", "view": "nowhere"}, "state": {"format": 9}}',
    ):
        (own_home / "data" / "last-session.cnnpredict").write_text(text, encoding="utf-8")
        application = start(qtbot, qapp, Arguments(models_dir=(models_folder,)))
        assert application.window.current_view() == "compare"
        application.dispose()


def test_a_broken_model_is_listed_and_stops_nothing(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_training_folder(tmp_path / "models", "cpu")
    (folder / "xgboost" / "best_xgb_model.onnx").write_bytes(b"not a model")
    monkeypatch.setattr("cnnpredict_gui.gui.preferences.model_folders", lambda extra=(): [tmp_path / "models"])
    application = start(qtbot, qapp, Arguments())
    states = {entry.family: entry.status for entry in application.context.models.entries}
    assert states["xgb"] == "failed" and states["nn"] == states["rf"] == states["lasso"] == "loaded"
    application.dispose()


def test_reload_finds_new_models(qtbot: QtBot, qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_training_folder(tmp_path / "models", "cpu", families=("nn",))
    monkeypatch.setattr("cnnpredict_gui.gui.preferences.model_folders", lambda extra=(): [tmp_path / "models"])
    application = start(qtbot, qapp, Arguments())
    write_training_folder(tmp_path / "models", "gpul40s", families=("rf",))
    with qtbot.waitSignal(application.context.models.finished, timeout=10_000):
        application.context.actions["models.reload"].trigger()
    assert sorted(application.context.models.predictors) == ["nn_prediction-training-cpu", "rf_prediction-training-gpul40s"]
    application.dispose()


def test_closing_while_loading_leaves_no_thread(qtbot: QtBot, qapp: QApplication, models_folder: Path) -> None:
    for delay in (0, 30, 200):
        application = Application(qapp, Arguments(models_dir=(models_folder,)))
        application.start()
        qtbot.wait(delay)
        application.dispose()


def test_an_error_is_shown_with_what_to_do(qtbot: QtBot, started: Application) -> None:
    error = CnnPredictError("the file is empty", "choose another")
    error.add_note("Traceback: details")
    started.window.report(error)
    box = started.window.findChild(ErrorDialog)
    assert isinstance(box, ErrorDialog) and (box.message.text(), box.hint.text()) == ("The file is empty", "Choose another")
    assert "details" in box.details.toPlainText()
    box.close()


def test_an_unknown_file_is_refused_kindly(qtbot: QtBot, started: Application, tmp_path: Path) -> None:
    assert not started.window.open_file(str(tmp_path / "thing.xyz"))
    box = started.window.findChild(ErrorDialog)
    assert isinstance(box, ErrorDialog) and "thing.xyz" in box.text()
    box.close()


def test_files_can_be_dropped(qtbot: QtBot, started: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PySide6.QtCore import QPointF, Qt
    from PySide6.QtGui import QDropEvent

    opened: list[str] = []
    monkeypatch.setattr(started.window, "open_file", opened.append)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "net.onnx"))])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    started.window.dropEvent(QDropEvent(QPointF(5, 5), copy, mime, left, none))
    qtbot.waitUntil(lambda: opened == [str(tmp_path / "net.onnx")])


def test_a_file_on_the_command_line_or_from_the_system(tmp_path: Path) -> None:
    assert parse([]).open is None
    assert parse([str(tmp_path / "a.onnx")]).open == tmp_path / "a.onnx" == parse(["--open", str(tmp_path / "a.onnx")]).open


def test_files_the_system_sends_wait_for_the_views(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("cnnpredict_gui.gui.main_window.MainWindow.open_file", lambda window, path: opened.append(path))
    application = Application(qapp, Arguments(models_dir=(models_folder,), open=tmp_path / "given.onnx"))
    application.called(str(tmp_path / "early.onnx"))
    assert opened == []
    with qtbot.waitSignal(application.startup.finished, timeout=30_000):
        application.start()
    application.called(str(tmp_path / "late.onnx"))
    assert [Path(path).name for path in opened] == ["given.onnx", "early.onnx", "late.onnx"]
    application.dispose()


def test_the_system_sends_files_by_an_event(tmp_path: Path) -> None:
    program = (
        "from PySide6.QtCore import QUrl\nfrom PySide6.QtGui import QFileOpenEvent\n"
        "from cnnpredict_gui.gui.app import Program\napp = Program(['test'])\napp.file_opened.connect(print)\n"
        f"app.sendEvent(app, QFileOpenEvent(QUrl.fromLocalFile({str(tmp_path / 'net.onnx')!r})))"
    )
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == str(tmp_path / "net.onnx")


def test_a_second_start_hands_over(qtbot: QtBot, tmp_path: Path) -> None:
    name = f"cnnpredict-test-{os.getpid()}"
    first, second = SingleInstance(name), SingleInstance(name)
    assert not first.hand_over(None)
    assert first.listen()
    with qtbot.waitSignal(first.called, timeout=5000) as blocker:
        assert second.hand_over(tmp_path / "ü.onnx")
    assert blocker.args == [str(tmp_path / "ü.onnx")]
    first.close()
    assert not second.hand_over(None)


def test_rubbish_on_the_socket_is_ignored(qtbot: QtBot) -> None:
    from PySide6.QtNetwork import QLocalSocket

    name = f"cnnpredict-test-rubbish-{os.getpid()}"
    instance, calls = SingleInstance(name), list[str]()
    instance.called.connect(calls.append)
    assert instance.listen()
    for rubbish in (b"\xff\xfe\n", b"[1, 2]\n", b"{\n"):
        socket = QLocalSocket()
        socket.connectToServer(name)
        assert socket.waitForConnected(1000)
        socket.write(rubbish)
        socket.waitForBytesWritten(1000)
        qtbot.wait(20)
        socket.disconnectFromServer()
    assert [call for call in calls if call] == []
    instance.close()


def test_arguments() -> None:
    found = parse(["--models-dir", "a", "--models-dir", "b", "--theme", "dark", "--scale", "150", "--size", "1024x700"])
    assert [path.name for path in found.models_dir] == ["a", "b"] and (found.theme, found.scale, found.size) == (
        "dark",
        150,
        (1024, 700),
    )
    assert not found.offscreen and parse(["--smoke-test"]).offscreen
    for wrong in (["--theme", "pink"], ["--scale", "50"], ["--size", "big"]):
        with pytest.raises(SystemExit):
            parse(wrong)


def test_smoke_test_prints_one_object(own_home: Path, models_folder: Path) -> None:
    done = run(own_home, "--smoke-test", "--models-dir", str(models_folder))
    facts = json.loads(done.stdout)
    assert facts["models_loaded"] >= 15 and facts["prediction"]["time_ms"] > 0
    assert {"window_visible_ms", "models_ready_ms", "longest_stall_ms", "models_failed", "rss_mb"} <= set(facts)
    assert done.returncode == (1 if facts["models_failed"] else 0), done.stderr


def test_smoke_test_fails_with_a_broken_model(own_home: Path, tmp_path: Path) -> None:
    write_training_folder(tmp_path / "models", "own", families=("nn",))
    (tmp_path / "models" / "prediction-training-own" / "nn" / "output" / "best_model.onnx").write_bytes(b"")
    done = run(own_home, "--smoke-test", "--models-dir", str(tmp_path / "models"))
    assert done.returncode == 1 and json.loads(done.stdout)["models_failed"] >= 1 and "could be loaded" in done.stderr


@pytest.mark.parametrize(("view", "scale"), [("compare", 100), ("machine.system", 200)])
def test_screenshot(own_home: Path, models_folder: Path, tmp_path: Path, view: str, scale: int) -> None:
    picture = tmp_path / "view.png"
    arguments = ("--screenshot", str(picture), "--view", view, "--theme", "dark", "--scale", str(scale))
    done = run(own_home, *arguments, "--models-dir", str(models_folder))
    assert done.returncode == 0, done.stderr
    image = QImage(str(picture))
    assert (image.width(), image.height()) == (1280 * scale // 100, 800 * scale // 100)
    assert image.pixelColor(3, 3).lightness() < 80


def test_screenshot_of_an_unknown_view_says_which_there_are(own_home: Path, models_folder: Path, tmp_path: Path) -> None:
    done = run(own_home, "--screenshot", str(tmp_path / "x.png"), "--view", "nowhere", "--models-dir", str(models_folder))
    assert (
        done.returncode == 1
        and "compare" in done.stderr
        and "machine.system" in done.stderr
        and not (tmp_path / "x.png").exists()
    )


def test_the_program_never_imports_the_training_libraries(own_home: Path, models_folder: Path) -> None:
    code = (
        "import sys, runpy; sys.argv = ['cnnpredict-gui', '--smoke-test', '--models-dir', sys.argv[1]]\n"
        "try:\n    runpy.run_module('cnnpredict_gui', run_name='__main__')\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'sklearn', 'xgboost', 'pandas', 'matplotlib'} & set(sys.modules)\nassert not heavy, heavy"
    )
    environment = {**os.environ, "CNNPREDICT_HOME": str(own_home), "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(models_folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
