"""The actions every part of the window shares: file, undo, colours, panels, models."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QActionGroup, QGuiApplication, QKeySequence

from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.file_dialogs import ask_to_open
from cnnpredict_gui.gui.main_window import MainWindow
from cnnpredict_gui.gui.state import DEFAULT_CONFIG
from cnnpredict_gui.gui.theme import MODES
from cnnpredict_gui.infra.paths import model_folders

FILE_FILTER = "All that can be opened (*.cnnpredict *.onnx *.csv *.parquet);;All files (*)"


def add_actions(window: MainWindow, context: AppContext) -> None:
    """Register the shared actions."""
    _add_file(window, context)
    _add_edit(context)
    _add_view(window, context)
    context.actions.add(
        "models.reload", "Models", "&Reload models", context.models.load, "F5", "Search the model folders again", group="load"
    )
    for action in context.actions.all():
        window.addAction(action)


def _add_file(window: MainWindow, context: AppContext) -> None:
    def choose() -> None:
        path = ask_to_open(window, "Open", FILE_FILTER)
        if path:
            window.open_file(path)

    context.actions.add("file.open", "File", "&Open…", choose, "Ctrl+O", "Open a session, a network or a table", group="open")
    context.actions.add("file.quit", "File", "&Quit", window.close, "Ctrl+Q", group="quit")


def _add_edit(context: AppContext) -> None:
    actions, state = context.actions, context.state
    undo = state.undo_stack.createUndoAction(state, "&Undo")
    undo.setShortcut("Ctrl+Z")
    actions.adopt("edit.undo", "Edit", undo, "undo")
    redo = state.undo_stack.createRedoAction(state, "&Redo")
    redo.setShortcuts([QKeySequence("Ctrl+Shift+Z"), QKeySequence("Ctrl+Y")])
    actions.adopt("edit.redo", "Edit", redo, "undo")
    actions.add(
        "edit.reset",
        "Edit",
        "Re&set layer",
        lambda: state.set_config(DEFAULT_CONFIG, "reset of the layer"),
        "Ctrl+R",
        "Back to the layer the program starts with",
        group="undo",
    )
    for form in ("JSON", "CLI", "Python"):
        name = {"CLI": "command line"}.get(form, form)
        shortcut = "Ctrl+Shift+C" if form == "JSON" else ""
        actions.add(
            f"edit.copy_{form.lower()}",
            "Edit",
            f"Copy layer as {name}",
            lambda f=form: copy_config(context, f),
            shortcut,
            group="copy",
        )
    actions.add(
        "edit.pin", "Edit", "&Pin layer", lambda: _pin(context), "Ctrl+D", "Keep this layer for comparison", group="pin"
    )
    actions.add("edit.unpin_all", "Edit", "Unpin all layers", state.clear_pinned, group="pin")


def _pin(context: AppContext) -> None:
    pin = context.state.pin()
    context.say(f"Pinned as {pin.name}: {pin.config.label()}")


def copy_config(context: AppContext, form: str) -> None:
    """Put the layer on the clipboard as ``JSON``, or as a ``CLI`` command or ``Python`` code for the chosen predictors."""
    from cnnpredict_gui.studies import codegen

    config, chosen = context.state.config, context.state.selection
    if form == "JSON":
        text = codegen.as_json(config)
    else:
        text = (codegen.as_command if form == "CLI" else codegen.as_python)(config, chosen, _added_folders(context))
    QGuiApplication.clipboard().setText(text)
    context.say(f"Copied: {text.splitlines()[0]}")


def _added_folders(context: AppContext) -> list[Path]:
    """Folders that only this program's settings name, where chosen predictors lie."""
    places = [entry.path for entry in context.models.entries if entry.name in context.state.selection]
    folders = context.models.library.folders if context.models.library is not None else []
    known = model_folders()
    return [folder for folder in folders if folder not in known and any(folder in path.parents for path in places)]


def _add_view(window: MainWindow, context: AppContext) -> None:
    for dock, shortcut in ((window.parameter_dock, "Ctrl+Shift+L"), (window.predictor_dock, "Ctrl+Shift+P")):
        toggle = dock.toggleViewAction()
        toggle.setShortcut(shortcut)
        toggle.setText(f"{dock.windowTitle()} panel")
        context.actions.adopt(f"view.{dock.objectName()}", "View", toggle, "panels")

    def full_screen(on: bool) -> None:
        window.setWindowState(window.windowState() ^ window.windowState().WindowFullScreen)

    context.actions.add("view.full_screen", "View", "Full screen", full_screen, "F11", checkable=True, group="panels")
    group = QActionGroup(window)
    for mode in MODES:
        text = "Follow the system" if mode == "system" else f"{mode.capitalize()}"
        action = context.actions.add(
            f"view.theme_{mode}",
            "View",
            f"Colours: {text}",
            lambda _on=True, m=mode: context.theme.set_mode(m),
            checkable=True,
            group="theme",
        )
        group.addAction(action)
        action.setChecked(context.theme.mode == mode)
