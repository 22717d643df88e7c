"""A network as a table of layers: CSV (or Parquet) with a row per convolution."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cnnpredict_gui.core.errors import DataFileError
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.studies.layers import NetworkLayer, conv_layer
from cnnpredict_gui.studies.tabular import PARAMETERS, Piece, config_columns, find_mapping, open_table, read_table

MAX_LAYERS = 20_000
MAX_COUNT = 1_000_000
#: Columns beside the parameters: what a layer is called and how often it occurs.
NAME_COLUMN, COUNT_COLUMN = "name", "count"


def import_layers(path: str | os.PathLike[str], mapping: Mapping[str, str] | None = None) -> list[NetworkLayer]:
    """Layers of a table whose columns are named like the parameters of a convolution.

    Columns ``name`` and ``count`` are optional (``layer 1`` and 1 by default); blank cells of optional parameters mean
    their defaults. Other columns are ignored, unless one looks like a misspelt parameter.

    Args:
        path: The file.
        mapping: Column to parameter, for columns that are named differently.

    Raises:
        DataFileError: the file cannot be read, lacks a column, or has a row that is no convolution; names the line.
    """
    preview = open_table(Path(path))
    if preview.rows > MAX_LAYERS:
        message = f"{preview.path.name} has {preview.rows:,} rows, a network has at most {MAX_LAYERS:,}"
        raise DataFileError(message, "use the batch prediction for tables of configurations")
    columns = find_mapping(preview.columns, mapping)
    extra = {column.strip().lower(): column for column in preview.columns if column not in columns.values()}
    _refuse_misspelt(extra, columns)
    layers: list[NetworkLayer] = []
    for piece in read_table(preview.path, MAX_LAYERS):
        layers += _layers(piece, columns, extra, len(layers))
    return layers


def _refuse_misspelt(extra: Mapping[str, str], found: Mapping[str, str]) -> None:
    candidates = [name for name in (*PARAMETERS, NAME_COLUMN, COUNT_COLUMN) if name not in found]
    for column in extra:
        near = get_close_matches(column.replace(" ", "_"), candidates, n=1, cutoff=0.8)
        if near and column not in (NAME_COLUMN, COUNT_COLUMN):
            raise DataFileError(f"column {column!r} is not a parameter", f"did you mean {near[0]}? else rename the column")


def _layers(piece: Piece, columns: Mapping[str, str], extra: Mapping[str, str], before: int) -> list[NetworkLayer]:
    table, valid, messages = ConfigTable.from_columns(config_columns(piece, columns))
    if not valid.all():
        wrong = [row for row, good in enumerate(valid.tolist()) if not good]
        message = f"line {piece.lines[wrong[0]]}: {messages[wrong[0]]}"
        raise DataFileError(message, f"correct this and {len(wrong) - 1} more" if len(wrong) > 1 else "correct that line")
    names, counts = _cells(piece, extra, NAME_COLUMN), _cells(piece, extra, COUNT_COLUMN)
    return [
        conv_layer(
            str(names[row] or "").strip() or f"layer {before + row + 1}",
            table.config(row),
            count=_count(counts[row], int(piece.lines[row])),
        )
        for row in range(len(piece))
    ]


def _cells(piece: Piece, extra: Mapping[str, str], column: str) -> list[Any]:
    return piece.columns[extra[column]].to_pylist() if column in extra else [None] * len(piece)


def _count(cell: Any, line: int) -> int:
    if cell is None or not str(cell).strip():
        return 1
    try:
        count = float(str(cell))
    except ValueError:
        count = 0.0
    if not 1 <= count <= MAX_COUNT or count != int(count):
        raise DataFileError(f"line {line}: count is {cell}", f"give a whole number from 1 to {MAX_COUNT:,}")
    return int(count)
