"""The journal of a long collection: cut short, damaged, on a full disk; nothing measured is lost or measured again."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cnnpredict_gui.core.errors import DataFileError, OutputError, WorkerError
from cnnpredict_gui.training import collect as module
from cnnpredict_gui.training.collect import CollectRequest, collect
from cnnpredict_gui.training.plan import layer_plan
from tests.resilience.conftest import fill

Message = dict[str, Any]
LAYERS, ROUNDS = 6, 2


_plan = cache(layer_plan)  # planning takes seconds


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(round, layer) of everything that a stopwatch without a clock was asked for; it dies after ten times per run."""
    times: list[tuple[int, int]] = []

    def run(_work: str, request: Message, record: Callable[[Message], None], _cancelled: object, *, measures: bool) -> None:
        assert measures
        for count, (number, layer) in enumerate(request["tasks"]):
            if count == 10:
                raise WorkerError("the child process was killed (SIGKILL)")
            times.append((number, layer))
            record({"round": number, "layer": layer, "median_ms": 1.0, "min_ms": 0.9, "relative_std": 0.1, "pad": "x" * 900})

    monkeypatch.setattr(module, "run_in_child", run)
    monkeypatch.setattr(module, "layer_plan", _plan)
    return times


def _request(folder: Path) -> CollectRequest:
    return CollectRequest(folder / "mine.parquet", layers=LAYERS, rounds=ROUNDS)


def _journal(folder: Path) -> Path:
    return folder / "mine.parquet.journal.jsonl"


def test_a_killed_collection_goes_on_where_it_was(asked: list[tuple[int, int]], tmp_path: Path) -> None:
    with pytest.raises(WorkerError):
        collect(_request(tmp_path))
    with _journal(tmp_path).open("ab") as file:
        file.write(b'{"round": 1, "la')  # the power went
    assert collect(_request(tmp_path)).measured == LAYERS
    assert len(asked) == len(set(asked)) == LAYERS * ROUNDS
    assert [path.name for path in tmp_path.iterdir()] == ["mine.parquet"]


def test_a_full_disk_is_told_and_nothing_is_lost(asked: list[tuple[int, int]], small_disk: Path) -> None:
    (small_disk / "most").write_bytes(b"x" * 250_000)
    with pytest.raises(OutputError, match="No space left") as caught:
        collect(_request(small_disk))
    assert "free some space" in caught.value.hint and 0 < len(asked) < LAYERS * ROUNDS
    (small_disk / "most").unlink()
    assert collect(_request(small_disk)).measured == LAYERS
    assert len(set(asked)) == LAYERS * ROUNDS and len(asked) <= LAYERS * ROUNDS + 1  # the one in hand, once more


def test_a_disk_without_room_for_a_journal(asked: list[tuple[int, int]], small_disk: Path) -> None:
    fill(small_disk)
    with pytest.raises(OutputError, match="No space left"):
        collect(_request(small_disk))
    assert asked == []


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe\n", b"[]\n", b'{"layers": 6}\n{"round": 1}\n', b"{}\nnonsense\n{}\n"])
def test_a_damaged_journal_is_told_and_kept(text: bytes, asked: list[tuple[int, int]], tmp_path: Path) -> None:
    _journal(tmp_path).write_bytes(text)
    with pytest.raises(DataFileError) as caught:
        collect(_request(tmp_path))
    assert "remove it to begin anew" in caught.value.hint and asked == []
    assert _journal(tmp_path).read_bytes() == text
    _journal(tmp_path).unlink()
    _journal(tmp_path).mkdir()
    with pytest.raises(DataFileError, match="damaged"):
        collect(_request(tmp_path))
