"""``cnnpredict train``: from measured times to predictors."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from cnnpredict_gui.cli import usage
from cnnpredict_gui.cli.progress import Progress
from cnnpredict_gui.cli.workers import add_workers, open_mapper
from cnnpredict_gui.core.errors import UnknownNameError
from cnnpredict_gui.core.format import sig3
from cnnpredict_gui.core.names import TIME_KINDS, TRAINED_FAMILIES, TRAINING_PREFIX, nearest

if TYPE_CHECKING:
    from cnnpredict_gui.cli.main import Parser


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Describe the command."""
    parser = usage.add_command(
        subparsers,
        "train",
        "train predictors from measured times",
        "Tunes, validates by three protocols, calibrates intervals, fits and exports the families of one target.",
        [
            "cnnpredict train --data mine.parquet --target cpu --out models",
            "cnnpredict train --data gpu.csv --target rtx-4090 --device rtx4090.json --time-column latency_us --time-unit us",
            "                 --time-kind kernel --framework TensorRT --map cin=input_channels --map cout=output_channels",
            "cnnpredict train --data ai3_cudnn.parquet --target gpul40s --family xgb --family rf",
            "cnnpredict train --data mine.parquet --target cpu --dask tcp://10.0.0.5:8786",
        ],
        run,
    )
    parser.add_argument("--data", required=True, nargs="+", metavar="FILE", help="parquet or CSV files of measurements")
    parser.add_argument("--target", required=True, metavar="NAME", help="target in the data, or its training folder")
    parser.add_argument(
        "--family", action="append", metavar="F", help=f"{', '.join(TRAINED_FAMILIES)} (repeatable; default all)"
    )
    parser.add_argument("--out", default="models", metavar="DIR", help="models folder to write into (default models)")
    parser.add_argument("--seed", default="0", metavar="N", help="seed of everything random (default 0)")
    parser.add_argument("--threads", default="1", metavar="N", help="threads of one fit (default 1)")
    parser.add_argument("--trials", metavar="N", help="Optuna trials per family (default: each family's own)")
    parser.add_argument("--version", default="1.0.0", metavar="V", help="version written into the cards (default 1.0.0)")
    add_workers(parser, "this one, one fit after the other")
    group = parser.add_argument_group("own measurements (CSV or Parquet with a row per layer and its time)")
    group.add_argument(
        "--device", metavar="FILE|KEY", help="JSON file with the device's datasheet figures, or the key of a known device"
    )
    group.add_argument("--time-column", metavar="COLUMN", help="column of the times (default: the one that looks like it)")
    group.add_argument("--time-unit", choices=("ms", "s", "us", "ns"), help="unit of the times (default: the column's, or ms)")
    group.add_argument("--time-kind", choices=tuple(TIME_KINDS), default="framework_wall_clock", help="what the times contain")
    group.add_argument("--framework", default="unknown", metavar="TEXT", help="framework and library, with their versions")
    group.add_argument("--map", action="append", default=[], metavar="COLUMN=PARAMETER", help="for columns with other names")


def _imported(options: argparse.Namespace, target: str, folder: Path) -> list[Path]:
    """Own measurements in the form that training reads; what is doubtful about them is told on stderr."""
    from cnnpredict_gui.studies.tabular import open_table
    from cnnpredict_gui.training.importing import ImportRequest, import_measurements, read_device, suggest_time

    device, mapping, written = read_device(options.device), usage.column_mapping(options.map), []
    for number, name in enumerate(options.data):
        column, unit = suggest_time(open_table(Path(name)).columns)
        request = ImportRequest(
            Path(name),
            target,
            device,
            options.time_column or column or "time_ms",
            options.time_unit or (unit if options.time_column in (None, column) else "ms"),
            options.time_kind,
            options.framework,
            mapping,
        )
        written.append(folder / f"{number}.parquet")
        report = import_measurements(request, written[-1])
        for warning in report.warnings:
            usage.warn(f"warning: {name}: {warning}")
    return written


def run(options: argparse.Namespace) -> int:
    """Train and print the accuracy on shapes held out."""
    families = tuple(options.family or TRAINED_FAMILIES)
    for family in families:
        if family not in TRAINED_FAMILIES:
            raise UnknownNameError(f"there is no family {family!r}", nearest(family, list(TRAINED_FAMILIES)))
    target = options.target.removeprefix(TRAINING_PREFIX)
    own = tempfile.TemporaryDirectory(prefix="cnnpredict-") if options.device else nullcontext("")
    with own as folder:
        data = _imported(options, target, Path(folder)) if options.device else [Path(name) for name in options.data]
        return _train(options, data, target, families)


def _train(options: argparse.Namespace, data: list[Path], target: str, families: tuple[str, ...]) -> int:
    from cnnpredict_gui.training.pipeline import TrainRequest, train

    request = TrainRequest(
        data=data,
        target=target,
        out=Path(options.out) / f"{TRAINING_PREFIX}{target}",
        families=families,
        seed=usage.whole_number("--seed", options.seed),
        threads=usage.whole_number("--threads", options.threads),
        trials=None if options.trials is None else usage.whole_number("--trials", options.trials),
        version=options.version,
    )
    usage.prepare_folder(request.out)
    with open_mapper(options) as mapper, Progress("fits") as progress:
        cards = train(request, lambda _, done, total: progress(done, total), mapper=mapper)
    if options.json:
        usage.print_json([card.model_dump(mode="json") for card in cards])
        return 0
    print(f"{request.out}: error on shapes held out")
    rows = [
        (card.name, sig3(scores.mape), sig3(scores.median_ape), sig3(scores.coverage_90 or 0.0))
        for card in cards
        for scores in [card.metrics["grouped_by_shape"]]
    ]
    usage.print_table(
        ("PREDICTOR", "MAPE %", "MEDIAN %", "IN 90 % INTERVAL %"), rows, right=("MAPE %", "MEDIAN %", "IN 90 % INTERVAL %")
    )
    return 0
