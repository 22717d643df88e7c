"""``cnnpredict batch``: a file of layers into a file of times."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnpredict_gui.cli import usage
from cnnpredict_gui.cli.progress import Progress
from cnnpredict_gui.cli.workers import add_workers, open_mapper
from cnnpredict_gui.core.format import sig3

if TYPE_CHECKING:
    from cnnpredict_gui.cli.main import Parser
    from cnnpredict_gui.studies.batch import BatchSummary

_ERRORS_SHOWN = 10


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Describe the command."""
    parser = usage.add_command(
        subparsers,
        "batch",
        "times of all layers in a file",
        "Predicts every row of a CSV or Parquet file whose columns are named like the parameters. OUT has a row per row of IN\n"
        "and predictor: the columns of IN, then model_name, model_version, target, time_kind, execution_time_ms,\n"
        "interval_low_ms, interval_high_ms, verdict, error. Rows that are no valid layer stay in OUT with the error.\n"
        "OUT appears whole or not at all.",
        [
            "cnnpredict batch layers.csv -o times.csv --model xgb_prediction-training-gpul40s",
            "cnnpredict batch layers.parquet -o times.parquet --target cpu --family consensus",
            "cnnpredict batch theirs.csv -o times.csv --target cpu --map in_channels=input_channels --map k=kernel_size",
            "cnnpredict batch layers.parquet -o times.parquet --all --dask tcp://10.0.0.5:8786",
        ],
        run,
    )
    parser.add_argument("input", metavar="IN", help="CSV (UTF-8, with a header line) or Parquet")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="file to write, .csv or .parquet")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="THEIRS=OURS",
        help="column THEIRS of IN holds the parameter OURS (repeatable)",
    )
    usage.add_choice(parser)
    add_workers(parser, "this one with a thread per core")


def run(options: argparse.Namespace) -> int:
    """Predict the file; fails if not one row could be predicted."""
    from cnnpredict_gui.studies.batch import run_batch
    from cnnpredict_gui.studies.table_output import check_output_name

    check_output_name(Path(options.output))
    predictors = usage.chosen_predictors(options, usage.open_library(options))
    with open_mapper(options) as mapper, Progress("rows") as progress:
        summary = run_batch(
            Path(options.input), Path(options.output), predictors, usage.column_mapping(options.map), progress, mapper=mapper
        )
    for error in summary.errors[:_ERRORS_SHOWN]:
        usage.warn(f"line {error.line}: {error.message}")
    if summary.rows_in_error > _ERRORS_SHOWN:
        usage.warn(f"{summary.rows_in_error - _ERRORS_SHOWN:,} more rows in error, see the column error of {options.output}")
    if options.json:
        usage.print_json(_json(summary))
    else:
        _print_text(summary)
    if summary.predicted == 0:
        usage.warn("error: no row could be predicted (see the columns verdict and error)")
        return 2
    return 0


def _json(summary: BatchSummary) -> dict[str, Any]:
    return {
        "status": "success" if summary.predicted else "error",
        "output": str(summary.path),
        "rows": summary.rows,
        "rows_in_error": summary.rows_in_error,
        "errors": [{"line": error.line, "error": error.message} for error in summary.errors],
        "models": [
            {
                "model_name": model.name,
                "target": model.target.name,
                "time_kind": model.target.time_kind,
                "in_range": model.in_range,
                "extrapolating": model.extrapolating,
                "refused": model.refused,
                "total_ms": model.total_ms,
            }
            for model in summary.models
        ],
        "seconds": summary.seconds,
    }


def _print_text(summary: BatchSummary) -> None:
    speed = sig3(summary.rows * len(summary.models) / max(summary.seconds, 1e-9))
    print(
        f"{summary.rows:,} rows, {summary.rows_in_error:,} in error, {summary.seconds:.1f} s, {speed} predictions/s; "
        f"wrote {summary.path}",
        file=sys.stderr,
    )
    headers = ("PREDICTOR", "TIME KIND", "IN RANGE", "EXTRAPOLATING", "REFUSED", "MEAN (ms)")
    rows = [
        (
            model.name,
            model.target.time_kind,
            f"{model.in_range:,}",
            f"{model.extrapolating:,}",
            f"{model.refused:,}",
            sig3(model.total_ms / model.predicted) if model.predicted else "–",
        )
        for model in summary.models
    ]
    usage.print_table(headers, rows, right=headers[2:])
