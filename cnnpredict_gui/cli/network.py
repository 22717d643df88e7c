"""``cnnpredict network``: a whole network, layer by layer and summed."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnpredict_gui.cli import usage
from cnnpredict_gui.core.config import DTYPES
from cnnpredict_gui.core.errors import OpenShapeError, PredictionError
from cnnpredict_gui.core.format import scaled

if TYPE_CHECKING:
    from cnnpredict_gui.cli.main import Parser
    from cnnpredict_gui.studies.network import NetworkPrediction
    from cnnpredict_gui.studies.network_source import OpenedNetwork


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Describe the command."""
    parser = usage.add_command(
        subparsers,
        "network",
        "time of a whole network",
        "Predicts every convolution of a network and sums them, with a 90 % interval of the sum. Layers that are not\n"
        "predicted are listed. The network is a preset (see --list), one of your own, an ONNX file, a table of layers (CSV or\n"
        "Parquet) or an exported preset (JSON). Without predictors the layers are shown.",
        [
            "cnnpredict network --list",
            "cnnpredict network resnet50 --target gpul40s --batch-size 1 --resolution 224",
            "cnnpredict network mobilenet_v2 --all --family consensus --resolution 192x256",
            "cnnpredict network model.onnx --batch-size 8 --target gpua100-cudnn --per-layer",
            "cnnpredict network layers.csv --map cin=input_channels --model xgb_prediction-training-gpul40s --csv times.csv",
        ],
        run,
    )
    parser.add_argument("network", nargs="?", metavar="FILE|PRESET", help="what to predict")
    parser.add_argument("--list", action="store_true", help="list the presets")
    group = parser.add_argument_group("the network")
    group.add_argument("--batch-size", metavar="N", help="images at once (default: 1 for presets, else what the file has)")
    group.add_argument("--resolution", metavar="N|HxW", help="pixels, for presets and for ONNX files that leave it open")
    group.add_argument("--dtype", metavar="NAME", choices=DTYPES, help=f"element type: {', '.join(DTYPES)}")
    group.add_argument(
        "--dimension", action="append", default=[], metavar="NAME=N", help="value of an extent an ONNX file leaves open"
    )
    group.add_argument("--map", action="append", default=[], metavar="COLUMN=PARAMETER", help="for tables with other names")
    output = parser.add_argument_group("output")
    output.add_argument("--per-layer", action="store_true", help="show every layer, not only the sums")
    output.add_argument("--csv", metavar="FILE", help="write a row per layer and predictor (.csv or .parquet)")
    output.add_argument("--rho", metavar="R", help="correlation of the layers' errors, 0 to 1 (default 0.5), for the interval")
    usage.add_choice(parser)


def run(options: argparse.Namespace) -> int:
    """Open, predict, print or write."""
    if options.list:
        return _list(options)
    if options.network is None:
        raise usage.UsageError("no network was given", "give a preset or a file; presets are in: cnnpredict network --list")
    from cnnpredict_gui.cli.network_output import show_layers, show_prediction
    from cnnpredict_gui.studies.network import DEFAULT_RHO, predict_network

    opened = _open(options)
    if not (options.model or options.target or options.all):
        if options.csv:
            raise usage.UsageError("--csv needs predictors", "give --model NAME, --target T or --all")
        show_layers(opened, options.json)
        return 0
    rho = DEFAULT_RHO if options.rho is None else _fraction(options.rho)
    predictors = usage.chosen_predictors(options, usage.open_library(options))
    prediction = predict_network(opened.layers, predictors, rho)
    if options.csv:
        from cnnpredict_gui.studies.network_export import export_network

        export_network(opened.title, prediction, Path(options.csv))
        print(f"wrote {len(opened.layers) * len(predictors):,} rows to {options.csv}", file=sys.stderr)
    show_prediction(opened, prediction, as_json=options.json, per_layer=options.per_layer)
    return 0 if any(result.total.time_ms > 0 for result in prediction.results) else _nothing(prediction)


def _open(options: argparse.Namespace) -> OpenedNetwork:
    from cnnpredict_gui.studies.network_source import Wanted, open_network

    wanted = Wanted(
        resolution=None if options.resolution is None else _resolution(options.resolution),
        batch_size=None if options.batch_size is None else usage.whole_number("--batch-size", options.batch_size),
        dtype=options.dtype,
        dimensions={
            name: usage.whole_number(f"--dimension {name}", value) for name, value in _pairs("--dimension", options.dimension)
        },
        mapping=dict(_pairs("--map", options.map)),
    )
    try:
        return open_network(options.network, wanted)
    except OpenShapeError as error:
        options_for = {"batch": "--batch-size N", "height": "--resolution HxW", "width": "--resolution HxW"}
        needed = [options_for.get(one.meaning, f"--dimension {one.name}=N") for one in error.dimensions]
        raise usage.UsageError(error.message, f"give {', '.join(dict.fromkeys(needed))}") from None


def _resolution(text: str) -> int | tuple[int, int]:
    match = re.fullmatch(r"\s*(\d{1,9})(?:\s*[x×]\s*(\d{1,9}))?\s*", text, re.IGNORECASE)
    if match is None:
        raise usage.UsageError(f"--resolution is {text!r}", "write --resolution 224 or --resolution 224x320 (height x width)")
    height, width = match.groups()
    return int(height) if width is None else (int(height), int(width))


def _pairs(option: str, texts: list[str]) -> list[tuple[str, str]]:
    pairs = [text.rpartition("=")[::2] for text in texts]
    for (name, value), text in zip(pairs, texts, strict=True):
        if not name or not value:
            raise usage.UsageError(f"{option} is {text!r}", f"write {option} NAME=VALUE")
    return [(name.strip(), value.strip()) for name, value in pairs]


def _fraction(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise usage.UsageError(f"--rho is {text!r}, not a number", "give a correlation from 0 to 1") from None


def _list(options: argparse.Namespace) -> int:
    from cnnpredict_gui.studies.own_presets import OwnPresets
    from cnnpredict_gui.studies.presets import list_presets

    presets, own = list_presets(), OwnPresets().list()
    if options.json:
        names = (
            "name",
            "title",
            "task",
            "parameters",
            "default_resolution",
            "minimum_resolution",
            "source",
            "licence",
            "paper",
        )
        documents: list[dict[str, Any]] = [{name: getattr(one, name) for name in names} for one in presets]
        documents += [{"name": one.name, "title": one.name, "source": one.source, "layers": len(one.layers)} for one in own]
        usage.print_json(documents)
        return 0
    headers = ("PRESET", "NETWORK", "PARAMETERS", "USUAL PIXELS", "FROM PIXELS", "SOURCE")
    rows = [
        (
            one.name,
            one.title,
            scaled(one.parameters).strip(),
            str(one.default_resolution),
            str(one.minimum_resolution),
            one.source,
        )
        for one in presets
    ]
    usage.print_table(headers, rows, right=headers[2:5])
    for found in own:
        print(f"{found.name}: own preset, {len(found.layers)} layers")
    return 0


def _nothing(prediction: NetworkPrediction) -> int:
    """Tell why there is no sum at all, and give the exit code for it."""
    reasons = [result.error or next(filter(None, result.reasons), "") for result in prediction.results]
    reason = next(filter(None, reasons), "the network has no convolution that can be predicted")
    error = PredictionError(f"nothing was predicted: {reason}", "change the network or choose other predictors")
    usage.warn(f"error: {error}")
    return 2
