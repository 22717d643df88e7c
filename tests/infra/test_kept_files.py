"""Settings, usage counts and the JSON files behind them: damage is set aside, never fatal."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cnnpredict_gui.core.errors import OutputError
from cnnpredict_gui.infra import settings
from cnnpredict_gui.infra.json_store import read_json, write_json
from cnnpredict_gui.infra.settings import Settings, read_settings, settings_file, write_settings
from cnnpredict_gui.infra.usage import KEPT, UsageCounts


def test_json_reads_back_and_a_missing_file_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.json"
    assert read_json(path, 1) == ({}, "")
    write_json(path, {"text": "ü→×"}, 1)
    assert read_json(path, 1) == ({"format": 1, "text": "ü→×"}, "")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1]", '{"format": 0}', '{"format": true}', '{"format": "1"}', '{"no": "format"}', "[" * 100_000, "\x00\xff"],
)
def test_a_damaged_file_is_set_aside_with_its_content(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(text, encoding="latin-1")
    data, problem = read_json(path, 1)
    kept = list(tmp_path.iterdir())
    assert data == {} and len(kept) == 1 and kept[0].name.startswith("file.damaged-") and str(kept[0]) in problem
    assert kept[0].read_text(encoding="latin-1") == text


def test_settings_read_back(own_home: Path) -> None:
    wanted = Settings(theme="dark", scale=150, models_folders=("/a", "/b"), count_usage=False, recent_files=("/x.onnx",))
    write_settings(wanted)
    assert own_home in settings_file().parents and read_settings() == (wanted, "")


def test_settings_of_other_versions_and_wrong_values(own_home: Path) -> None:
    wrong = {
        "theme": "pink",
        "scale": 110,
        "digits": "3",
        "models_folders": "no list",
        "restore_session": 1,
        "log_level": "INFO",
    }
    write_json(settings_file(), asdict(Settings()) | wrong | {"of the future": 1}, settings.FORMAT)
    found, problem = read_settings()
    assert found == Settings()
    assert all(name in problem for name in ("theme", "scale", "digits", "models_folders", "restore_session"))
    assert "log_level" not in problem


def test_every_setting_survives_the_file(own_home: Path) -> None:
    for name, choices in settings.CHOICES.items():
        for value in choices:
            write_settings(replace(Settings(), **{name: value}))
            assert getattr(read_settings()[0], name) == value


def test_settings_folder_that_is_a_file(own_home: Path) -> None:
    own_home.mkdir()
    (own_home / "config").write_text("in the way")
    with pytest.raises(OutputError):
        write_settings(Settings())
    assert read_settings()[0] == Settings()


def test_usage_is_counted_kept_and_cleared(tmp_path: Path) -> None:
    counts = UsageCounts(tmp_path / "usage.json")
    counts.count("models", ["a", "b", ""])
    counts.count("models", ["b"])
    counts.save()
    again = UsageCounts(tmp_path / "usage.json")
    assert again.most_used("models") == [("b", 2), ("a", 1)] and again.since == counts.since
    again.clear()
    assert UsageCounts(tmp_path / "usage.json").most_used("models") == []


def test_usage_forgets_the_rarest(tmp_path: Path) -> None:
    counts = UsageCounts(tmp_path / "usage.json")
    counts.count("layers", ["often", "often"])
    counts.count("layers", [f"layer {number}" for number in range(2 * KEPT)])
    assert len(counts.most_used("layers")) == KEPT and counts.most_used("layers")[0] == ("often", 2)


def test_usage_ignores_what_cannot_be_a_count(tmp_path: Path) -> None:
    content = {"models": {"a": -1, "b": "2", "c": True, "d": 4}, "layers": [1], "since": 7}
    (tmp_path / "usage.json").write_text(json.dumps({"format": 1} | content), encoding="utf-8")
    assert UsageCounts(tmp_path / "usage.json").most_used("models") == [("d", 4)]
