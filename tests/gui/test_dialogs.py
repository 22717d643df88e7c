"""Dialogs: settings, usage statistics, About, errors, help, and the command palette."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialogButtonBox, QWidget
from pytestqt.qtbot import QtBot

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.core.format import show_digits, sig3
from cnnpredict_gui.gui.about import AboutDialog
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.error_dialog import ErrorDialog
from cnnpredict_gui.gui.fuzzy import fuzzy_score
from cnnpredict_gui.gui.help_pages import PAGE_OF_VIEW, help_pages, search_pages
from cnnpredict_gui.gui.help_window import HelpWindow
from cnnpredict_gui.gui.palette import Command, CommandPalette, ranked
from cnnpredict_gui.gui.problems import Problems
from cnnpredict_gui.gui.settings_dialog import SettingsDialog
from cnnpredict_gui.gui.usage_dialog import UsageDialog
from cnnpredict_gui.gui.usage_recorder import UsageRecorder
from cnnpredict_gui.gui.views import VIEWS
from cnnpredict_gui.infra.crash import crash_reports
from cnnpredict_gui.infra.settings import Settings, read_settings
from cnnpredict_gui.infra.usage import UsageCounts
from tests.gui.contract import WidgetContract

SCREEN = QSize(1024, 700)


@pytest.fixture(autouse=True)
def _three_digits() -> Iterator[None]:
    yield
    show_digits(3)


def sample_error() -> CnnPredictError:
    error = CnnPredictError("the file is empty", "choose another")
    error.add_note("Traceback\n  somewhere")
    return error


class TestSettingsContract(WidgetContract):
    maximum = SCREEN

    def make(self, context: AppContext) -> QWidget:
        return SettingsDialog(context)


class TestUsageContract(WidgetContract):
    maximum = SCREEN

    def make(self, context: AppContext) -> QWidget:
        counts = UsageCounts()
        for kind in ("models", "layers", "networks"):
            counts.count(kind, ["one", "two"])
        return UsageDialog(context, counts)


class TestAboutContract(WidgetContract):
    maximum = SCREEN

    def make(self, context: AppContext) -> QWidget:
        return AboutDialog(context)


class TestHelpContract(WidgetContract):
    maximum = SCREEN

    def make(self, context: AppContext) -> QWidget:
        return HelpWindow(context)


class TestErrorContract(WidgetContract):
    maximum = SCREEN

    def make(self, context: AppContext) -> QWidget:
        dialog = ErrorDialog(sample_error(), None, Path("crash.txt"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        return dialog


class TestPaletteContract(WidgetContract):
    maximum = SCREEN

    def make(self, context: AppContext) -> QWidget:
        palette = CommandPalette([Command(f"Command {n}", "Tools", lambda: None, "Ctrl+X") for n in range(9)])
        palette.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        return palette


# -- settings ---------------------------------------------------------------------------------------------------------


def test_settings_hold_after_ok_and_are_kept(qtbot: QtBot, context: AppContext, tmp_path: Path) -> None:
    dialog = SettingsDialog(context)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.choices["theme"].setFocus()
    qtbot.keyClick(dialog.choices["theme"], Qt.Key.Key_End)
    assert dialog.restart_note.isHidden()
    dialog.choices["scale"].setCurrentIndex(2)
    assert dialog.restart_note.isVisible() and "Restart" in dialog.restart_note.text()
    dialog.switches["count_usage"].setFocus()
    qtbot.keyClick(dialog.switches["count_usage"], Qt.Key.Key_Space)
    dialog.add_folder(str(tmp_path))
    dialog.add_folder(str(tmp_path))
    with qtbot.waitSignal(context.models.finished, timeout=20_000):
        qtbot.mouseClick(dialog.buttons.button(QDialogButtonBox.StandardButton.Ok), Qt.MouseButton.LeftButton)
    now = context.preferences.current
    assert (now.theme, now.scale, now.count_usage, now.models_folders) == ("dark", 125, False, (str(tmp_path),))
    assert read_settings() == (now, "")


def test_cancelled_settings_change_nothing(qtbot: QtBot, bare_context: AppContext) -> None:
    dialog = SettingsDialog(bare_context)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.choices["digits"].setCurrentIndex(0)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert bare_context.preferences.current == Settings()


def test_standard_values_keep_the_folders(qtbot: QtBot, bare_context: AppContext, tmp_path: Path) -> None:
    dialog = SettingsDialog(bare_context)
    qtbot.addWidget(dialog)
    dialog.choices["log_level"].setCurrentIndex(3)
    dialog.add_folder(str(tmp_path))
    dialog.show_standard()
    assert dialog.choices["log_level"].currentData() == "INFO" and dialog.values()["models_folders"] == (str(tmp_path),)
    dialog.folders.setCurrentRow(0)
    qtbot.mouseClick(dialog.remove_button, Qt.MouseButton.LeftButton)
    assert dialog.values()["models_folders"] == () and not dialog.remove_button.isEnabled()


def test_numbers_have_the_digits_that_are_set() -> None:
    show_digits(5)
    assert [sig3(value) for value in (0.0123456, 1.0, 12345.678, 99999.99)] == ["0.012346", "1.0000", "12,346", "100,000"]
    show_digits(3)
    assert sig3(0.0123456) == "0.0123"


# -- usage ------------------------------------------------------------------------------------------------------------


def test_usage_counts_what_stays_and_can_be_cleared(qtbot: QtBot, context: AppContext) -> None:
    recorder = UsageRecorder(context)
    recorder._timer.setInterval(30)
    config = context.state.config
    for channels in (8, 16, 32):
        context.state.set_config(config.model_copy(update={"output_channels": channels}))
    qtbot.waitUntil(lambda: bool(recorder.counts.most_used("layers")), timeout=5_000)
    assert recorder.counts.most_used("layers") == [(context.state.config.label(), 1)]
    assert dict(recorder.counts.most_used("models")) == dict.fromkeys(context.state.selection, 1)
    recorder.save()
    dialog = UsageDialog(context, recorder.counts)
    qtbot.addWidget(dialog)
    dialog.show()
    assert len(dialog.tables["models"].shown_rows()) == 5
    qtbot.mouseClick(dialog.clear_button, Qt.MouseButton.LeftButton)
    assert dialog.tables["models"].shown_rows() == [] and UsageCounts().most_used("layers") == []
    dialog.switch.click()
    context.state.set_config(config)
    assert not recorder._timer.isActive() and not context.preferences.current.count_usage


# -- about, errors ----------------------------------------------------------------------------------------------------


def test_about_can_be_copied(qtbot: QtBot, context: AppContext) -> None:
    dialog = AboutDialog(context)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.mouseClick(dialog.copy_button, Qt.MouseButton.LeftButton)
    text = QGuiApplication.clipboard().text()
    assert all(
        name in text for name in ("cnnpredict: ", "Python: 3", "PySide6-Essentials: 6", "onnxruntime: 1", "Models: 15 ready")
    )


def test_enter_closes_an_error_without_details(qtbot: QtBot, bare_context: AppContext) -> None:
    dialog = ErrorDialog(CnnPredictError("plain", "do this"))
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.activateWindow()
    qtbot.waitUntil(dialog.close_button.hasFocus, timeout=5_000)
    with qtbot.waitSignal(dialog.accepted, timeout=5_000):
        qtbot.keyClick(dialog.close_button, Qt.Key.Key_Return)


def test_error_details_unfold_and_are_copied(qtbot: QtBot, bare_context: AppContext) -> None:
    dialog = ErrorDialog(sample_error(), None, Path("/log/crash.txt"))
    qtbot.addWidget(dialog)
    dialog.show()
    assert not dialog.details.isVisible() and dialog.hint.text() == "Choose another"
    qtbot.mouseClick(dialog.more, Qt.MouseButton.LeftButton)
    assert dialog.details.isVisible()
    qtbot.mouseClick(dialog.copy_button, Qt.MouseButton.LeftButton)
    text = QGuiApplication.clipboard().text()
    assert all(part in text for part in ("the file is empty", "choose another", "somewhere", "/log/crash.txt"))
    qtbot.keyClick(dialog, Qt.Key.Key_Return)


def test_what_nobody_caught_is_reported_once_with_a_file(qtbot: QtBot, own_home: Path) -> None:
    shown: list[tuple[CnnPredictError, Path | None]] = []
    problems = Problems(lambda error, report: shown.append((error, report)))

    def fail() -> None:
        raise ZeroDivisionError("nothing to divide by")

    def fail_as_thread() -> None:
        try:
            fail()
        except ZeroDivisionError as error:
            args = threading.ExceptHookArgs((type(error), error, error.__traceback__, threading.current_thread()))
            problems.on_thread_exception(args)

    for _ in range(3):
        thread = threading.Thread(target=fail_as_thread, name="worker")
        thread.start()
        thread.join()
    qtbot.waitUntil(lambda: bool(shown), timeout=5_000)
    qtbot.wait(10)
    [(error, report)] = shown
    assert "ZeroDivisionError" in error.message and crash_reports() == [report]
    assert report is not None and "in: thread worker" in report.read_text(encoding="utf-8")


def test_expected_errors_write_no_crash_report(qtbot: QtBot, own_home: Path) -> None:
    shown: list[tuple[CnnPredictError, Path | None]] = []
    problems = Problems(lambda error, report: shown.append((error, report)))
    error = CnnPredictError("plain", "do this")
    problems.on_exception(type(error), error, None)
    qtbot.waitUntil(lambda: shown == [(error, None)], timeout=5_000)
    assert crash_reports() == []


# -- help -------------------------------------------------------------------------------------------------------------


def test_every_view_has_its_page_and_links_lead_somewhere() -> None:
    import re

    pages = help_pages()
    names = {page.name for page in pages}
    assert {PAGE_OF_VIEW[spec.name] for spec in VIEWS} <= names and len(names) == len(pages) >= 10
    for page in pages:
        assert page.title and page.text.startswith("# ")
        for link in re.findall(r"\]\(([^)]+)\)", page.text):
            assert link.removesuffix(".md").partition("-")[2] in names


def test_help_is_searched_as_one_types(qtbot: QtBot, context: AppContext) -> None:
    window = HelpWindow(context)
    qtbot.addWidget(window)
    window.show()
    qtbot.keyClicks(window.search, "unpickles")
    assert window.list.count() == 1 and "own" in (window.list.item(0).text())
    assert window.text.textCursor().selectedText().lower() == "unpickles"
    qtbot.keyClicks(window.search, "xyz")
    assert window.list.count() == 0 and "No page" in window.text.toPlainText()
    window.show_page("networks")
    assert window.search.text() == "" and "ρ" in window.text.toPlainText()
    assert search_pages(help_pages(), "keyboard")[0].name == "keyboard"


def test_a_link_in_the_help_is_followed(qtbot: QtBot, context: AppContext) -> None:
    from PySide6.QtCore import QUrl

    window = HelpWindow(context)
    qtbot.addWidget(window)
    window.text.anchorClicked.emit(QUrl("30-time-kinds.md"))
    page = window.page()
    assert page is not None and page.name == "time-kinds"


# -- palette ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "texts", "best"),
    [
        ("r50", ["ResNet-152", "ResNet-50", "RegNet"], "ResNet-50"),
        ("dark", ["Copy data", "Colours: Dark"], "Colours: Dark"),
        ("set", ["Reset layer", "Settings"], "Settings"),
        ("l40s xgb", ["Add NVIDIA L40S · XGBoost", "Add NVIDIA L40S · Random forest"], "Add NVIDIA L40S · XGBoost"),
        ("SAVE as", ["Save session", "Save session as"], "Save session as"),
    ],
)
def test_fuzzy_search_finds_what_is_meant(pattern: str, texts: list[str], best: str) -> None:
    assert max(texts, key=lambda text: -1e9 if (s := fuzzy_score(pattern, text)) is None else s) == best


def test_fuzzy_search_refuses_what_lacks_letters() -> None:
    assert fuzzy_score("xq", "ResNet-50") is None and fuzzy_score("", "anything") == 0
    commands = [Command("First", "View", lambda: None), Command("Second", "View", lambda: None)]
    assert ranked(commands, "") == commands and ranked(commands, "zzz") == []
    assert ranked(commands, "view sec") == commands[1:]


def test_the_palette_runs_by_keyboard_and_mouse(qtbot: QtBot, bare_context: AppContext) -> None:
    ran: list[str] = []
    commands = [Command(name, "Tools", lambda n=name: ran.append(n)) for name in ("Alpha", "Beta", "Gamma")]  # type: ignore[misc]
    palette = CommandPalette(commands)
    palette.show()
    qtbot.keyClick(palette.search, Qt.Key.Key_Down)
    qtbot.keyClick(palette.search, Qt.Key.Key_Down)
    qtbot.keyClick(palette.search, Qt.Key.Key_Down)
    qtbot.keyClick(palette.search, Qt.Key.Key_Up)
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: ran == ["Gamma"], timeout=5_000)
    palette = CommandPalette(commands)
    palette.show()
    qtbot.keyClicks(palette.search, "bet")
    assert palette.list.count() == 1
    place = palette.list.visualItemRect(palette.list.item(0)).center()
    qtbot.mouseClick(palette.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: ran == ["Gamma", "Beta"], timeout=5_000)
    palette = CommandPalette(commands)
    palette.show()
    qtbot.keyClicks(palette.search, "nothing like it")
    assert palette.nothing.isVisible()
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    qtbot.keyClick(palette.search, Qt.Key.Key_Escape)
    qtbot.wait(10)
    assert ran == ["Gamma", "Beta"]
