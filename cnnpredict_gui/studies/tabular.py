"""Reads tables of configurations or measurements, CSV or Parquet, piece by piece, and finds which column means what.

CSV: UTF-8 with or without byte order mark, separated by comma, semicolon, tab or bar, with a header line; cells stay the texts
they are. A file is recognised by its content, not by its name.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cnnpredict_gui.core.config import CONFIG_FIELDS, INTEGER_FIELDS, PAIR_FIELDS
from cnnpredict_gui.core.errors import DataFileError
from cnnpredict_gui.core.names import nearest
from cnnpredict_gui.core.table import REQUIRED_FIELDS
from cnnpredict_gui.infra.precedence import giving_way

PARAMETERS = (*CONFIG_FIELDS, *PAIR_FIELDS)
SEPARATORS = (",", ";", "\t", "|")
SAMPLE_ROWS = 100
_HEADER_READ = 65_536
#: What others call the parameters; only suggested, never assumed.
_ALIASES = {
    "batch_size": ("batch", "n", "bs"),
    "input_channels": ("in_channels", "channels_in", "cin", "c_in", "c", "channels", "ifm"),
    "input_height": ("height", "h", "in_height", "h_in", "ih"),
    "input_width": ("width", "w", "in_width", "w_in", "iw"),
    "output_channels": ("out_channels", "channels_out", "cout", "c_out", "k", "filters", "ofm"),
    "kernel_size": ("kernel", "filter_size", "ksize", "k_size", "k"),
    "kernel_height": ("kh", "kernel_h", "filter_height", "r"),
    "kernel_width": ("kw", "kernel_w", "filter_width", "s"),
    "stride": ("strides", "stride_size"),
    "padding": ("pad", "pads"),
    "groups": ("group", "group_count"),
    "dtype": ("precision", "data_type"),
    "algorithm": ("algo", "method"),
}


@dataclass(frozen=True)
class TablePreview:
    """What a file holds: column names, the first rows as text, and how many rows.

    ``rows`` is exact for Parquet; for CSV it counts lines, which is too many where cells contain line breaks.
    """

    path: Path
    kind: Literal["csv", "parquet"]
    columns: tuple[str, ...]
    sample: tuple[tuple[str, ...], ...]
    rows: int
    separator: str = ","


@dataclass(frozen=True)
class Piece:
    """Some rows of a file: Arrow arrays by column name, and where each row stands.

    ``lines`` has shape (n,): the line a row begins at in a CSV file, counted from 1 for the header; the number of the row in a
    Parquet file, counted from 1.
    """

    columns: dict[str, pa.Array]
    lines: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lines)


def open_table(path: Path) -> TablePreview:
    """Look at a file without reading all of it.

    Raises:
        DataFileError: it is missing, empty, neither CSV nor Parquet, not UTF-8, or its header cannot be used.
    """
    kind, separator = _kind_of(path), ","
    if kind == "parquet":
        with _arrow_errors(path), pq.ParquetFile(path) as file:
            columns = _checked_names(path, file.schema_arrow.names)
            rows = file.metadata.num_rows
    else:
        with _csv_rows(path) as (names, separator, _):
            columns = tuple(names)
        rows = max(0, _count_lines(path) - 1)
    first = next(read_table(path, SAMPLE_ROWS), None)
    if first is None:
        raise DataFileError(f"{path.name} has no rows below its header", "give it a row per configuration")
    return TablePreview(path, kind, columns, _texts(first), rows, separator)


def read_table(path: Path, rows: int, columns: Sequence[str] | None = None) -> Iterator[Piece]:
    """The file in pieces of at most ``rows`` rows; only ``columns`` if given (names that the file lacks are left out).

    Raises:
        DataFileError: as :func:`open_table`, and for a row whose number of cells differs from the header's.
    """
    return _read_parquet(path, rows, columns) if _kind_of(path) == "parquet" else _read_csv(path, rows, columns)


def find_mapping(columns: Sequence[str], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Parameter name to the column that holds it.

    Columns named like a parameter (capitals, blanks and dashes aside) are found; ``given`` (column to parameter) adds to them.

    Raises:
        DataFileError: ``given`` names an unknown column or parameter, or one parameter twice, or a required one is missing.
    """
    found = {_plain(name): name for name in columns if _plain(name) in PARAMETERS}
    chosen: dict[str, str] = {}
    for theirs, ours in (given or {}).items():
        if theirs not in columns:
            raise DataFileError(f"the table has no column {theirs!r}", nearest(theirs, list(columns)))
        if ours not in PARAMETERS:
            raise DataFileError(f"{ours!r} is not a parameter of a convolution", nearest(ours, list(PARAMETERS)))
        if ours in chosen:
            raise DataFileError(f"{ours} is mapped to both {chosen[ours]!r} and {theirs!r}", "choose one column for it")
        chosen[ours] = theirs
    found = {ours: theirs for ours, theirs in found.items() if theirs not in chosen.values()} | chosen
    missing = [name for name in REQUIRED_FIELDS if name not in found and _pair_of(name) not in found]
    if missing:
        names = list(dict.fromkeys(_pair_of(name) or name for name in missing))
        raise DataFileError(f"the table has no column {', '.join(names)}", _mapping_hint(columns, names))
    return found


def suggest_mapping(columns: Sequence[str]) -> dict[str, str]:
    """Column to parameter for columns that probably mean one, going by common other names; letters count least."""
    taken = {_plain(name) for name in columns if _plain(name) in PARAMETERS}
    suggested: dict[str, str] = {}
    for ours, aliases in _ALIASES.items():
        matches = [name for name in columns if _plain(name) in aliases and name not in suggested]
        words = [name for name in matches if len(_plain(name)) > 1]
        if ours not in taken and len(words or matches) == 1:
            suggested[(words or matches)[0]] = ours
    return suggested


def config_columns(piece: Piece, mapping: Mapping[str, str]) -> dict[str, Any]:
    """Columns of a piece as :meth:`cnnpredict_gui.core.table.ConfigTable.from_columns` takes them, by parameter name."""
    return {ours: _values(piece.columns[theirs], ours) for ours, theirs in mapping.items()}


def _values(array: pa.Array, parameter: str) -> Any:
    """Numbers as a NumPy array where all cells are numbers, else Python values one by one."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    is_number = pa.types.is_integer(array.type) or pa.types.is_floating(array.type)
    if parameter in INTEGER_FIELDS or parameter in PAIR_FIELDS:
        if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
            try:
                numbers = pc.cast(pc.utf8_trim_whitespace(array), pa.float64())
            except pa.ArrowInvalid:
                return array.to_pylist()
            array, is_number = numbers, True
        if is_number and array.null_count == 0:
            return array.to_numpy(zero_copy_only=False)
    return array.to_pylist()


def _kind_of(path: Path) -> Literal["csv", "parquet"]:
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except FileNotFoundError:
        raise DataFileError(f"{path} does not exist", "check the name") from None
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror or error}", "choose a file you may read") from None
    if start == b"PAR1":
        return "parquet"
    if start[:2] == b"PK":
        raise DataFileError(f"{path.name} is a workbook or archive, not a table", "save it as CSV UTF-8 first")
    if path.suffix.lower() in (".parquet", ".pq"):
        raise DataFileError(f"{path.name} is not a Parquet file, or is damaged", "choose another file, or write it again")
    return "csv"


@contextmanager
def _csv_rows(path: Path) -> Iterator[tuple[list[str], str, Any]]:
    """Column names, separator and a ``csv.reader`` that stands behind the header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next((line for line in file.read(_HEADER_READ).splitlines() if line.strip()), "")
            separator = max(SEPARATORS, key=lambda mark: len(next(csv.reader([header], delimiter=mark), [])))
            file.seek(0)
            reader = csv.reader(file, delimiter=separator)
            names = next((row for row in reader if any(cell.strip() for cell in row)), [])
            yield list(_checked_header(path, names)), separator, reader
    except UnicodeDecodeError:
        raise DataFileError(f"{path.name} is not UTF-8 text (line {_undecodable_line(path)})", "save it as CSV UTF-8") from None
    except csv.Error as error:
        raise DataFileError(f"{path.name} is not readable as CSV: {error}", "is a quote opened and never closed?") from None


def _checked_header(path: Path, names: list[str]) -> tuple[str, ...]:
    if not names:
        raise DataFileError(f"{path.name} is empty", "its first line must name the columns")
    while len(names) > 1 and not names[-1].strip():
        names = names[:-1]
    numbers = [name for name in names if _is_number(name)]
    if numbers:
        shown = ",".join(names)[:60]
        raise DataFileError(
            f"{path.name} has no header line, it begins with {shown}", "add a first line that names the columns"
        )
    return _checked_names(path, [name.strip() or f"unnamed_{place}" for place, name in enumerate(names, 1)])


def _checked_names(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataFileError(f"{path.name} has two columns named {name!r}", "rename one of them")
        seen.add(name)
    return tuple(names)


def _read_csv(path: Path, rows: int, columns: Sequence[str] | None) -> Iterator[Piece]:
    with _csv_rows(path) as (names, _, reader):
        wanted = [place for place, name in enumerate(names) if columns is None or name in columns]
        while True:
            cells, lines = _next_rows(path, reader, len(names), rows)
            if not cells:
                return
            turned = list(zip(*cells, strict=True))
            arrays = {names[place]: pa.array(turned[place], pa.string()) for place in wanted}
            yield Piece(arrays, np.array(lines, dtype=np.int64))


def _next_rows(path: Path, reader: Any, width: int, rows: int) -> tuple[list[list[str]], list[int]]:
    """Up to ``rows`` rows with exactly ``width`` cells each, and the lines they begin at."""
    cells: list[list[str]] = []
    lines: list[int] = []
    line = reader.line_num + 1
    for row in giving_way(reader):
        if len(row) != width and row:
            row = row[:width] if len(row) > width and not any(row[width:]) else row  # noqa: PLW2901 - blank cells at the end
            if len(row) != width:
                message = f"line {line} of {path.name} has {len(row)} cells, the header has {width}"
                raise DataFileError(message, "complete that line, or put cells that contain the separator in quotes")
        if row:
            cells.append(row)
            lines.append(line)
            if len(cells) == rows:
                break
        line = reader.line_num + 1
    return cells, lines


def _read_parquet(path: Path, rows: int, columns: Sequence[str] | None) -> Iterator[Piece]:
    with _arrow_errors(path), pq.ParquetFile(path) as file:
        names = _checked_names(path, file.schema_arrow.names)
        wanted = [name for name in names if columns is None or name in columns]
        start = 1
        for batch in file.iter_batches(batch_size=rows, columns=wanted):
            batch.validate(full=True)  # texts that are no UTF-8 would else be found by whoever reads them
            arrays = dict(zip(batch.schema.names, batch.columns, strict=True))
            yield Piece(arrays, np.arange(start, start + len(batch), dtype=np.int64))
            start += len(batch)


@contextmanager
def _arrow_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise DataFileError(f"{path.name} is damaged or not a Parquet file: {first}", "write it again") from None


def _texts(piece: Piece) -> tuple[tuple[str, ...], ...]:
    columns = [["" if value is None else str(value) for value in array.to_pylist()] for array in piece.columns.values()]
    return tuple(zip(*columns, strict=True))


def _count_lines(path: Path) -> int:
    """Lines of a file, the last one also without a line end."""
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            count += block.count(b"\n")
            last = block[-1:]
    return count + (last != b"\n")


def _undecodable_line(path: Path) -> int:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 1


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _pair_of(name: str) -> str:
    """The shorthand that covers a field, or nothing."""
    return next((short for short, stem in PAIR_FIELDS.items() if name in (f"{stem}_height", f"{stem}_width")), "")


def _mapping_hint(columns: Sequence[str], missing: Sequence[str]) -> str:
    suggested = [f"{theirs}={ours}" for theirs, ours in suggest_mapping(columns).items() if ours in missing]
    if suggested:
        return f"map the columns, perhaps {', '.join(suggested)}"
    return f"name the columns like the parameters, or map them; there are {', '.join(columns)}"[:300]
