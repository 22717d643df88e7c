"""Colours, symbols and spacing: Fusion with our own light and dark palettes, following the system live."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal
from weakref import WeakMethod

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QLabel, QStyleFactory, QToolTip, QWidget
from shiboken6 import isValid

from cnnpredict_gui.gui.turns import Turn, Turns, paint_later

Mode = Literal["system", "light", "dark"]
MODES: tuple[Mode, ...] = ("system", "light", "dark")
#: Every margin and gap is a multiple of this many pixels.
GRID = 8
#: How long a turn of the event loop may recolour charts and tables.
_TURN_S = 0.008
#: pyqtgraph symbol of each family; shape and colour always go together.
FAMILY_SYMBOLS = {"nn": "o", "xgb": "s", "rf": "t1", "lasso": "d", "consensus": "star"}

#: Classes that get :func:`control_palette`.
_OUTLINED = (
    "QAbstractItemView",
    "QLineEdit",
    "QAbstractSpinBox",
    "QComboBox",
    "QToolButton",
    "QPushButton",
    "QCheckBox",
    "QRadioButton",
)


@dataclass(frozen=True)
class Theme:
    """One set of colours (hex). Text colours keep a contrast of at least 4.5 to 1 on ``window`` and ``base``."""

    name: Literal["light", "dark"]
    window: str
    base: str
    alternate: str
    text: str
    muted: str
    border: str
    accent: str
    accent_text: str
    warning: str
    error: str
    good: str
    families: dict[str, str]
    #: Okabe-Ito colours for series that are not families, e.g. targets.
    series: tuple[str, ...]

    def family(self, family: str) -> str:
        """Colour of a family."""
        return self.families.get(family, self.muted)

    def on_base(self, colour: QColor, share: float) -> QColor:
        """A colour as it looks on ``base`` when it covers a share of it (0 to 1).

        Itself it covers all: Qt takes fifty times as long for an antialiased rectangle that does not.
        """
        base = QColor(self.base)
        parts = ((colour.red(), base.red()), (colour.green(), base.green()), (colour.blue(), base.blue()))
        return QColor(*(round(share * one + (1 - share) * other) for one, other in parts))


LIGHT = Theme(
    name="light",
    window="#f3f4f6",
    base="#ffffff",
    alternate="#f6f7f9",
    text="#1a1d21",
    muted="#59616c",
    border="#c6ccd4",
    accent="#4c51bf",
    accent_text="#ffffff",
    warning="#8a5200",
    error="#b3261e",
    good="#176f41",
    families={"nn": "#0072b2", "xgb": "#d55e00", "rf": "#009e73", "lasso": "#cc79a7", "consensus": "#30353c"},
    series=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#30353c"),
)
DARK = Theme(
    name="dark",
    window="#1e2126",
    base="#17191d",
    alternate="#1d2025",
    text="#e6e8eb",
    muted="#a4acb7",
    border="#3c434d",
    accent="#9aa5ff",
    accent_text="#14161a",
    warning="#f0b84b",
    error="#ff8a80",
    good="#6fd3a1",
    families={"nn": "#56b4e9", "xgb": "#e69f00", "rf": "#20b98d", "lasso": "#dd92bb", "consensus": "#e6e8eb"},
    series=("#56b4e9", "#e69f00", "#20b98d", "#dd92bb", "#f0e442", "#d55e00", "#e6e8eb"),
)


def palette(theme: Theme) -> QPalette:
    """Qt palette of a theme."""
    made = QPalette()
    role = QPalette.ColorRole
    colours = {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.base,
        role.AlternateBase: theme.alternate,
        role.Text: theme.text,
        role.PlaceholderText: theme.muted,
        role.Button: theme.window,
        role.ButtonText: theme.text,
        role.ToolTipBase: theme.base,
        role.ToolTipText: theme.text,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.accent_text,
        role.Accent: theme.accent,
        role.Link: theme.accent,
        role.LinkVisited: theme.accent,
        role.Mid: theme.border,
        role.BrightText: theme.error,
    }
    for key, colour in colours.items():
        made.setColor(key, QColor(colour))
    shade = QColor(theme.window)
    made.setColor(role.Light, shade.lighter(106 if theme.name == "light" else 150))
    made.setColor(role.Midlight, shade.lighter(103 if theme.name == "light" else 125))
    made.setColor(role.Dark, shade.darker(140))
    made.setColor(role.Shadow, shade.darker(200))
    for key in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        made.setColor(QPalette.ColorGroup.Disabled, key, QColor(theme.muted))
    made.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(theme.border))
    return made


def control_palette(theme: Theme) -> QPalette:
    """Palette of controls whose frames Fusion derives from ``Window``, darkened: in the dark theme they would vanish."""
    made = palette(theme)
    if theme.name == "dark":
        made.setColor(QPalette.ColorRole.Window, QColor(theme.border).lighter(190))
    return made


def set_role(label: QLabel, role: str) -> None:
    """Say what a text is: ``title`` (bold), ``muted``, ``warning`` or ``error``; its colour follows the theme.

    No style sheet does that: with one, Qt would look up its rules for every widget at every change of the theme, for 300 ms.
    """
    if label.property("role") == role:
        return
    label.setProperty("role", role)
    font = label.font()
    font.setBold(role == "title")
    label.setFont(font)
    _colour(label, ThemeManager.latest)


def _colour(label: QLabel, theme: Theme) -> None:
    colours = {"muted": theme.muted, "warning": theme.warning, "error": theme.error}
    own = QPalette()  # of which only the roles that are set count
    if label.property("role") in colours:
        own.setColor(QPalette.ColorRole.WindowText, QColor(colours[label.property("role")]))
    label.setPalette(own)


class ThemeManager(QObject):
    """Applies the theme to the application and tells everyone who draws their own colours.

    Mode ``system`` follows the desktop live; ``light`` and ``dark`` override it.
    """

    changed = Signal(object)
    #: Whoever follows the theme has taken over its colours.
    settled = Signal()
    #: The theme that was applied last, for widgets that are made before they hear of a change.
    latest: ClassVar[Theme] = LIGHT

    def __init__(self, app: QApplication, mode: Mode = "system") -> None:
        super().__init__(app)
        self._app = app
        self._mode: Mode = mode
        self.current = LIGHT
        self._applied = False
        self._followers: list[WeakMethod[Callable[[], None]]] = []
        self._waiting: list[WeakMethod[Callable[[], None]]] = []
        self._turns = Turns(self)
        style = QStyleFactory.create("Fusion")
        if style is not None:
            app.setStyle(style)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._follow)
        self.set_mode(mode)

    @property
    def mode(self) -> Mode:
        """What the user asked for."""
        return self._mode

    def set_mode(self, mode: Mode) -> None:
        """Follow the system, or force light or dark."""
        self._mode = mode
        schemes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark, "system": Qt.ColorScheme.Unknown}
        QGuiApplication.styleHints().setColorScheme(schemes[mode])
        self._follow()

    def _follow(self) -> None:
        dark = self._mode == "dark" or (
            self._mode == "system" and QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        )
        self.apply(DARK if dark else LIGHT)

    def apply(self, theme: Theme) -> None:
        """Make ``theme`` the current one and repaint everything."""
        if theme is self.current and self._applied:
            return
        Turn.now()
        for window in self._app.topLevelWidgets():
            paint_later(window)
        self.current, self._applied = theme, True
        ThemeManager.latest = theme
        self._app.setPalette(palette(theme))
        for name in _OUTLINED:
            self._app.setPalette(control_palette(theme), name)  # type: ignore[arg-type]
        QToolTip.setPalette(palette(theme))
        for widget in self._app.allWidgets():
            if isinstance(widget, QLabel) and widget.property("role"):
                _colour(widget, theme)
        self.changed.emit(theme)
        self._followers = [one for one in self._followers if _widget_of(one) is not None]
        self._waiting = sorted(self._followers, key=lambda one: _is_in_sight(_widget_of(one)))
        if not self._turns.waiting:
            self._turns.start(self._tell_some)

    def follow(self, recolour: Callable[[], None]) -> None:
        """Call ``recolour``, a method of a widget, soon after each change: those in sight first, a few in each turn.

        For what takes milliseconds; all of it at once would make the window stand still. The method is held weakly.
        """
        self._followers.append(WeakMethod(recolour))

    def _tell_some(self) -> None:
        """As many as fit into one turn of the event loop."""
        end = time.perf_counter() + _TURN_S
        while self._waiting and time.perf_counter() < end:
            waiting = self._waiting.pop()
            recolour = waiting()
            if recolour is not None and _widget_of(waiting) is not None:
                recolour()
        if self._waiting:
            self._turns.start(self._tell_some)
        else:
            self.settled.emit()


def _widget_of(follower: WeakMethod[Callable[[], None]]) -> QWidget | None:
    """The widget whose method it is, unless it is gone."""
    recolour = follower()
    widget = getattr(recolour, "__self__", None)
    return widget if isinstance(widget, QWidget) and isValid(widget) else None


def _is_in_sight(widget: QWidget | None) -> bool:
    return widget is not None and widget.isVisible()
