"""``cnnpredict sweep``: one layer with a parameter varied."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnpredict_gui.cli import usage
from cnnpredict_gui.core.config import PAIR_FIELDS
from cnnpredict_gui.core.errors import ConfigError
from cnnpredict_gui.core.format import interval, sig3
from cnnpredict_gui.core.prediction import Status

if TYPE_CHECKING:
    from cnnpredict_gui.cli.main import Parser
    from cnnpredict_gui.serving.predictor import Predictor
    from cnnpredict_gui.studies.sweep import SweepResult


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Describe the command."""
    layer = "--input-channels 64 --input-height 56 --input-width 56 --output-channels 64 --kernel-size 3"
    parser = usage.add_command(
        subparsers,
        "sweep",
        "time of a layer with one or two parameters varied",
        "Varies a parameter and predicts every point. Values are a list (1,2,8), a series (1,2,4,...,128) or a range\n"
        "(16:256:16, ends included). input_size varies height and width together, channels those of input and output.",
        [
            f"cnnpredict sweep --vary batch_size=1,2,4,...,128 --target gpua100-cudnn {layer}",
            f"cnnpredict sweep --vary input_size=14:224:14 --model xgb_prediction-training-gpul40s {layer} --csv sweep.csv",
            f"cnnpredict sweep --vary input_channels=16:256:16 --vary kernel_size=1,3,5 --target cpu {layer} --json",
        ],
        run,
    )
    parser.add_argument("--vary", action="append", default=[], metavar="PARAMETER=VALUES", help="what to vary (once or twice)")
    parser.add_argument("--csv", metavar="FILE", help="write the points to this CSV file")
    usage.add_choice(parser)
    usage.add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Sweep and print or write."""
    from cnnpredict_gui.studies.sweep import sweep

    varied = _varied(options.vary)
    for name, values in varied.items():
        _fill_in(options, name, values[0])
    config = usage.layer(options)
    predictors = usage.chosen_predictors(options, usage.open_library(options))
    result = sweep(config, varied, predictors)
    if (result.rows < 0).all():
        raise ConfigError(result.errors[0], "no point of the sweep is a valid layer")
    if options.csv:
        _write_csv(Path(options.csv), result, predictors)
    if options.json:
        usage.print_json(_json(result, predictors))
    elif not options.csv:
        _print_text(result, predictors)
    else:
        print(f"wrote {len(result.points) * len(predictors):,} rows to {options.csv}", file=sys.stderr)
    return 0


def _varied(texts: list[str]) -> dict[str, list[int]]:
    from cnnpredict_gui.studies.sweep import parse_values

    varied: dict[str, list[int]] = {}
    for text in texts:
        name, mark, values = text.partition("=")
        name = name.strip().replace("-", "_")
        if not mark:
            raise usage.UsageError(f"--vary {text!r} has no values", "write --vary batch_size=1,2,4,...,128")
        if name in varied:
            raise usage.UsageError(f"{name} is varied twice", "give all its values in one --vary")
        varied[name] = parse_values(values, name)
    if not 1 <= len(varied) <= 2:
        raise usage.UsageError(f"{len(varied)} parameters are varied", "give --vary once or twice")
    return varied


def _fill_in(options: argparse.Namespace, name: str, value: int) -> None:
    """A varied parameter need not be given: its first value stands for it."""
    from cnnpredict_gui.studies.sweep import VARIABLES

    if options.config is not None:
        return
    for field in VARIABLES[name]:
        shorthands = [short for short, stem in PAIR_FIELDS.items() if field.startswith(f"{stem}_")]
        if all(getattr(options, given) is None for given in (field, *shorthands)):
            setattr(options, field, str(value))


def _points(result: SweepResult, predictor: Predictor) -> list[dict[str, Any]]:
    points = []
    for index, values in enumerate(result.points):
        answer = usage.answer_json(predictor, result.prediction(predictor.name, index))
        kept = ("execution_time_ms", "interval_ms", "verdict", "status")
        points.append(dict(zip(result.parameters, values, strict=True)) | {name: answer[name] for name in kept})
    return points


def _json(result: SweepResult, predictors: list[Predictor]) -> dict[str, Any]:
    return {
        "status": "success",
        "parameters": list(result.parameters),
        "config": result.config.model_dump(),
        "prediction_timestamp": usage.utc_now(),
        "results": [
            {
                "model_name": predictor.name,
                "model_version": predictor.version,
                "model_type": predictor.family,
                "target": predictor.target.name,
                "time_kind": predictor.target.time_kind,
                "points": _points(result, predictor),
            }
            for predictor in predictors
        ],
    }


def _print_text(result: SweepResult, predictors: list[Predictor]) -> None:
    print(f"{result.config.label()}, {', '.join(result.parameters)} varied")
    headers = (*(name.upper() for name in result.parameters), "TIME (ms)", "90 % INTERVAL (ms)", "VERDICT")
    for predictor in predictors:
        print(f"\n{predictor.name}: {predictor.target.title}, {predictor.target.time_kind}")
        rows = []
        for index, values in enumerate(result.points):
            answer = result.prediction(predictor.name, index)
            rows.append((*map(str, values), sig3(answer.time_ms), interval(answer.low_ms, answer.high_ms), answer.verdict))
        usage.print_table(headers, rows, right=headers[:-1])


def _write_csv(path: Path, result: SweepResult, predictors: list[Predictor]) -> None:
    from cnnpredict_gui import __version__
    from cnnpredict_gui.infra.csv_text import csv_text
    from cnnpredict_gui.infra.files import atomic_text

    columns = (*result.parameters, "model_name", "model_version", "target", "time_kind", "execution_time_ms", "interval_low_ms")
    rows = []
    for predictor in predictors:
        about = (predictor.name, predictor.version, predictor.target.name, predictor.target.time_kind)
        for index, values in enumerate(result.points):
            answer = result.prediction(predictor.name, index)
            times = (answer.time_ms, answer.low_ms, answer.high_ms) if answer.status != Status.REFUSED else (None, None, None)
            rows.append((*values, *about, *times, answer.verdict))
    layer = {f"layer_{name}": value for name, value in result.config.model_dump().items()}
    constants = layer | {"cnnpredict_version": __version__}
    atomic_text(path, csv_text((*columns, "interval_high_ms", "verdict"), rows, constants))
