"""The history of benchmark runs: an SQLite file in the user's data folder. It may be opened with any SQLite tool."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any

from cnnpredict_gui.bench.benchmark import BenchmarkRun, Outcome, Plan
from cnnpredict_gui.bench.distribution import Distribution
from cnnpredict_gui.bench.predictor_latency import Latency, Timed
from cnnpredict_gui.bench.use import ResourceUse
from cnnpredict_gui.core.errors import DataFileError, OutputError
from cnnpredict_gui.infra.json_store import set_aside
from cnnpredict_gui.infra.paths import data_dir

logger = logging.getLogger(__name__)
#: Version of the tables; it stands in the file as ``user_version``.
SCHEMA = 1
FILE_NAME = "benchmarks.sqlite"
#: Seconds to wait for another program that is writing.
_WAIT_S = 5.0
_FIGURES = [field.name for field in fields(Latency) if field.name not in ("model_name", "rows", "iterations")]
_USE = [field.name for field in fields(ResourceUse)]
_TABLES = f"""
CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    started TEXT NOT NULL, seconds REAL NOT NULL, version TEXT NOT NULL, machine TEXT NOT NULL,
    "rows" INTEGER NOT NULL, iterations INTEGER NOT NULL, warm_up INTEGER NOT NULL
);
CREATE TABLE outcomes (
    run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE,
    place INTEGER NOT NULL, predictor TEXT NOT NULL, engine TEXT NOT NULL, error TEXT NOT NULL,
    library TEXT, difference REAL, distribution TEXT,
    {", ".join(f"{name} REAL" for name in (*_FIGURES, *_USE))},
    PRIMARY KEY (run, place)
);
PRAGMA user_version = {SCHEMA};
"""


@dataclass(frozen=True)
class RunSummary:
    """One line of the list of runs. ``predictors`` counts what was timed, ``failed`` what could not be."""

    number: int
    started: str
    seconds: float
    version: str
    machine: str
    rows: int
    iterations: int
    warm_up: int
    predictors: int
    failed: int


class BenchmarkHistory:
    """Runs kept in a file. A damaged file is set aside; ``problem`` then says so. One of a newer version is left alone.

    Args:
        path: The file; default: in the user's data folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or data_dir() / FILE_NAME
        self.problem = ""

    def add(self, run: BenchmarkRun) -> BenchmarkRun:
        """Keep a run, whole or not at all; returned is the run with its number.

        Raises:
            OutputError: the file cannot be written.
        """
        with self._open() as database:
            plan = run.plan
            head = {"started": run.started, "seconds": run.seconds, "version": run.version, "machine": run.machine}
            head |= {"rows": plan.rows, "iterations": plan.iterations, "warm_up": plan.warm_up}
            number = _insert(database, "runs", head)
            for place, outcome in enumerate(run.outcomes):
                _insert(database, "outcomes", {"run": number, "place": place, **_columns(outcome)})
        return replace(run, number=number)

    def runs(self) -> list[RunSummary]:
        """All runs, newest first.

        Raises:
            OutputError: the file cannot be read.
        """
        if not self.path.exists():
            return []
        with self._open() as database:
            rows = database.execute(
                'SELECT number, started, runs.seconds, version, machine, "rows", iterations, warm_up, '
                "sum(error = ''), sum(error != '') FROM runs JOIN outcomes ON run = number GROUP BY number ORDER BY number DESC"
            ).fetchall()
        return [RunSummary(*row) for row in rows]

    def load(self, number: int) -> BenchmarkRun:
        """A run with everything that was kept of it.

        Raises:
            DataFileError: there is no such run (any more), or it is damaged.
            OutputError: the file cannot be read.
        """
        with self._open() as database:
            database.row_factory = sqlite3.Row
            head = database.execute("SELECT * FROM runs WHERE number = ?", (number,)).fetchone()
            rows = database.execute("SELECT * FROM outcomes WHERE run = ? ORDER BY place", (number,)).fetchall()
        if head is None:
            raise DataFileError(f"run {number} is not in the history", "it may have been deleted meanwhile")
        try:
            outcomes = tuple(_outcome(row, head) for row in rows)
        except (ValueError, TypeError, KeyError) as error:
            raise DataFileError(f"run {number} is damaged: {error}", "delete it") from error
        jobs = tuple((outcome.name, outcome.engine) for outcome in outcomes)
        plan = Plan(jobs, head["rows"], head["iterations"], head["warm_up"])
        return BenchmarkRun(head["started"], head["seconds"], head["version"], head["machine"], plan, outcomes, number)

    def delete(self, numbers: Sequence[int]) -> None:
        """Forget runs; numbers that are not there are ignored.

        Raises:
            OutputError: the file cannot be written.
        """
        with self._open() as database:
            database.executemany("DELETE FROM runs WHERE number = ?", [(number,) for number in numbers])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection; what is done in the block happens whole or not at all."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._check()
            with closing(sqlite3.connect(self.path, timeout=_WAIT_S)) as database, database:
                database.execute("PRAGMA foreign_keys = ON")
                yield database
        except (sqlite3.Error, OSError) as error:
            raise OutputError(
                f"{self.path} cannot be used: {error}", "check its permissions and the space on the disk"
            ) from error

    def _check(self) -> None:
        """Make the tables in a new file; set aside one that cannot be used."""
        try:
            with closing(sqlite3.connect(self.path, timeout=_WAIT_S, isolation_level=None)) as database:
                version = database.execute("PRAGMA user_version").fetchone()[0]
                if version == 0:
                    version = _make_tables(database)
                if version > SCHEMA:
                    raise OutputError(f"{self.path} was written by a newer version", "use that version, or rename the file")
                sound = version == SCHEMA and database.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
                why = "" if sound else "is damaged" if version == SCHEMA else "is of a format that this version does not know"
        except sqlite3.OperationalError:  # locked, unreadable, no space: nothing wrong with the file
            raise
        except sqlite3.DatabaseError as error:
            why = f"is damaged ({error})"
        if why:
            self.problem = set_aside(self.path, why)
            if self.path.exists():
                raise OutputError(self.problem, "make its folder writable, or move it away")
            self._check()


def _make_tables(database: sqlite3.Connection) -> int:
    """Make the tables if there are none, with all other programs locked out that may be about to do so; returns the version."""
    database.execute("BEGIN IMMEDIATE")
    if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        for statement in _TABLES.split(";"):
            database.execute(statement)
    database.execute("COMMIT")
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _insert(database: sqlite3.Connection, table: str, values: dict[str, Any]) -> int:
    """Add a row; returns its number. Table and column names are our own."""
    names, marks = ", ".join(f'"{name}"' for name in values), ", ".join("?" * len(values))
    cursor = database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))  # noqa: S608
    return int(cursor.lastrowid or 0)


def _columns(outcome: Outcome) -> dict[str, object]:
    values: dict[str, object] = {"predictor": outcome.name, "engine": outcome.engine, "error": outcome.error}
    timed = outcome.timed
    if timed is not None:
        values |= {"library": timed.library, "difference": timed.difference}
        values["distribution"] = json.dumps(timed.distribution.to_json())
        figures = asdict(timed.latency)
        values |= {name: figures[name] for name in _FIGURES} | dict(zip(_USE, astuple(timed.use), strict=True))
    return values


def _outcome(row: sqlite3.Row, head: sqlite3.Row) -> Outcome:
    if row["error"] or row["distribution"] is None:
        return Outcome(row["predictor"], row["engine"], None, row["error"] or "nothing was kept")
    figures = {name: row[name] for name in _FIGURES}
    latency = Latency(model_name=row["predictor"], rows=head["rows"], iterations=head["iterations"], **figures)
    use = ResourceUse(**{name: row[name] for name in _USE})
    distribution = Distribution.from_json(json.loads(row["distribution"]))
    return Outcome(
        row["predictor"], row["engine"], Timed(latency, row["engine"], row["library"], distribution, use, row["difference"])
    )
