"""Whatever the program writes appears whole or not at all, and what prevents it is told in one line."""

from __future__ import annotations

import ast
import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from PySide6.QtGui import QImage

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import OutputError
from cnnpredict_gui.gui.export import save_png
from cnnpredict_gui.infra import files
from cnnpredict_gui.infra.csv_text import csv_text
from cnnpredict_gui.infra.files import PART, atomic_text, atomic_write, remove_leftovers
from cnnpredict_gui.infra.settings import Settings, write_settings
from cnnpredict_gui.infra.usage import UsageCounts
from cnnpredict_gui.studies.layers import conv_layer
from cnnpredict_gui.studies.own_presets import OwnPreset, write_preset_file
from cnnpredict_gui.studies.table_output import table_writer
from tests.resilience.conftest import ROOT, fill, make_read_only, without_rights

Writer = Callable[[Path], None]
OLD = "what was there before"
ROWS = 20_000


def _usage(path: Path) -> None:
    counts = UsageCounts(path)
    counts.count("models", [f"model {number} of a long name" * 40 for number in range(400)])
    counts.save()


def _settings(path: Path) -> None:
    write_settings(Settings(recent_files=tuple(f"/a/folder/{number}" * 30 for number in range(1000))), path)


def _preset(path: Path) -> None:
    config = ConvConfig.parse(
        {"input_channels": 3, "input_height": 8, "input_width": 8, "output_channels": 4, "kernel_size": 3}
    )
    write_preset_file(OwnPreset("mine", tuple(conv_layer(f"layer {number}", config) for number in range(2000))), path)


def _csv(path: Path) -> None:
    atomic_text(path, csv_text(["a", "b"], ([number, "text"] for number in range(ROWS * 2))))


def _table(path: Path) -> None:
    with atomic_write(path) as part, table_writer(part) as writer:
        for start in range(0, ROWS, 1000):
            writer.write({"row": pa.array(range(start, start + 1000)), "text": pa.array([f"row {start}" * 9] * 1000)})


def _picture(path: Path) -> None:
    image = QImage(700, 700, QImage.Format.Format_RGB32)
    image.bits()[:] = os.urandom(image.sizeInBytes())  # type: ignore[index]
    save_png(image, path)


WRITERS: dict[str, tuple[Writer, str]] = {
    "settings": (_settings, "settings.json"),
    "usage": (_usage, "usage.json"),
    "preset": (_preset, "preset.json"),
    "csv": (_csv, "table.csv"),
    "rows": (_table, "rows.csv"),
    "parquet": (_table, "rows.parquet"),
    "picture": (_picture, "chart.png"),
}


@pytest.fixture(params=WRITERS)
def writer(request: pytest.FixtureRequest) -> tuple[Writer, str]:
    return WRITERS[request.param]


def _fails_and_keeps(write: Writer, path: Path) -> OutputError:
    with pytest.raises(OutputError) as caught:
        write(path)
    assert "\n" not in str(caught.value) and path.name[:20] in caught.value.message and caught.value.hint
    return caught.value


def _intact(path: Path) -> None:
    kept = [path, *path.parent.glob(f"{path.stem}.damaged-*")]
    assert OLD in [one.read_text(encoding="utf-8") for one in kept if one.exists()]
    assert list(path.parent.glob(f"{PART}*")) == []


def test_a_full_disk(writer: tuple[Writer, str], small_disk: Path) -> None:
    write, name = writer
    (small_disk / name).write_text(OLD, encoding="utf-8")
    fill(small_disk)
    error = _fails_and_keeps(write, small_disk / name)
    assert "No space left" in error.message and "free some space" in error.hint
    _intact(small_disk / name)


def test_a_disk_that_fills_up_while_writing(writer: tuple[Writer, str], small_disk: Path) -> None:
    write, name = writer
    (small_disk / name).write_text(OLD, encoding="utf-8")
    (small_disk / "most of it").write_bytes(b"x" * 220_000)
    _fails_and_keeps(write, small_disk / name)
    _intact(small_disk / name)


def test_a_read_only_disk(writer: tuple[Writer, str], small_disk: Path) -> None:
    write, name = writer
    (small_disk / name).write_text(OLD, encoding="utf-8")
    make_read_only(small_disk)
    assert "Read-only" in _fails_and_keeps(write, small_disk / name).message
    _intact(small_disk / name)


def test_a_folder_of_somebody_else(writer: tuple[Writer, str], foreign_folder: Path) -> None:
    write, name = writer
    (foreign_folder / name).write_text(OLD, encoding="utf-8")
    with without_rights(foreign_folder):
        assert "Permission denied" in _fails_and_keeps(write, foreign_folder / name).message
    _intact(foreign_folder / name)


def test_a_name_that_is_too_long(writer: tuple[Writer, str], tmp_path: Path) -> None:
    write, name = writer
    assert "shorter name" in _fails_and_keeps(write, tmp_path / ("x" * 300 + name)).hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("letters", ["ä" * 120, "語" * 80, "🧮" * 60])
def test_long_names_that_the_system_takes_are_taken(letters: str, tmp_path: Path) -> None:
    atomic_text(tmp_path / f"{letters}.csv", "x")
    assert (tmp_path / f"{letters}.csv").read_text() == "x"


def test_a_folder_in_the_way(writer: tuple[Writer, str], tmp_path: Path) -> None:
    write, name = writer
    (tmp_path / name).mkdir()
    (tmp_path / name / "inside").write_text(OLD)
    _fails_and_keeps(write, tmp_path / name)
    assert (tmp_path / name / "inside").read_text() == OLD


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
def test_pipes_and_devices_are_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    _fails_and_keeps(_csv, tmp_path / "pipe")
    _fails_and_keeps(_csv, Path("/dev/null"))
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode) and stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.skipif(os.name == "nt", reason="links of POSIX")
def test_links_are_followed_and_loops_are_told(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "settings.json").write_text(OLD)
    (tmp_path / "settings.json").symlink_to(tmp_path / "real" / "settings.json")
    atomic_text(tmp_path / "settings.json", "new")
    assert (tmp_path / "settings.json").is_symlink() and (tmp_path / "real" / "settings.json").read_text() == "new"
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    _fails_and_keeps(_csv, tmp_path / "a")


@pytest.mark.parametrize("name", ["with\0zero", "line\nbreak/below a file/x"])
def test_impossible_names(name: str, tmp_path: Path) -> None:
    (tmp_path / "line\nbreak").mkdir()
    (tmp_path / "line\nbreak" / "below a file").write_text("")
    with pytest.raises(OutputError) as caught:
        atomic_text(tmp_path / name, "x")
    assert "\n" not in str(caught.value) and "\0" not in str(caught.value)


def test_the_folder_is_flushed_after_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(stat.S_ISDIR(os.fstat(handle).st_mode)))
    atomic_text(tmp_path / "file", "x")
    assert flushed == ([False] if os.name == "nt" else [False, True])


def test_a_folder_that_cannot_be_flushed_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", fsync)
    atomic_text(tmp_path / "file", "x")
    assert (tmp_path / "file").read_text() == "x"


def test_a_file_that_another_program_looks_at_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where an open file cannot be replaced just then."""
    left = [PermissionError(errno.EACCES, "in use")] * 3
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        if left:
            raise left.pop()
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(files, "_WINDOWS", True)
    monkeypatch.setattr(files, "_PAUSE_S", 0.0)
    atomic_text(tmp_path / "file", "x")
    assert (tmp_path / "file").read_text() == "x" and not left
    left += [PermissionError(errno.EACCES, "in use")] * 50
    with pytest.raises(OutputError, match="in use"):
        atomic_text(tmp_path / "file", "y")
    assert (tmp_path / "file").read_text() == "x"


def test_many_threads_leave_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    threads = [threading.Thread(target=atomic_text, args=(tmp_path / f"{number}", "x")) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {
        stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    }


def test_what_killed_processes_left_is_removed_after_a_day(tmp_path: Path) -> None:
    for name, age in ((f"{PART}old.json", 90_000), (f"{PART}new.json", 60), ("other.json", 90_000)):
        (tmp_path / name).write_text("")
        when = (tmp_path / name).stat().st_mtime - age
        os.utime(tmp_path / name, (when, when))
    assert remove_leftovers(tmp_path) == 1 and remove_leftovers(tmp_path / "absent") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{PART}new.json", "other.json"]


#: Calls that write, and modes of ``open``.
_WRITING = {"write_text", "write_bytes", "to_csv", "savez", "imwrite", "write_table", "tofile", "savetxt"}
#: Writing that needs no ``atomic_write`` around it: module and function, and why.
ALLOWED = {
    ("infra/files.py", "_flush_to_disk"): "changes nothing",
    ("infra/crash.py", "watch_for_faults"): "written by the dying interpreter itself",
    ("infra/streams.py", "open_missing_streams"): "the null device",
    ("importing/worker.py", "_convert"): "into a folder of its own, which nobody reads before the process has answered",
    ("studies/table_output.py", "append"): "into what table_writer opened, which is handed a part of a file",
    ("training/collect.py", "_opened"): "a journal: each line is whole or cut, and read back so",
}


def _bare_writes(path: Path) -> set[tuple[str, str]]:
    """Functions of a module that open files for writing outside ``with atomic_write(...)`` and are given no such path."""
    name = path.relative_to(ROOT / "cnnpredict_gui").as_posix()
    found: set[tuple[str, str]] = set()

    def look(node: ast.AST, function: str, safe: bool) -> None:
        if isinstance(node, ast.FunctionDef):
            function = node.name
            names = {argument.arg for argument in node.args.args}
            safe = bool(names & {"part", "temporary"})  # handed a path by atomic_write
        if isinstance(node, ast.With):
            safe = safe or any("atomic_write" in ast.unparse(item.context_expr) for item in node.items)
        if isinstance(node, ast.Call) and not safe and _writes(node):
            found.add((name, function))
        for child in ast.iter_child_nodes(node):
            look(child, function, safe)

    look(ast.parse(path.read_text(encoding="utf-8")), "", False)
    return found


def _writes(call: ast.Call) -> bool:
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if called == "open":
        modes = [one.value for one in [*call.args, *(key.value for key in call.keywords)] if isinstance(one, ast.Constant)]
        return any(isinstance(mode, str) and len(mode) < 4 and set(mode) & set("wax+") for mode in modes)
    return called in _WRITING


def test_every_place_that_writes_a_file_writes_it_whole() -> None:
    modules = sorted((ROOT / "cnnpredict_gui").rglob("*.py"))
    found = set().union(*(_bare_writes(path) for path in modules))
    assert len(modules) > 100 and found == set(ALLOWED)
