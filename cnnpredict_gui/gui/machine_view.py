"""This machine: a tab of pages, each made when it is first shown."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.theme import GRID
from cnnpredict_gui.gui.view import View
from cnnpredict_gui.gui.views import PAGES, ViewSpec


class MachineView(View):
    """Hosts the pages of :data:`views.PAGES`; a page is a :class:`View` and gets what a view gets.

    Pages that nobody has opened keep what the session remembers of them.
    """

    def __init__(self, context: AppContext, specs: tuple[ViewSpec, ...] = PAGES) -> None:
        super().__init__(context)
        self.pages: dict[str, View] = {}
        self._specs = specs
        self._kept: dict[str, Any] = {}
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName("Pages of this machine")
        self.tabs.tabBar().setAccessibleName("Pages of this machine")
        for place, spec in enumerate(specs):
            holder = QWidget()
            QVBoxLayout(holder).setContentsMargins(0, 0, 0, 0)
            self.tabs.addTab(holder, spec.title)
            self.tabs.setTabToolTip(place, spec.tip)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, GRID // 2, 0, 0)
        layout.addWidget(self.tabs)
        self.tabs.currentChanged.connect(self._on_tab)

    def make_page(self, name: str) -> View:
        """The page of this name, made now if it was not yet shown."""
        if name not in self.pages:
            index, spec = next((place, spec) for place, spec in enumerate(self._specs) if spec.name == name)
            page = spec.make(self.context)
            page.setObjectName(f"page-{name}")
            page.restore(self._kept.get(name, {}))
            holder = self.tabs.widget(index)
            layout = holder.layout() if holder else None
            if layout is not None:
                layout.addWidget(page)
            self.pages[name] = page
        return self.pages[name]

    def _on_tab(self, _index: int) -> None:
        if self.isVisible():
            self.activated()

    def activated(self) -> None:
        try:
            self.make_page(self.page()).activated()
        except CnnPredictError as error:
            self.context.report(error)

    def page(self) -> str:
        return self._specs[self.tabs.currentIndex()].name

    def show_page(self, name: str) -> None:
        for place, spec in enumerate(self._specs):
            if spec.name == name:
                self.tabs.setCurrentIndex(place)

    def save(self) -> dict[str, Any]:
        return {"page": self.page(), "pages": self._kept | {name: page.save() for name, page in self.pages.items()}}

    def restore(self, data: dict[str, Any]) -> None:
        kept = data.get("pages")
        self._kept = {str(name): one for name, one in kept.items() if isinstance(one, dict)} if isinstance(kept, dict) else {}
        for name, page in self.pages.items():
            page.restore(self._kept.get(name, {}))
        for place, spec in enumerate(self._specs):
            if spec.name == data.get("page"):
                self.tabs.setCurrentIndex(place)

    def busy(self) -> bool:
        return any(page.busy() for page in self.pages.values())
