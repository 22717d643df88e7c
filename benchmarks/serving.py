"""Figures of the serving layer against their goals: ``python benchmarks/serving.py [--json FILE]``.

Everything is measured in one run on the models given (the bundled ones by default); each figure is a median over repeats.
Served and native times of a family are taken in turns, so that their ratio does not depend on what else the machine does at
the time. "Native" is the prediction of the training library on features that are ready, in a child process, with the better
of one thread and one per core. The goal holds the same work against it: the served model on the same features. Beside it
stands all that a caller of ``Predictor.predict`` waits for (features, model, interval, verdict), of which the native library
does only a part. Close other programs first: the goals are for an idle machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import psutil

from cnnpredict_gui.bench.predictor_latency import sample_layers
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.features import feature_matrix
from cnnpredict_gui.core.names import LAYOUT, TRAINED_FAMILIES
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.infra.files import atomic_text
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.serving.models import TrainedModel
from cnnpredict_gui.serving.predictor import Predictor, predict_many
from cnnpredict_gui.studies.sweep import sweep

HEAVY = ("torch", "sklearn", "scipy", "xgboost", "onnx", "pandas", "joblib", "matplotlib", "PySide6")
SIZES = {"input_channels": 128, "input_height": 28, "input_width": 28, "output_channels": 128, "kernel_size": 3}
LAYER = ConvConfig.parse(SIZES)
#: From this many rows on, tables are spread over the cores.
MANY_ROWS = 10_000
#: Rows given to the lasso's native library at once; its polynomial of a million rows would take gigabytes.
NATIVE_LASSO_ROWS = 50_000


@dataclass(frozen=True)
class Figure:
    """One line of the table; ``goal`` is a bound on ``value``, from below if ``at_least``."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None if there is none."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal


def median_seconds(call: Callable[[], object], repeats: int) -> float:
    """Median time of a call in seconds, after one that is not counted."""
    call()
    times = []
    for _ in range(repeats):
        begin = perf_counter()
        call()
        times.append(perf_counter() - begin)
    return float(np.median(times))


_IMPORT = f"""
import json, sys
from time import perf_counter
begin = perf_counter()
import cnnpredict_gui.serving.library
print(json.dumps([perf_counter() - begin, [name for name in {HEAVY!r} if name in sys.modules]]))
"""
_LOAD = """
import json, psutil, sys
from pathlib import Path
from time import perf_counter
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.serving.models import TrainedModel
begin = perf_counter()
library = ModelLibrary([Path(folder) for folder in sys.argv[1:]])
library.load_all()
seconds, loaded = perf_counter() - begin, library.predictors
from cnnpredict_gui.core.config import ConvConfig
layer = ConvConfig(input_channels=64, input_height=56, input_width=56, output_channels=64, kernel_size=3)
for predictor in loaded.values():
    predictor.predict_one(layer)
failed = [entry.full_name for entry in library.entries if entry.status == "failed"]
print(json.dumps([seconds, len(loaded), failed, psutil.Process().memory_info().rss / 1e6]))
"""


def in_fresh_process(program: str, arguments: list[str], repeats: int) -> list[Any]:
    """What a program prints as JSON, from several runs."""
    command = [sys.executable, "-c", program, *arguments]
    return [json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(repeats)]


def start_figures(folders: list[Path], repeats: int) -> list[Figure]:
    """Import, loading and memory."""
    imports = in_fresh_process(_IMPORT, [], repeats)
    loads = in_fresh_process(_LOAD, [str(folder) for folder in folders], repeats)
    heavy = sorted({name for run in imports for name in run[1]})
    failed = loads[0][2]
    return [
        Figure("import of the serving layer", 1e3 * float(np.median([run[0] for run in imports])), "ms"),
        Figure("training libraries imported with it", len(heavy), "", 0, note=", ".join(heavy)),
        Figure("predictors loaded", loads[0][1], "", note=f"failed: {', '.join(failed)}" if failed else ""),
        Figure("all predictors loaded", float(np.median([run[0] for run in loads])), "s", 2.0),
        Figure("resident memory, all loaded and asked", max(run[3] for run in loads), "MB", 400.0),
    ]


def latency_figures(predictors: list[Predictor], repeats: int) -> list[Figure]:
    """Small requests, features from scratch each time."""
    twelve = predictors[:12]
    everything = median_seconds(lambda: predict_many(predictors, ConfigTable.from_configs([LAYER])), 40 * repeats)
    swept = median_seconds(lambda: sweep(LAYER, {"input_size": range(7, 7 * 65, 7)}, twelve), 20 * repeats)
    return [
        Figure(f"one layer on all {len(predictors)} predictors", 1e3 * everything, "ms", 10.0),
        Figure(f"sweep of 64 points on {len(twelve)} predictors", 1e3 * swept, "ms", 16.0),
    ]


def native_model(predictor: Predictor, threads: int) -> Callable[[Any], Any]:
    """The training library's own prediction; only called in the child process."""
    _, stem, suffix = LAYOUT[predictor.family]
    path = predictor.path.with_name(stem + suffix)
    if predictor.family == "nn":
        import torch

        from cnnpredict_gui.training.network_regressor import NetworkRegressor

        torch.set_num_threads(threads)
        return NetworkRegressor.from_checkpoint(torch.load(path, weights_only=True)).predict
    import joblib

    model = joblib.load(path)
    if predictor.family != "lasso":
        model.set_params(n_jobs=threads)
        return model.predict  # type: ignore[no-any-return]
    return lambda matrix: [
        model.predict(matrix[at : at + NATIVE_LASSO_ROWS]) for at in range(0, len(matrix), NATIVE_LASSO_ROWS)
    ]


def features_of(predictor: Predictor, rows: int) -> Any:
    """Sample layers as the predictor's model takes them."""
    return feature_matrix(sample_layers(predictor.card, rows), predictor.card.device, predictor.card.features)


def native_server(pipe: Connection, folders: list[str]) -> None:
    """Body of the child process: median seconds of a family's native library, on request."""
    warnings.simplefilter("ignore")
    library = ModelLibrary([Path(folder) for folder in folders])
    kept: dict[str, Any] = {}
    while (request := pipe.recv_bytes()) != b"end":  # a parent that failed ends this process by an EOFError
        asked = json.loads(request)
        key = f"{asked['name']} {asked['rows']}"
        if key not in kept:
            kept = {key: features_of(library.get(asked["name"]), asked["rows"])}
        call = partial(native_model(library.get(asked["name"]), asked["threads"]), kept[key])
        pipe.send_bytes(json.dumps(median_seconds(call, asked["repeats"])).encode())


def family_figures(predictors: list[Predictor], folders: list[Path], rows: list[int], repeats: int) -> list[Figure]:
    """Each family against its native library, in turns."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=native_server, args=(theirs, [str(folder) for folder in folders]))
    child.start()
    theirs.close()
    figures: list[Figure] = []
    try:
        for family in TRAINED_FAMILIES:
            predictor = next((one for one in predictors if one.family == family), None)
            if predictor is not None:
                for count in rows:
                    figures += one_family(predictor, count, repeats, ours)
        ours.send_bytes(b"end")
    finally:
        ours.close()
        child.join()
    return figures


def run_alone(model: TrainedModel, matrix: Any) -> None:
    """ONNX Runtime on features that are ready, large tables spread over the cores as the application does."""
    if len(matrix) < MANY_ROWS:
        model.engine.run(matrix)
        return
    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(model.engine.run, np.array_split(matrix, 4 * cores)))


def one_family(predictor: Predictor, rows: int, repeats: int, native: Connection) -> list[Figure]:
    """Served and native time of one predictor, and their ratio."""
    columns = sample_layers(predictor.card, rows).columns
    matrix = features_of(predictor, rows)
    inner = 1 if rows >= MANY_ROWS else 50
    served: list[float] = []
    alone: list[float] = []
    natively: dict[int, list[float]] = {threads: [] for threads in dict.fromkeys((1, os.cpu_count() or 1))}
    for _ in range(repeats):
        served.append(median_seconds(lambda: predictor.predict(ConfigTable(columns)), inner))
        if isinstance(predictor.model, TrainedModel):
            alone.append(median_seconds(partial(run_alone, predictor.model, matrix), inner))
        for threads, times in natively.items():
            request = {"name": predictor.name, "rows": rows, "threads": threads, "repeats": inner}
            native.send_bytes(json.dumps(request).encode())
            times.append(json.loads(native.recv_bytes()))
    ours = float(np.median(served))
    threads, theirs = min(((count, float(np.median(times))) for count, times in natively.items()), key=lambda pair: pair[1])
    label = f"{predictor.family}, {rows:,} row{'s' if rows > 1 else ''}"
    engine = float(np.median(alone)) if alone else ours
    figures = [
        Figure(f"{label}: served, all in all", 1e3 * ours, "ms"),
        Figure(f"{label}: served, model alone", 1e3 * engine, "ms"),
        Figure(f"{label}: native, model alone", 1e3 * theirs, "ms", note=f"{threads} thread{'s' if threads > 1 else ''}"),
        Figure(f"{label}: speed to native, model alone", theirs / engine, "x", 0.9, at_least=True),
        Figure(f"{label}: speed to native, all in all", theirs / ours, "x"),
    ]
    goal = {"xgb": 200_000.0, "rf": 50_000.0}.get(predictor.family)
    if rows >= MANY_ROWS:
        figures.append(Figure(f"{label}: throughput", rows / ours, "configs/s", goal, at_least=True))
    return figures


def table_text(figures: list[Figure]) -> str:
    """The figures as text."""
    lines = []
    for figure in figures:
        goal = "" if figure.goal is None else f"{'>=' if figure.at_least else '<='} {figure.goal:,g}"
        verdict = {None: "", True: "met", False: "MISSED"}[figure.met]
        value = f"{figure.value:,.0f}" if figure.value >= 1000 or figure.unit == "" else f"{figure.value:.4g}"
        lines.append(f"{figure.name:46} {value:>12} {figure.unit:9} {goal:12} {verdict:7} {figure.note}".rstrip())
    return "\n".join(lines)


def main() -> int:
    """Measure, print, write; returns 0 if all goals are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models-dir", type=Path, action="append", help="models folder instead of the bundled one")
    parser.add_argument("--target", help="target whose families are held against their native libraries")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 64, 1_000_000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    library = ModelLibrary(options.models_dir)
    library.load_all()
    predictors = list(library.predictors.values())
    chosen = library.for_target(options.target) if options.target else predictors
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
          f"{psutil.virtual_memory().total / 1e9:.0f} GB, Python {platform.python_version()}")  # fmt: skip
    figures = start_figures(library.folders, options.repeats)
    figures += latency_figures(predictors, options.repeats)
    figures += family_figures(chosen, library.folders, options.rows, options.repeats)
    print(table_text(figures))
    if options.json:
        atomic_text(options.json, json.dumps([asdict(figure) | {"met": figure.met} for figure in figures], indent=1) + "\n")
    return 0 if all(figure.met is not False for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
