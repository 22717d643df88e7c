"""The help window: bundled pages, searched as one types; works offline."""

from __future__ import annotations

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QKeySequence, QShortcut, QTextCursor, QTextDocument
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QSplitter, QTextBrowser, QVBoxLayout, QWidget

from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.help_pages import FIRST, HelpPage, help_pages, search_pages
from cnnpredict_gui.gui.theme import GRID

_NAME = Qt.ItemDataRole.UserRole


class HelpWindow(QDialog):
    """Pages at the left, text at the right; stays beside the main window."""

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._pages = help_pages()
        self.setWindowTitle("Help")
        self.resize(880, 620)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search the help")
        self.search.setAccessibleName("Search the help")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._list_pages)
        self.search.returnPressed.connect(self.find_next)
        self.list = QListWidget()
        self.list.setAccessibleName("Pages of the help")
        self.list.setSpacing(GRID // 4)
        self.list.currentItemChanged.connect(self._on_item)
        self.text = QTextBrowser()
        self.text.setAccessibleName("Text of the help")
        self.text.setOpenLinks(False)
        self.text.anchorClicked.connect(self._follow)
        self.text.document().setDocumentMargin(2 * GRID)
        QShortcut(QKeySequence.StandardKey.Find, self, self.search.setFocus)
        splitter = QSplitter()
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self.list)
        splitter.addWidget(self.text)
        splitter.setSizes([220, 660])
        splitter.setStretchFactor(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID)
        layout.setSpacing(GRID)
        layout.addWidget(self.search)
        layout.addWidget(splitter, 1)
        context.theme.follow(self._render)
        self._list_pages("")
        self.show_page(FIRST)

    def page(self) -> HelpPage | None:
        """The page that is shown."""
        item = self.list.currentItem()
        name = item.data(_NAME) if item else ""
        return next((page for page in self._pages if page.name == name), None)

    def show_page(self, name: str) -> None:
        """Show a page by its name; an unknown one shows the first."""
        if self.search.text():
            self.search.clear()
        names = [self.list.item(row).data(_NAME) for row in range(self.list.count())]
        self.list.setCurrentRow(names.index(name) if name in names else 0)

    def find_next(self) -> None:
        """Mark the next place where the searched text occurs, from the top again after the last."""
        words = self.search.text().strip()
        if words and not self.text.find(words):
            self.text.moveCursor(QTextCursor.MoveOperation.Start)
            self.text.find(words, QTextDocument.FindFlag(0))

    def _list_pages(self, words: str) -> None:
        before = self.page()
        self.list.blockSignals(True)
        self.list.clear()
        for page in search_pages(self._pages, words):
            item = QListWidgetItem(page.title, self.list)
            item.setData(_NAME, page.name)
        names = [self.list.item(row).data(_NAME) for row in range(self.list.count())]
        self.list.setCurrentRow(names.index(before.name) if before and before.name in names else 0)
        self.list.blockSignals(False)
        self._render()
        if words.strip():
            self.find_next()

    def _on_item(self, _now: QListWidgetItem | None, _before: QListWidgetItem | None) -> None:
        self._render()

    def _render(self) -> None:
        page = self.page()
        self.text.setMarkdown(page.text if page else f"No page contains *{self.search.text()}*.")

    def _follow(self, link: QUrl) -> None:
        if link.scheme() in ("http", "https"):
            QDesktopServices.openUrl(link)
        else:
            self.show_page(link.path().removesuffix(".md").partition("-")[2] or link.path())
