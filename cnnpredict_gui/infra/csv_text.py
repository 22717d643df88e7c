"""CSV (RFC 4180, UTF-8, point as decimal mark) that a spreadsheet cannot mistake for formulas."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cnnpredict_gui.infra.precedence import giving_way

Cell = str | int | float | bool | None
#: A text cell that begins with one of these could run as a formula.
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_text(
    columns: Sequence[str], rows: Iterable[Sequence[Cell]], constants: Mapping[str, Cell] | None = None, separator: str = ","
) -> str:
    """Rows as CSV text with a header line; ``constants`` are columns with one value for all rows.

    Numbers keep their full precision; NaN and None become empty cells. Texts that look like formulas get a leading
    apostrophe.
    """
    return "".join(csv_lines(columns, rows, constants, separator))


def csv_lines(
    columns: Sequence[str], rows: Iterable[Sequence[Cell]], constants: Mapping[str, Cell] | None = None, separator: str = ","
) -> Iterator[str]:
    """The lines of :func:`csv_text` with their ends, one by one."""
    fixed = constants or {}
    tail = [_cell(value, separator) for value in fixed.values()]
    yield separator.join(_cell(name, separator) for name in (*columns, *fixed)) + "\r\n"
    for row in giving_way(rows):
        yield separator.join([*(_cell(value, separator) for value in row), *tail]) + "\r\n"


def _cell(value: Cell, separator: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))
    if isinstance(value, int):
        return str(int(value))
    text = f"'{value}" if value.startswith(_DANGEROUS) else value
    if any(mark in text for mark in (separator, '"', "\n", "\r")):
        text = '"' + text.replace('"', '""') + '"'
    return text
