"""How long a predictor takes to answer: latency, throughput and memory, measured in a child process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import psutil

from cnnpredict_gui.bench.child import Message, run_in_child
from cnnpredict_gui.bench.distribution import Distribution, Floats
from cnnpredict_gui.bench.sizes import ITERATIONS, MAX_ITERATIONS, MAX_ROWS, MAX_WARM_UP, WARM_UP
from cnnpredict_gui.bench.use import ResourceUse, UseMeter
from cnnpredict_gui.core.card import ModelCard
from cnnpredict_gui.core.config import LIMITS
from cnnpredict_gui.core.errors import ConfigError
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.serving.models import TrainedModel
from cnnpredict_gui.serving.predictor import Predictor

#: What answers: ONNX Runtime, as the application serves, or the library that trained the model.
ENGINES = ("onnxruntime", "native")


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


@dataclass(frozen=True)
class Timed:
    """One measurement with all that belongs to it.

    ``engine`` is one of :data:`ENGINES`, ``library`` its name and version. ``difference`` is the largest relative difference
    between times predicted by the native library and by ONNX Runtime for the same layers; None for ONNX Runtime itself.
    """

    latency: Latency
    engine: str
    library: str
    distribution: Distribution
    use: ResourceUse
    difference: float | None = None


def check_sizes(iterations: int, rows: int, warm_up: int = WARM_UP) -> None:
    """Check the sizes of a measurement.

    Raises:
        ConfigError: one is out of range.
    """
    limits = (("iterations", iterations, 1, MAX_ITERATIONS), ("rows", rows, 1, MAX_ROWS), ("warm-up", warm_up, 0, MAX_WARM_UP))
    for what, value, low, high in limits:
        if not low <= value <= high:
            raise ConfigError(f"{what} is {value:,}, outside {low:,} to {high:,}", "give a number within the limits", what)


def measure_latency(
    name: str,
    folders: Sequence[Path],
    iterations: int = ITERATIONS,
    rows: int = 1,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    warm_up: int = WARM_UP,
    engine: str = ENGINES[0],
) -> Timed:
    """Time a predictor in a child process.

    Args:
        name: The predictor's name.
        folders: Models folders.
        iterations: Timed calls.
        rows: Rows per call.
        progress: Called with (calls done, calls in all) about ten times a second.
        cancelled: Asked ten times a second.
        warm_up: Calls before the timed ones.
        engine: One of :data:`ENGINES`.

    Raises:
        ConfigError: ``iterations``, ``rows`` or ``warm_up`` is out of range.
        WorkerError: the model cannot be loaded or the process failed.
        CancelledByUserError: ``cancelled`` said so.
    """
    check_sizes(iterations, rows, warm_up)
    request = {
        "name": name,
        "folders": [str(folder) for folder in folders],
        "iterations": iterations,
        "rows": rows,
        "warm_up": warm_up,
        "engine": engine,
    }

    def tell(message: Message) -> None:
        if progress is not None:
            progress(message["done"], iterations)

    answer = run_in_child(f"{__name__}:time_in_this_process", request, tell, cancelled, measures=True)
    return Timed(
        Latency(**answer["latency"]),
        engine,
        answer["library"],
        Distribution.from_json(answer["distribution"]),
        ResourceUse(**answer["use"]),
        answer["difference"],
    )


def time_in_this_process(request: Message, send: Callable[[Message], None]) -> Message:
    """Body of the child process: the parts of :class:`Timed` as a JSON object."""
    library = ModelLibrary([Path(folder) for folder in request["folders"]])
    predictor = library.get(request["name"])
    entry = next(entry for entry in library.entries if entry.path == predictor.path)
    load_ms, title, difference = entry.load_ms, _onnx_runtime(), None
    table = sample_layers(predictor.card, request["rows"])
    if request["engine"] == "native":
        from cnnpredict_gui.bench.native import NativeModel

        model, served = NativeModel(entry), predictor
        load_ms, title = model.load_ms, model.library
        predictor = replace(predictor, model=TrainedModel(predictor.card, model))
        difference = _difference(served, predictor, sample_layers(predictor.card, 64))
    times, use = _time(predictor, table, request["iterations"], request["warm_up"], send)
    latency = _latency(request["name"], times, request["rows"], load_ms)
    return {
        "latency": asdict(latency),
        "library": title,
        "distribution": Distribution.of(times).to_json(),
        "use": asdict(use),
        "difference": difference,
    }


def _time(
    predictor: Predictor, table: ConfigTable, iterations: int, warm_up: int, send: Callable[[Message], None]
) -> tuple[Floats, ResourceUse]:
    """Times of the calls in ms, shape (iterations,), and what they took of the machine."""
    times = np.empty(iterations)
    for _ in range(warm_up):
        predictor.predict(ConfigTable(table.columns))
    meter, told = UseMeter(), perf_counter()
    for call in range(iterations):
        fresh = ConfigTable(table.columns)  # without what was kept from the call before
        begin = perf_counter()
        predictor.predict(fresh)
        end = perf_counter()
        times[call] = (end - begin) * 1e3
        if end - told > 0.1:
            meter.tick()
            send({"done": call + 1})
            told = perf_counter()
    return times, meter.result()


def _latency(name: str, times: Floats, rows: int, load_ms: float) -> Latency:
    p50, p95, p99 = np.percentile(times, (50, 95, 99)).tolist()
    return Latency(
        model_name=name,
        rows=rows,
        iterations=len(times),
        mean_ms=float(times.mean()),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        min_ms=float(times.min()),
        max_ms=float(times.max()),
        std_ms=float(times.std()),
        throughput_per_s=float(rows / times.mean() * 1e3),
        load_ms=load_ms,
        rss_mb=psutil.Process().memory_info().rss / 1e6,
    )


def _difference(served: Predictor, native: Predictor, table: ConfigTable) -> float | None:
    """Largest relative difference of the predicted times, None if no row can be compared."""
    one, other = (predictor.predict(ConfigTable(table.columns)).time_ms for predictor in (served, native))
    relative = np.abs(other / one - 1)
    return float(np.nanmax(relative)) if np.isfinite(relative).any() else None


def _onnx_runtime() -> str:
    from cnnpredict_gui.infra.onnx_runtime import onnxruntime

    return f"ONNX Runtime {onnxruntime.__version__}"


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
