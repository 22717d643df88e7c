"""The Log view: what the program wrote to its log, as it is written."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QFontDatabase, QGuiApplication, QHideEvent, QShowEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QLineEdit, QPlainTextEdit, QPushButton, QSplitter, QVBoxLayout

import cnnpredict_gui
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.error_dialog import open_log_folder
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.tables import Column, TableView
from cnnpredict_gui.gui.theme import GRID, Theme, set_role
from cnnpredict_gui.gui.view import View
from cnnpredict_gui.infra.log_reading import LEVELS, LogLine, LogReader

#: Milliseconds between two looks at the file while the view is shown.
LOOK_MS = 500
#: Lines kept in the view.
KEPT = 5_000


def _level_colour(line: LogLine, theme: Theme) -> str | None:
    if line.level in ("ERROR", "CRITICAL"):
        return theme.error
    return {"WARNING": theme.warning, "DEBUG": theme.muted}.get(line.level)


COLUMNS: tuple[Column, ...] = (
    Column("number", "line", lambda r: r.number, hidden=True, numeric=True),
    Column("time", "time", lambda r: r.time),
    Column("level", "level", lambda r: r.level, colour=_level_colour),
    Column("source", "source", lambda r: r.source.removeprefix("cnnpredict_gui."), hidden=True),
    Column("thread", "thread", lambda r: r.thread, hidden=True),
    Column("message", "message", lambda r: r.message),
)


class LogView(View):
    """Lines of the log file; follows the end unless scrolled away."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self._reader = LogReader()
        self._lines: list[LogLine] = []
        self.level = QComboBox()
        self.search = QLineEdit()
        self.follow = QCheckBox("&Follow")
        self.copy_button = QPushButton("&Copy")
        self.folder_button = QPushButton("Open fo&lder")
        self.table = TableView(
            context, "Log", COLUMNS, lambda line: line.number, lambda: {"version": cnnpredict_gui.__version__}
        )
        self.detail = QPlainTextEdit()
        self.summary = QLabel()
        self._build()
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.look)
        self.look()
        self.table.scrollToBottom()

    def _build(self) -> None:
        self.level.addItems([f"{level.capitalize()} and above" for level in LEVELS[:-1]])
        self.level.setCurrentIndex(LEVELS.index("INFO"))
        self.level.setAccessibleName("Least level")
        self.level.setToolTip("How important a line must be to be shown")
        self.level.currentIndexChanged.connect(self._show_lines)
        self.search.setPlaceholderText("Search the log")
        self.search.setAccessibleName("Search the log")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._show_lines)
        self.follow.setChecked(True)
        self.follow.setToolTip("Keep the newest line in sight")
        self.follow.toggled.connect(self._show_lines)
        self.copy_button.setToolTip("Copy the selected lines, or all that are shown")
        self.copy_button.clicked.connect(self.copy)
        self.folder_button.setToolTip("Show log files and crash reports in the file manager")
        self.folder_button.clicked.connect(open_log_folder)
        self.table.selectionModel().selectionChanged.connect(self._show_detail)
        self.detail.setReadOnly(True)
        self.detail.setAccessibleName("Selected line")
        self.detail.setPlaceholderText("Choose a line to read it in full.")
        self.detail.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        set_role(self.summary, "muted")
        self.summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.table)
        self.splitter.addWidget(self.detail)
        self.splitter.setStretchFactor(0, 4)
        self.splitter.setStretchFactor(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID)
        layout.setSpacing(GRID)
        row = header_row(self.search, self.level, self.follow, self.copy_button, self.folder_button)
        row.setStretch(0, 1)
        layout.addLayout(row)
        layout.addWidget(self.splitter, 1)
        layout.addWidget(self.summary)

    def showEvent(self, event: QShowEvent) -> None:
        self.look()
        self._timer.start()
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        self._timer.stop()
        super().hideEvent(event)

    def look(self) -> None:
        """Read what is new."""
        fresh = self._reader.read()
        if fresh or not self._lines:
            self._lines = (self._lines + fresh)[-KEPT:]
            self._show_lines()

    def shown(self) -> list[LogLine]:
        """Lines that level and search let through."""
        least, words = self.level.currentIndex(), self.search.text().lower().split()
        return [
            line
            for line in self._lines
            if LEVELS.index(line.level) >= least
            and all(word in f"{line.time} {line.source} {line.thread} {line.message}".lower() for word in words)
        ]

    def _show_lines(self) -> None:
        bar, chosen = self.table.verticalScrollBar(), {line.number for line in self.table.selected_rows()}
        place, lines = bar.value(), self.shown()
        self.table.set_rows(lines)
        if chosen:
            self.table.select_keys(chosen)
        if self.follow.isChecked():
            self.table.scrollToBottom()
        else:
            bar.setValue(place)
        hidden = len(self._lines) - len(lines)
        text = f"{len(lines):,} line{'' if len(lines) == 1 else 's'}" + (
            f", {hidden:,} hidden by level or search" if hidden else ""
        )
        self.summary.setText(f"{text} · {self._reader.path}")

    def _show_detail(self) -> None:
        lines = self.table.selected_rows()
        self.detail.setPlainText("\n\n".join(_full(line) for line in lines[:20]))

    def copy(self) -> None:
        """Put the selected lines, or all shown, on the clipboard as text."""
        lines = self.table.selected_rows() or self.table.shown_rows()
        text = "\n".join(f"{line.time} {line.level} {line.source} {line.thread} {line.message}".strip() for line in lines)
        QGuiApplication.clipboard().setText(text)
        self.context.say(f"Copied {len(lines):,} lines")

    def save(self) -> dict[str, Any]:
        return {"level": LEVELS[self.level.currentIndex()], "follow": self.follow.isChecked()}

    def restore(self, data: dict[str, Any]) -> None:
        if data.get("level") in LEVELS[:-1]:
            self.level.setCurrentIndex(LEVELS.index(data["level"]))
        self.follow.setChecked(data.get("follow") is not False)


def _full(line: LogLine) -> str:
    head = " ".join(part for part in (line.time, line.level, line.source, line.thread) if part)
    return f"{head}\n" + "\n".join(line.message.split(" | "))
