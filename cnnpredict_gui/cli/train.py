"""``cnnpredict train``: from measured times to predictors."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cnnpredict_gui.cli import usage
from cnnpredict_gui.cli.progress import Progress
from cnnpredict_gui.cli.workers import add_workers, open_mapper
from cnnpredict_gui.core.errors import UnknownNameError
from cnnpredict_gui.core.format import sig3
from cnnpredict_gui.core.names import TRAINED_FAMILIES, TRAINING_PREFIX, nearest

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


def run(options: argparse.Namespace) -> int:
    """Train and print the accuracy on shapes held out."""
    from cnnpredict_gui.training.pipeline import TrainRequest, train

    families = tuple(options.family or TRAINED_FAMILIES)
    for family in families:
        if family not in TRAINED_FAMILIES:
            raise UnknownNameError(f"there is no family {family!r}", nearest(family, list(TRAINED_FAMILIES)))
    target = options.target.removeprefix(TRAINING_PREFIX)
    request = TrainRequest(
        data=[Path(name) for name in options.data],
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
