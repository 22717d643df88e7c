"""Files of older versions are brought up to date, those of newer ones left alone, damaged ones kept aside; nothing is fatal."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnpredict_gui.core.errors import DataFileError, OutputError
from cnnpredict_gui.gui import session
from cnnpredict_gui.gui.arguments import Arguments
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.error_dialog import ErrorDialog
from cnnpredict_gui.gui.main_window import MainWindow
from cnnpredict_gui.gui.session import SessionKeeper, autosave_file, last_session, read_session
from cnnpredict_gui.infra import json_store, settings, usage
from cnnpredict_gui.infra.json_store import Content, Step, read_json, up_to_date, write_json
from cnnpredict_gui.infra.settings import Settings, read_settings, settings_file, write_settings
from cnnpredict_gui.infra.usage import UsageCounts
from cnnpredict_gui.studies import own_presets
from cnnpredict_gui.studies.own_presets import OwnPresets, read_preset_file
from tests.gui.test_app import start

DATA = Path(__file__).parent / "data"


def _renamed(content: Content) -> Content:
    return {"colour": content["color"]}


def _as_list(content: Content) -> Content:
    return {"colours": [content["colour"]]}


def _counted(content: Content) -> Content:
    return content | {"count": len(content["colours"])}


STEPS: tuple[Step, ...] = (_renamed, _as_list, _counted)


@pytest.mark.parametrize(
    "content",
    [
        {"format": 1, "color": "red"},
        {"format": 2, "colour": "red"},
        {"format": 3, "colours": ["red"]},
        {"format": 4, "colours": ["red"], "count": 1},
    ],
    ids=lambda content: f"from {content['format']}",
)
def test_every_older_format_takes_its_own_steps(content: Content, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert read_json(path, 4, STEPS) == ({"format": 4, "colours": ["red"], "count": 1}, "")
    assert json.loads(path.read_text(encoding="utf-8")) == content  # reading changes nothing


def test_an_old_file_that_lacks_what_a_step_needs_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text('{"format": 1}', encoding="utf-8")
    data, problem = read_json(path, 4, STEPS)
    assert data == {} and "cannot be brought from format 1 to 2" in problem and not path.exists()
    with pytest.raises(DataFileError, match="does not know"):
        up_to_date("file", {"format": 1}, 5, STEPS)  # older than the oldest step


def test_a_newer_file_is_left_alone_by_reading_and_writing(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text('{"format": 5, "new": true}', encoding="utf-8")
    data, problem = read_json(path, 4, STEPS)
    assert data == {} and "is of format 5, this version reads up to 4" in problem
    with pytest.raises(OutputError, match="is of format 5"):
        write_json(path, {"old": True}, 4)
    assert path.read_text(encoding="utf-8") == '{"format": 5, "new": true}' and len(list(tmp_path.iterdir())) == 1


def test_what_was_damaged_while_the_program_ran_is_kept_when_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(b"\x00\xff not ours")
    write_json(path, {"a": 1}, 1)
    (kept,) = tmp_path.glob("file.damaged-*")
    assert kept.read_bytes() == b"\x00\xff not ours" and read_json(path, 1) == ({"format": 1, "a": 1}, "")


def test_many_damaged_files_of_one_second_are_all_kept(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / "file.json").write_text(f"damaged {number}", encoding="utf-8")
        read_json(tmp_path / "file.json", 1)
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == [f"damaged {number}" for number in range(5)]


def test_a_journal_of_sqlite_goes_with_its_file(tmp_path: Path) -> None:
    for name in ("a.sqlite", "a.sqlite-journal", "a.sqlite-wal"):
        (tmp_path / name).write_text(name)
    text = json_store.set_aside(tmp_path / "a.sqlite", "is damaged")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert text.startswith("a.sqlite is damaged; it was kept as") and len(names) == 3
    assert all(name.startswith("a.damaged-") for name in names) and names[1] == f"{names[0]}-journal"


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
def test_what_is_no_file_is_told_and_not_touched(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("folder.json", "pipe.json"):
        data, problem = read_json(tmp_path / name, 1)
        assert data == {} and "no plain file" in problem
        with pytest.raises(OutputError):
            write_json(tmp_path / name, {}, 1)
    assert (tmp_path / "folder.json").is_dir() and (tmp_path / "pipe.json").is_fifo()


def test_names_in_another_encoding_survive(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    name = b"/home/m\xfcller/x.onnx".decode("utf-8", "surrogateescape")
    write_json(path, {"recent": name, "plain": "größer"}, 1)
    assert read_json(path, 1) == ({"format": 1, "recent": name, "plain": "größer"}, "")


#: What each file of format 1 must give for ever.
def _settings_of(path: Path) -> Any:
    return read_settings(path)


def _usage_of(path: Path) -> Any:
    counts = UsageCounts(path)
    return counts.problem, counts.since, {kind: counts.most_used(kind) for kind in usage.KINDS}


def _preset_of(path: Path) -> Any:
    found = read_preset_file(path)
    return found.name, [(layer.name, layer.config and layer.config.kernel_height) for layer in found.layers]


FIRST_FORMATS: dict[str, tuple[Callable[[Path], Any], Any]] = {
    "settings-format-1.json": (
        _settings_of,
        (
            Settings(
                theme="dark",
                scale=125,
                digits=4,
                models_folders=("/home/müller/models",),
                export_scale=3,
                export_background="white",
                log_level="DEBUG",
                count_usage=False,
                welcomed=True,
                recent_files=("/home/müller/net.onnx",),
            ),
            "",
        ),
    ),
    "usage-format-1.json": (
        _usage_of,
        (
            "",
            "2026-11-01",
            {
                "models": [("rf_prediction-training-cpu", 12)],
                "layers": [("128×56×56 → 128, 3×3", 3)],
                "networks": [("resnet50", 2)],
            },
        ),
    ),
    "preset-format-1.json": (_preset_of, ("Meine Schichten", [("conv1", 7)])),
}


@pytest.mark.parametrize("name", FIRST_FORMATS)
def test_files_of_the_first_format_are_read_for_ever(name: str, tmp_path: Path) -> None:
    read, expected = FIRST_FORMATS[name]
    shutil.copy(DATA / name, tmp_path / name)
    assert read(tmp_path / name) == expected
    assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes()


def test_a_session_of_format_1_is_opened_and_saved_in_the_new_one(context: AppContext, qtbot: QtBot, tmp_path: Path) -> None:
    window = MainWindow()
    qtbot.addWidget(window)
    window.set_context(context)
    keeper = SessionKeeper(window, window)
    keeper.start(context)
    keeper.open(DATA / "session-format-1.cnnpredict")
    state = context.state
    assert (state.config.output_channels, state.config.batch_size) == (48, 4)
    qtbot.waitUntil(lambda: [pin.name for pin in state.pinned] == ["größer"], timeout=5_000)
    assert state.selection == ("rf_prediction-training-cpu",)
    outcomes: list[object] = []
    keeper.save(tmp_path / "new.cnnpredict", outcomes.append, outcomes.append)
    qtbot.waitUntil(lambda: outcomes == [tmp_path / "new.cnnpredict"], timeout=5_000)
    saved = json.loads((tmp_path / "new.cnnpredict").read_text(encoding="utf-8"))
    assert (saved["format"], saved["kind"]) == (session.FORMAT, session.KIND) and saved["state"]["config"]["batch_size"] == 4
    assert read_session(tmp_path / "new.cnnpredict") == saved
    window.context = None


def test_the_kept_session_of_format_1_is_restored(own_home: Path) -> None:
    autosave_file().parent.mkdir(parents=True)
    shutil.copy(DATA / "session-format-1.cnnpredict", autosave_file())
    data, problem = last_session()
    assert problem == "" and data["format"] == session.FORMAT and data["state"]["config"]["output_channels"] == 48


def test_the_chains_of_steps_lead_to_the_formats_of_today() -> None:
    assert 1 + len(session.STEPS) == session.FORMAT
    assert 1 + len(settings.STEPS) == settings.FORMAT
    assert 1 + len(usage.STEPS) == usage.FORMAT
    assert 1 + len(own_presets.STEPS) == own_presets.OWN_PRESET_FORMAT


@pytest.mark.parametrize("content", [{"kind": "something else"}, {"kind": 3}, {}])
def test_another_programs_json_is_no_session(content: Content, tmp_path: Path) -> None:
    (tmp_path / "x.cnnpredict").write_text(json.dumps({"format": session.FORMAT, "state": {}} | content), encoding="utf-8")
    with pytest.raises(DataFileError, match="is no session"):
        read_session(tmp_path / "x.cnnpredict")


def test_settings_and_usage_of_a_newer_version_stay(own_home: Path) -> None:
    text = json.dumps({"format": 99, "theme": "dark"})
    for path in (settings_file(), own_home / "data" / usage.FILE_NAME):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    found, problem = read_settings()
    assert found == Settings() and "format 99" in problem
    counts = UsageCounts()
    counts.count("models", ["a"])
    writes: list[Callable[[], None]] = [lambda: write_settings(Settings(theme="light")), counts.save]
    for write in writes:
        with pytest.raises(OutputError, match="format 99"):
            write()
    assert settings_file().read_text(encoding="utf-8") == text


@pytest.mark.parametrize("text", ["", "{ damaged", '{"format": 99}', '{"format": 1, "digits": "many"}'])
def test_the_window_starts_with_any_settings_and_tells(
    text: str, qtbot: QtBot, qapp: QApplication, own_home: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnpredict_gui.gui.preferences.model_folders", lambda extra=(): [models_folder])
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text(text, encoding="utf-8")
    application = start(qtbot, qapp, Arguments())
    told = application.window.findChildren(ErrorDialog)
    assert [dialog.error.message for dialog in told] == ["not all settings could be read"] and told[0].error.hint
    told[0].close()
    application.window.close()
    application.dispose()
    kept = [path.read_text(encoding="utf-8") for path in settings_file().parent.iterdir()]
    assert text in kept or text.startswith('{"format": 1')


def test_presets_that_cannot_be_used_do_not_hide_the_others(own_home: Path) -> None:
    folder = own_home / "data" / "presets"
    folder.mkdir(parents=True)
    shutil.copy(DATA / "preset-format-1.json", folder / "mine.json")
    (folder / "broken.json").write_text("{", encoding="utf-8")
    (folder / "newer.json").write_text('{"format": 7, "kind": "cnnpredict preset"}', encoding="utf-8")
    own = OwnPresets()
    assert [one.name for one in own.list()] == ["Meine Schichten"] and len(own.set_aside) == 2
    assert (folder / "newer.json").exists() and not (folder / "broken.json").exists()
    assert len(list(folder.glob("broken.damaged-*"))) == 1
