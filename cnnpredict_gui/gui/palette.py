"""The command palette (Ctrl+K): every action, view, network, predictor and recent file, found by a few letters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import (
    QDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from cnnpredict_gui.gui.fuzzy import fuzzy_score
from cnnpredict_gui.gui.tables import Index
from cnnpredict_gui.gui.theme import GRID, set_role

#: Results shown at once.
SHOWN = 60
_HINT = Qt.ItemDataRole.UserRole
_COMMAND = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True)
class Command:
    """One thing to do: ``text`` is searched with ``kind`` and ``words``; ``hint`` stands at the right (shortcut, kind)."""

    text: str
    kind: str
    run: Callable[[], object]
    hint: str = ""
    words: str = ""


def ranked(commands: Sequence[Command], pattern: str) -> list[Command]:
    """Commands that answer the pattern, best first; in their order when the pattern is empty.

    The text is searched fuzzily; kind and words must contain what is typed as it is, and count less.
    """
    scored, words = [], pattern.lower().split()
    for number, command in enumerate(commands):
        score = fuzzy_score(pattern, command.text)
        if score is None:
            everything = f"{command.text} {command.kind} {command.words}".lower()
            score = 0.0 if all(word in everything for word in words) else None
        if score is not None:
            scored.append((-score, number, command))
    return [command for _, _, command in sorted(scored, key=lambda item: item[:2])][:SHOWN]


class _RowPainter(QStyledItemDelegate):
    """Text at the left, hint at the right in a quieter colour."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        super().paint(painter, option, index)
        hint = index.data(_HINT)
        if hint:
            state, palette = option.state, option.palette
            chosen = bool(state & QStyle.StateFlag.State_Selected)
            role = QPalette.ColorRole.HighlightedText if chosen else QPalette.ColorRole.PlaceholderText
            painter.setPen(QColor(palette.color(role)))
            area: QRect = option.rect
            painter.drawText(area.adjusted(0, 0, -GRID, 0), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, hint)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        size = super().sizeHint(option, index)
        return QSize(size.width(), size.height() + GRID)


class CommandPalette(QDialog):
    """A line to type in and the commands that fit; Enter runs, Escape leaves."""

    def __init__(self, commands: Sequence[Command], parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setWindowTitle("Commands")
        self.setAccessibleName("Commands")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._commands = list(commands)
        self.search = QLineEdit()
        self.list = QListWidget()
        self.nothing = QLabel("Nothing is called so. Try fewer letters.")
        self.search.setPlaceholderText("Search commands, networks, predictors, views, files")
        self.search.setAccessibleName("Search commands")
        self.search.setClearButtonEnabled(True)
        self.search.installEventFilter(self)
        self.search.textChanged.connect(self.show_matches)
        self.list.setAccessibleName("Commands found")
        self.list.setItemDelegate(_RowPainter(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.itemActivated.connect(self._run)
        self.list.itemClicked.connect(self._run)
        set_role(self.nothing, "muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID)
        layout.setSpacing(GRID)
        layout.addWidget(self.search)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.nothing)
        self.show_matches("")
        self._place(parent)
        self.search.setFocus()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A thin frame: popups have none of their own."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setPen(self.palette().color(QPalette.ColorRole.Mid))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def _place(self, parent: QWidget | None) -> None:
        """In the upper middle of the window, however small that is."""
        if parent is None:
            self.resize(640, 420)
            return
        width, height = min(680, parent.width() - 4 * GRID), min(460, parent.height() - 12 * GRID)
        self.resize(width, height)
        self.move(parent.mapToGlobal(QPoint((parent.width() - width) // 2, 6 * GRID)))

    def show_matches(self, pattern: str) -> None:
        """List what answers the pattern."""
        self.list.clear()
        for command in ranked(self._commands, pattern):
            item = QListWidgetItem(command.text, self.list)
            item.setData(_HINT, "   ".join(part for part in (command.kind, command.hint) if part))
            item.setData(_COMMAND, command)
        self.list.setCurrentRow(0)
        self.nothing.setVisible(self.list.count() == 0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            rows, row = self.list.count(), self.list.currentRow()
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 8, Qt.Key.Key_PageUp: -8}.get(
                Qt.Key(event.key())
            )
            if step is not None and rows:
                self.list.setCurrentRow((row + step) % rows if abs(step) == 1 else max(0, min(rows - 1, row + step)))
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run(self.list.currentItem())
                return True
        return super().eventFilter(watched, event)

    def _run(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            command: Command = item.data(_COMMAND)
            self.close()
            QTimer.singleShot(0, command.run)
