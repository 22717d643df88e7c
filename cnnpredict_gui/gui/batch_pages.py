"""What the Batch view shows of a file: its columns, its first rows, and the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QSplitter, QTabWidget, QVBoxLayout, QWidget

from cnnpredict_gui import __version__
from cnnpredict_gui.gui.batch_chart import Histogram, make_tables
from cnnpredict_gui.gui.batch_data import Preview, SampleRow
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import export_button
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.mapping_form import MappingForm
from cnnpredict_gui.gui.tables import Column, TableView
from cnnpredict_gui.gui.theme import GRID, set_role

if TYPE_CHECKING:
    from cnnpredict_gui.studies.batch import BatchSummary

_SAMPLE, _RESULT, _ERRORS = range(3)


class BatchPages(QSplitter):
    """Columns of the file on the left; first rows, result, and rows in error in tabs on the right."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.context = context
        self.mapping = MappingForm()
        self.mapping_message = QLabel()
        self.sample: TableView | None = None
        self.histogram = Histogram(context)
        self.verdicts, self.errors = make_tables(context)
        self.sample_page = QWidget()
        QVBoxLayout(self.sample_page).setContentsMargins(0, GRID // 2, 0, 0)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName("File and results")
        self.tabs.addTab(self.sample_page, "First rows")
        self.tabs.addTab(self._result_page(), "Result")
        self.tabs.addTab(self._table_page(self.errors), "Rows in error")
        self.setChildrenCollapsible(False)
        self.addWidget(self._columns())
        self.addWidget(self.tabs)
        self.setStretchFactor(1, 1)
        self.setSizes([270, 640])

    # -- building -----------------------------------------------------------------------------------------------------

    def _columns(self) -> QWidget:
        set_role(self.mapping_message, "warning")
        self.mapping_message.setWordWrap(True)
        self.mapping_message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        title = QLabel("Columns")
        set_role(title, "title")
        title.setToolTip("Which parameter each column of the file holds")
        columns = QWidget()
        layout = QVBoxLayout(columns)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID // 2)
        layout.addWidget(title)
        layout.addWidget(self.mapping_message)
        layout.addWidget(self.mapping, 1)
        return columns

    def _result_page(self) -> QWidget:
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.addWidget(self.histogram)
        split.addWidget(self._table_page(self.verdicts))
        split.setSizes([380, 200])
        return split

    def _table_page(self, table: TableView) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, GRID // 2, 0, 0)
        layout.setSpacing(GRID // 2)
        title = QLabel(table.accessibleName())
        set_role(title, "title")
        row = header_row(title)
        row.addStretch(1)
        row.addWidget(export_button(table, lambda: self.context.theme.current, page, self.context.report))
        layout.addLayout(row)
        layout.addWidget(table, 1)
        return page

    # -- showing ------------------------------------------------------------------------------------------------------

    def show_file(self, preview: Preview) -> None:
        """Show another file, with a table of its columns."""
        self.mapping.show_columns(preview.table.columns, preview.mapping, preview.suggested)
        if self.sample is not None:
            self.sample.deleteLater()
        constants = {"file": preview.table.path.name, "version": __version__}
        columns = [Column(name, name, _cell(place)) for place, name in enumerate(preview.table.columns)]
        first = Column("row", "row", lambda r: r.number, numeric=True)
        error = Column("problem", "problem", lambda r: r.error, colour=lambda r, theme: theme.error if r.error else None)
        self.sample = TableView(
            self.context, "First rows", [first, error, *columns], lambda r: r.number, lambda: dict(constants)
        )
        layout = self.sample_page.layout()
        if layout is not None:
            layout.addWidget(self.sample)
        self.tabs.setCurrentIndex(_SAMPLE)

    def show_preview(self, preview: Preview) -> None:
        """Show the first rows as the present mapping reads them."""
        if self.sample is not None:
            self.sample.set_rows(preview.rows)
        self.mapping_message.setText(preview.problem)
        self.mapping_message.setVisible(bool(preview.problem))

    def show_summary(self, summary: BatchSummary | None) -> None:
        """Show a result, or none."""
        self.histogram.show_summary(summary)
        self.verdicts.set_rows(summary.models if summary else [])
        self.errors.set_rows(summary.errors if summary else [])
        self.tabs.setTabText(_ERRORS, f"Rows in error ({summary.rows_in_error:,})" if summary else "Rows in error")
        for page in (_RESULT, _ERRORS):
            self.tabs.setTabEnabled(page, summary is not None)
        if summary is not None:
            self.tabs.setCurrentIndex(_RESULT)


def _cell(place: int) -> Callable[[SampleRow], str]:
    def value(row: SampleRow) -> str:
        return row.cells[place] if place < len(row.cells) else ""

    return value
