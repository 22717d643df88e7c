"""All actions of the application in one registry: the menu bar, the shortcuts and the command palette come from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence

#: Menus in their order on the menu bar.
MENUS = ("File", "Edit", "View", "Models", "Tools", "Help")


class Actions(QObject):
    """Named actions, grouped by menu, in the order in which they were added."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._actions: dict[str, QAction] = {}
        self._menus: dict[str, list[QAction]] = {menu: [] for menu in MENUS}

    def add(
        self,
        name: str,
        menu: str,
        text: str,
        slot: Callable[..., Any],
        shortcut: str = "",
        tip: str = "",
        checkable: bool = False,
        group: str = "",
    ) -> QAction:
        """Register an action; a name that exists already gets the new slot (its widget was made anew).

        Args:
            name: Unique, e.g. ``view.sweep``.
            menu: One of :data:`MENUS`.
            text: Menu text; the palette shows it without mnemonics.
            slot: Called on trigger; checkable actions pass their state.
            shortcut: Key sequence text such as ``Ctrl+K``.
            tip: Tooltip and status text.
            checkable: Whether it is a switch.
            group: Actions of one menu with different groups are separated by a line.
        """
        if name in self._actions:
            action = self._actions[name]
            action.triggered.disconnect()
            _connect(action, slot)
            return action
        action = QAction(text, self)
        action.setObjectName(name)
        action.setCheckable(checkable)
        action.setToolTip(tip or text.replace("&", ""))
        action.setStatusTip(tip)
        action.setProperty("menu", menu)
        action.setProperty("group", group)
        if shortcut:
            action.setShortcut(QKeySequence(shortcut))
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        _connect(action, slot)
        self._actions[name] = action
        self._menus[menu].append(action)
        return action

    def adopt(self, name: str, menu: str, action: QAction, group: str = "") -> QAction:
        """Register an action that Qt made (undo, dock toggles)."""
        action.setObjectName(name)
        action.setProperty("menu", menu)
        action.setProperty("group", group)
        self._actions[name] = action
        self._menus[menu].append(action)
        return action

    def move_to_end(self, action: QAction) -> None:
        """Make an action the last one of its menu."""
        menu = self._menus[action.property("menu")]
        menu.remove(action)
        menu.append(action)

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def __contains__(self, name: str) -> bool:
        return name in self._actions

    def all(self) -> list[QAction]:
        """Every action, for the command palette."""
        return list(self._actions.values())

    def of_menu(self, menu: str) -> list[QAction]:
        """Actions of one menu; those of one group stand together, where the first of them was added."""
        actions = self._menus[menu]
        groups = list(dict.fromkeys(action.property("group") for action in actions))
        return sorted(actions, key=lambda action: groups.index(action.property("group")))


def _connect(action: QAction, slot: Callable[..., Any]) -> None:
    if action.isCheckable():
        action.triggered.connect(slot)
    else:
        action.triggered.connect(lambda _checked=False: slot())
