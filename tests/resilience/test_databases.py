"""The SQLite files (history of benchmarks, measurements): full and read-only disks, damage that cannot be put aside, locks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from cnnpredict_gui.bench.history import BenchmarkHistory
from cnnpredict_gui.bench.measurements import MeasurementStore
from cnnpredict_gui.core.errors import CnnPredictError, OutputError
from tests.bench.test_history import make_outcome, make_run
from tests.measured import layer, measured
from tests.resilience.conftest import fill, make_read_only, without_rights

Use = Callable[[Path], object]


def _add_run(path: Path) -> object:
    return BenchmarkHistory(path).add(make_run(*(make_outcome(f"predictor {number}") for number in range(300))))


def _list_runs(path: Path) -> object:
    return BenchmarkHistory(path).runs()


def _keep(path: Path) -> None:
    MeasurementStore(path).keep([measured(layer(batch_size=size), 1.5) for size in range(1, 600)])


def _all(path: Path) -> object:
    return MeasurementStore(path).all()


WRITERS: dict[str, Use] = {"history": _add_run, "measurements": _keep}
READERS: dict[str, Use] = {"history": _list_runs, "measurements": _all}


def _one_line(use: Use, path: Path) -> CnnPredictError:
    with pytest.raises(CnnPredictError) as caught:
        use(path)
    assert "\n" not in str(caught.value) and str(path) in caught.value.message and caught.value.hint
    return caught.value


@pytest.mark.parametrize("kind", WRITERS)
def test_a_disk_that_is_or_gets_full(kind: str, small_disk: Path) -> None:
    path = small_disk / "kept.sqlite"
    fill(small_disk)
    assert isinstance(_one_line(WRITERS[kind], path), OutputError)
    (small_disk / "filler").unlink()
    (small_disk / "most").write_bytes(b"x" * 200_000)
    assert "full" in _one_line(WRITERS[kind], path).message
    assert READERS[kind](path) == []  # nothing, and not half of it
    (small_disk / "most").unlink()
    if kind == "history":
        WRITERS[kind](path)
        assert len(BenchmarkHistory(path).runs()) == 1


@pytest.mark.parametrize("kind", WRITERS)
def test_a_read_only_disk(kind: str, small_disk: Path) -> None:
    path = small_disk / "kept.sqlite"
    (small_disk / "damaged.sqlite").write_bytes(b"not a database " * 300)
    make_read_only(small_disk)
    _one_line(WRITERS[kind], path)
    _one_line(WRITERS[kind], small_disk / "damaged.sqlite")
    _one_line(READERS[kind], small_disk / "damaged.sqlite")
    assert READERS[kind](path) == []


@pytest.mark.parametrize("kind", WRITERS)
def test_a_damaged_file_in_a_folder_of_somebody_else(kind: str, foreign_folder: Path) -> None:
    path = foreign_folder / "kept.sqlite"
    path.write_bytes(b"not a database " * 300)
    with without_rights(foreign_folder):
        _one_line(WRITERS[kind], path)
    assert path.read_bytes() == b"not a database " * 300


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_that_another_program_holds(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **options: connect(path, **options | {"timeout": 0.1}))
    path = tmp_path / "kept.sqlite"
    WRITERS[kind](path)
    with closing(connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "locked" in _one_line(WRITERS[kind], path).message
    WRITERS[kind](path)
    assert len(list(tmp_path.glob("*.damaged-*"))) == 0
