"""Menus that are made anew each time they are asked for."""

from __future__ import annotations

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QMenu


def pop_up(menu: QMenu, place: QPoint) -> None:
    """Let the user choose from a menu at ``place`` (global); it is deleted after that, though its parent lives on."""
    menu.aboutToHide.connect(menu.deleteLater)
    menu.exec(place)
