"""Dialog with the usage statistics of this computer."""

from __future__ import annotations

from PySide6.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QLabel, QTabWidget, QVBoxLayout, QWidget

import cnnpredict_gui
from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.error_dialog import plain_buttons
from cnnpredict_gui.gui.tables import Column, TableView
from cnnpredict_gui.gui.theme import GRID
from cnnpredict_gui.infra.usage import KINDS, UsageCounts

_TITLES = {"models": "Predictors", "layers": "Layers", "networks": "Networks"}


class UsageDialog(QDialog):
    """Most used predictors, layers and networks; can be cleared and switched off."""

    def __init__(self, context: AppContext, counts: UsageCounts, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context, self._counts = context, counts
        self.setWindowTitle("Usage statistics")
        self.resize(560, 440)
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.switch = QCheckBox("&Count what I use")
        self.switch.setChecked(context.preferences.current.count_usage)
        self.switch.setToolTip("Off: nothing more is counted; what was counted stays until you clear it")
        self.switch.toggled.connect(self._switched)
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("Kinds of statistics")
        self.tables: dict[str, TableView] = {}
        for kind in KINDS:
            table = TableView(
                context,
                f"Most used {_TITLES[kind].lower()}",
                (
                    Column("uses", "uses", lambda row: row[1], numeric=True),
                    Column("name", _TITLES[kind][:-1].lower(), lambda row: row[0]),
                ),
                lambda row: row[0],
                lambda: {"since": counts.since, "version": cnnpredict_gui.__version__},
            )
            self.tables[kind] = table
            self.tabs.addTab(table, _TITLES[kind])
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.clear_button = self.buttons.addButton("C&lear all", QDialogButtonBox.ButtonRole.ResetRole)
        self.clear_button.setToolTip("Forget everything that was counted")
        self.clear_button.clicked.connect(self.clear)
        self.buttons.rejected.connect(self.reject)
        plain_buttons(self.buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.setSpacing(GRID)
        for widget in (self.note, self.tabs, self.switch, self.buttons):
            layout.addWidget(widget)
        self.show_counts()

    def show_counts(self) -> None:
        """Show what was counted until now."""
        for kind, table in self.tables.items():
            table.set_rows(self._counts.most_used(kind))
            table.fit_columns()
        total = sum(len(self._counts.counts[kind]) for kind in KINDS)
        what = "Counted on this computer" if total else "Nothing was counted"
        self.note.setText(f"{what} since {self._counts.since}. Nothing is ever sent anywhere.")
        self.clear_button.setEnabled(total > 0)

    def clear(self) -> None:
        """Forget everything."""
        try:
            self._counts.clear()
        except CnnPredictError as error:
            self._context.report(error)
        self.show_counts()

    def _switched(self, on: bool) -> None:
        self._context.preferences.update(count_usage=on)
