"""What a walk can do to the window, as a user would or by accident."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QLineEdit,
    QSplitter,
    QTabWidget,
    QWidget,
)
from shiboken6 import isValid

from cnnpredict_gui.gui.app import Application
from cnnpredict_gui.gui.charts import ChartView
from cnnpredict_gui.gui.export import copy_data, copy_picture, save_soon
from cnnpredict_gui.gui.palette import CommandPalette
from cnnpredict_gui.gui.tables import TableView
from cnnpredict_gui.gui.theme import DARK, LIGHT
from cnnpredict_gui.studies.own_presets import OwnPresets

#: A move; one of several inputs yields between them, for a user makes one after the other.
Move = Callable[["Mover"], Iterator[None] | None]
_TEXTS = (
    *("", "1,2,4,...,64", "16:256:16", "1:9", "0", "-3", "a", "1,,2", "7:1:2", "1:100000"),
    *("resnet", "l40s", "é ✓", "=1+1", "9" * 30),
)
_KEYS = (
    *(Qt.Key.Key_Tab, Qt.Key.Key_Backtab, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Home),
    *(Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Return, Qt.Key.Key_Escape, Qt.Key.Key_Space),
    *(Qt.Key.Key_Delete, Qt.Key.Key_Backspace, Qt.Key.Key_A, Qt.Key.Key_C, Qt.Key.Key_3, Qt.Key.Key_9, Qt.Key.Key_Minus),
)
_MODIFIERS = (Qt.KeyboardModifier.NoModifier,) * 4 + (Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier)


class Mover:
    """The window in the hands of a seeded random generator."""

    def __init__(
        self,
        application: Application,
        rng: random.Random,
        files: list[Path],
        out: Path,
        searching: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.application, self.rng, self.files, self.out, self._searching = application, rng, files, out, searching
        self.window, self.context = application.window, application.context
        self.places = self.window.places()

    def some_path(self, suffixes: tuple[str, ...] = ()) -> Path:
        """A file to open."""
        return self.rng.choice([path for path in self.files if path.suffix in suffixes or not suffixes])

    def children(self, kind: type[Any], parent: QWidget | None = None) -> list[Any]:
        """Visible, enabled widgets of a kind, of one widget or of all windows.

        Not by ``findChildren``: PySide keeps an object for each widget found as long as the one that was asked.
        """
        with self._searching():
            found = (one for one in QApplication.allWidgets() if isinstance(one, kind) and one.isVisible() and one.isEnabled())
            return [one for one in found if parent is None or parent.isAncestorOf(one)]

    def place_in(self, widget: QWidget) -> QPoint:
        """A point of a widget."""
        return QPoint(self.rng.randrange(max(widget.width(), 1)), self.rng.randrange(max(widget.height(), 1)))

    def view(self) -> Any:
        """The view in front."""
        return self.window.views.get(self.window.current_view())


# -- the layer and the predictors -------------------------------------------------------------------------------------


def drag_a_parameter(m: Mover) -> Iterator[None]:
    """A few values of one box, as the wheel or an arrow key would set them."""
    box = m.rng.choice(list(m.application.panel.form.boxes.values()))
    step = m.rng.choice((-16, -1, 1, 2, 16, 1000))
    for _ in range(m.rng.randrange(1, 8)):
        box.setValue(box.value() + step)
        yield


def choose_in_a_box(m: Mover) -> None:
    """Any visible combo box."""
    boxes = [box for box in m.children(QComboBox) if box.count()]
    if boxes:
        box = m.rng.choice(boxes)
        box.setCurrentIndex(m.rng.randrange(box.count()))
        box.activated.emit(box.currentIndex())


def choose_predictors(m: Mover) -> None:
    names = sorted(m.context.models.predictors)
    m.context.state.select(m.rng.sample(names, min(len(names), m.rng.choice((0, 1, 3, 12, 12, 30)))))


def look_at_a_predictor(m: Mover) -> None:
    name = m.rng.choice([*m.context.state.selection, "none of them"])
    m.rng.choice((m.context.state.set_focus, m.context.state.set_baseline))(name)
    m.context.state.set_favourite(name, m.rng.random() < 0.5)


def undo_and_redo(m: Mover) -> Iterator[None]:
    for _ in range(m.rng.randrange(1, 12)):
        m.rng.choice((m.context.state.undo_stack.undo, m.context.state.undo_stack.redo))()
        yield


def pin(m: Mover) -> None:
    state = m.context.state
    if len(state.pinned) > 5 or m.rng.random() < 0.2:
        state.clear_pinned()
    else:
        state.pin()


# -- the window -------------------------------------------------------------------------------------------------------


def show_a_view(m: Mover) -> None:
    m.window.show_view(m.rng.choice(m.places))


def turn_a_tab(m: Mover) -> None:
    tabs = m.rng.choice(m.children(QTabWidget))
    tabs.setCurrentIndex(m.rng.randrange(max(tabs.count(), 1)))


def change_colours(m: Mover) -> None:
    m.context.theme.set_mode(m.rng.choice(("light", "dark", "system")))


def resize(m: Mover) -> None:
    m.window.resize(m.rng.randrange(1024, 1900), m.rng.randrange(700, 1100))


def move_a_splitter(m: Mover) -> None:
    splitters = m.children(QSplitter)
    if splitters:
        splitter = m.rng.choice(splitters)
        splitter.setSizes([m.rng.randrange(40, 600) for _ in range(splitter.count())])


def trigger_a_command(m: Mover) -> None:
    """Any action of the menus; Quit is switched off."""
    actions = [one for one in m.context.actions.all() if one.isEnabled() and one.menu() is None]
    m.rng.choice(actions).trigger()


def use_the_palette(m: Mover) -> Iterator[None]:
    m.context.actions["tools.palette"].trigger()
    palettes = [one for one in QApplication.topLevelWidgets() if isinstance(one, CommandPalette) and one.isVisible()]
    for palette in palettes:
        yield
        keys: list[str | Qt.Key] = [*m.rng.choice(("net", "dark", "vgg", "xgb", "pin", "zzz", "help"))]
        keys += [Qt.Key.Key_Down] * m.rng.randrange(3) + [m.rng.choice((Qt.Key.Key_Escape, Qt.Key.Key_Return))]
        for key in keys:
            if not (isValid(palette) and palette.isVisible()):
                break
            line = palette.focusWidget() or palette
            QTest.keyClicks(line, key) if isinstance(key, str) else QTest.keyClick(line, key)
            yield
        else:
            if isValid(palette):
                palette.close()


def close_dialogs(m: Mover) -> None:
    for one in QApplication.topLevelWidgets():
        if isinstance(one, QDialog) and one.isVisible():
            m.rng.choice((one.accept, one.reject))()


# -- files ------------------------------------------------------------------------------------------------------------


def open_a_file(m: Mover) -> None:
    """As dropped on the window."""
    m.window.open_file(str(m.some_path()))


def open_in_a_view(m: Mover) -> None:
    name = m.rng.choice(("network", "batch"))
    m.context.open_in(name, str(m.some_path((".csv", ".parquet", ".onnx", ".json"))))


def save_and_open_sessions(m: Mover) -> None:
    workbench, path = m.application.workbench, m.out / f"session-{m.rng.randrange(4)}.cnnpredict"
    if workbench is None:
        return
    if path.exists() and m.rng.random() < 0.5:
        workbench.open_session(str(path))
    else:
        workbench.save_to(path)


def export(m: Mover) -> None:
    """Any chart or table in sight, to a file or the clipboard."""
    charts = [one for one in m.children(ChartView) if not one.is_empty]
    sources = charts + [one for one in m.children(TableView) if one.rows_model.rows]
    if not sources:
        return
    source, kind = m.rng.choice(sources), m.rng.choice((".png", ".svg", ".csv", "picture", "data"))
    if kind == "picture":
        copy_picture(source, m.context.theme.current, m.context.report)
    elif kind == "data":
        copy_data(source, m.context.report)
    else:
        theme, scale = m.rng.choice((LIGHT, DARK)), m.rng.choice((1, 2))
        save_soon(source, m.out / f"export{kind}", theme, scale, m.context.report)


def own_presets(m: Mover) -> None:
    """Keep, rename, delete and import; the boxes of the layer panel follow. Of many some are deleted: none else would do it."""
    box, name = m.application.panel.architecture, f"preset {m.rng.randrange(6)}"
    known = [preset.name for preset in OwnPresets().list()]
    kind = m.rng.randrange(3)
    if len(known) > 8:
        box.delete(m.rng.choice(known))
    elif kind == 0:
        box.keep(name)
    elif kind == 1:
        box.rename(name, f"preset {m.rng.randrange(6)}")
    else:
        box.import_file(m.some_path((".json",)))


def reload_models(m: Mover) -> None:
    m.context.models.load()


def cancel_tasks(m: Mover) -> None:
    for task in m.context.tasks.running:
        task.cancel()


# -- hands on mouse and keyboard --------------------------------------------------------------------------------------


def click_anywhere(m: Mover) -> None:
    """Any visible widget of the window or a dialog, with either button."""
    tops = [one for one in QApplication.topLevelWidgets() if one.isVisible() and one.isEnabled()]
    widgets = m.children(QWidget, m.rng.choice([m.window, *tops]))
    if not widgets:
        return
    widget = m.rng.choice(widgets)
    place = m.place_in(widget)
    kind = m.rng.randrange(8)
    if kind == 0:
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, widget.mapToGlobal(place))
        QApplication.postEvent(widget, event)
    elif kind == 1:
        QTest.mouseDClick(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
        if isValid(widget):  # Qt leaves the release to the caller, and an arrow of a number box would count on for ever
            QTest.mouseRelease(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    else:
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)


def press_a_button(m: Mover) -> None:
    view = m.view()
    buttons = m.children(QAbstractButton, view) if view is not None else []
    if buttons:
        QTest.mouseClick(m.rng.choice(buttons), Qt.MouseButton.LeftButton)


def press_keys(m: Mover) -> Iterator[None]:
    for _ in range(m.rng.randrange(1, 8)):
        target = QApplication.focusWidget() or m.window
        QTest.keyClick(target, m.rng.choice(_KEYS), m.rng.choice(_MODIFIERS))
        yield


def type_into_a_box(m: Mover) -> None:
    lines = [one for one in m.children(QLineEdit) if not one.isReadOnly()]
    if lines:
        line = m.rng.choice(lines)
        line.selectAll()
        line.insert(m.rng.choice(_TEXTS))
        if isinstance(line.parentWidget(), QAbstractSpinBox) or m.rng.random() < 0.3:
            QTest.keyClick(line, Qt.Key.Key_Return)


def hover_and_scroll(m: Mover) -> Iterator[None]:
    """The mouse over the charts of the view in front."""
    charts = m.children(ChartView)
    if charts:
        chart = m.rng.choice(charts)
        for _ in range(5):
            if isValid(chart) and chart.isVisible():
                QTest.mouseMove(chart.graphics.viewport(), m.place_in(chart.graphics.viewport()))
            yield


def other_digits(m: Mover) -> None:
    m.context.preferences.update(digits=m.rng.choice((2, 3, 4, 6)))


#: Moves with how often they are made, relative to each other.
MOVES: dict[Move, int] = {
    drag_a_parameter: 14,
    choose_in_a_box: 8,
    choose_predictors: 4,
    look_at_a_predictor: 4,
    undo_and_redo: 4,
    pin: 3,
    show_a_view: 8,
    turn_a_tab: 3,
    change_colours: 2,
    resize: 1,
    move_a_splitter: 1,
    trigger_a_command: 4,
    use_the_palette: 2,
    close_dialogs: 4,
    open_a_file: 2,
    open_in_a_view: 2,
    save_and_open_sessions: 2,
    export: 4,
    own_presets: 2,
    reload_models: 1,
    cancel_tasks: 2,
    click_anywhere: 12,
    press_a_button: 6,
    press_keys: 6,
    type_into_a_box: 4,
    hover_and_scroll: 3,
    other_digits: 1,
}
#: What short walks leave out: what they start would outlast them.
LONG_ONLY: tuple[Move, ...] = (press_a_button, reload_models)
