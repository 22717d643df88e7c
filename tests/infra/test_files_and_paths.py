"""Files that appear whole or not at all, and where things lie."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from cnnpredict_gui.core.errors import OutputError
from cnnpredict_gui.infra import paths
from cnnpredict_gui.infra.files import atomic_text, atomic_write, sha256_of


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "out.csv"
    with atomic_write(target) as temporary:
        temporary.write_text("a")
        assert not target.exists()
        assert temporary.suffix == ".csv"
    assert target.read_text() == "a"
    assert leftovers(target.parent) == ["out.csv"]


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    atomic_text(target, "old\r\n")

    def write_half() -> None:
        with atomic_write(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert target.read_bytes() == b"old\r\n"
    assert leftovers(tmp_path) == ["out.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_permissions_are_those_of_a_plain_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    atomic_text(tmp_path / "atomic", "")
    assert stat.S_IMODE((tmp_path / "atomic").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    plain.chmod(0o600)
    atomic_text(plain, "kept private")
    assert stat.S_IMODE(plain.stat().st_mode) == 0o600


@pytest.mark.parametrize("place", ["folder", "file/below.txt"])
def test_an_impossible_place_is_told_in_one_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write") as caught:
        atomic_text(tmp_path / place, "x")
    assert "\n" not in str(caught.value)
    assert leftovers(tmp_path) == ["file", "folder"]


def test_a_full_disk_is_an_output_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OutputError, match="No space left"):
        atomic_text(tmp_path / "out", "x")
    assert leftovers(tmp_path) == []


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_one_variable_moves_every_folder_of_the_user(own_home: Path) -> None:
    found = [paths.data_dir(), paths.config_dir(), paths.cache_dir(), paths.log_dir()]
    assert len(set(found)) == 4
    assert all(folder.parent == own_home for folder in found)


def test_models_folders_are_the_bundled_one_the_users_those_of_the_environment_and_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    always = [paths.bundled_models_dir(), tmp_path / "home" / "data" / "models"]
    assert paths.model_folders() == always
    monkeypatch.setenv("MODELS_DIR", os.pathsep.join([str(tmp_path / "a"), "", str(tmp_path / "b")]))
    found = paths.model_folders([tmp_path / "c", tmp_path / "a"])
    assert found == [*always, tmp_path / "a", tmp_path / "b", tmp_path / "c"]


def test_a_frozen_program_finds_its_folders_beside_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path), raising=False)
    assert paths.bundled_models_dir() == tmp_path / "models"
    assert paths.resources_dir() == tmp_path / "resources"
