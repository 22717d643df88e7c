"""The Models view: every model that was found, its card, and the folders models are looked for in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices, QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton, QSplitter, QVBoxLayout, QWidget

import cnnpredict_gui
from cnnpredict_gui.core.errors import DataFileError
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.file_dialogs import ask_for_folder
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.model_details import ModelDetails
from cnnpredict_gui.gui.model_rows import COLUMNS, rows_of
from cnnpredict_gui.gui.tables import TableView
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.gui.turns import Turns
from cnnpredict_gui.gui.view import View

if TYPE_CHECKING:
    from cnnpredict_gui.serving.library import ModelEntry

FILTERS = {"All": "", "Ready": "loaded", "Failed": "failed", "Own": "user", "Imported": "imported", "Bundled": "bundled"}


class ModelsView(View):
    """Table of the library above or beside the details of what is selected."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.search = QLineEdit()
        self.filter = QComboBox()
        self.reload_button = QPushButton("&Rescan")
        self.add_button = QPushButton("&Add folder…")
        self.import_button = QPushButton("&Import…")
        self.location_button = QPushButton("Open &location")
        self.use_button = QPushButton("&Use in Compare")
        self.table = TableView(
            context, "Models", COLUMNS, lambda row: row.key, lambda: {"program_version": cnnpredict_gui.__version__}
        )
        self.details = ModelDetails(context)
        self.summary = QLabel()
        self.empty = QLabel()
        self._build()
        self._later = Turns(self)
        self._refill = QTimer(self)
        self._refill.setSingleShot(True)
        self._refill.setInterval(80)
        self._refill.timeout.connect(self.fill)
        for signal in (context.models.scanned, context.models.arrived, context.models.finished):
            signal.connect(self._fill_soon)
        context.theme.changed.connect(self._fill_soon)
        self.fill()

    def _build(self) -> None:
        self.search.setPlaceholderText("Search device, family, version, reason")
        self.search.setAccessibleName("Search models")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self.fill)
        self.filter.addItems(list(FILTERS))
        self.filter.setAccessibleName("Show models")
        self.filter.setToolTip("Which models to list")
        self.filter.currentIndexChanged.connect(self.fill)
        for button, tip, slot in (
            (self.reload_button, "Search the folders again (F5); what is loaded and unchanged stays", self._reload),
            (self.add_button, "Look for models in a further folder, from now on", self._choose_folder),
            (self.import_button, "Make a predictor of a native model file: the selected one, or another", self.import_selected),
            (self.location_button, "Show the model's files in the file manager", self.open_location),
            (self.use_button, "Choose the selected predictors in the Compare view", self.use_selected),
        ):
            button.setToolTip(tip)
            button.clicked.connect(slot)
        self.table.selectionModel().selectionChanged.connect(self._selected)
        self.table.doubleClicked.connect(self.use_selected)
        QShortcut(QKeySequence("Return"), self.table, self.use_selected, context=Qt.ShortcutContext.WidgetShortcut)
        set_role(self.summary, "muted")
        self.empty.setWordWrap(True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        set_role(self.empty, "muted")
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        column.addWidget(self.table, 1)
        column.addWidget(self.empty, 1)
        column.addWidget(self.summary)
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(left)
        self.splitter.addWidget(self.details)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        self.splitter.setSizes([400, 300])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID)
        layout.setSpacing(GRID)
        row = header_row(
            self.search,
            self.filter,
            self.use_button,
            self.location_button,
            self.import_button,
            self.add_button,
            self.reload_button,
        )
        row.setStretch(0, 1)
        layout.addLayout(row)
        layout.addWidget(self.splitter, 1)

    def _fill_soon(self) -> None:
        if not self._refill.isActive():
            self._refill.start()

    def fill(self) -> None:
        """Show the library as it is now, as far as search and filter let it through; what failed comes first."""
        wanted, words = FILTERS[self.filter.currentText()], self.search.text().lower().split()
        everything = sorted(rows_of(self.context.models.entries), key=lambda row: row.entry.status != "failed")
        rows = [
            row
            for row in everything
            if wanted in ("", row.entry.status, row.entry.origin) and all(word in row.searched() for word in words)
        ]
        chosen = {row.key for row in self.table.selected_rows()}
        self.table.set_rows(rows)
        self._select(chosen)
        self._selected()
        self._summarise(len(rows), len(everything), sum(row.size for row in everything))

    def _select(self, keys: set[str]) -> None:
        """Select these rows again, or the first one, after the table was filled anew."""
        if self.table.selectionModel().hasSelection() or not self.table.rows_model.rows:
            return
        shown = [row.key for row in self.table.shown_rows()]
        self.table.select_keys(keys.intersection(shown) or shown[:1])

    def _summarise(self, shown: int, total: int, size: int) -> None:
        states = [entry.status for entry in self.context.models.entries]
        text = f"{states.count('loaded')} of {total} models ready, {size / 1e6:,.1f} MB"
        if states.count("failed"):
            text += f", {states.count('failed')} failed"
        if shown != total:
            text += f"; {shown} shown"
        library = self.context.models.library
        problems = library.problems if library is not None else []
        self.summary.setText("\n".join([text, *problems]))
        self.table.setVisible(shown > 0)
        self.empty.setVisible(shown == 0)
        nothing = "No model was found. Add a folder that holds training folders such as prediction-training-gpul40s."
        loading = "Looking for models…"
        self.empty.setText("Nothing fits the search." if total else loading if self.context.models.loading else nothing)

    def _selected(self) -> None:
        """Another model was chosen, or what is known of it has changed; its details come in a turn of their own."""
        entries = [row.entry for row in self.table.selected_rows()]
        self._later.start(self._show_details)
        self.location_button.setEnabled(bool(entries))
        self.use_button.setEnabled(any(entry.status == "loaded" for entry in entries))

    def _show_details(self) -> None:
        self.details.show_entries([row.entry for row in self.table.selected_rows()])

    # -- commands -----------------------------------------------------------------------------------------------------

    def _reload(self) -> None:
        self.context.models.load()
        self._fill_soon()

    def _choose_folder(self) -> None:
        folder = ask_for_folder(self, "Add a folder with models")
        if folder:
            add_models_folder(self.context, Path(folder))

    def import_selected(self) -> None:
        """Import the selected model if it is a native file that failed; else ask for a file."""
        native = [row.entry.path for row in self.table.selected_rows() if _is_unmapped(row.entry)]
        self.context.import_model(str(native[0]) if native else "")

    def open_location(self) -> None:
        """Show the selected model's files in the desktop's file manager."""
        for row in self.table.selected_rows()[:1]:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(row.entry.path.parent)))

    def use_selected(self) -> None:
        """Choose the selected predictors, and only these, and go to the Compare view."""
        published = self.context.models.predictors
        chosen = [row.entry for row in self.table.selected_rows() if row.entry.status == "loaded"]
        names = [
            next((name for name, model in published.items() if model.path == entry.path), entry.full_name) for entry in chosen
        ]
        if names:
            self.context.state.select(names)
            self.context.state.set_focus(names[0])
            self.context.show_view("compare")

    def save(self) -> dict[str, Any]:
        return {"filter": self.filter.currentText(), "columns": self.table.save_columns(), "sizes": self.splitter.sizes()}

    def restore(self, data: dict[str, Any]) -> None:
        if data.get("filter") in FILTERS:
            self.filter.setCurrentText(data["filter"])
        if isinstance(data.get("columns"), dict):
            self.table.restore_columns(data["columns"])
        sizes = data.get("sizes")
        if isinstance(sizes, list) and len(sizes) == 2 and all(isinstance(size, int) for size in sizes):
            self.splitter.setSizes(sizes)

    def busy(self) -> bool:
        return self._refill.isActive() or self._later.waiting or self.context.models.loading


def _is_unmapped(entry: ModelEntry) -> bool:
    """Whether this is a native file, or an ``.onnx``, that nothing describes."""
    return entry.status == "failed" and entry.card is None and entry.family != "consensus" and entry.path.is_file()


def add_models_folder(context: AppContext, folder: Path) -> None:
    """Look for models in a further folder from now on; what is wrong is reported."""
    preferences = context.preferences
    if folder.absolute() in preferences.model_folders():
        context.report(DataFileError(f"{folder} is already searched for models", "rescan if something was added to it"))
        return
    preferences.update(models_folders=(*preferences.current.models_folders, str(folder.absolute())))
    context.models.set_folders(preferences.model_folders())
    context.say(f"Models are also looked for in {folder}")
