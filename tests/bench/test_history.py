"""The history of benchmark runs: kept whole, compared, deleted; a damaged file is set aside."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from cnnpredict_gui.bench.benchmark import BenchmarkRun, Outcome, Plan
from cnnpredict_gui.bench.distribution import Distribution
from cnnpredict_gui.bench.history import SCHEMA, BenchmarkHistory
from cnnpredict_gui.bench.predictor_latency import Latency, Timed
from cnnpredict_gui.bench.use import ResourceUse
from cnnpredict_gui.core.errors import DataFileError, OutputError


def make_outcome(name: str, engine: str = "onnxruntime", median: float = 0.5, rows: int = 1, iterations: int = 10) -> Outcome:
    latency = Latency(
        name,
        rows,
        iterations,
        median * 1.1,
        median,
        median * 2,
        median * 3,
        median / 2,
        median * 4,
        0.1,
        1e3 / median,
        20.0,
        90.0,
    )
    distribution = Distribution((median / 2, median, median * 4), {-20: 4, -15: 6})
    use = ResourceUse(0.5, 80.0, 99.0, None if engine == "native" else 60.0, 95.0)
    return Outcome(name, engine, Timed(latency, engine, "Library 1.0", distribution, use, 1e-6 if engine == "native" else None))


def make_run(*outcomes: Outcome, started: str = "2026-01-02T03:04:05+00:00") -> BenchmarkRun:
    jobs = tuple((outcome.name, outcome.engine) for outcome in outcomes)
    return BenchmarkRun(started, 1.5, "1.0.0", "a machine", Plan(jobs, 1, 10, 3), outcomes)


@pytest.fixture
def history(tmp_path: Path) -> BenchmarkHistory:
    return BenchmarkHistory(tmp_path / "deep" / "benchmarks.sqlite")


def test_runs_come_back_as_they_were(history: BenchmarkHistory) -> None:
    assert history.runs() == [] and not history.path.exists()
    run = make_run(make_outcome("a"), make_outcome("a", "native", 2.0), Outcome("b", "onnxruntime", None, "it is broken"))
    first, second = history.add(run), history.add(make_run(make_outcome("c")))
    assert (first.number, second.number) == (1, 2)
    assert history.load(1) == first
    assert [(one.number, one.predictors, one.failed) for one in history.runs()] == [(2, 1, 0), (1, 2, 1)]
    assert BenchmarkHistory(history.path).load(2) == second


def test_deleted_runs_leave_nothing_behind(history: BenchmarkHistory) -> None:
    for _ in range(3):
        history.add(make_run(make_outcome("a")))
    history.delete([1, 3, 99])
    assert [one.number for one in history.runs()] == [2]
    with closing(sqlite3.connect(history.path)) as database:
        assert database.execute("SELECT DISTINCT run FROM outcomes").fetchall() == [(2,)]
    with pytest.raises(DataFileError, match="run 3 is not in the history"):
        history.load(3)
    assert history.add(make_run(make_outcome("a"))).number == 4


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be taken for one " * 40, b"SQLite format 3\0" + b"\xff" * 4000]
)
def test_a_damaged_file_is_set_aside(history: BenchmarkHistory, content: bytes) -> None:
    history.path.parent.mkdir()
    history.path.write_bytes(content)
    assert history.runs() == []
    assert "damaged" in history.problem
    kept = [path for path in history.path.parent.iterdir() if ".damaged-" in path.name]
    assert [path.read_bytes() for path in kept] == [content]
    assert history.add(make_run(make_outcome("a"))).number == 1


def test_a_damaged_page_is_noticed(history: BenchmarkHistory) -> None:
    for _ in range(40):
        history.add(make_run(*(make_outcome(f"predictor {number}") for number in range(5))))
    content = bytearray(history.path.read_bytes())
    content[4096 * 2 : 4096 * 6] = b"\x5a" * (4096 * 4)
    history.path.write_bytes(bytes(content))
    assert history.runs() == []
    assert "damaged" in history.problem


def test_a_file_of_a_later_version_is_left_alone(history: BenchmarkHistory) -> None:
    history.add(make_run(make_outcome("a")))
    with closing(sqlite3.connect(history.path)) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    content = history.path.read_bytes()
    with pytest.raises(OutputError, match="newer version"):
        history.runs()
    with pytest.raises(OutputError, match="newer version"):
        history.add(make_run(make_outcome("b")))
    assert history.path.read_bytes() == content and [path.name for path in history.path.parent.iterdir()] == [history.path.name]


def test_a_run_with_a_damaged_distribution_says_so(history: BenchmarkHistory) -> None:
    history.add(make_run(make_outcome("a")))
    with closing(sqlite3.connect(history.path)) as database, database:
        database.execute("UPDATE outcomes SET distribution = '{\"bins\": 3}'")
    with pytest.raises(DataFileError, match="run 1 is damaged"):
        history.load(1)


def test_a_run_is_kept_whole_or_not_at_all(history: BenchmarkHistory) -> None:
    history.add(make_run(make_outcome("a")))
    broken = make_run(make_outcome("a"), Outcome("b", "onnxruntime", None, None))  # type: ignore[arg-type]
    with pytest.raises(OutputError):
        history.add(broken)
    assert [one.number for one in history.runs()] == [1]


def test_a_folder_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "benchmarks.sqlite").mkdir()
    with pytest.raises(OutputError, match="cannot be used"):
        BenchmarkHistory(tmp_path / "benchmarks.sqlite").runs()


def test_programs_that_begin_the_same_history_at_once_all_keep_their_runs(tmp_path: Path) -> None:
    def begin(path: Path) -> str:
        history = BenchmarkHistory(path)
        together.wait(10)
        history.add(make_run(make_outcome("a")))
        return history.problem

    together = Barrier(6)
    with ThreadPoolExecutor(6) as pool:
        for attempt in range(10):
            path = tmp_path / f"{attempt}.sqlite"
            assert list(pool.map(begin, [path] * 6)) == [""] * 6
            assert len(BenchmarkHistory(path).runs()) == 6
    assert list(tmp_path.glob("*.damaged-*")) == []
