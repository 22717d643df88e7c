"""Many convolution configurations as columns: what predictors take, built and checked without a Python loop over rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.config import (
    ALGORITHMS,
    CONFIG_FIELDS,
    DIRECTIONS,
    DTYPE_BYTES,
    DTYPES,
    INTEGER_FIELDS,
    LIMITS,
    MAX_TENSOR_ELEMENTS,
    PAIR_FIELDS,
    ConvConfig,
)
from cnnpredict_gui.core.errors import DataFileError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
VOCABULARY = {"dtype": DTYPES, "direction": DIRECTIONS, "algorithm": ALGORITHMS}
REQUIRED_FIELDS = ("input_channels", "input_height", "input_width", "output_channels", "kernel_height", "kernel_width")


@dataclass(frozen=True, eq=False)
class ConfigTable:
    """Rows of valid configurations; every column has shape (n,).

    ``columns`` holds the fourteen integer fields (int64, elements) and ``dtype``, ``direction``, ``algorithm`` as codes
    into :data:`VOCABULARY`. Make one with :meth:`from_configs` or :meth:`from_columns`, never by hand.
    """

    columns: Mapping[str, Integers]
    #: Kept results that depend on the layer alone; shared with tables that differ in the algorithm only.
    cache: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False)
    #: Kept results that depend on the algorithm too.
    own_cache: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_configs(cls, configs: Iterable[ConvConfig]) -> ConfigTable:
        """Columns of already validated configurations."""
        rows = list(configs)
        columns = {name: np.array([getattr(row, name) for row in rows], dtype=np.int64) for name in INTEGER_FIELDS}
        for name, words in VOCABULARY.items():
            columns[name] = np.array([words.index(getattr(row, name)) for row in rows], dtype=np.int64)
        return cls(columns)

    @classmethod
    def from_columns(cls, raw: Mapping[str, Any]) -> tuple[ConfigTable, npt.NDArray[np.bool_], list[str]]:
        """Columns from a file, checked by the same rules as :class:`ConvConfig`.

        Args:
            raw: Column name to array-like of length n; numbers or texts. Canonical names or the shorthands
                ``kernel_size``, ``stride``, ``padding`` (also the text ``same``) and ``dilation``.

        Returns:
            The table of the valid rows, a mask of shape (n,) that is true for them, and n messages, empty where valid.

        Raises:
            DataFileError: a required column is missing.
        """
        length = len(next(iter(raw.values()))) if raw else 0
        numbers = _integer_columns(raw, length)
        codes = {name: _codes(raw.get(name), words, length) for name, words in VOCABULARY.items()}
        messages = _row_errors(numbers, codes, raw)
        valid = messages == ""
        columns = {name: values[valid].astype(np.int64) for name, values in (numbers | codes).items()}
        return cls(columns), valid, messages.tolist()

    def __len__(self) -> int:
        return len(self.columns["batch_size"])

    def __getitem__(self, rows: slice | npt.NDArray[Any]) -> ConfigTable:
        return ConfigTable({name: values[rows] for name, values in self.columns.items()})

    def config(self, row: int) -> ConvConfig:
        """One row as a :class:`ConvConfig`."""
        values: dict[str, Any] = {name: int(self.columns[name][row]) for name in INTEGER_FIELDS}
        values |= {name: words[self.columns[name][row]] for name, words in VOCABULARY.items()}
        return ConvConfig(**values)

    def with_algorithm(self, algorithm: str) -> ConfigTable:
        """The same rows, all with this algorithm."""
        code = ALGORITHMS.index(algorithm)
        return ConfigTable({**self.columns, "algorithm": np.full(len(self), code, dtype=np.int64)}, self.cache)

    def resolve_algorithm(self, default: str) -> ConfigTable:
        """The same rows with ``default`` replaced by what the target calls the library's own choice."""
        codes = self.columns["algorithm"]
        if codes.all():
            return self
        key = ("resolved", default)
        if key not in self.own_cache:
            resolved = np.where(codes == 0, ALGORITHMS.index(default), codes)
            self.own_cache[key] = ConfigTable({**self.columns, "algorithm": resolved}, self.cache)
        table: ConfigTable = self.own_cache[key]
        return table

    @cached_property
    def output_height(self) -> Integers:
        """Output heights in elements, shape (n,)."""
        sizes: Integers = _output_size(self.columns, "height")
        return sizes

    @cached_property
    def output_width(self) -> Integers:
        """Output widths in elements, shape (n,)."""
        sizes: Integers = _output_size(self.columns, "width")
        return sizes

    @cached_property
    def dtype_bytes(self) -> Integers:
        """Bytes per element, shape (n,)."""
        return np.array([DTYPE_BYTES[name] for name in DTYPES])[self.columns["dtype"]]


def _output_size(columns: Mapping[str, Any], axis: str) -> Any:
    reach = columns[f"dilation_{axis}"] * (columns[f"kernel_{axis}"] - 1) + 1
    return (columns[f"input_{axis}"] + 2 * columns[f"padding_{axis}"] - reach) // columns[f"stride_{axis}"] + 1


def _numbers(values: Any, length: int, blank: tuple[str, ...] = ("",)) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Numbers as float64, NaN where a value is none, and a mask of the values that are not given (None or in ``blank``)."""
    array = np.asarray(values)
    if array.dtype.kind in "iuf":
        return array.astype(np.float64), np.zeros(length, dtype=np.bool_)
    numbers, absent = np.full(length, np.nan), np.zeros(length, dtype=np.bool_)
    for row, value in enumerate(array.tolist()):
        if value is None or (isinstance(value, str) and value.strip().lower() in blank):
            absent[row] = True
        elif not isinstance(value, bool):
            with suppress(TypeError, ValueError):
                numbers[row] = float(value)
    return numbers, absent


def _integer_columns(raw: Mapping[str, Any], length: int) -> dict[str, Floats]:
    """The fourteen integer fields, defaults filled in where a value or a whole column is not given."""
    given: dict[str, tuple[Floats, npt.NDArray[np.bool_]]] = {}
    for name in (*PAIR_FIELDS, *INTEGER_FIELDS):
        if raw.get(name) is not None:
            blank = ("", "same") if name.startswith("padding") else ("",)
            values = _numbers(raw[name], length, blank)
            given |= dict.fromkeys(_fields_of(name), values)
    missing = [name for name in REQUIRED_FIELDS if name not in given]
    if missing:
        names = ["kernel_size" if name.startswith("kernel") else name for name in missing]
        raise DataFileError(
            f"the table has no column {', '.join(dict.fromkeys(names))}", "name the columns like the parameters, or map them"
        )
    numbers: dict[str, Floats] = {}
    nothing = np.full(length, np.nan), np.ones(length, dtype=np.bool_)
    for name in sorted(INTEGER_FIELDS, key=lambda name: name.startswith("padding")):
        values, absent = given.get(name, nothing)
        if name.startswith("padding"):
            axis = name.removeprefix("padding_")
            with np.errstate(invalid="ignore"):
                default = numbers[f"dilation_{axis}"] * (numbers[f"kernel_{axis}"] - 1) // 2
        else:
            default = np.full(length, np.nan if name in REQUIRED_FIELDS else 1.0)
        numbers[name] = np.where(absent, default, values)
    return {name: numbers[name] for name in INTEGER_FIELDS}


def _fields_of(name: str) -> tuple[str, ...]:
    stem = PAIR_FIELDS.get(name)
    return (f"{stem}_height", f"{stem}_width") if stem else (name,)


def _shown(raw: Mapping[str, Any], field: str, row: int) -> str:
    """What stands in the table for a field, for messages."""
    names = [name for name in (field, *PAIR_FIELDS) if name in raw and field in _fields_of(name)]
    value = raw[names[0]][row] if names else None
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value).strip() if value is not None else ""


def _codes(values: Any, words: tuple[str, ...], length: int) -> Floats:
    """Codes of texts in ``words``; -1 for an unknown one, 0 where the column or the value is missing."""
    if values is None:
        return np.zeros(length)
    lookup = {word: index for index, word in enumerate(words)} | {"": 0, "none": 0, "nan": 0}
    unique, inverse = np.unique(np.asarray(values).astype(str), return_inverse=True)
    return np.array([lookup.get(str(text).strip().lower(), -1) for text in unique], dtype=np.float64)[inverse]


def _row_errors(numbers: dict[str, Floats], codes: dict[str, Floats], raw: Mapping[str, Any]) -> npt.NDArray[np.object_]:
    messages = np.full(len(numbers["groups"]), "", dtype=object)

    def note(wrong: npt.NDArray[np.bool_], text: Any) -> None:
        for row in np.flatnonzero(wrong & (messages == "")):
            messages[row] = text(row)

    for name, values in numbers.items():
        low = 0 if name.startswith("padding") else 1
        with np.errstate(invalid="ignore"):
            whole = np.isfinite(values) & (values == np.floor(values))
            outside = whole & ((values < low) | (values > LIMITS[name]))
        note(~whole, lambda row, name=name: _not_whole(name, _shown(raw, name, row)))
        note(
            outside,
            lambda row, name=name, low=low, values=values: f"{name} is {values[row]:g}, outside {low} to {LIMITS[name]:,}",
        )
    for name, values in codes.items():
        note(
            values < 0,
            lambda row, name=name: f"{name} {raw[name][row]!s} is unknown; use one of {', '.join(VOCABULARY[name])}",
        )
    checked = messages == ""
    safe = {name: np.where(checked, values, 1.0) for name, values in numbers.items()}
    for axis in ("height", "width"):
        reach = safe[f"dilation_{axis}"] * (safe[f"kernel_{axis}"] - 1) + 1
        padded = safe[f"input_{axis}"] + 2 * safe[f"padding_{axis}"]
        note(checked & (reach > padded), lambda row, axis=axis: f"kernel_{axis} reaches beyond the padded input_{axis}")
    for name in ("input_channels", "output_channels"):
        note(checked & (safe[name] % safe["groups"] != 0), lambda row, name=name: f"groups does not divide {name}")
    spatial_out = np.maximum(_output_size(safe, "height"), 0) * np.maximum(_output_size(safe, "width"), 0)
    largest = np.maximum.reduce(
        [
            safe["batch_size"] * safe["input_channels"] * safe["input_height"] * safe["input_width"],
            safe["batch_size"] * safe["output_channels"] * spatial_out,
            safe["output_channels"] * safe["input_channels"] / safe["groups"] * safe["kernel_height"] * safe["kernel_width"],
        ]
    )
    note(checked & (largest > MAX_TENSOR_ELEMENTS), lambda row: "a tensor of this layer would have more than 2^40 elements")
    return messages


def _not_whole(name: str, shown: str) -> str:
    return f"{name} is {shown}, not a whole number" if shown else f"{name} is missing"


__all__ = ["CONFIG_FIELDS", "REQUIRED_FIELDS", "VOCABULARY", "ConfigTable", "Floats", "Integers"]
