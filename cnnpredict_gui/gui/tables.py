"""Base of all tables: sortable, numbers aligned, column choice, copy and export."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRectF,
    QSizeF,
    Qt,
)
from PySide6.QtGui import (
    QAction,
    QColor,
    QContextMenuEvent,
    QFont,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTableView, QWidget

from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.csv_text import Cell
from cnnpredict_gui.gui.export import Data, copy_data, export_menu
from cnnpredict_gui.gui.format import sig3
from cnnpredict_gui.gui.menus import pop_up
from cnnpredict_gui.gui.painting import PaintedInTurns
from cnnpredict_gui.gui.problems import told
from cnnpredict_gui.gui.theme import Theme
from cnnpredict_gui.gui.turns import Steps

Index = QModelIndex | QPersistentModelIndex
#: Columns are made at most this wide by themselves.
_MAX_COLUMN_PX = 210
#: Fitting a column measures the longest of the texts of so many rows, so that it takes a few milliseconds with any table.
_FIT_ROWS, _FIT_TEXTS, _CELL_PX = 200, 4, 16
#: Keeps a number at the right end of its cell apart from a text at the left end of the next.
_GAP = "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}"
#: Pictures of tables show at most this many rows; the CSV has all.
PICTURE_ROWS = 200


@dataclass(frozen=True)
class Column:
    """One column over row objects.

    Args:
        key: Name in exports, with unit, e.g. ``time_ms``.
        title: Header on screen, with unit, e.g. ``time (ms)``.
        value: Row to the raw value (exported, sorted by).
        text: Row to the text on screen; by default numbers with 3 significant digits.
        tip: Tooltip of the header.
        colour: Row and theme to a text colour (hex) or None.
        hidden: Whether the column starts hidden.
        numeric: Whether to align to the right.
    """

    key: str
    title: str
    value: Callable[[Any], Cell]
    text: Callable[[Any], str] | None = None
    tip: str = ""
    colour: Callable[[Any, Theme], str | None] | None = None
    hidden: bool = False
    numeric: bool = False

    def shown(self, row: Any) -> str:
        """Text on screen."""
        if self.text is not None:
            return self.text(row)
        value = self.value(row)
        if isinstance(value, float):
            return sig3(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return f"{value:,}"
        return "" if value is None else str(value)


class RowsModel(QAbstractTableModel):
    """Rows of any objects, shown through :class:`Column` definitions; updated in place when the keys stay the same.

    It sorts by itself: a ``QSortFilterProxyModel`` asks Python for two values at each comparison, which takes a table of
    thousands of rows a sixth of a second.
    """

    def __init__(self, columns: Sequence[Column], key: Callable[[Any], Hashable], theme: Callable[[], Theme]) -> None:
        super().__init__()
        self.columns = tuple(columns)
        #: In the order given.
        self.rows: list[Any] = []
        self.key = key
        self._theme = theme
        self._order: list[int] = []
        self._sorting = (-1, Qt.SortOrder.AscendingOrder)

    @property
    def shown(self) -> list[Any]:
        """Rows in the order on screen."""
        return [self.rows[place] for place in self._order]

    def at(self, line: int) -> Any:
        """The row on a line of the screen."""
        return self.rows[self._order[line]]

    def set_rows(self, rows: Sequence[Any]) -> bool:
        """Replace the rows; true when others came or went. Selection and scroll position survive when the keys are the same."""
        fresh = list(rows)
        if [self.key(row) for row in fresh] == [self.key(row) for row in self.rows]:
            self.rows = fresh
            if fresh:
                self.dataChanged.emit(self.index(0, 0), self.index(len(fresh) - 1, len(self.columns) - 1))
            self._arrange()
            return False
        self.replace(self.columns, fresh)
        return True

    def replace(self, columns: Sequence[Column], rows: Sequence[Any]) -> None:
        """Show other rows through other columns; forget what was selected."""
        self.beginResetModel()
        self.columns, self.rows = tuple(columns), list(rows)
        if self._sorting[0] >= len(self.columns):
            self._sorting = (-1, Qt.SortOrder.AscendingOrder)
        self._order = self._sorted()
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Show the rows by the values of a column (-1: as given); rows without a value come last either way."""
        self._sorting = (column, order)
        self._arrange()

    def _sorted(self) -> list[int]:
        column, order = self._sorting
        places = range(len(self.rows))
        if column < 0:
            return list(places)
        values = [self.columns[column].value(row) for row in self.rows]
        absent = [value is None or (isinstance(value, float) and math.isnan(value)) for value in values]
        present = [place for place in places if not absent[place]]
        present.sort(
            key=lambda place: (isinstance(values[place], str), values[place]), reverse=order == Qt.SortOrder.DescendingOrder
        )
        return present + [place for place in places if absent[place]]

    def _arrange(self) -> None:
        """Put the rows into their order; what is selected stays so."""
        fresh = self._sorted()
        if fresh == self._order:
            return
        self.layoutAboutToBeChanged.emit()
        line = {place: row for row, place in enumerate(fresh)}
        before = self.persistentIndexList()
        after = [self.index(line[self._order[index.row()]], index.column()) for index in before]
        self._order = fresh
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.columns)

    @told
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        column, row = self.columns[index.column()], self.at(index.row())
        if role == Qt.ItemDataRole.DisplayRole:
            return column.shown(row) + _GAP if column.numeric else column.shown(row)
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.shown(row)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.numeric else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ForegroundRole and column.colour is not None:
            colour = column.colour(row, self._theme())
            return QColor(colour) if colour else None
        return None

    @told
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title + _GAP if column.numeric else column.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tip or column.title
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.numeric else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None


class TableView(PaintedInTurns, QTableView):
    """A table of row objects.

    Args:
        context: The application's services.
        title: Accessible name and name of exported files.
        columns: What to show.
        key: Row to its identity, so that updates keep the selection.
        constants: Further columns of an export with one value for all rows, e.g. the version.
    """

    def __init__(
        self,
        context: AppContext,
        title: str,
        columns: Sequence[Column],
        key: Callable[[Any], Hashable],
        constants: Callable[[], dict[str, Cell]] = dict,
    ) -> None:
        super().__init__()
        self.context = context
        self._constants = constants
        self._fitted: dict[int, int] = {}
        self.rows_model = RowsModel(columns, key, lambda: context.theme.current)
        self.setModel(self.rows_model)
        self.setAccessibleName(title)
        self.setSortingEnabled(True)
        self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        corner = QWidget()
        corner.setAutoFillBackground(True)
        self.setCornerWidget(corner)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsMovable(True)
        header.setAccessibleName(f"{title}, columns")
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._header_menu)
        for section, column in enumerate(columns):
            self.setColumnHidden(section, column.hidden)
        context.theme.changed.connect(self._recolour)

    def _recolour(self) -> None:
        self.viewport().update()

    def set_rows(self, rows: Sequence[Any]) -> None:
        """Show these rows."""
        structure = self.rows_model.set_rows(rows)
        if structure and rows and self._untouched():
            self.fit_columns()

    def fit_columns(self) -> None:
        """Make every column as wide as its content needs, up to a limit; of many rows some are looked at."""
        rows = self.rows_model.rows
        sample = rows[:: -(-len(rows) // _FIT_ROWS) or 1]
        for section in range(len(self.rows_model.columns)):
            self._fit_column(section, sample)

    def _fit_column(self, section: int, sample: Sequence[Any]) -> None:
        column, metrics = self.rows_model.columns[section], self.fontMetrics()
        texts = sorted({column.shown(row) for row in sample}, key=len)[-_FIT_TEXTS:]
        content = max((metrics.horizontalAdvance(text) for text in texts), default=0) + _CELL_PX
        self.setColumnWidth(section, min(max(content, self.horizontalHeader().sectionSizeHint(section)), _MAX_COLUMN_PX))
        self._fitted[section] = self.columnWidth(section)

    def _untouched(self) -> bool:
        """Whether the user has left the widths as they were fitted (the last column stretches by itself)."""
        shown = self._sections()[:-1]
        return all(self.columnWidth(section) == self._fitted.get(section, self.columnWidth(section)) for section in shown)

    def selected_rows(self) -> list[Any]:
        """Row objects that are selected, from top to bottom."""
        lines = sorted(index.row() for index in self.selectionModel().selectedRows())
        return [self.rows_model.at(line) for line in lines]

    def select_keys(self, keys: Collection[Hashable]) -> None:
        """Select the rows of these keys too; the current row stays."""
        model, selection = self.rows_model, self.selectionModel()
        flags = selection.SelectionFlag.Select | selection.SelectionFlag.Rows
        for line, row in enumerate(model.shown):
            if model.key(row) in keys:
                selection.select(model.index(line, 0), flags)

    def shown_rows(self) -> list[Any]:
        """Row objects in the order on screen."""
        return self.rows_model.shown

    def column_menu(self, parent: QWidget) -> QMenu:
        """Menu to show and hide columns, owned by ``parent``."""
        menu = QMenu("Columns", parent)
        for section, column in enumerate(self.rows_model.columns):
            action = QAction(column.title, menu)
            action.setCheckable(True)
            action.setChecked(not self.isColumnHidden(section))
            action.toggled.connect(lambda on, s=section: self._show_column(s, on))
            menu.addAction(action)
        return menu

    def _show_column(self, section: int, on: bool) -> None:
        shown = [s for s in range(len(self.rows_model.columns)) if not self.isColumnHidden(s)]
        if on or shown != [section]:
            self.setColumnHidden(section, not on)

    def set_title(self, key: str, title: str) -> None:
        """Call the column of this key otherwise on screen."""
        model = self.rows_model
        for section, column in enumerate(model.columns):
            if column.key == key and column.title != title:
                model.columns = (*model.columns[:section], replace(column, title=title), *model.columns[section + 1 :])
                model.headerDataChanged.emit(Qt.Orientation.Horizontal, section, section)
                self._fit_column(section, model.rows[:_FIT_ROWS])

    def show_columns(self, keys: Sequence[str], on: bool) -> None:
        """Show or hide columns by their keys."""
        for section, column in enumerate(self.rows_model.columns):
            if column.key in keys:
                self._show_column(section, on)
                self._fit_column(section, self.rows_model.rows[:_FIT_ROWS])

    def _header_menu(self, position: QPoint) -> None:
        pop_up(self.column_menu(self), self.horizontalHeader().mapToGlobal(position))

    def make_menu(self) -> QMenu:
        """The context menu."""
        menu = export_menu(self, lambda: self.context.theme.current, self, self.context.report)
        menu.addSeparator()
        menu.addMenu(self.column_menu(menu))
        menu.addAction("Fit columns", self.fit_columns)
        return menu

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        pop_up(self.make_menu(), event.globalPos())

    def paint_now(self, event: QPaintEvent) -> None:
        self.fill(event.rect())
        super().paint_now(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the row without scrolling sideways to the cell that was hit."""
        place = self.horizontalScrollBar().value()
        super().mousePressEvent(event)
        self.horizontalScrollBar().setValue(place)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            copy_data(_Selected(self) if self.selectionModel().hasSelection() else self, self.context.report)
            return
        super().keyPressEvent(event)

    def save_columns(self) -> dict[str, Any]:
        """Which columns are hidden, for the session."""
        return {"hidden": [c.key for s, c in enumerate(self.rows_model.columns) if self.isColumnHidden(s)]}

    def restore_columns(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`save_columns` gave."""
        if "hidden" in data:
            for section, column in enumerate(self.rows_model.columns):
                self.setColumnHidden(section, column.key in data["hidden"])

    # -- Exportable ---------------------------------------------------------------------------------------------------

    def _sections(self) -> list[int]:
        header = self.horizontalHeader()
        order = (header.logicalIndex(position) for position in range(header.count()))
        return [section for section in order if not self.isColumnHidden(section)]

    def export_name(self) -> str:
        """File name made of the title."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.accessibleName()).lower().split()) or "table"

    def export_size(self) -> QSizeF:
        """Room for the header and the first :data:`PICTURE_ROWS` rows, as wide as the texts need."""
        rows = min(len(self.rows_model.rows), PICTURE_ROWS)
        return QSizeF(sum(self._widths(self._texts())), (rows + 1) * self._row_height())

    def _row_height(self) -> int:
        return self.fontMetrics().height() + 8

    def _texts(self) -> list[list[str]]:
        """Title and cells of each column of a picture."""
        rows = self.shown_rows()[:PICTURE_ROWS]
        columns = [self.rows_model.columns[section] for section in self._sections()]
        return [[column.title, *(column.shown(row) for row in rows)] for column in columns]

    def _widths(self, texts: list[list[str]]) -> list[int]:
        metrics = self.fontMetrics()
        return [max(metrics.horizontalAdvance(text) for text in (f"{title}  ", *cells)) + 24 for title, *cells in texts]

    def export_paint(self, painter: QPainter, area: QRectF, theme: Theme) -> Steps[None]:
        """Paint header and rows as plain text, a column in each step."""
        height, rows, texts = self._row_height(), self.shown_rows()[:PICTURE_ROWS], self._texts()
        columns = [self.rows_model.columns[section] for section in self._sections()]
        bold, plain = QFont(self.font()), QFont(self.font())
        bold.setBold(True)
        x = area.left()
        for column, (title, *cells), width in zip(columns, texts, self._widths(texts), strict=True):
            side = Qt.AlignmentFlag.AlignRight if column.numeric else Qt.AlignmentFlag.AlignLeft
            cell = QRectF(x + 8, area.top(), width - 16, height)
            painter.setFont(bold)
            painter.setPen(QColor(theme.text))
            painter.drawText(cell, side | Qt.AlignmentFlag.AlignVCenter, title)
            painter.setFont(plain)
            for row, text in zip(rows, cells, strict=True):
                cell.translate(0, height)
                painter.setPen(QColor((column.colour(row, theme) if column.colour else None) or theme.text))
                painter.drawText(cell, side | Qt.AlignmentFlag.AlignVCenter, text)
            x += width
            yield
        painter.setPen(QPen(QColor(theme.border), 1))
        painter.drawLine(QPointF(area.left(), area.top() + height), QPointF(x, area.top() + height))

    def export_data(self) -> Data:
        """All columns (hidden ones too) of all rows in the order on screen."""
        return self._data(self.shown_rows())

    def _data(self, rows: list[Any]) -> Data:
        columns = self.rows_model.columns
        values = (tuple(column.value(row) for column in columns) for row in rows)
        return Data(tuple(column.key for column in columns), values, self._constants())


class _Selected:
    """The selected rows of a table, for copying."""

    def __init__(self, table: TableView) -> None:
        self._table, self.context = table, table.context
        self.export_name = table.export_name
        self.export_size = table.export_size
        self.export_paint = table.export_paint

    def export_data(self) -> Data:
        return self._table._data(self._table.selected_rows())
