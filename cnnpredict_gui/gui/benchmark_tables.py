"""Tables of a benchmark: its results, the history of runs, and two runs side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cnnpredict_gui.core.names import FAMILIES
from cnnpredict_gui.gui.benchmark_data import Change, ResultRow, local_time
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.csv_text import Cell
from cnnpredict_gui.gui.format import percent, sig3
from cnnpredict_gui.gui.tables import Column, TableView
from cnnpredict_gui.gui.theme import Theme

if TYPE_CHECKING:
    from cnnpredict_gui.bench.predictor_latency import Timed

Constants = Callable[[], dict[str, Cell]]


def _figure(key: str, title: str, tip: str, pick: Callable[[Timed], float | None], hidden: bool = False) -> Column:
    """A column with a number of the measurement; empty where there is none."""

    def value(row: ResultRow) -> Cell:
        return None if row.timed is None else pick(row.timed)

    return Column(key, title, value, tip=tip, hidden=hidden, numeric=True)


def _times(factor: Any) -> str:
    return "" if factor is None or not math.isfinite(factor) else f"{sig3(factor)} ×"


RESULT_COLUMNS: tuple[Column, ...] = (
    Column("predictor", "predictor", lambda r: r.outcome.name, hidden=True),
    Column("target", "target", lambda r: r.title),
    Column("family", "family", lambda r: FAMILIES[r.family]),
    Column("engine", "answered by", lambda r: r.engine, tip="ONNX Runtime as always, or the library that trained the model"),
    _figure("p50_ms", "median (ms)", "Half of the calls took no longer", lambda t: t.latency.p50_ms),
    _figure("mean_ms", "mean (ms)", "Mean of all calls", lambda t: t.latency.mean_ms),
    _figure("p95_ms", "p95 (ms)", "95 % of the calls took no longer", lambda t: t.latency.p95_ms),
    _figure("p99_ms", "p99 (ms)", "99 % of the calls took no longer", lambda t: t.latency.p99_ms),
    _figure("min_ms", "min (ms)", "The fastest call", lambda t: t.latency.min_ms),
    _figure("max_ms", "max (ms)", "The slowest call", lambda t: t.latency.max_ms),
    _figure("std_ms", "std (ms)", "Standard deviation of the calls", lambda t: t.latency.std_ms),
    _figure("throughput_per_s", "layers/s", "Layers per second at the mean time", lambda t: t.latency.throughput_per_s),
    _figure(
        "load_ms", "load (ms)", "Time to verify and load the model, without importing its library", lambda t: t.latency.load_ms
    ),
    _figure("rss_mb", "memory (MB)", "Resident memory of the process after the last call", lambda t: t.latency.rss_mb),
    _figure("rss_peak_mb", "peak (MB)", "Most resident memory of the process", lambda t: t.use.rss_peak_mb),
    _figure(
        "cpu_mean_percent", "CPU (%)", "Mean load of one core by the calls; 200 is two cores", lambda t: t.use.cpu_mean_percent
    ),
    _figure("cpu_max_percent", "CPU max (%)", "Highest load within a quarter of a second", lambda t: t.use.cpu_max_percent),
    _figure(
        "machine_cpu_percent",
        "machine (%)",
        "Load of all cores by all programs meanwhile; empty when the calls took less than 0.2 s",
        lambda t: t.use.machine_cpu_percent,
    ),
    Column(
        "ratio_to_onnx_runtime",
        "vs ONNX",
        lambda r: r.ratio,
        lambda r: _times(r.ratio),
        "Median of the native library over that of ONNX Runtime",
        numeric=True,
    ),
    Column(
        "difference_percent",
        "differs (%)",
        lambda r: 100 * r.timed.difference if r.timed and r.timed.difference is not None else None,
        tip="Largest difference between times predicted by the native library and by ONNX Runtime",
        hidden=True,
        numeric=True,
    ),
    Column(
        "problem",
        "problem",
        lambda r: r.outcome.error,
        colour=lambda r, theme: theme.error if r.outcome.error else None,
    ),
)

RUN_COLUMNS: tuple[Column, ...] = (
    Column("run", "run", lambda r: r.number, lambda r: str(r.number), numeric=True),
    Column("started", "started", lambda r: r.started, lambda r: local_time(r.started), "Time on this computer's clock"),
    Column("rows", "layers per call", lambda r: r.rows, numeric=True),
    Column("iterations", "calls", lambda r: r.iterations, numeric=True),
    Column("warm_up", "warm-up", lambda r: r.warm_up, tip="Calls before the timed ones", numeric=True),
    Column("predictors", "timed", lambda r: r.predictors, tip="Predictors, native libraries counted extra", numeric=True),
    Column(
        "failed",
        "failed",
        lambda r: r.failed,
        colour=lambda r, theme: theme.error if r.failed else None,
        numeric=True,
    ),
    Column("seconds", "took (s)", lambda r: r.seconds, numeric=True),
    Column("version", "version", lambda r: r.version, hidden=True),
    Column("machine", "machine", lambda r: r.machine),
)


def _both(key: str, title: str, pick: Callable[[Timed], float], hidden: bool = False) -> tuple[Column, Column]:
    def of(timed: Timed | None) -> Cell:
        return None if timed is None else pick(timed)

    return (
        Column(f"{key}_before", f"{title}, before", lambda c: of(c.before), hidden=hidden, numeric=True),
        Column(f"{key}_after", f"{title}, after", lambda c: of(c.after), hidden=hidden, numeric=True),
    )


def _change_text(change: Change) -> str:
    return "" if change.ratio is None else percent(100 * (change.ratio - 1), signed=True)


def _change_colour(change: Change, theme: Theme) -> str | None:
    """Green or red beyond a tenth: less is noise on most machines."""
    if change.ratio is None or 0.9 <= change.ratio <= 1.1:
        return None
    return theme.error if change.ratio > 1 else theme.good


CHANGE_COLUMNS: tuple[Column, ...] = (
    Column("predictor", "predictor", lambda c: c.row.outcome.name, hidden=True),
    Column("target", "target", lambda c: c.row.title),
    Column("family", "family", lambda c: FAMILIES[c.row.family]),
    Column("engine", "answered by", lambda c: c.row.engine),
    Column(
        "change_percent",
        "change",
        lambda c: None if c.ratio is None else 100 * (c.ratio - 1),
        _change_text,
        "Of the median time per layer; coloured beyond 10 %",
        _change_colour,
        numeric=True,
    ),
    *_both("p50_ms", "median (ms)", lambda t: t.latency.p50_ms),
    *_both("p95_ms", "p95 (ms)", lambda t: t.latency.p95_ms),
    *_both("throughput_per_s", "layers/s", lambda t: t.latency.throughput_per_s, hidden=True),
    *_both("rss_mb", "memory (MB)", lambda t: t.latency.rss_mb),
)


def result_table(context: AppContext, constants: Constants) -> TableView:
    """Results of one run."""
    return TableView(context, "Benchmark results", RESULT_COLUMNS, lambda r: r.key, constants)


def run_table(context: AppContext) -> TableView:
    """All runs kept."""
    return TableView(context, "History of runs", RUN_COLUMNS, lambda r: r.number)


def change_table(context: AppContext, constants: Constants) -> TableView:
    """Two runs side by side."""
    return TableView(context, "Comparison of two runs", CHANGE_COLUMNS, lambda c: c.row.key, constants)
