"""Everything around the views: sessions, recent files, palette, settings, statistics, help and what they add to the menus."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QDialog, QLabel, QMenu, QToolBar, QToolButton

from cnnpredict_gui.core.errors import CnnPredictError, DataFileError
from cnnpredict_gui.core.format import show_digits
from cnnpredict_gui.gui import export
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.error_dialog import open_log_folder
from cnnpredict_gui.gui.file_dialogs import ask_for_folder, ask_to_save
from cnnpredict_gui.gui.help_pages import page_of
from cnnpredict_gui.gui.main_window import MainWindow
from cnnpredict_gui.gui.session import SUFFIX, SessionKeeper
from cnnpredict_gui.gui.theme import GRID, MODES
from cnnpredict_gui.gui.usage_recorder import UsageRecorder
from cnnpredict_gui.infra.logs import ROOT
from cnnpredict_gui.infra.settings import Settings

_FILTER = f"Sessions (*{SUFFIX})"
logger = logging.getLogger(__name__)


class Workbench(QObject):
    """Adds its actions to the menus and keeps its dialogs; made once, after the shared actions."""

    def __init__(self, window: MainWindow, context: AppContext, keeper: SessionKeeper) -> None:
        super().__init__(window)
        self._window, self._context, self.keeper = window, context, keeper
        self.recorder = UsageRecorder(context, self)
        self._dialogs: dict[str, QDialog] = {}
        self._recent = QMenu("Open &recent", window)
        self._recent.aboutToShow.connect(self._fill_recent)
        window.openers[SUFFIX] = self.open_session
        window.file_opened.connect(context.preferences.remember_file)
        context.show_help = self.show_help
        self._add_file()
        self._add_tools()
        self._add_help()
        for action in context.actions.all():
            window.addAction(action)
        self._add_search_button()
        context.preferences.changed.connect(self.apply)
        context.preferences.not_kept.connect(lambda error: context.report(error))
        context.theme.changed.connect(self._on_theme)
        for mode in MODES:
            context.actions[f"view.theme_{mode}"].triggered.connect(lambda _on, m=mode: self._keep_theme(m))
        self._settings = context.preferences.current
        self.apply(self._settings)
        if context.preferences.problem:
            context.report(DataFileError("not all settings could be read", context.preferences.problem))
        if context.preferences.kept and not context.preferences.current.welcomed:
            self._welcome()

    # -- menus --------------------------------------------------------------------------------------------------------

    def _add(self, name: str, menu: str, text: str, slot: Callable[..., object], keys: str, tip: str, group: str) -> QAction:
        return self._context.actions.add(name, menu, text, slot, keys, tip, group=group)

    def _add_file(self) -> None:
        self._context.actions.adopt("file.recent", "File", self._recent.menuAction(), "open")
        self._recent.menuAction().setToolTip("Files opened lately")
        self._add(
            "file.save",
            "File",
            "&Save session",
            self.save,
            "Ctrl+S",
            "Layer, predictors, pins and views as one file",
            "session",
        )
        self._add("file.save_as", "File", "Save session &as…", self.save_as, "Ctrl+Shift+S", "To another file", "session")
        self._add(
            "file.settings", "File", "Se&ttings…", self.show_settings, "Ctrl+,", "Colours, size, folders, exports", "settings"
        )
        quit_action = self._context.actions["file.quit"]
        self._context.actions.move_to_end(quit_action)

    def _add_tools(self) -> None:
        self._add(
            "models.add_folder", "Models", "&Add folder…", self._add_folder, "", "Look for models in a further folder", "load"
        )
        self._add("tools.palette", "Tools", "&Commands…", self.show_palette, "Ctrl+K", "Find and run anything by name", "find")
        self._add("tools.usage", "Tools", "&Usage statistics…", self.show_usage, "", "Kept on this computer only", "records")
        self._add(
            "tools.log_folder", "Tools", "Open &log folder", open_log_folder, "", "Log files and crash reports", "records"
        )

    def _add_help(self) -> None:
        self._add("help.page", "Help", "&Help on this view", lambda: self.show_help(""), "F1", "The page of the view", "help")
        start = partial(self.show_help, "getting-started")
        self._add("help.start", "Help", "&Getting started", start, "", "A first prediction, step by step", "help")
        self._add("help.keys", "Help", "&Keyboard", partial(self.show_help, "keyboard"), "", "All shortcuts", "help")
        self._add("help.about", "Help", "&About cnnpredict", self.show_about, "", "Versions and folders", "about")

    def _add_search_button(self) -> None:
        """The way to the palette for the mouse, at the right end of the menu bar."""
        button = QToolButton(self._window)
        button.setText("Search…  Ctrl+K")
        button.setAccessibleName("Search commands")
        button.setToolTip("Find networks, predictors, views and commands by name")
        button.setAutoRaise(True)
        button.clicked.connect(self.show_palette)
        self._window.menuBar().setCornerWidget(button, Qt.Corner.TopRightCorner)
        button.show()

    # -- settings -----------------------------------------------------------------------------------------------------

    def apply(self, settings: Settings) -> None:
        """Make settings hold; the size of everything holds after the next start."""
        before, self._settings = self._settings, settings
        if settings.theme != before.theme:
            self._context.theme.set_mode(next(mode for mode in MODES if mode == settings.theme))
        show_digits(settings.digits)
        if settings.digits != before.digits:
            self._context.state.config_changed.emit(self._context.state.config)
        export.PREFERRED.scale = settings.export_scale
        export.PREFERRED.white = settings.export_background == "white"
        logging.getLogger(ROOT).setLevel(settings.log_level)

    def _on_theme(self) -> None:
        """Mark the colours in the View menu."""
        mode = self._context.theme.mode
        for name in MODES:
            self._context.actions[f"view.theme_{name}"].setChecked(name == mode)

    def _keep_theme(self, mode: str) -> None:
        """Remember the colours that were chosen in the View menu; those of the command line hold for one run."""
        self._context.preferences.update(theme=mode)

    # -- sessions and files -------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Save the session to its file; asks for one the first time."""
        if self.keeper.path is None:
            self.save_as()
        else:
            self.save_to(self.keeper.path)

    def save_as(self) -> None:
        """Ask for a file and save the session to it."""
        suggestion = str(self.keeper.path or f"session{SUFFIX}")
        path, _ = ask_to_save(self._window, "Save session", suggestion, _FILTER)
        if path:
            self.save_to(Path(path))

    def save_to(self, path: Path) -> None:
        """Save the session to this file."""
        self.keeper.save(path, self._saved, self._context.report)

    def _saved(self, path: Path) -> None:
        self._context.preferences.remember_file(str(path))
        self._context.say(f"Saved {path}")

    def open_session(self, path: str) -> bool:
        """Open a session file; what is wrong is reported."""
        try:
            self.keeper.open(Path(path))
        except CnnPredictError as error:
            self._context.report(error)
            return False
        self._context.say(f"Opened {path}")
        return True

    def _fill_recent(self) -> None:
        self._recent.clear()
        files = self._context.preferences.current.recent_files
        for number, path in enumerate(files, 1):
            mark = f"&{number}  " if number < 10 else "    "
            action = self._recent.addAction(mark + Path(path).name.replace("&", "&&"), partial(self.open_recent, path))
            action.setToolTip(path)
        if files:
            self._recent.addSeparator()
            self._recent.addAction("&Clear list", lambda: self._context.preferences.update(recent_files=()))
        else:
            self._recent.addAction("Nothing was opened yet").setEnabled(False)
        self._recent.setToolTipsVisible(True)

    def open_recent(self, path: str) -> None:
        """Open a file again; one that is gone leaves the list."""
        if not Path(path).exists():
            others = tuple(one for one in self._context.preferences.current.recent_files if one != path)
            self._context.preferences.update(recent_files=others)
            self._context.report(CnnPredictError(f"{path} is no longer there", "it was taken off the list; open it elsewhere"))
            return
        self._window.open_file(path)

    def _add_folder(self) -> None:
        from cnnpredict_gui.gui.model_library import add_models_folder

        folder = ask_for_folder(self._window, "Add a folder with models")
        if folder:
            add_models_folder(self._context, Path(folder))

    # -- dialogs ------------------------------------------------------------------------------------------------------

    def _show(self, name: str, make: Callable[[], QDialog]) -> QDialog:
        """Show a dialog beside the window, once."""
        old = self._dialogs.pop(name, None)
        if old is not None:
            old.close()
            old.deleteLater()
        dialog = self._dialogs[name] = make()
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()
        return dialog

    def show_settings(self) -> None:
        """Open the settings."""
        from cnnpredict_gui.gui.settings_dialog import SettingsDialog

        self._show("settings", lambda: SettingsDialog(self._context, self._window))

    def show_usage(self) -> None:
        """Open the usage statistics."""
        from cnnpredict_gui.gui.usage_dialog import UsageDialog

        self._show("usage", lambda: UsageDialog(self._context, self.recorder.counts, self._window))

    def show_about(self) -> None:
        """Open About."""
        from cnnpredict_gui.gui.about import AboutDialog

        self._show("about", lambda: AboutDialog(self._context, self._window))

    def show_help(self, page: str) -> None:
        """Open the help at a page (empty: that of the view in front)."""
        from cnnpredict_gui.gui.help_window import HelpWindow

        window = self._dialogs.get("help")
        if not isinstance(window, HelpWindow):
            window = HelpWindow(self._context, self._window)
            self._dialogs["help"] = window
        window.show_page(page or page_of(self._window.current_place()))
        window.show()
        window.raise_()
        window.activateWindow()

    def show_palette(self) -> None:
        """Open the command palette."""
        from cnnpredict_gui.gui.palette import CommandPalette
        from cnnpredict_gui.gui.palette_commands import all_commands

        palette = CommandPalette(all_commands(self._window, self._context, self), self._window)
        palette.show()
        palette.activateWindow()

    def _welcome(self) -> None:
        """One line above the views at the first start."""
        bar = QToolBar("Welcome", self._window)
        bar.setObjectName("welcome")
        bar.setMovable(False)
        bar.setAccessibleName("Welcome")
        hello = QLabel("Welcome. Choose a network and a layer on the left, or press Ctrl+K to find anything.")
        hello.setContentsMargins(GRID, 0, GRID, 0)
        bar.addWidget(hello)
        bar.addSeparator()
        bar.addAction("Getting started", partial(self.show_help, "getting-started"))
        bar.addAction("Close", partial(self._welcomed, bar))
        self._window.addToolBar(bar)

    def _welcomed(self, bar: QToolBar) -> None:
        self._window.removeToolBar(bar)
        bar.deleteLater()
        self._context.preferences.update(welcomed=True)

    def close(self) -> None:
        """Keep what is counted and close the dialogs."""
        self.recorder.save()
        for dialog in self._dialogs.values():
            dialog.close()


def shortcut_text(action: QAction) -> str:
    """Shortcuts of an action as the system writes them."""
    return " or ".join(keys.toString(QKeySequence.SequenceFormat.NativeText) for keys in action.shortcuts())
