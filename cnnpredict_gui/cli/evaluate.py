"""``cnnpredict evaluate``: accuracy of predictors on measured times."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cnnpredict_gui.cli import usage
from cnnpredict_gui.cli.progress import Progress
from cnnpredict_gui.core.format import sig3

if TYPE_CHECKING:
    from cnnpredict_gui.cli.main import Parser
    from cnnpredict_gui.studies.evaluation import Evaluation


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Describe the command."""
    parser = usage.add_command(
        subparsers,
        "evaluate",
        "accuracy on a file of measured times",
        "Predicts every row of a file of measurements (columns: the parameters, target, time_ms, perhaps time_kind) and\n"
        "compares. Errors and shares in percent, RMSE in ms, interval width relative to the prediction in percent.\n"
        "Rows that cannot be judged are told on stderr. Rows of target cpu are judged by the predictors of the processor\n"
        "whose name is most like their device; without a column device, like this computer's.",
        [
            "cnnpredict evaluate measured.parquet",
            "cnnpredict evaluate measured.parquet --target gpul40s --by algorithm",
            "cnnpredict evaluate measured.parquet --target gpul40s --family xgb --json",
        ],
        run,
    )
    parser.add_argument("file", metavar="FILE", help="Parquet or CSV")
    parser.add_argument("--target", metavar="T", help="only this target; needed if FILE has no column target")
    parser.add_argument("--family", metavar="F", help="only this family")
    parser.add_argument(
        "--by", metavar="PARAMETER", help="also for each value of a parameter, e.g. algorithm, dtype, batch_size"
    )


def run(options: argparse.Namespace) -> int:
    """Evaluate and print."""
    from cnnpredict_gui.studies.evaluation import evaluate

    library = usage.open_library(options)
    with Progress("rows") as progress:
        report = evaluate(Path(options.file), library, options.target, options.family, progress, by=options.by)
    reasons = report.skipped.most_common()
    for reason, count in reasons[:8]:
        usage.warn(f"{count:,} rows not judged: {reason}")
    if len(reasons) > 8:
        usage.warn(f"{sum(count for _, count in reasons[8:]):,} more rows not judged, for {len(reasons) - 8} more reasons")
    if options.json:
        usage.print_json([_json(result, options.by is not None) for result in report.results])
    else:
        _print_text(report.results, options.by is not None)
    return 0


def _json(result: Evaluation, grouped: bool) -> dict[str, object]:
    about = {"target": result.target, "family": result.family}
    return (
        about
        | result.metrics.model_dump()
        | {"model_name": result.model_name, "time_kind": result.time_kind, "refused": result.refused}
        | ({"group": result.group} if grouped else {})
    )


def _print_text(results: list[Evaluation], grouped: bool) -> None:
    about = ("TARGET", "FAMILY", *(["GROUP"] if grouped else []), "TIME KIND")
    headers = (*about, "ROWS", "MAPE", "MEDIAN", "IN 10 %", "IN 20 %", "RMSE (ms)", "R² OF LOG", "90 % HOLDS", "WIDTH")
    rows = []
    for result in results:
        m = result.metrics
        shares = (f"{sig3(value)} %" for value in (m.mape, m.median_ape, m.within_10, m.within_20))
        interval = (f"{sig3(value)} %" if value is not None else "–" for value in (m.coverage_90, m.interval_width))
        group = [result.group or "all"] if grouped else []
        rows.append(
            (
                result.target,
                result.family,
                *group,
                result.time_kind,
                f"{m.n:,}",
                *shares,
                sig3(m.rmse),
                f"{m.r2_log:.4f}",
                *interval,
            )
        )
    usage.print_table(headers, rows, right=headers[len(about) :])
