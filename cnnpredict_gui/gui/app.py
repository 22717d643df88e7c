"""The application: sets up Qt, shows the window, fills it, and runs until it is closed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from cnnpredict_gui.core.errors import CnnPredictError, OutputError
from cnnpredict_gui.gui.arguments import Arguments, parse
from cnnpredict_gui.gui.garbage import GarbageCollector
from cnnpredict_gui.gui.main_window import TITLE, MainWindow
from cnnpredict_gui.gui.single_instance import SingleInstance, server_name
from cnnpredict_gui.gui.startup import Startup
from cnnpredict_gui.gui.theme import MODES, ThemeManager
from cnnpredict_gui.infra.files import atomic_text
from cnnpredict_gui.infra.paths import config_dir, model_folders, resources_dir

_MEMORY_FILE = "window.json"


class Application(QObject):
    """Owns the window and everything in it."""

    def __init__(self, app: QApplication, arguments: Arguments) -> None:
        super().__init__(app)
        self.arguments = arguments
        self.memory: dict[str, Any] = {} if arguments.safe_mode or arguments.offscreen else _read_memory()
        mode = arguments.theme or self.memory.get("theme", "system")
        self.theme = ThemeManager(app, next((known for known in MODES if known == mode), "system"))
        self.window = MainWindow()
        self.window.resize(*arguments.size)
        self._remembered: dict[str, Any] = _mapping(self.memory.get("window"))
        self.window.restore_geometry(self._remembered)
        self.window.closing.connect(self.remember)
        self.garbage = GarbageCollector(self)
        self.startup = Startup(self)
        self.startup.finished.connect(self.garbage.settle)
        self.startup.broke.connect(
            lambda error: self.window.report(CnnPredictError(f"the program is incomplete: {error}", "install it again"))
        )

    def start(self) -> None:
        """Show the window, then fill it."""
        self.window.show()
        for stage, piece in (
            ("core", self._make_context),
            ("panels", self._make_parameter_panel),
            ("panels", self._make_predictor_tree),
            ("panels", self._make_bars),
            ("charts", self._make_views),
            ("serving", self._load_models),
            ("serving", self._open_file),
        ):
            self.startup.add(stage, piece)
        QTimer.singleShot(0, self.startup.start)

    def _make_context(self) -> None:
        from cnnpredict_gui.gui.context import AppContext
        from cnnpredict_gui.gui.models import ModelHub
        from cnnpredict_gui.gui.state import AppState
        from cnnpredict_gui.gui.workers import LatestWins, TaskRunner

        folders = None if self.arguments.safe_mode else model_folders(self.arguments.models_dir)
        context = AppContext(
            AppState(self), self.theme, ModelHub(folders, self), LatestWins(self), TaskRunner(self), self.window.actions_
        )
        self.context = context
        self.window.set_context(context)
        state = self.memory.get("state")
        if state:
            try:
                context.state.from_json(state)
            except CnnPredictError as error:
                context.say(str(error))

    def _make_parameter_panel(self) -> None:
        from cnnpredict_gui.gui.parameter_panel import ParameterPanel

        self.panel = ParameterPanel(self.context)
        self.window.parameter_dock.setWidget(self.panel)

    def _make_predictor_tree(self) -> None:
        from cnnpredict_gui.gui.predictor_tree import PredictorTree

        self.window.predictor_dock.setWidget(PredictorTree(self.context))

    def _make_bars(self) -> None:
        from cnnpredict_gui.gui.chrome import add_actions
        from cnnpredict_gui.gui.status_bar import StatusBar

        add_actions(self.window, self.context)
        if not self._remembered:
            self.window.arrange_docks()
        StatusBar(self.window.statusBar(), self.context)

    def _load_models(self) -> None:
        self.context.models.finished.connect(self._read_presets)
        self.context.models.load()

    def _read_presets(self) -> None:
        self.context.models.finished.disconnect(self._read_presets)
        self.panel.architecture.reload()

    def _make_views(self) -> None:
        from cnnpredict_gui.gui.views import VIEWS

        self.window.add_views(VIEWS)
        asked = self.arguments.view if self.arguments.screenshot else self._remembered.get("view", "")
        known = [spec.name for spec in VIEWS]
        self.window.show_view(asked if asked in known else known[0])

    def _open_file(self) -> None:
        if self.arguments.open:
            self.window.open_file(str(self.arguments.open))

    def called(self, path: str) -> None:
        """A second start handed over."""
        self.window.bring_to_front()
        if path:
            self.window.open_file(path)

    def dispose(self) -> None:
        """Close the window and delete everything, the window first."""
        self.window.close()
        self.window.deleteLater()
        self.deleteLater()

    def remember(self) -> None:
        """Keep window, colours and state for the next start."""
        self.startup.shutdown()
        context = self.window.context
        if context is None or self.arguments.safe_mode or self.arguments.offscreen:
            return
        kept = {"window": self.window.save_geometry(), "theme": self.theme.mode, "state": context.state.to_json()}
        try:
            atomic_text(config_dir() / _MEMORY_FILE, json.dumps(kept, indent=1))
        except OutputError as error:
            print(error, file=sys.stderr)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _read_memory() -> dict[str, Any]:
    try:
        kept = json.loads((config_dir() / _MEMORY_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return _mapping(kept)


def _make_qt(arguments: Arguments) -> QApplication:
    if arguments.scale:
        os.environ["QT_SCALE_FACTOR"] = str(arguments.scale / 100)
    if arguments.offscreen and not os.environ.get("QT_QPA_PLATFORM"):
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        app = QApplication(sys.argv[:1])
    app.setApplicationName(TITLE)
    app.setApplicationDisplayName(TITLE)
    app.setDesktopFileName(TITLE)
    icon = resources_dir() / "icons" / "cnnpredict.svg"
    if icon.is_file():
        app.setWindowIcon(QIcon(str(icon)))
    return app


def run(argv: list[str]) -> int:
    """Run the application; returns the exit code."""
    arguments = parse(argv)
    app = _make_qt(arguments)
    if arguments.offscreen:
        from cnnpredict_gui.gui.offscreen import run_offscreen

        return run_offscreen(app, Application(app, arguments))
    instance = SingleInstance(server_name(), app)
    if instance.hand_over(arguments.open):
        return 0
    instance.listen()
    application = Application(app, arguments)
    instance.called.connect(application.called)
    application.start()
    code = app.exec()
    instance.close()
    return code


def resource(name: str) -> Path:
    """Path of a file that comes with the program."""
    return resources_dir() / name
