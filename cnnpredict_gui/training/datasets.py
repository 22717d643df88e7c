"""Measured times from parquet or CSV files: read, checked, merged and cut to one target."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from cnnpredict_gui.core.card import Device
from cnnpredict_gui.core.config import ALGORITHMS, CONFIG_FIELDS, INTEGER_FIELDS
from cnnpredict_gui.core.cpu_features import NAMES as CPU_FEATURES
from cnnpredict_gui.core.errors import DataFileError
from cnnpredict_gui.core.features import feature_matrix
from cnnpredict_gui.core.names import TIME_KINDS, Target, nearest
from cnnpredict_gui.core.table import VOCABULARY, ConfigTable, Floats, Integers
from cnnpredict_gui.infra.paths import resources_dir

SHAPE_FIELDS = INTEGER_FIELDS
#: ``source`` of rows measured by ``cnnpredict collect``.
COLLECTED = "cnnpredict-collect"
#: Where a parquet file's metadata holds the figures of its device, as JSON.
DEVICE_KEY = b"device_figures"
#: Relative standard deviation of a layer's repeats at which it counts half.
SCATTER_SCALE = 0.5
#: Element types and direction the predictors are trained for.
TRAINED_DTYPES = ("fp32", "fp16", "int8")


@dataclass(frozen=True, eq=False)
class Measurements:
    """Measured layers of one target: n rows; ``time_ms`` (n,) in ms, ``shape_id`` (n,) equal for equal shapes.

    ``weight`` (n,) is at most 1 and falls where the source's own repeats of a layer scatter. ``networks`` has, per row,
    the names of the networks the layer occurs in, joined by ``|`` (empty if unknown).
    """

    target: Target
    device: Device
    table: ConfigTable
    time_ms: Floats
    weight: Floats
    shape_id: npt.NDArray[np.uint64]
    networks: npt.NDArray[np.object_]
    source: str

    def __len__(self) -> int:
        return len(self.time_ms)

    def take(self, rows: npt.NDArray[np.bool_] | Integers) -> Measurements:
        """The given rows only."""
        return replace(
            self,
            table=self.table[rows],
            time_ms=self.time_ms[rows],
            weight=self.weight[rows],
            shape_id=self.shape_id[rows],
            networks=self.networks[rows],
        )


def read_table(path: Path) -> pa.Table:
    """Read a parquet or CSV file of measurements.

    Raises:
        DataFileError: the file is missing or not what its name says.
    """
    try:
        return pq.read_table(path) if path.suffix == ".parquet" else pacsv.read_csv(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataFileError(f"cannot read {path}: {str(error).splitlines()[0]}", "give a parquet or CSV file") from error


def load_measurements(files: Sequence[Path], target: str) -> tuple[Measurements, list[Measurements]]:
    """Measurements of ``target`` and, for pooled training, of the other targets measured the same way.

    Targets are pooled when source and time kind agree: other devices of one campaign, never another kind of time.

    Raises:
        DataFileError: a file cannot be read, lacks columns, or holds nothing of the target.
    """
    tables = [read_table(path) for path in files]
    for path, table in zip(files, tables, strict=True):
        missing = [name for name in ("target", "time_ms", "time_kind") if name not in table.column_names]
        if missing:
            raise DataFileError(f"{path} has no column {', '.join(missing)}", "a table of your own needs --device: its figures")
    names = sorted({str(name) for table in tables for name in table["target"].unique().to_pylist()})
    if target not in names:
        raise DataFileError(f"no measurements of target {target!r} in the files", nearest(target, names))
    parts = {name: [part for table in tables if len(part := _rows_of(table, name))] for name in names}
    own = _measurements(parts.pop(target), target)
    others = [_measurements(rows, name) for name, rows in parts.items() if rows and _same_campaign(rows[0], own)]
    return own, others


def _rows_of(table: pa.Table, target: str) -> pa.Table:
    keep = pc.equal(table["target"].cast("string"), target)
    if "direction" in table.column_names:
        keep = pc.and_(keep, pc.equal(table["direction"].cast("string"), "forward"))
    if "dtype" in table.column_names:
        keep = pc.and_(keep, pc.is_in(table["dtype"].cast("string"), pa.array(TRAINED_DTYPES)))
    return table.filter(keep)


def _same_campaign(rows: pa.Table, own: Measurements) -> bool:
    source, kind = _first(rows, "source", ""), _first(rows, "time_kind", "")
    return source == own.source and kind == own.target.time_kind


def _first(table: pa.Table, column: str, otherwise: str) -> str:
    return str(table[column][0].as_py()) if column in table.column_names else otherwise


def _measurements(parts: list[pa.Table], target: str) -> Measurements:
    table = parts[0] if len(parts) == 1 else pa.concat_tables(parts, promote_options="permissive")
    columns = {name: table[name] for name in CONFIG_FIELDS if name in table.column_names}
    texts = {
        name: np.array(column.cast("string").to_pylist(), dtype=object)
        for name, column in columns.items()
        if name in VOCABULARY
    }
    numbers = {name: column.to_numpy() for name, column in columns.items() if name not in VOCABULARY}
    configs, valid, messages = ConfigTable.from_columns(numbers | texts)
    times = table["time_ms"].to_numpy()[valid]
    if not len(times) or not (np.isfinite(times) & (times > 0)).all():
        reason = next((text for text in messages if text), "a time is not a positive number")
        raise DataFileError(f"the measurements of {target} cannot be used: {reason}", "correct or remove those rows")
    device_key = _first(table, "device", target)
    kind, framework = _first(table, "time_kind", ""), _first(table, "framework", "unknown")
    if kind not in TIME_KINDS:
        raise DataFileError(f"time_kind {kind!r} of {target} is unknown", f"use one of {', '.join(TIME_KINDS)}")
    stated = stated_device(parts[0])
    device = stated or find_device(device_key, _first(table, "source", "unknown"))
    if stated is None and device.vector_lanes and device_key not in _devices():
        device = device.model_copy(update={"vector_lanes": _lanes_that_fit(configs, times, device)})
    networks = np.full(len(times), "", dtype=object)
    if "networks" in table.column_names:
        networks = np.array([text or "" for text in table["networks"].to_pylist()], dtype=object)[valid]
    described = Target(
        name=target,
        title=f"{device.name} · {framework}",
        device=device.name,
        framework=framework,
        time_kind=kind,
    )
    weight = np.ones(len(times))
    if "relative_std" in table.column_names:
        weight = _weights(table["relative_std"].to_numpy()[valid])
    source = _first(table, "source", "unknown")
    raw = Measurements(described, device, configs, times, weight, shape_ids(configs), networks, source)
    return _with_fastest(_merge_repeats(raw))


def _weights(relative_std: Floats) -> Floats:
    """1 for a layer whose repeats agree, 1/2 where they scatter by the scale, ever less beyond; 1 where unknown."""
    return 1 / (1 + (np.nan_to_num(relative_std.astype(np.float64)) / SCATTER_SCALE) ** 2)


def shape_ids(table: ConfigTable) -> npt.NDArray[np.uint64]:
    """A hash of the fourteen sizes of each row, shape (n,): equal shapes share it whatever algorithm or dtype."""
    return hash_columns(table, SHAPE_FIELDS)


def hash_columns(table: ConfigTable, names: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Multiplicative hash of the named columns (splitmix64 finaliser), shape (n,), stable over runs and machines."""
    mixed = np.zeros(len(table), dtype=np.uint64)
    for name in names:
        mixed = (mixed ^ table.columns[name].astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed


def _merge_repeats(rows: Measurements) -> Measurements:
    """One row per shape, dtype and algorithm: the median of its repeats."""
    keys = hash_columns(rows.table, CONFIG_FIELDS)
    unique, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    if len(unique) == len(rows):
        return rows
    order = np.argsort(inverse, kind="stable")
    pieces = np.split(np.log(rows.time_ms)[order], np.flatnonzero(np.diff(inverse[order])) + 1)
    medians = np.exp([np.median(piece) for piece in pieces])
    return replace(rows.take(first), time_ms=medians)


def _with_fastest(rows: Measurements) -> Measurements:
    """Where a target lists several algorithms but no choice of the library, add ``any``: the fastest one listed."""
    present = {ALGORITHMS[code] for code in np.unique(rows.table.columns["algorithm"])}
    if present & {"any", "guess", "plain", "default"} or len(present) < 2:
        return rows
    keys = hash_columns(rows.table, (*SHAPE_FIELDS, "dtype"))
    order = np.lexsort((rows.time_ms, keys))
    fastest = order[np.r_[True, np.diff(keys[order].astype(np.int64)) != 0]]
    extra = rows.take(fastest)
    both = {name: np.concatenate([rows.table.columns[name], extra.table.columns[name]]) for name in rows.table.columns}
    both["algorithm"][len(rows) :] = ALGORITHMS.index("any")
    return replace(
        rows,
        table=ConfigTable(both),
        time_ms=np.concatenate([rows.time_ms, extra.time_ms]),
        weight=np.concatenate([rows.weight, extra.weight]),
        shape_id=np.concatenate([rows.shape_id, extra.shape_id]),
        networks=np.concatenate([rows.networks, extra.networks]),
    )


def default_algorithm(table: ConfigTable) -> str:
    """What a target calls the library's own choice: ``guess``, ``plain`` or ``any``, as its data has it."""
    present = {ALGORITHMS[code] for code in np.unique(table.columns["algorithm"])}
    return next((name for name in ("guess", "plain") if name in present), "any")


def names_present(table: ConfigTable, field: str) -> tuple[str, ...]:
    """Words of ``algorithm`` or ``dtype`` that occur in the table, in vocabulary order."""
    words = VOCABULARY[field]
    return tuple(words[code] for code in np.unique(table.columns[field]))


@cache
def _devices() -> dict[str, Device]:
    content = json.loads((resources_dir() / "devices.json").read_text(encoding="utf-8"))
    return {key: Device(**values) for key, values in content["devices"].items()}


def stated_device(table: pa.Table) -> Device | None:
    """Datasheet figures that a file states in its metadata, as imported files do."""
    stated = (table.schema.metadata or {}).get(DEVICE_KEY)
    return Device.model_validate_json(stated) if stated else None


def known_devices() -> dict[str, Device]:
    """Datasheet figures of the devices that come with the program, by their keys in the data."""
    return dict(_devices())


def find_device(key: str, source: str = "") -> Device:
    """Datasheet figures of a device by its key in the data; for an unknown one typical figures, so that training works.

    What was collected here and has no figures of its own counts as one thread of a processor, anything else as a GPU.
    """
    known = _devices()
    typical = known["epyc_1_thread" if source == COLLECTED else "unknown"]
    return known.get(key) or typical.model_copy(update={"name": key})


def _lanes_that_fit(configs: ConfigTable, times: Floats, device: Device) -> int:
    """The vector width (AVX2 or AVX-512) whose code paths explain the times of an unknown processor best."""

    def scatter(lanes: int) -> float:
        as_if = device.model_copy(update={"vector_lanes": lanes})
        known = np.c_[np.ones(len(times)), feature_matrix(configs, as_if, CPU_FEATURES)]
        ratio = np.log(times) - known[:, 1 + CPU_FEATURES.index("cpu_ln_estimate")]
        return float(np.abs(ratio - known @ np.linalg.lstsq(known, ratio, rcond=None)[0]).mean())

    return min((8, 16), key=scatter)


def source_notes(source: str) -> dict[str, str]:
    """Public origin and licence of a data source by its key in the data."""
    content = json.loads((resources_dir() / "data_sources.json").read_text(encoding="utf-8"))
    return dict(content.get(source, {"source": source, "licence": "not stated"}))
