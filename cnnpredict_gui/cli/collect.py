"""``cnnpredict collect``: measure layers on this machine."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnpredict_gui.cli import usage
from cnnpredict_gui.cli.progress import Progress
from cnnpredict_gui.cli.workers import add_workers, open_mapper

if TYPE_CHECKING:
    from cnnpredict_gui.cli.main import Parser


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Describe the command."""
    parser = usage.add_command(
        subparsers,
        "collect",
        "measure layers on this machine, for training",
        "Times layers with PyTorch on the CPU in several rounds. Interrupted, it goes on where it was when called again.",
        [
            "cnnpredict collect --out mine.parquet --layers 500",
            "cnnpredict collect --out again.parquet --plan models/prediction-training-cpu/measurements.parquet",
            "cnnpredict collect --out nodes.parquet --target node --dask tcp://10.0.0.5:8786   (one worker per machine)",
        ],
        run,
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="parquet file to write")
    parser.add_argument("--target", default="cpu", metavar="NAME", help="name of the target in the file (default cpu)")
    parser.add_argument("--layers", default="5000", metavar="N", help="layers to measure (default 5000)")
    parser.add_argument("--rounds", default="3", metavar="N", help="rounds over all layers, at least 2 (default 3)")
    parser.add_argument("--threads", default="1", metavar="N", help="threads of PyTorch (default 1, repeats best)")
    parser.add_argument("--seed", default="0", metavar="N", help="seed of the plan (default 0)")
    parser.add_argument("--plan", metavar="FILE", help="measure the layers of this parquet or CSV file instead")
    add_workers(parser, "1; more on one machine disturb each other's times")


def run(options: argparse.Namespace) -> int:
    """Measure and say what was kept."""
    from cnnpredict_gui.training.collect import CollectRequest, collect

    numbers: dict[str, Any] = {
        name: usage.whole_number(f"--{name}", getattr(options, name)) for name in ("layers", "rounds", "threads", "seed")
    }
    plan = Path(options.plan) if options.plan else None
    request = CollectRequest(Path(options.out), options.target, plan=plan, **numbers)
    with open_mapper(options) as mapper, Progress("timings") as progress:
        summary = collect(request, progress, mapper=mapper)
    if options.json:
        usage.print_json(asdict(summary) | {"out": str(summary.out), "status": "success"})
        return 0
    print(f"{summary.out}: {summary.kept:,} of {summary.measured:,} layers repeat within 10 % and are kept")
    print(
        f"two best rounds agree within {summary.repeatability_median:.1f} % (median), {summary.repeatability_90th:.1f} % (90 %)"
    )
    return 0
