"""How long predictors take to answer: latency, throughput and memory, measured in a child process of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import psutil

from cnnpredict_gui.bench.child import Message, run_in_child
from cnnpredict_gui.core.card import ModelCard
from cnnpredict_gui.core.config import LIMITS
from cnnpredict_gui.core.errors import ConfigError
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.serving.library import ModelLibrary

MAX_ROWS = 10_000_000
MAX_ITERATIONS = 1_000_000
_WARM_UP = 3


@dataclass(frozen=True)
class Latency:
    """Times of whole calls in ms (validation of the table, features, model, interval and verdict), ``rows`` rows each.

    ``throughput_per_s`` is rows per second at the mean time; ``load_ms`` the time to verify and load the model; ``rss_mb`` the
    resident memory of the process (1e6 bytes) after the last call.
    """

    model_name: str
    rows: int
    iterations: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    min_ms: float
    max_ms: float
    std_ms: float
    throughput_per_s: float
    load_ms: float
    rss_mb: float


def measure_latency(
    name: str,
    folders: Sequence[Path],
    iterations: int = 100,
    rows: int = 1,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Latency:
    """Time a predictor in a child process.

    Args:
        name: The predictor's name.
        folders: Models folders.
        iterations: Timed calls.
        rows: Rows per call.
        progress: Called with (calls done, calls in all) about ten times a second.
        cancelled: Asked ten times a second.

    Raises:
        ConfigError: ``iterations`` or ``rows`` is out of range.
        WorkerError: the model cannot be loaded or the process failed.
        CancelledByUserError: ``cancelled`` said so.
    """
    for what, value, high in (("iterations", iterations, MAX_ITERATIONS), ("rows", rows, MAX_ROWS)):
        if not 1 <= value <= high:
            raise ConfigError(f"{what} is {value:,}, outside 1 to {high:,}", "give a number within the limits", what)
    request = {"name": name, "folders": [str(folder) for folder in folders], "iterations": iterations, "rows": rows}

    def tell(message: Message) -> None:
        if progress is not None:
            progress(message["done"], iterations)

    return Latency(**run_in_child(f"{__name__}:time_in_this_process", request, tell, cancelled))


def time_in_this_process(request: Message, send: Callable[[Message], None]) -> Message:
    """Body of the child process: the fields of :class:`Latency` as a JSON object."""
    library = ModelLibrary([Path(folder) for folder in request["folders"]])
    predictor = library.get(request["name"])
    load_ms = next(entry.load_ms for entry in library.entries if entry.path == predictor.path)
    table = sample_layers(predictor.card, request["rows"])
    times = np.empty(request["iterations"])
    told = perf_counter()
    for call in range(-_WARM_UP, len(times)):
        fresh = ConfigTable(table.columns)  # without what was kept from the call before
        begin = perf_counter()
        predictor.predict(fresh)
        end = perf_counter()
        if call >= 0:
            times[call] = (end - begin) * 1e3
        if end - told > 0.1:
            send({"done": max(0, call + 1)})
            told = end
    p50, p95, p99 = np.percentile(times, (50, 95, 99)).tolist()
    return asdict(
        Latency(
            model_name=request["name"],
            rows=request["rows"],
            iterations=len(times),
            mean_ms=float(times.mean()),
            p50_ms=p50,
            p95_ms=p95,
            p99_ms=p99,
            min_ms=float(times.min()),
            max_ms=float(times.max()),
            std_ms=float(times.std()),
            throughput_per_s=float(request["rows"] / times.mean() * 1e3),
            load_ms=load_ms,
            rss_mb=psutil.Process().memory_info().rss / 1e6,
        )
    )


def sample_layers(card: ModelCard, rows: int, seed: int = 0) -> ConfigTable:
    """Layers like those a predictor was trained on: each parameter log-uniform over its range, or one of the values seen.

    Kernels are cut to the input's size, groups are 1; what the card says nothing about is 1. The same for the same seed.
    """
    rng = np.random.default_rng(seed)

    def draw(name: str, low: int, high: int) -> Any:
        if seen := [value for value in card.values_seen.get(name, ()) if low <= value <= high]:
            return rng.choice(seen, rows)
        bounds = card.ranges.get(name)
        first, last = (max(low, bounds.low), min(high, bounds.high)) if bounds else (1.0, 1.0)
        return np.exp(rng.uniform(np.log(first), np.log(max(first, last)), rows)).round().astype(np.int64)

    columns: dict[str, Any] = {
        "batch_size": draw("batch_size", 1, 64),
        "input_channels": draw("input_channels", 1, 2048),
        "output_channels": draw("output_channels", 1, 2048),
        "input_height": draw("input_height", 1, 256),
    }
    columns["input_width"] = columns["input_height"]
    columns["kernel_size"] = np.minimum(draw("kernel_height", 1, LIMITS["kernel_height"]), columns["input_height"])
    columns["stride"] = draw("stride_height", 1, 4)
    for name, words in (("dtype", card.dtypes), ("direction", card.directions)):
        columns[name] = [words[0]] * rows
    return ConfigTable.from_columns(columns)[0]
