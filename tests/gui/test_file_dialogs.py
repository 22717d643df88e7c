"""Where dialogs for files begin."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from cnnpredict_gui.gui import file_dialogs
from cnnpredict_gui.infra.paths import resources_dir


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where each dialog began; all are answered by a file in the folder ``else`` of there, except the first."""
    places: list[str] = []
    monkeypatch.setattr(file_dialogs._Last, "folder", None)

    def answer(_parent: QWidget, _title: str, place: str, *_filters: str) -> tuple[str, str]:
        places.append(place)
        return ("" if len(places) == 1 else str(Path(place) / "else" / "a.csv")), ""

    for name in ("getOpenFileName", "getSaveFileName"):
        monkeypatch.setattr(QFileDialog, name, answer)
    return places


def test_a_dialog_begins_where_the_last_one_ended(
    qtbot: QtBot, begun: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "else").mkdir()
    parent = QWidget()
    qtbot.addWidget(parent)
    assert file_dialogs.ask_to_open(parent, "Open", "") == ""
    assert file_dialogs.ask_to_open(parent, "Open", "") == str(tmp_path / "else" / "a.csv")
    file_dialogs.ask_to_save(parent, "Save", "times.csv", "")
    assert begun == [str(tmp_path), str(tmp_path), str(tmp_path / "else" / "times.csv")]


@pytest.mark.parametrize("folder", [resources_dir(), Path(Path.cwd().anchor)])
def test_the_programs_own_folder_is_no_place_to_work_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert file_dialogs.first_folder() == Path.home()
