"""What ``train`` and ``collect`` refuse before they begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["train", "--target", "cpu"], "--data"),
        (["train", "--target", "cpu", "--data", "none.parquet", "--family", "xbg"], "did you mean xgb?"),
        (["train", "--target", "cpu", "--data", "none.parquet", "--seed", "x"], "--seed is 'x', not a whole number"),
        (["train", "--target", "cpu", "--data", "none.parquet"], "none.parquet"),
        (["collect", "--layers", "5"], "--out"),
        (["collect", "--out", "out.parquet", "--layers", "0"], "layers is 0"),
    ],
)
def test_refusals(run: Run, arguments: list[str], fragment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(*arguments).assert_error(fragment)
    assert not (tmp_path / "out.parquet").exists()


def test_an_unwritable_folder_is_told_before_the_training(run: Run, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    run("train", "--target", "cpu", "--data", blocker, "--out", blocker / "models").assert_error("cannot make")
