"""The application: sets up Qt, shows the window, fills it, and runs until it is closed."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, QSize, QTimer, Signal
from PySide6.QtGui import QFileOpenEvent, QFontMetrics, QIcon
from PySide6.QtWidgets import QApplication

from cnnpredict_gui import __version__
from cnnpredict_gui.core.errors import CnnPredictError, DataFileError
from cnnpredict_gui.gui.arguments import Arguments, parse
from cnnpredict_gui.gui.garbage import GarbageCollector
from cnnpredict_gui.gui.main_window import TITLE, MainWindow, first_size
from cnnpredict_gui.gui.painting import paint_in_one_thread
from cnnpredict_gui.gui.popups import ClosedPopups
from cnnpredict_gui.gui.preferences import Preferences
from cnnpredict_gui.gui.problems import Problems
from cnnpredict_gui.gui.session import SessionKeeper, last_session, saved_at
from cnnpredict_gui.gui.single_instance import SingleInstance, server_name
from cnnpredict_gui.gui.startup import Startup, make_qt_classes, pumped_import
from cnnpredict_gui.gui.theme import MODES, ThemeManager
from cnnpredict_gui.gui.turns import Turns
from cnnpredict_gui.infra.logs import set_up_logging
from cnnpredict_gui.infra.memory import limit_arenas
from cnnpredict_gui.infra.paths import resources_dir
from cnnpredict_gui.infra.settings import Settings, read_settings

if TYPE_CHECKING:
    from cnnpredict_gui.gui.workbench import Workbench

logger = logging.getLogger(__name__)


class Application(QObject):
    """Owns the window and everything in it."""

    def __init__(self, app: QApplication, arguments: Arguments, settings: tuple[Settings, str] | None = None) -> None:
        super().__init__(app)
        paint_in_one_thread()
        self.arguments = arguments
        self.preferences = Preferences(_kept(arguments), arguments.models_dir, arguments.safe_mode, self, settings)
        self.memory, self._trouble = self._last_session()
        self._news = ""
        #: Files to open once the views are there.
        self._waiting: list[str] | None = [str(arguments.open)] if arguments.open else []
        mode = arguments.theme or self.preferences.current.theme
        self.theme = ThemeManager(app, next((known for known in MODES if known == mode), "system"))
        self.window = MainWindow()
        size = QSize(*arguments.size)
        self.window.resize(size if arguments.offscreen else first_size(self.window.room().size()))
        self._remembered: dict[str, Any] = _mapping(self.memory.get("window"))
        self.window.restore_geometry(self._remembered)
        self.window.closing.connect(self.remember)
        self.keeper = SessionKeeper(self.window, self)
        self.workbench: Workbench | None = None
        self.garbage = GarbageCollector(self)
        ClosedPopups(self)
        self.startup = Startup(self)
        self.startup.finished.connect(self.garbage.settle)
        self.startup.broke.connect(
            lambda error: self.window.report(CnnPredictError(f"the program is incomplete: {error}", "install it again"))
        )

    def _last_session(self) -> tuple[dict[str, Any], str]:
        """The session to go on with, and a problem to tell the user."""
        if not self.preferences.kept or not self.preferences.current.restore_session:
            return {}, ""
        return last_session()

    def start(self) -> None:
        """Show the window, then fill it."""
        self.window.show()
        for stage, piece in (
            ("core", self._make_context),
            ("core", self._import_panels),
            ("core", self._make_parameter_panel),
            ("core", self._make_predictor_tree),
            ("core", self._make_bars),
            ("core", make_qt_classes),
            ("core", self._import_charts),
            ("core", self._make_views),
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

        context = AppContext(
            AppState(self),
            self.theme,
            ModelHub(self.preferences.model_folders(), self),
            LatestWins(self),
            TaskRunner(self),
            self.window.actions_,
            preferences=self.preferences,
        )
        self.context = context
        self.preferences.write_by(context.disk)
        self.window.set_context(context)
        crashed = self.keeper.start(context)
        self.keeper.restore(self.memory)
        if self._trouble:
            context.report(DataFileError("the last session could not be restored", self._trouble))
        elif crashed and self.memory:
            logger.warning("the last run did not end properly; its session was restored")
            self._news = f"The last run did not end properly. Restored as of {saved_at(self.memory)}."

    def _import_panels(self) -> None:
        names = ("parameter_panel", "predictor_tree", "chrome", "status_bar", "workbench")
        pumped_import(*(f"cnnpredict_gui.gui.{name}" for name in names))

    def _import_charts(self) -> None:
        pumped_import("pyqtgraph", "cnnpredict_gui.gui.compare")

    def _make_parameter_panel(self) -> Iterator[None]:
        from cnnpredict_gui.gui.parameter_panel import ParameterPanel

        self.panel = ParameterPanel(self.context, whole=False)
        yield from self.panel.pieces()
        self.window.parameter_dock.setWidget(self.panel)

    def _make_predictor_tree(self) -> None:
        from cnnpredict_gui.gui.predictor_tree import PredictorTree

        self.window.predictor_dock.setWidget(PredictorTree(self.context))

    def _make_bars(self) -> Iterator[None]:
        from cnnpredict_gui.gui.chrome import add_actions
        from cnnpredict_gui.gui.imports import Imports
        from cnnpredict_gui.gui.status_bar import StatusBar
        from cnnpredict_gui.gui.workbench import Workbench

        add_actions(self.window, self.context)
        yield
        self.workbench = Workbench(self.window, self.context, self.keeper)
        Imports(self.window, self.context)
        yield
        if not self._remembered:
            self.window.arrange_docks()
        StatusBar(self.window.statusBar(), self.context)

    def _load_models(self) -> None:
        self.context.models.finished.connect(self._read_presets)
        self.context.models.load()

    def _read_presets(self, loaded: int, failed: int) -> None:
        logger.info("%d models are ready, %d failed", loaded, failed)
        self.context.models.finished.disconnect(self._read_presets)
        self.panel.architecture.reload()
        self._import_views()

    def _import_views(self) -> None:
        """So that a view opened later need not wait for its modules."""
        from cnnpredict_gui.gui.views import PAGES, VIEWS

        Turns(self).start(*(spec.load for spec in (*VIEWS, *PAGES)))

    def _make_views(self) -> Iterator[None]:
        from cnnpredict_gui.gui.views import VIEWS

        self.window.add_views(VIEWS)
        yield
        asked = self.arguments.view if self.arguments.screenshot else self._remembered.get("view", "")
        known = self.window.places()
        place = asked if asked in known else known[0]
        yield from self.window.making_view(place.partition(".")[0])
        self.window.show_view(place)

    def _open_file(self) -> None:
        if self._news:
            self.context.say(self._news)
        waiting, self._waiting = self._waiting or [], None
        for path in waiting:
            self.window.open_file(path)

    def called(self, path: str) -> None:
        """A second start handed over, or the system sent a file."""
        self.window.bring_to_front()
        if path and self._waiting is not None:
            self._waiting.append(path)
        elif path:
            self.window.open_file(path)

    def dispose(self) -> None:
        """Close the window and delete everything, the window first."""
        self.window.close()
        self.garbage.release()
        self.window.deleteLater()
        self.deleteLater()

    def remember(self) -> None:
        """Keep the session, the colours and what was counted for the next start."""
        self.startup.shutdown()
        if self.workbench is not None:
            self.workbench.close()
        self.keeper.finish()


class Program(QApplication):
    """Qt's application; macOS tells it by an event, not on the command line, which file was double-clicked."""

    file_opened = Signal(str)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QFileOpenEvent) and event.file():
            self.file_opened.emit(event.file())
            return True
        return super().event(event)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _kept(arguments: Arguments) -> bool:
    """Whether this run reads and writes settings and sessions."""
    return not (arguments.safe_mode or arguments.offscreen)


def _has_display() -> bool:
    """Whether a window can be shown; Qt itself would end the process with a signal."""
    known = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in known)


def _make_qt(arguments: Arguments, settings: Settings) -> QApplication:
    scale = arguments.scale or settings.scale
    if scale:
        os.environ["QT_SCALE_FACTOR"] = str(scale / 100)
    if arguments.offscreen and not os.environ.get("QT_QPA_PLATFORM"):
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        app = Program(sys.argv[:1])
    app.setApplicationName(TITLE)
    app.setApplicationDisplayName(TITLE)
    app.setDesktopFileName(TITLE)
    if not QFontMetrics(app.font()).inFont("a"):
        text = "no font is installed, texts may stay empty: install one, e.g. the package fonts-dejavu-core"
        logger.warning("%s", text)
        print(f"{TITLE}: {text}", file=sys.stderr)
    icon = resources_dir() / "icons" / "cnnpredict.svg"
    if icon.is_file():
        app.setWindowIcon(QIcon(str(icon)))
    return app


def run(argv: list[str]) -> int:
    """Run the application; returns the exit code."""
    arguments = parse(argv)
    limit_arenas()
    set_up_logging()
    logger.info("cnnpredict %s starts", __version__)
    if not arguments.offscreen and not _has_display():
        print(f"{TITLE}: there is no display to open a window on (use the command line: cnnpredict --help)", file=sys.stderr)
        return 1
    settings = read_settings() if _kept(arguments) else (Settings(), "")
    app = _make_qt(arguments, settings[0])
    if arguments.offscreen:
        from cnnpredict_gui.gui.offscreen import run_offscreen

        return run_offscreen(app, Application(app, arguments))
    instance = SingleInstance(server_name(), app)
    if instance.hand_over(arguments.open):
        return 0
    instance.listen()
    application = Application(app, arguments, settings)
    instance.called.connect(application.called)
    if isinstance(app, Program):
        app.file_opened.connect(application.called)
    problems = Problems(application.window.report, application)
    problems.install()
    for number in (signal.SIGINT, signal.SIGTERM):  # the session ends, or Ctrl+C in the terminal
        # In a turn of its own: a signal may come while the code it interrupts holds a lock that closing needs.
        signal.signal(number, lambda *_: QTimer.singleShot(0, application.window.close))
    application.start()
    code = app.exec()
    problems.uninstall()
    logger.info("cnnpredict ends")
    instance.close()
    application.dispose()
    app.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    return code
