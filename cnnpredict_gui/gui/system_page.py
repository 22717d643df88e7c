"""System: what this machine is and how busy it is."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout

from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.theme import GRID
from cnnpredict_gui.gui.view import View
from cnnpredict_gui.infra.versions import versions


class SystemPage(View):
    """Shows the machine."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.facts = QLabel("\n".join(f"{name}: {text}" for name, text in versions().items()))
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.facts.setAccessibleName("Versions")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID)
        layout.addWidget(self.facts)
        layout.addStretch(1)
