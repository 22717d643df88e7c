"""The window: docks with parameters and predictors on the left, views in tabs, status bar below.

The window is shown empty; :meth:`MainWindow.fill` adds the content piece by piece once the heavy imports are done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QResizeEvent
from PySide6.QtWidgets import QDockWidget, QLabel, QMainWindow, QMenu, QStyle, QTabWidget, QVBoxLayout, QWidget

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.gui.actions import MENUS, Actions
from cnnpredict_gui.gui.error_dialog import ErrorDialog
from cnnpredict_gui.gui.file_dialogs import remember
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.gui.turns import Turn, paint_later

if TYPE_CHECKING:
    from cnnpredict_gui.gui.context import AppContext
    from cnnpredict_gui.gui.view import View
    from cnnpredict_gui.gui.views import ViewSpec

TITLE = "cnnpredict"
#: The window takes nine tenths of the screen at first, within these limits.
_LEAST_FIRST, _MOST_FIRST = QSize(1280, 800), QSize(1600, 1000)
_LEAST = QSize(1024, 700)
logger = logging.getLogger(__name__)


class MainWindow(QMainWindow):
    """Main window of the application."""

    #: Emitted right before the window closes; listeners save what they must.
    closing = Signal()
    #: A view came to the front for the first time.
    view_made = Signal(str)
    #: Path of a file that was opened.
    file_opened = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle(TITLE)
        self.setObjectName("main")
        self.resize(1280, 800)
        self.setAcceptDrops(True)
        self.setDockNestingEnabled(True)
        self.actions_ = Actions(self)
        self.context: AppContext | None = None
        self.views: dict[str, View] = {}
        #: What opens files that belong to no view: suffix to a function of the path that says whether it worked.
        self.openers: dict[str, Callable[[str], bool]] = {}
        self._specs: tuple[ViewSpec, ...] = ()
        self._making: dict[str, Iterator[None]] = {}
        self._menus: dict[str, QMenu] = {}
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName("Views")
        self.tabs.tabBar().setAccessibleName("Views")
        self.setCentralWidget(self.tabs)
        self.parameter_dock = self._dock("Layer", "parameters")
        self.predictor_dock = self._dock("Predictors", "predictors")
        self._make_menus()
        self.statusBar().showMessage("Starting…")

    def _dock(self, title: str, name: str) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setAccessibleName(title)
        dock.setWidget(QWidget())
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
        return dock

    def _make_menus(self) -> None:
        for name in MENUS:
            menu = QMenu(f"&{name}", self)
            menu.setAccessibleName(name)
            menu.setToolTipsVisible(True)
            menu.aboutToShow.connect(lambda n=name: self._fill_menu(n))
            self.menuBar().addMenu(menu)
            self._menus[name] = menu

    def _fill_menu(self, name: str) -> None:
        """Put the menu's actions into it. ``QMenu.clear`` would take away Python's hold of actions that Qt made."""
        menu, group = self._menus[name], ""
        for old in menu.actions():
            menu.removeAction(old)
            if old.isSeparator():
                old.deleteLater()
        for action in self.actions_.of_menu(name):
            if group and action.property("group") != group:
                menu.addSeparator()
            group = action.property("group") or ""
            menu.addAction(action)

    def arrange_docks(self) -> None:
        """Give the layer panel the height it needs, the predictors the rest."""
        panel = self.parameter_dock.widget()
        wanted = (panel.sizeHint().height() if panel else 480) + 40
        rest = max(self.height() - wanted - 80, 160)
        docks = [self.parameter_dock, self.predictor_dock]
        self.resizeDocks(docks, [wanted, rest], Qt.Orientation.Vertical)
        self.resizeDocks(docks[:1], [330], Qt.Orientation.Horizontal)

    def minimumSizeHint(self) -> QSize:
        """The window may always be made as small as 1024 x 700, and as the screen."""
        return super().minimumSizeHint().boundedTo(_LEAST).boundedTo(self.room().size())

    # -- content ------------------------------------------------------------------------------------------------------

    def set_context(self, context: AppContext) -> None:
        """Take over the services, and serve ``report``, ``say`` and ``show_view`` for everyone."""
        self.context = context
        context.report = self.report
        context.say = lambda text: self.statusBar().showMessage(text, 6000)
        context.show_view = self.show_view
        context.open_in = self.open_in
        for action in self.actions_.all():
            self.addAction(action)

    def add_views(self, specs: tuple[ViewSpec, ...]) -> None:
        """Add a tab for each view; the view itself is made when its tab is first shown."""
        self._specs = specs
        for number, spec in enumerate(specs, 1):
            holder = QWidget()
            layout = QVBoxLayout(holder)
            layout.setContentsMargins(0, 0, 0, 0)
            self.tabs.addTab(holder, spec.title)
            self.tabs.setTabToolTip(number - 1, spec.tip)
            action = self.actions_.add(
                f"view.{spec.name}",
                "View",
                spec.title,
                lambda n=spec.name: self.show_view(n),
                f"Ctrl+{number}",
                spec.tip,
                group="views",
            )
            self.addAction(action)
        self.tabs.currentChanged.connect(self._on_tab)

    def show_view(self, name: str) -> None:
        """Bring a view (``machine``) or a page of one (``machine.system``) to the front."""
        Turn.now()  # of which laying out takes some
        view, _, page = name.partition(".")
        for index, spec in enumerate(self._specs):
            if spec.name == view:
                if page and self.context is not None:
                    self.make_view(view).show_page(page)
                self.tabs.setCurrentIndex(index)
                self._on_tab(index)

    def view_names(self) -> list[str]:
        """Names of all views."""
        return [spec.name for spec in self._specs]

    def places(self) -> list[str]:
        """All that :meth:`show_view` can show, pages included."""
        return [place for spec in self._specs for place in (spec.name, *(spec.places if spec.pages else ()))]

    def current_place(self) -> str:
        """The view in front with its page, e.g. ``machine.system``."""
        name = self.current_view()
        page = self.views[name].page() if name in self.views else ""
        return f"{name}.{page}" if page else name

    def current_view(self) -> str:
        """Name of the view in front; empty before there is one."""
        index = self.tabs.currentIndex()
        return self._specs[index].name if 0 <= index < len(self._specs) else ""

    def make_view(self, name: str) -> View:
        """The view of this name, made now if it was not yet shown."""
        for _ in self.making_view(name):
            pass
        return self.views[name]

    def making_view(self, name: str) -> Iterator[None]:
        """Make a view a piece at a time; whoever asks in between finishes it."""
        if name not in self.views:
            yield from self._making.setdefault(name, self._pieces_of(name))

    def _pieces_of(self, name: str) -> Iterator[None]:
        if self.context is None:
            raise RuntimeError("the window has no services yet")
        index, spec = next((i, spec) for i, spec in enumerate(self._specs) if spec.name == name)
        view = spec.make(self.context)
        view.setObjectName(f"view-{name}")
        yield
        holder = self.tabs.widget(index)
        layout = holder.layout() if holder else None
        if layout is not None:
            layout.addWidget(view)
        yield from view.pieces()
        self._restore(name, view, self.context.state.views.get(name, {}))
        self.views[name] = view
        del self._making[name]
        self.view_made.emit(name)

    def _on_tab(self, index: int) -> None:
        if self.context is None or not 0 <= index < len(self._specs):
            return
        paint_later(self.tabs)
        try:
            self.make_view(self._specs[index].name).activated()
        except CnnPredictError as error:
            self.report(error)

    def save_views(self) -> None:
        """Write what every view wants to keep into the state."""
        if self.context is not None:
            for name, view in self.views.items():
                self.context.state.views[name] = view.save()

    def open_file(self, path: str) -> bool:
        """Hand a file to what opens its kind: an opener of the window, or the first view that takes it."""
        for suffix, opener in self.openers.items():
            if path.lower().endswith(suffix):
                return self._opened(path, opener(path))
        for spec in self._specs:
            if path.lower().endswith(spec.suffixes or ("\0",)):
                self.show_view(spec.name)
                if self.make_view(spec.name).open_file(path):
                    return self._opened(path, True)
        if self.context is not None:
            self.report(CnnPredictError(f"no view opens {path}", "open .onnx, .csv, .parquet or .cnnpredict files"))
        return False

    def open_in(self, name: str, path: str) -> None:
        """Open a file in this view."""
        self.show_view(name)
        self._opened(path, self.make_view(name).open_file(path))

    def _opened(self, path: str, worked: bool) -> bool:
        if worked:
            logger.info("opened %s", path)
            remember(Path(path))
            self.file_opened.emit(path)
        return worked

    def restoring_views(self) -> Iterator[None]:
        """Give every view what the state keeps of it now, a view at a time, after another session was opened."""
        kept = dict(self.context.state.views) if self.context is not None else {}
        for name, view in list(self.views.items()):
            yield
            self._restore(name, view, kept.get(name, {}))

    def _restore(self, name: str, view: View, kept: dict[str, Any]) -> None:
        """Give a view what a session keeps of it; what a strange session holds there is left out."""
        try:
            view.restore(_within_qt(kept))
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
            logger.warning("the session's view %s was left as it is: %s: %s", name, type(error).__name__, error)

    # -- reports, geometry, drops -------------------------------------------------------------------------------------

    def report(self, error: CnnPredictError, crash: Path | None = None) -> None:
        """Show an error with what to do; details can be copied. ``crash`` is the crash report, if one was written."""
        logger.warning("told the user: %s", error)
        ErrorDialog(error, self, crash).open()

    def bring_to_front(self) -> None:
        """Show the window above others."""
        self.setWindowState((self.windowState() & ~Qt.WindowState.WindowMinimized) | Qt.WindowState.WindowActive)
        self.show()
        self.raise_()
        self.activateWindow()

    def room(self) -> QRect:
        """Where the window can be on its screen, its title bar above."""
        title = self.style().pixelMetric(QStyle.PixelMetric.PM_TitleBarHeight, None, self) + 2 * GRID
        return self.screen().availableGeometry().adjusted(0, title, 0, 0)

    def save_geometry(self) -> dict[str, str]:
        """Size, place and docks as JSON values."""
        return {
            "geometry": bytes(self.saveGeometry().toBase64().data()).decode("ascii"),
            "docks": bytes(self.saveState(1).toBase64().data()).decode("ascii"),
            "view": self.current_view(),
        }

    def restore_geometry(self, data: dict[str, str]) -> None:
        """Take over what :meth:`save_geometry` gave, as far as the screen of today has room for it."""
        if data.get("geometry"):
            self.restoreGeometry(QByteArray.fromBase64(QByteArray(data["geometry"].encode("ascii"))))
            if not (self.isMaximized() or self.isFullScreen()):
                self.setGeometry(within(self.geometry(), self.room()))
        if data.get("docks"):
            self.restoreState(QByteArray.fromBase64(QByteArray(data["docks"].encode("ascii"))), 1)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        QTimer.singleShot(0, lambda: [self.open_file(path) for path in paths])

    def resizeEvent(self, event: QResizeEvent) -> None:
        Turn.now()  # of which laying out takes some
        super().resizeEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.save_views()
        self.closing.emit()
        if self.context is not None:
            self.context.shutdown()
        super().closeEvent(event)


def first_size(screen: QSize) -> QSize:
    """Size of the window at the first start, on a screen with so much room."""
    return (screen * 0.9).boundedTo(_MOST_FIRST).expandedTo(_LEAST_FIRST).boundedTo(screen)


def within(window: QRect, screen: QRect) -> QRect:
    """The window moved, and if need be made smaller, so that all of it is on the screen."""
    size = window.size().boundedTo(screen.size())
    left = min(max(window.left(), screen.left()), screen.right() + 1 - size.width())
    top = min(max(window.top(), screen.top()), screen.bottom() + 1 - size.height())
    return QRect(QPoint(left, top), size)


def _within_qt(value: Any) -> Any:
    """JSON values without whole numbers that Qt's 32 bits do not hold; they become 0."""
    if isinstance(value, dict):
        return {name: _within_qt(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_within_qt(one) for one in value]
    return 0 if isinstance(value, int) and abs(value) >= 2**31 else value


def title_label(text: str) -> QLabel:
    """A label in the weight of titles."""
    label = QLabel(text)
    set_role(label, "title")
    return label
