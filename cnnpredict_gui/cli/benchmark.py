"""``cnnpredict benchmark``: how fast a predictor answers."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from cnnpredict_gui.cli import usage
from cnnpredict_gui.cli.progress import Progress
from cnnpredict_gui.core.errors import ModelFileError, UnknownNameError, WorkerError
from cnnpredict_gui.core.format import sig3
from cnnpredict_gui.core.names import nearest

if TYPE_CHECKING:
    from cnnpredict_gui.cli.main import Parser


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Describe the command."""
    parser = usage.add_command(
        subparsers,
        "benchmark",
        "latency, throughput and memory of a predictor",
        "Times whole predictions (features, model, interval, verdict) in a process of their own.",
        [
            "cnnpredict benchmark xgb_prediction-training-gpul40s",
            "cnnpredict benchmark rf_prediction-training-cpu --rows 100000 --iterations 5 --json",
            "cnnpredict benchmark rf_prediction-training-cpu --engine native",
        ],
        run,
    )
    parser.add_argument("name", metavar="NAME", help="a predictor, NAME or NAME@VERSION")
    parser.add_argument("--iterations", default="100", metavar="N", help="timed calls (default 100)")
    parser.add_argument("--rows", default="1", metavar="N", help="layers per call (default 1)")
    parser.add_argument("--warm-up", default="3", metavar="N", help="calls before the timed ones (default 3)")
    parser.add_argument(
        "--engine",
        default="onnxruntime",
        choices=("onnxruntime", "native"),
        help="what answers: ONNX Runtime as always (default), or the library that trained the model",
    )
    parser.add_argument("--keep", action="store_true", help="also keep the result in the history that the window shows")


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    from cnnpredict_gui.bench.benchmark import Plan, run_benchmark
    from cnnpredict_gui.bench.history import BenchmarkHistory

    iterations, rows = usage.whole_number("--iterations", options.iterations), usage.whole_number("--rows", options.rows)
    warm_up = usage.whole_number("--warm-up", options.warm_up)
    library = usage.open_library(options)
    entries = library.scan()
    matches = [entry for entry in entries if options.name in (entry.name, entry.full_name)]
    if not matches:
        raise UnknownNameError(
            f"there is no predictor {options.name!r}", nearest(options.name, [entry.name for entry in entries])
        )
    if all(entry.status == "failed" for entry in matches):
        raise ModelFileError(f"{options.name} cannot be loaded: {matches[0].reason}")
    with Progress("calls") as progress:
        run = run_benchmark(Plan(((options.name, options.engine),), rows, iterations, warm_up), library.folders, progress)
    timed = run.outcomes[0].timed
    if timed is None:
        raise WorkerError(run.outcomes[0].error)
    if options.keep:
        BenchmarkHistory().add(run)
    latency = timed.latency
    if options.json:
        usage.print_json(asdict(latency))
        return 0
    print(f"{latency.model_name}, {timed.library}: {latency.iterations:,} calls of {latency.rows:,} rows")
    figures = [
        ("mean", latency.mean_ms, "ms"),
        ("p50", latency.p50_ms, "ms"),
        ("p95", latency.p95_ms, "ms"),
        ("p99", latency.p99_ms, "ms"),
        ("min", latency.min_ms, "ms"),
        ("max", latency.max_ms, "ms"),
        ("standard deviation", latency.std_ms, "ms"),
        ("throughput", latency.throughput_per_s, "rows/s"),
        ("load", latency.load_ms, "ms"),
        ("memory", latency.rss_mb, "MB"),
        ("most memory", timed.use.rss_peak_mb, "MB"),
        ("processor, mean", timed.use.cpu_mean_percent, "% of a core"),
        ("processor, highest", timed.use.cpu_max_percent, "% of a core"),
    ]
    if timed.difference is not None:
        figures.append(("largest difference to ONNX Runtime", 100 * timed.difference, "%"))
    usage.print_table(("WHAT", "VALUE", "UNIT"), [(name, sig3(value), unit) for name, value, unit in figures], right=("VALUE",))
    return 0
