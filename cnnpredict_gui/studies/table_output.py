"""Writes tables piece by piece as CSV or Parquet, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Protocol, TextIO, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cnnpredict_gui.core.errors import OutputError

#: Beginnings that make a spreadsheet take a text for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_FORMULA_PATTERN = r"\A[=+\-@\t\r\n]"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class CsvText:
    """Rows of a CSV file as they will stand in it, and the names of the columns."""

    names: tuple[str, ...]
    text: str


#: Rows ready to be written; making them ready is most of the work, and can be done elsewhere.
Ready: TypeAlias = CsvText | pa.Table


def made_ready(columns: Mapping[str, pa.Array], path: Path, separator: str = ",") -> Ready:
    """Rows for a file with the suffix of ``path``."""
    return pa.table(dict(columns)) if path.suffix.lower() == ".parquet" else _csv_text(columns, separator)


def _csv_text(columns: Mapping[str, pa.Array], separator: str) -> CsvText:
    text = StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows(zip(*(_cells(array) for array in columns.values()), strict=True))
    return CsvText(tuple(columns), text.getvalue())


class TableWriter(Protocol):
    """Takes pieces with the same columns each time."""

    def write(self, columns: Mapping[str, pa.Array]) -> None:
        """Append rows."""

    def append(self, rows: Any) -> None:
        """Append rows that :func:`made_ready` gave for a file of the same kind."""


def check_output_name(path: Path) -> None:
    """Check that the name says how to write.

    Raises:
        OutputError: it ends neither in .csv nor in .parquet.
    """
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise OutputError(f"{path.name} has an unknown kind of file name", "end it in .csv or .parquet")


@contextmanager
def table_writer(part: Path, separator: str = ",") -> Iterator[TableWriter]:
    """A writer into ``part``, as CSV (UTF-8, CRLF, RFC 4180) or Parquet (zstd) by its suffix."""
    if part.suffix.lower() == ".parquet":
        writer = _ParquetTable(part)
        try:
            yield writer
        finally:
            writer.close()
    else:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield _CsvTable(file, separator)


class _CsvTable:
    def __init__(self, file: TextIO, separator: str) -> None:
        self._file, self._separator = file, separator
        self._begun = False

    def write(self, columns: Mapping[str, pa.Array]) -> None:
        self.append(_csv_text(columns, self._separator))

    def append(self, rows: CsvText) -> None:
        if not self._begun:
            csv.writer(self._file, delimiter=self._separator).writerow([safe_text(name) for name in rows.names])
            self._begun = True
        self._file.write(rows.text)


class _ParquetTable:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def write(self, columns: Mapping[str, pa.Array]) -> None:
        self.append(pa.table(dict(columns)))

    def append(self, rows: pa.Table) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, rows.schema, compression="zstd")
        self._writer.write_table(rows)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _cells(array: pa.Array) -> list[Any]:
    kind = array.type
    if pa.types.is_dictionary(kind):
        words = [*_cells(array.dictionary), ""]
        return [words[-1 if index is None else index] for index in array.indices.to_pylist()]
    values: list[Any] = array.to_pylist()
    if pa.types.is_floating(kind):
        return ["" if value is None or value != value else f"{value:.7g}" for value in values]
    if pa.types.is_integer(kind):
        return values
    texts = ["" if value is None else str(value) for value in values]
    if pa.types.is_string(kind) and not pc.any(pc.match_substring_regex(array, _FORMULA_PATTERN)).as_py():
        return texts
    return [safe_text(text) for text in texts]


def safe_text(text: str) -> str:
    """The text with an apostrophe before it if a spreadsheet could run it as a formula; numbers stay as they are."""
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
