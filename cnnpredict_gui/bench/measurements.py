"""Measured layers kept over restarts: an SQLite file in the user's data folder. Qt-free, and safe between processes.

Of one layer in one setting (machine, device, threads, framework with its version, TF32) the newest measurement is kept.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from math import nan
from pathlib import Path
from typing import Any

from cnnpredict_gui.core.config import CONFIG_FIELDS, ConvConfig
from cnnpredict_gui.core.errors import DataFileError, OutputError
from cnnpredict_gui.core.measurement import TIMING_FIELDS, Measurement, Setting, usable
from cnnpredict_gui.infra.csv_text import Cell, csv_text
from cnnpredict_gui.infra.files import atomic_text
from cnnpredict_gui.infra.json_store import set_aside
from cnnpredict_gui.infra.paths import data_dir

FORMAT = 1
FILE_NAME = "measurements.sqlite"
logger = logging.getLogger(__name__)
_TABLE = f"""
CREATE TABLE IF NOT EXISTS measurement (
    config TEXT NOT NULL, setting TEXT NOT NULL, measured_at TEXT NOT NULL,
    {", ".join(f"{name} REAL" for name in TIMING_FIELDS)},
    PRIMARY KEY (config, setting)
)"""
#: Columns of an exported table, besides those of the layer.
EXPORT_COLUMNS = (
    *("machine", "device", "device_title", "threads", "framework", "tf32", "time_kind"),
    *("time_ms", "min_ms", "p25_ms", "p75_ms", "relative_std", "repeats", "stable", "device_ms", "measured_at"),
)


class MeasurementStore:
    """The file of measurements; made when something is first kept. Every call opens it anew.

    Args:
        path: The file; default: ``measurements.sqlite`` in the user's data folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or data_dir() / FILE_NAME

    def keep(self, measurements: Iterable[Measurement]) -> None:
        """Keep measurements; an older one of the same layer and setting is replaced, one without a time left out.

        Raises:
            OutputError: the file cannot be written.
        """
        rows = [
            (
                _config_text(one.config),
                _setting_text(one.setting),
                one.measured_at,
                *(getattr(one, name) for name in TIMING_FIELDS),
            )
            for one in measurements
            if usable(one)
        ]
        marks = ", ".join("?" * (3 + len(TIMING_FIELDS)))
        with self._open() as connection, connection:
            connection.executemany(f"INSERT OR REPLACE INTO measurement VALUES ({marks})", rows)  # noqa: S608 - no outside text

    def all(self) -> list[Measurement]:
        """Everything kept, newest first; rows that an older version cannot read are left out.

        Raises:
            DataFileError: the file cannot be read.
        """
        if not self.path.exists():
            return []
        with self._open() as connection:
            rows = connection.execute("SELECT * FROM measurement ORDER BY measured_at DESC, rowid DESC").fetchall()
        return [found for row in rows if (found := _measurement(row)) is not None]

    def forget(self, measurements: Iterable[Measurement]) -> None:
        """Remove measurements.

        Raises:
            OutputError: the file cannot be written.
        """
        keys = [(_config_text(one.config), _setting_text(one.setting)) for one in measurements]
        with self._open() as connection, connection:
            connection.executemany("DELETE FROM measurement WHERE config = ? AND setting = ?", keys)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._connect()) as connection:
                yield connection
        except (OSError, sqlite3.Error) as error:
            raise OutputError(f"{self.path} cannot be read or written: {error}", "check the folder's rights") from error

    def _connect(self) -> sqlite3.Connection:
        """A connection to a file of our format; a damaged one is set aside.

        Raises:
            DataFileError: a newer version of the program wrote the file.
        """
        connection = sqlite3.connect(self.path, timeout=10)
        try:
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            connection.execute(_TABLE)
        except sqlite3.DatabaseError as error:
            connection.close()
            if isinstance(error, sqlite3.OperationalError):
                raise
            problem = set_aside(self.path, f"is damaged ({error})")
            if self.path.exists():
                raise OutputError(problem, "make its folder writable, or move it away") from error
            return self._connect()
        if found > FORMAT:
            connection.close()
            raise DataFileError(f"{self.path} was written by a newer version", "use that version, or rename the file")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        return connection


def _config_text(config: ConvConfig) -> str:
    return json.dumps(config.model_dump(), sort_keys=True)


def _setting_text(setting: Setting) -> str:
    return json.dumps(asdict(setting), sort_keys=True, ensure_ascii=False)


def _measurement(row: tuple[Any, ...]) -> Measurement | None:
    config, setting, measured_at, *times = row
    try:
        values: dict[str, Any] = {
            name: nan if value is None else value for name, value in zip(TIMING_FIELDS, times, strict=True)
        }
        values |= {
            "repeats": int(values["repeats"]),
            "stable": bool(values["stable"]),
            "own_time": bool(values["own_time"]),
            "measured_at": measured_at,
        }
        return Measurement(ConvConfig.parse(json.loads(config)), Setting(**json.loads(setting)), **values)
    except Exception as error:  # one row must not hide the others
        logger.warning("a kept measurement cannot be read: %s", error)
        return None


def export_rows(measurements: Iterable[Measurement]) -> list[tuple[Cell, ...]]:
    """Values for :data:`EXPORT_COLUMNS` and the layer's fields, a row per measurement and kind of time."""
    rows: list[tuple[Cell, ...]] = []
    for one in measurements:
        layer = tuple(getattr(one.config, name) for name in CONFIG_FIELDS)
        setting = tuple(getattr(one.setting, name) for name in EXPORT_COLUMNS[:6])
        rows.append(
            (
                *setting,
                "framework_wall_clock",
                *(one.median_ms, one.min_ms, one.p25_ms, one.p75_ms, one.relative_std),
                *(one.repeats, one.stable, one.device_ms, one.measured_at),
                *layer,
            )
        )
    return rows


def export_csv(measurements: Iterable[Measurement], path: Path) -> None:
    """Write measurements as CSV, a row each; ``cnnpredict train`` and the import in the window read it back.

    Raises:
        OutputError: the file cannot be written.
    """
    atomic_text(path, csv_text((*EXPORT_COLUMNS, *CONFIG_FIELDS), export_rows(measurements)))
