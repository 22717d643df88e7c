"""The whole window: menus, palette, recent files, settings, help, crash and restore."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QToolBar
from pytestqt.qtbot import QtBot

from cnnpredict_gui.core.format import show_digits
from cnnpredict_gui.gui.app import Application
from cnnpredict_gui.gui.arguments import Arguments
from cnnpredict_gui.gui.error_dialog import ErrorDialog
from cnnpredict_gui.gui.help_pages import help_pages
from cnnpredict_gui.gui.help_window import HelpWindow
from cnnpredict_gui.gui.palette import CommandPalette
from cnnpredict_gui.gui.palette_commands import all_commands
from cnnpredict_gui.gui.session import autosave_file
from cnnpredict_gui.gui.settings_dialog import SettingsDialog
from cnnpredict_gui.gui.workbench import Workbench
from cnnpredict_gui.infra.settings import read_settings
from tests.gui.test_app import start


@pytest.fixture
def started(qtbot: QtBot, qapp: QApplication, models_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    monkeypatch.setattr("cnnpredict_gui.gui.preferences.model_folders", lambda extra=(): [models_folder, *map(Path, extra)])
    application = start(qtbot, qapp, Arguments())
    application.window.activateWindow()
    yield application
    show_digits(3)
    application.dispose()


def bench(application: Application) -> Workbench:
    assert application.workbench is not None
    return application.workbench


def choose(qtbot: QtBot, application: Application, text: str) -> None:
    """Type into the palette and press Enter."""
    application.context.actions["tools.palette"].trigger()
    palette = application.window.findChild(CommandPalette)
    assert isinstance(palette, CommandPalette)
    qtbot.keyClicks(palette.search, text)
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: application.window.findChild(CommandPalette) is None, timeout=5_000)
    qtbot.wait(1)


def test_the_palette_reaches_networks_predictors_views_and_actions(qtbot: QtBot, started: Application) -> None:
    state = started.context.state
    qtbot.waitUntil(lambda: not started.context.predictions.busy("presets"), timeout=10_000)
    choose(qtbot, started, "resnet-18")
    assert state.config.input_height == 224 and state.config.kernel_height == 7
    choose(qtbot, started, "log view")
    assert started.window.current_view() == "log"
    state.select([])
    choose(qtbot, started, "add cpu forest")
    assert state.selection == ("rf_prediction-training-cpu",) and state.focus == "rf_prediction-training-cpu"
    choose(qtbot, started, "remove cpu forest")
    assert not state.selection
    choose(qtbot, started, "pin layer")
    assert len(state.pinned) == 1
    kinds = {command.kind for command in all_commands(started.window, started.context, bench(started))}
    assert {"View", "Network", "Layer", "Predictor", "Help", "File", "Edit", "Tools"} <= kinds


def test_ctrl_k_and_the_search_button_open_the_palette(qtbot: QtBot, started: Application) -> None:
    qtbot.keyClick(started.window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    palette = started.window.findChild(CommandPalette)
    assert isinstance(palette, CommandPalette) and palette.search.hasFocus()
    qtbot.keyClick(palette.search, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: started.window.findChild(CommandPalette) is None, timeout=5_000)
    button = started.window.menuBar().cornerWidget(Qt.Corner.TopRightCorner)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    palette = started.window.findChild(CommandPalette)
    assert isinstance(palette, CommandPalette)
    palette.close()


def test_menus_open_again_and_again_with_their_groups_together(qtbot: QtBot, started: Application) -> None:
    bar = started.window.menuBar()
    first: dict[str, list[str]] = {}
    for _ in range(3):
        for entry in bar.actions():
            menu = entry.menu()
            assert isinstance(menu, QMenu)
            qtbot.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.actionGeometry(entry).center())
            qtbot.waitUntil(menu.isVisible, timeout=5_000)
            texts = [action.text() for action in menu.actions()]
            assert texts == first.setdefault(entry.text(), texts)
            qtbot.keyClick(menu, Qt.Key.Key_Escape)
    assert first["&File"][:3] == ["&Open…", "Open &recent", "&Import model…"]
    assert first["&File"][-2:] == ["", "&Quit"], "the last entry, behind a line"
    started.context.actions["edit.reset"].trigger()
    assert started.context.actions["edit.undo"].text().startswith("&Undo"), "Python still holds the actions"


def test_sessions_through_menus_drop_and_recent_files(
    qtbot: QtBot, started: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, path = started.context.state, tmp_path / "mine.cnnpredict"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(path), ""))
    wanted = state.config
    qtbot.keyClick(started.window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(path.exists, timeout=5_000)
    state.set_config(wanted.model_copy(update={"output_channels": 3}))
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    started.window.dropEvent(QDropEvent(QPointF(5, 5), copy, mime, left, none))
    qtbot.waitUntil(lambda: state.config == wanted, timeout=5_000)
    qtbot.waitUntil(lambda: read_settings()[0].recent_files == (str(path),), timeout=5_000)
    menu = started.context.actions["file.recent"].menu()
    assert isinstance(menu, QMenu)
    menu.aboutToShow.emit()
    entry = menu.actions()[0]
    assert entry.text().endswith("mine.cnnpredict")
    state.set_config(wanted.model_copy(update={"output_channels": 3}))
    entry.trigger()
    assert state.config == wanted
    path.unlink()
    bench(started).open_recent(str(path))
    dialog = started.window.findChild(ErrorDialog)
    assert isinstance(dialog, ErrorDialog) and "no longer there" in dialog.message.text()
    dialog.close()
    qtbot.waitUntil(lambda: read_settings()[0].recent_files == (), timeout=5_000)


def test_a_damaged_session_file_is_reported(qtbot: QtBot, started: Application, tmp_path: Path) -> None:
    path = tmp_path / "bad.cnnpredict"
    path.write_text("{", encoding="utf-8")
    assert not started.window.open_file(str(path))
    dialog = started.window.findChild(ErrorDialog)
    assert isinstance(dialog, ErrorDialog) and "bad.cnnpredict is damaged" in dialog.message.text()
    dialog.close()
    assert read_settings()[0].recent_files == ()


def test_settings_hold_at_once_and_colours_of_the_menu_are_kept(qtbot: QtBot, started: Application) -> None:
    qtbot.keyClick(started.window, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    dialog = started.window.findChild(SettingsDialog)
    assert isinstance(dialog, SettingsDialog)
    dialog.choices["theme"].setCurrentIndex(dialog.choices["theme"].findData("dark"))
    dialog.choices["digits"].setCurrentIndex(dialog.choices["digits"].findData(5))
    dialog.accept()
    assert started.theme.current.name == "dark" and started.context.actions["view.theme_dark"].isChecked()
    qtbot.waitUntil(lambda: not started.window.views["compare"].busy(), timeout=5_000)
    for mode in ("light", "system", "light"):
        started.context.actions[f"view.theme_{mode}"].trigger()
        qtbot.waitUntil(lambda m=mode: read_settings()[0].theme == m, timeout=5_000)  # type: ignore[misc]


def test_colours_of_the_command_line_hold_for_one_run(qtbot: QtBot, qapp: QApplication, models_folder: Path) -> None:
    once = start(qtbot, qapp, Arguments(models_dir=(models_folder,), theme="dark"))
    assert once.theme.current.name == "dark"
    once.dispose()
    assert read_settings()[0].theme == "system"


def test_f1_opens_the_page_of_the_view(qtbot: QtBot, started: Application) -> None:
    for view, page in (("models", "own-models"), ("log", "troubleshooting"), ("compare", "reading-predictions")):
        started.window.show_view(view)
        started.context.actions["help.page"].trigger()
        window = started.window.findChild(HelpWindow)
        assert isinstance(window, HelpWindow) and window.isVisible()
        shown = window.page()
        assert shown is not None and shown.name == page


def test_every_shortcut_is_in_the_help(started: Application) -> None:
    text = next(page.text for page in help_pages() if page.name == "keyboard")
    actions = [action for action in started.context.actions.all() if action.property("group") != "views"]
    shortcuts = [keys.toString() for action in actions for keys in action.shortcuts()]
    assert len(shortcuts) > 15 and [keys for keys in shortcuts if keys not in text] == []


def test_the_welcome_is_shown_until_it_is_closed(qtbot: QtBot, qapp: QApplication, started: Application) -> None:
    bar = started.window.findChild(QToolBar, "welcome")
    assert isinstance(bar, QToolBar) and bar.isVisible()
    bar.actions()[-1].trigger()
    qtbot.waitUntil(lambda: read_settings()[0].welcomed, timeout=5_000)
    started.window.close()
    again = start(qtbot, qapp, Arguments())
    assert again.window.findChild(QToolBar, "welcome") is None
    again.dispose()


def test_after_a_crash_the_session_is_there_again(qtbot: QtBot, qapp: QApplication, started: Application) -> None:
    state = started.context.state
    state.set_config(state.config.model_copy(update={"output_channels": 61}))
    started.keeper.autosave()
    qtbot.waitUntil(lambda: autosave_file().exists() and not started.context.disk.busy, timeout=5_000)
    started.keeper._context = None  # the program is killed: nothing is written at the end
    started.window.close()
    again = start(qtbot, qapp, Arguments())
    assert again.context.state.config.output_channels == 61
    assert "did not end properly" in again.window.statusBar().currentMessage()
    again.dispose()


def test_a_damaged_kept_session_is_told_and_set_aside(qtbot: QtBot, qapp: QApplication, started: Application) -> None:
    started.window.close()
    autosave_file().write_text("{ damaged", encoding="utf-8")
    again = start(qtbot, qapp, Arguments())
    dialog = again.window.findChild(ErrorDialog)
    assert isinstance(dialog, ErrorDialog) and "could not be restored" in dialog.message.text()
    assert list(autosave_file().parent.glob("last-session.damaged-*"))
    dialog.close()
    again.dispose()
