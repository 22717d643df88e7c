"""The view "This machine" and its pages."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.help_pages import help_pages, page_of
from cnnpredict_gui.gui.machine_view import MachineView
from cnnpredict_gui.gui.main_window import MainWindow
from cnnpredict_gui.gui.view import View
from cnnpredict_gui.gui.views import PAGES, VIEWS, ViewSpec
from tests.gui.conftest import Reports
from tests.gui.contract import WidgetContract

MACHINE = next(spec for spec in VIEWS if spec.name == "machine")


class CountingPage(View):
    """Remembers what it was asked."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.activations = 0
        self.kept: dict[str, Any] = {}
        self.working = False

    def activated(self) -> None:
        self.activations += 1

    def save(self) -> dict[str, Any]:
        return self.kept

    def restore(self, data: dict[str, Any]) -> None:
        self.kept = data

    def busy(self) -> bool:
        return self.working


class BrokenPage(View):
    def __init__(self, context: AppContext) -> None:
        raise ModelFileError("the page is broken", "mend it")


SPECS = (
    ViewSpec("one", "One", f"{__name__}:CountingPage", "the first"),
    ViewSpec("two", "Two", f"{__name__}:CountingPage", "the second"),
    ViewSpec("bad", "Bad", f"{__name__}:BrokenPage", "breaks"),
)


def click_tab(qtbot: QtBot, view: MachineView, place: int) -> None:
    bar = view.tabs.tabBar()
    qtbot.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(place).center())


@pytest.fixture
def view(qtbot: QtBot, bare_context: AppContext) -> MachineView:
    made = MachineView(bare_context, SPECS)
    qtbot.addWidget(made)
    return made


class TestContract(WidgetContract):
    def make(self, context: AppContext) -> QWidget:
        view = MachineView(context)
        view.activated()
        return view


def test_pages_are_made_when_first_shown(qtbot: QtBot, view: MachineView) -> None:
    assert view.pages == {}
    view.show()
    view.activated()
    assert list(view.pages) == ["one"] and view.page() == "one"
    click_tab(qtbot, view, 1)
    assert list(view.pages) == ["one", "two"]
    qtbot.waitUntil(view.pages["two"].isVisible)
    click_tab(qtbot, view, 0)
    click_tab(qtbot, view, 1)
    assert [page.activations for page in view.pages.values()] == [2, 2]  # type: ignore[attr-defined]


def test_what_pages_keep_survives_even_unopened(qtbot: QtBot, view: MachineView, bare_context: AppContext) -> None:
    kept = {"page": "two", "pages": {"one": {"a": 1}, "two": {"b": 2}, "gone": {"c": 3}}}
    view.restore(kept)
    assert view.pages == {} and view.save() == kept
    view.show()
    view.activated()
    assert list(view.pages) == ["two"] and view.pages["two"].save() == {"b": 2}
    view.pages["two"].restore({"b": 5})
    assert view.save()["pages"] == {"one": {"a": 1}, "two": {"b": 5}, "gone": {"c": 3}}
    view.restore({"page": 7, "pages": "nonsense"})
    assert view.page() == "two" and view.pages["two"].save() == {}


def test_a_page_at_work_makes_the_view_busy(view: MachineView) -> None:
    assert not view.busy()
    view.make_page("two").working = True  # type: ignore[attr-defined]
    assert view.busy()


def test_a_broken_page_is_reported_and_leaves_the_others(qtbot: QtBot, view: MachineView, reports: Reports) -> None:
    view.show()
    click_tab(qtbot, view, 2)
    assert [error.message for error in reports.errors] == ["the page is broken"]
    click_tab(qtbot, view, 1)
    assert list(view.pages) == ["two"]


def test_the_window_shows_a_page_by_name(qtbot: QtBot, context: AppContext) -> None:
    window = MainWindow()
    qtbot.addWidget(window)
    window.set_context(context)
    window.add_views((VIEWS[-1], MACHINE))
    window.show()
    assert {f"machine.{spec.name}" for spec in PAGES} < set(window.places()) and "log" in window.places()
    for spec in reversed(PAGES):
        window.show_view(f"machine.{spec.name}")
        assert window.current_place() == f"machine.{spec.name}"
        page = window.views["machine"].pages[spec.name]  # type: ignore[attr-defined]
        qtbot.waitUntil(page.isVisible)
    window.show_view("log")
    assert window.current_place() == "log"
    window.context = None


def test_every_page_has_help() -> None:
    names = {page.name for page in help_pages()}
    assert {page_of(place) for place in MACHINE.places} <= names and page_of("unknown.page") in names
    assert page_of("machine.system") == "system" and page_of("machine.nothing of its own") == page_of("machine")
    assert MACHINE.places == [f"machine.{spec.name}" for spec in PAGES] and VIEWS[0].places == ["compare"]


def test_pictures_are_taken_of_every_page() -> None:
    from tools.screenshots import view_names

    names = view_names()
    assert {f"machine.{spec.name}" for spec in PAGES} < set(names) and "machine" not in names and "compare" in names
