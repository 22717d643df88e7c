"""What the command palette offers: all actions, networks, predictors, recent files, help pages."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QComboBox

from cnnpredict_gui.core.names import FAMILIES
from cnnpredict_gui.gui.architecture_box import ArchitectureBox
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.help_pages import help_pages
from cnnpredict_gui.gui.main_window import MainWindow
from cnnpredict_gui.gui.palette import Command
from cnnpredict_gui.gui.selection import in_order, leaves

if TYPE_CHECKING:
    from cnnpredict_gui.gui.workbench import Workbench

#: Menus as the palette calls them; actions of the View menu that show a view are called so.
_KINDS = {"Models": "Predictors"}


def all_commands(window: MainWindow, context: AppContext, workbench: Workbench) -> list[Command]:
    """Every command there is now."""
    return [
        *_actions(context),
        *_networks(window),
        *_predictors(context),
        *_recent(context, workbench),
        *(Command(page.title, "Help", partial(context.show_help, page.name)) for page in help_pages()),
    ]


def _actions(context: AppContext) -> list[Command]:
    from cnnpredict_gui.gui.workbench import shortcut_text

    commands = []
    for action in context.actions.all():
        if action.isEnabled() and action.menu() is None and action.objectName() != "tools.palette":
            menu = str(action.property("menu"))
            kind = "View" if action.property("group") == "views" else _KINDS.get(menu, menu)
            text = action.text().replace("&", "").removesuffix("…")
            commands.append(Command(text, kind, action.trigger, shortcut_text(action), action.toolTip()))
    return commands


def _networks(window: MainWindow) -> list[Command]:
    """Networks and the layers of the current one, through the boxes of the layer panel."""
    box = window.findChild(ArchitectureBox)
    if not isinstance(box, ArchitectureBox):
        return []
    networks = [(index, box.network.itemText(index)) for index in range(box.network.count()) if box.network.itemData(index)]
    layers = [(index, box.layer.itemText(index)) for index in range(box.layer.count())]
    current = box.network.currentText()
    return [
        *(Command(text, "Network", partial(_choose, box.network, index)) for index, text in networks),
        *(Command(text, "Layer", partial(_choose, box.layer, index), words=current) for index, text in layers),
    ]


def _choose(combo: QComboBox, index: int) -> None:
    combo.setCurrentIndex(index)
    combo.activated.emit(index)


def _predictors(context: AppContext) -> list[Command]:
    commands, chosen = [], set(context.state.selection)
    for leaf in leaves(context.models.entries):
        if leaf.status != "failed":
            verb = "Remove" if leaf.name in chosen else "Add"
            text = f"{verb} {leaf.target.title} · {FAMILIES[leaf.family]}"
            commands.append(Command(text, "Predictor", partial(_toggle, context, leaf.name), words=leaf.name))
    return commands


def _toggle(context: AppContext, name: str) -> None:
    """Add a predictor to the chosen ones, or take it away."""
    names = list(context.state.selection)
    if name in names:
        names.remove(name)
    else:
        names = in_order(leaves(context.models.entries), [*names, name])
        context.state.set_focus(name)
    context.state.select(names)


def _recent(context: AppContext, workbench: Workbench) -> list[Command]:
    files = context.preferences.current.recent_files
    return [
        Command(f"Open {Path(path).name}", "Recent file", partial(workbench.open_recent, path), words=path) for path in files
    ]
