"""One's own measurements of any device, from a CSV or Parquet file, checked and written in the form that training reads.

Needed are the layer's sizes and a time per row; everything else about the measurements (target, device with its datasheet
figures, framework, kind of time) holds for the whole file and is stated once. No training library is imported here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from cnnpredict_gui.core.card import Device
from cnnpredict_gui.core.config import CONFIG_FIELDS, INTEGER_FIELDS
from cnnpredict_gui.core.errors import DataFileError, UnknownNameError
from cnnpredict_gui.core.features import quantities
from cnnpredict_gui.core.names import TIME_KINDS, nearest
from cnnpredict_gui.core.table import VOCABULARY, ConfigTable, Floats
from cnnpredict_gui.infra.files import atomic_write
from cnnpredict_gui.studies.tabular import config_columns, find_mapping, read_table
from cnnpredict_gui.training.datasets import DEVICE_KEY, TRAINED_DTYPES, hash_columns, known_devices
from cnnpredict_gui.training.datasets import read_table as read_measurements

#: Milliseconds in one of each unit.
TIME_UNITS = {"ms": 1.0, "s": 1e3, "us": 1e-3, "ns": 1e-6}
UNIT_WORDS = {"ms": "milliseconds", "s": "seconds", "us": "microseconds", "ns": "nanoseconds"}
#: Rows that training needs at the least, and from which on the errors it tells are worth something.
MIN_ROWS, GOOD_ROWS = 30, 500
#: Times of a layer outside of these (ms) are hardly right; a rate this much above the peak is not.
_LIKELY_MS, _ABOVE_PEAK = (5e-4, 1e4), 1.5
#: Repeats of one layer that differ by more than this factor disagree.
_DISAGREE = 1.5
_ROWS = 65_536
_TIME_NAME = re.compile(
    r"(?:.*_)?(?:time|latency|duration|runtime|elapsed|median|mean|avg|measured|execution_time)(?:_(?P<unit>ms|s|sec|us|usec|ns))?"
    r"|(?P<only>ms|us|ns)"
)
_SAME_UNIT = {"sec": "s", "usec": "us"}


@dataclass(frozen=True)
class ImportRequest:
    """A file, what its columns mean, and what holds for all of its rows.

    ``mapping`` is column to parameter, only where names differ. ``target`` names the target (small letters, digits, dashes).
    """

    path: Path
    target: str
    device: Device
    time_column: str
    time_unit: str = "ms"
    time_kind: str = "framework_wall_clock"
    framework: str = "unknown"
    mapping: Mapping[str, str] | None = None


@dataclass(frozen=True)
class ImportReport:
    """What a file holds. ``problems`` make training impossible, ``warnings`` should be looked at first."""

    rows: int
    usable: int
    shapes: int
    invalid: int
    without_time: int
    repeats: int
    fastest_ms: float
    slowest_ms: float
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def suggest_time(columns: Sequence[str]) -> tuple[str, str]:
    """The column that probably holds the times, and its unit; empty where none looks like it."""
    found: list[tuple[bool, str, str]] = []
    for name in columns:
        match = _TIME_NAME.fullmatch(name.strip().lower().replace(" ", "_").replace("-", "_").replace("µ", "u"))
        if match:
            unit = match["unit"] or match["only"] or ""
            found.append((name == "time_ms", name, _SAME_UNIT.get(unit, unit)))
    best = max(found, key=lambda one: (one[0], bool(one[2])), default=(False, "", "ms"))
    return best[1], best[2] or "ms"


def read_device(text: str) -> Device:
    """Figures of a device: from a JSON file with the fields of :class:`Device`, or one that comes with the program, by its key.

    Raises:
        DataFileError: the file cannot be read or lacks figures.
        UnknownNameError: there is neither such a file nor such a key.
    """
    path, known = Path(text).expanduser(), known_devices()
    if text in known:
        return known[text]
    if not path.is_file():
        raise UnknownNameError(f"{text!r} is neither a file nor a known device", nearest(text, list(known)))
    try:
        return Device.model_validate(json.loads(path.read_text(encoding="utf-8-sig")))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        hint = f"give {', '.join(name for name, one in Device.model_fields.items() if one.is_required())}"
        raise DataFileError(f"{path.name}: {field}: {first['msg'].lower()}", hint) from None
    except (OSError, ValueError) as error:
        raise DataFileError(f"{path} cannot be read: {error}", "give a JSON object with the device's figures") from None


def check(request: ImportRequest) -> ImportReport:
    """Read the whole file and say what could be wrong with it.

    Raises:
        DataFileError: the file cannot be read, or columns are missing or mapped wrongly.
    """
    return _read(request)[1]


def import_measurements(request: ImportRequest, out: Path) -> ImportReport:
    """Write the usable rows as a parquet file that ``load_measurements`` reads, with the device's figures in its metadata.

    Raises:
        DataFileError: as :func:`check`, and if the report has problems.
        OutputError: ``out`` cannot be written.
    """
    found, report = _read(request)
    if report.problems:
        raise DataFileError(f"{request.path.name}: {report.problems[0]}", "correct the file or the mapping")
    table, times = found
    columns: dict[str, object] = {name: table.columns[name].astype(np.int32) for name in INTEGER_FIELDS}
    for name, words in VOCABULARY.items():
        columns[name] = np.array(words, dtype=object)[table.columns[name]]
    if (table.columns["algorithm"] == 0).all():
        columns["algorithm"] = ["any"] * len(times)
    same = {
        "target": request.target,
        "device": request.device.name,
        "framework": request.framework,
        "time_kind": request.time_kind,
        "source": f"measurements in {request.path.name}",
    }
    columns |= {name: [value] * len(times) for name, value in same.items()} | {"time_ms": times}
    written = pa.table(columns).replace_schema_metadata({DEVICE_KEY: request.device.model_dump_json()})
    with atomic_write(out) as temporary:
        pq.write_table(written, temporary, compression="zstd")
    return report


def _read(request: ImportRequest) -> tuple[tuple[ConfigTable, Floats], ImportReport]:
    """Usable rows and their times in ms, and the report."""
    _check_words(request)
    pieces = list(read_table(request.path, _ROWS))
    names = list(pieces[0].columns) if pieces else []
    mapping = find_mapping(names, request.mapping)
    if request.time_column not in names:
        raise DataFileError(
            f"the table has no column {request.time_column!r} for the time", nearest(request.time_column, names)
        )
    tables, times, messages = [], [], list[str]()
    for piece in pieces:
        table, valid, found = ConfigTable.from_columns(config_columns(piece, mapping))
        raw = _numbers(piece.columns[request.time_column]) * TIME_UNITS[request.time_unit]
        good = np.isfinite(raw[valid]) & (raw[valid] > 0)
        tables.append(table[good])
        times.append(raw[valid][good])
        messages += [f"line {line}: {text}" for line, text in zip(piece.lines.tolist(), found, strict=True) if text]
    columns = {name: np.concatenate([table.columns[name] for table in tables]) for name in CONFIG_FIELDS}
    usable, all_times = ConfigTable(columns), np.concatenate(times)
    rows = sum(len(piece) for piece in pieces)
    return (usable, all_times), _report(request, usable, all_times, rows, messages)


def _check_words(request: ImportRequest) -> None:
    for what, word, known in (("time_kind", request.time_kind, TIME_KINDS), ("time unit", request.time_unit, TIME_UNITS)):
        if word not in known:
            raise DataFileError(f"{what} {word!r} is unknown", f"use one of {', '.join(known)}")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", request.target):
        raise DataFileError(f"{request.target!r} is no name of a target", "use small letters, digits and dashes, e.g. rtx-4090")


def _numbers(array: pa.Array) -> Floats:
    """A column as floats, NaN where a cell is no number."""
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        return np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.float64)

    def number(cell: object) -> float:
        try:
            return float(str(cell).strip())
        except ValueError:
            return float("nan")

    return np.array([number(cell) for cell in array.to_pylist()], dtype=np.float64)


def _report(request: ImportRequest, table: ConfigTable, times: Floats, rows: int, messages: list[str]) -> ImportReport:
    keys = hash_columns(table, CONFIG_FIELDS)
    unique, inverse = np.unique(keys, return_inverse=True)
    shapes, without_time = len(unique), rows - len(times) - len(messages)
    trained = np.isin(table.columns["dtype"], [VOCABULARY["dtype"].index(name) for name in TRAINED_DTYPES])
    kept = int((trained & (table.columns["direction"] == 0)).sum())
    problems, warnings = [], []
    if shapes < MIN_ROWS:
        problems.append(f"only {shapes} different layers can be used, training needs {MIN_ROWS}")
    elif shapes < GOOD_ROWS:
        warnings.append(f"{shapes:,} different layers are few: errors will be large, from {GOOD_ROWS} on they shrink")
    if messages:
        warnings.append(f"{len(messages):,} rows are no layer and are left out ({messages[0]})")
    if without_time:
        warnings.append(f"{without_time:,} rows have no positive time and are left out")
    if kept < len(times):
        warnings.append(f"{len(times) - kept:,} rows are of other passes or types ({', '.join(TRAINED_DTYPES)} are trained)")
    if len(times):
        warnings += _doubts(request, table, times, unique, inverse)
    low, high = (float(times.min()), float(times.max())) if len(times) else (float("nan"), float("nan"))
    return ImportReport(
        rows, len(times), shapes, len(messages), without_time, len(times) - shapes, low, high, tuple(problems), tuple(warnings)
    )


def _doubts(request: ImportRequest, table: ConfigTable, times: Floats, unique: object, inverse: object) -> list[str]:
    """What is possible but hardly right: units, figures, repeats."""
    found = []
    median = float(np.median(times))
    if not _LIKELY_MS[0] <= median <= _LIKELY_MS[1]:
        found.append(f"the median time is {median:.3g} ms: are the times really in {UNIT_WORDS[request.time_unit]}?")
    peak = np.where(table.columns["dtype"] == 0, request.device.fp32_tflops, request.device.fp16_tflops) * 1e9
    faster = int((2 * quantities(table)["macs"] / times > _ABOVE_PEAK * peak).sum())
    if faster > 0.02 * len(times):
        share = 100 * faster / len(times)
        found.append(f"{share:.0f} % of the layers are faster than the device's peak rate: check the unit and the figures")
    lows, highs = np.full(len(np.asarray(unique)), np.inf), np.zeros(len(np.asarray(unique)))
    np.minimum.at(lows, np.asarray(inverse), times)
    np.maximum.at(highs, np.asarray(inverse), times)
    apart = int((highs > _DISAGREE * lows).sum())
    if apart:
        found.append(f"{apart:,} layers occur repeatedly with times that differ by more than half; medians are taken")
    return found


def state_device(path: Path, device: Device) -> None:
    """Write the figures of the device into a parquet file of measurements that has none, e.g. a collected one.

    Raises:
        DataFileError: the file cannot be read.
        OutputError: it cannot be written.
    """
    table = read_measurements(path)
    metadata = dict(table.schema.metadata or {}) | {DEVICE_KEY: device.model_dump_json().encode()}
    with atomic_write(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd")
