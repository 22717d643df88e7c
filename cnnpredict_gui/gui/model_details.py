"""Right half of the Models view: card, accuracy and several models side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QLabel, QTabWidget, QTextBrowser, QVBoxLayout, QWidget

import cnnpredict_gui
from cnnpredict_gui.core.names import FAMILIES
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.csv_text import Cell
from cnnpredict_gui.gui.model_rows import METRIC_COLUMNS, card_html, protocol_rows, side_by_side
from cnnpredict_gui.gui.tables import Column, TableView
from cnnpredict_gui.gui.theme import GRID, set_role

if TYPE_CHECKING:
    from cnnpredict_gui.serving.library import ModelEntry

#: Models compared at most.
MOST = 6


class ModelDetails(QTabWidget):
    """Shows the models that are selected: the first one's card, and all of them beside each other.

    A single model is put beside its other versions.
    """

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self._context = context
        self._entries: list[ModelEntry] = []
        self.setDocumentMode(True)
        self.tabBar().setAccessibleName("Details of the model")
        self.card = QTextBrowser()
        self.card.setAccessibleName("Model card")
        self.card.setOpenLinks(False)
        self.accuracy = TableView(context, "Accuracy of the model", METRIC_COLUMNS, lambda row: row.protocol, self._constants)
        self.versions = TableView(context, "Models side by side", _columns([]), lambda row: row[0], self._constants)
        self.versions_hint = QLabel(
            "Select two or more models (Ctrl+click) to see them side by side. This one has no other version."
        )
        self.versions_hint.setWordWrap(True)
        set_role(self.versions_hint, "muted")
        beside = QWidget()
        layout = QVBoxLayout(beside)
        layout.setContentsMargins(0, GRID // 2, 0, 0)
        layout.addWidget(self.versions_hint)
        layout.addWidget(self.versions, 1)
        self.addTab(self.card, "Card")
        self.addTab(self.accuracy, "Accuracy")
        self.addTab(beside, "Side by side")
        context.theme.follow(self._recolour)
        self.show_entries([])

    def _constants(self) -> dict[str, Cell]:
        names = ", ".join(entry.full_name for entry in self._entries)
        return {"predictor": names, "version": cnnpredict_gui.__version__}

    def _recolour(self) -> None:
        self.show_entries(self._entries)

    def show_entries(self, entries: Sequence[ModelEntry]) -> None:
        """Show these models; several are also compared."""
        same = [entry.path for entry in entries] == [entry.path for entry in self._entries]
        self._entries = list(entries)[:MOST]
        place = self.card.verticalScrollBar().value() if same else 0
        theme = self._context.theme.current
        if self._entries:
            self.card.setHtml(card_html(self._entries[0], theme))
            self.card.verticalScrollBar().setValue(place)
        else:
            self.card.setHtml(f'<p style="color:{theme.muted}">Choose a model to see its card.</p>')
        self.accuracy.set_rows(protocol_rows(self._entries[0].card) if self._entries else [])
        self.accuracy.fit_columns()
        self._compare()

    def _compare(self) -> None:
        chosen = self._entries
        if len(chosen) == 1:
            chosen = [entry for entry in self._context.models.entries if entry.name == chosen[0].name][:MOST]
        chosen = chosen if len(chosen) > 1 else []
        self.versions.rows_model.replace(_columns(chosen), side_by_side(chosen) if chosen else [])
        self.versions.fit_columns()
        self.versions.setVisible(bool(chosen))
        self.versions_hint.setVisible(not chosen)


def _columns(entries: Sequence[ModelEntry]) -> tuple[Column, ...]:
    """Column of the property, and one for each model."""
    made = [Column("property", "property", lambda row: row[0])]
    several = len({entry.folder.name for entry in entries}) > 1
    for number, entry in enumerate(entries, 1):
        target = f" · {entry.target.title if entry.target else entry.folder.name}" if several else ""
        title = f"{FAMILIES[entry.family]} {entry.version}".strip() + target
        made.append(Column(f"{entry.full_name}", title, lambda row, n=number: row[n], tip=entry.full_name))  # type: ignore[misc]
    return tuple(made)
