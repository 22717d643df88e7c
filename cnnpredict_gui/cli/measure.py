"""``cnnpredict measure``: time real layers on this machine."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnpredict_gui.cli import usage
from cnnpredict_gui.cli.progress import Progress
from cnnpredict_gui.core.errors import WorkerError
from cnnpredict_gui.core.format import sig3
from cnnpredict_gui.core.measurement import usable

if TYPE_CHECKING:
    from cnnpredict_gui.bench.measuring import MeasureResult
    from cnnpredict_gui.cli.main import Parser
    from cnnpredict_gui.core.config import ConvConfig
    from cnnpredict_gui.studies.measured import MeasuredErrors


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Describe the command."""
    layer = "--input-channels 64 --input-height 56 --input-width 56 --output-channels 64 --kernel-size 3"
    parser = usage.add_command(
        subparsers,
        "measure",
        "time real layers on this machine",
        "Times a layer, or each distinct layer of a network, with PyTorch. Times are the host clock around one call of the\n"
        "framework (framework_wall_clock); on CUDA devices the device's own time (kernel) is given beside it. With predictors\n"
        "(--model, --target, --all) their errors are shown. What was measured is kept and shown by the window too.",
        [
            f"cnnpredict measure {layer}",
            "cnnpredict measure --network resnet50 --threads 2 --target cpu --csv measured.csv",
            f"cnnpredict measure {layer} --device cuda:0 --json",
        ],
        run,
    )
    group = parser.add_argument_group("how")
    group.add_argument("--network", metavar="PRESET", help="each distinct layer of this network; see cnnpredict network --list")
    group.add_argument("--resolution", metavar="N", help="pixels of the network's input (default: the network's own)")
    group.add_argument("--device", default="cpu", metavar="NAME", help="cpu (default), cuda:0 or mps")
    group.add_argument("--threads", default="1", metavar="N", help="threads of PyTorch on the CPU (default 1)")
    group.add_argument("--rounds", default="1", metavar="N", help="rounds over all layers; the least median counts (default 1)")
    group.add_argument("--budget", default="500", metavar="MS", help="most ms for a layer's calls in a round (default 500)")
    group.add_argument("--tf32", action="store_true", help="let a GPU round fp32 to TF32")
    group.add_argument("--csv", metavar="FILE", help="write the measurements; cnnpredict train reads them")
    group.add_argument("--no-keep", action="store_true", help="do not keep the measurements for the window")
    usage.add_config(parser)
    usage.add_choice(parser)


def run(options: argparse.Namespace) -> int:
    """Measure, keep, compare and print."""
    from cnnpredict_gui.bench.measurements import MeasurementStore, export_csv
    from cnnpredict_gui.bench.measuring import MeasureRequest, measure
    from cnnpredict_gui.studies.measured import measured_errors

    layers = _layers(options)
    numbers = {name: usage.whole_number(f"--{name}", getattr(options, name)) for name in ("threads", "rounds")}
    budget = usage.whole_number("--budget", options.budget)
    asked = options.model or options.target or options.all
    predictors = usage.chosen_predictors(options, usage.open_library(options)) if asked else []
    request = MeasureRequest(list(layers), options.device, tf32=options.tf32, budget_ms=budget, **numbers)
    with Progress("timings") as progress:
        result = measure(request, progress=progress)
    good = [one for one in result.measurements if usable(one)]
    if not options.no_keep:
        MeasurementStore().keep(good)
    if options.csv:
        export_csv(good, Path(options.csv))
    errors = measured_errors(good, predictors)
    if options.json:
        usage.print_json(_document(result, layers, errors))
    else:
        _print(result, layers, errors)
    for warning in result.conditions.warnings:
        usage.warn(f"warning: {warning}")
    if not good:
        raise WorkerError(f"nothing could be measured: {result.measurements[0].error}", "choose another layer or device")
    return 0


def _layers(options: argparse.Namespace) -> dict[ConvConfig, int]:
    """What to measure, and how often it occurs in one pass."""
    if options.network is None:
        return {usage.layer(options): 1}
    from cnnpredict_gui.studies.layers import distinct_layers
    from cnnpredict_gui.studies.presets import preset

    resolution = None if options.resolution is None else usage.whole_number("--resolution", options.resolution)
    batch_size = 1 if options.batch_size is None else usage.whole_number("--batch-size", options.batch_size)
    return distinct_layers(preset(options.network).layers(resolution, batch_size, options.dtype or "fp32"))


def _document(result: MeasureResult, counts: dict[ConvConfig, int], errors: list[MeasuredErrors]) -> dict[str, Any]:
    rows = [
        {name: value for name, value in asdict(one).items() if name not in ("config", "setting")}
        | {"config": one.config.model_dump(), "count": counts[one.config], "status": "success" if usable(one) else "error"}
        for one in result.measurements
    ]
    scores = [
        {
            "model_name": one.predictor,
            "time_kind": one.target.time_kind,
            "metrics": one.metrics.model_dump() if one.metrics else None,
            "predicted_ms": [point.prediction.time_ms for point in one.points],
        }
        for one in errors
    ]
    return {
        "setting": asdict(result.setting),
        "time_kind": "framework_wall_clock",
        "measurements": rows,
        "total_ms": _total(result, counts),
        "conditions": asdict(result.conditions) | {"warnings": list(result.conditions.warnings)},
        "predictors": scores,
    }


def _print(result: MeasureResult, counts: dict[ConvConfig, int], errors: list[MeasuredErrors]) -> None:
    print(f"{result.setting.title} on {result.setting.machine}: framework_wall_clock, host clock around one framework call")
    rows = [
        (
            one.config.label(),
            str(counts[one.config]),
            sig3(one.median_ms) if usable(one) else "–",
            sig3(one.min_ms),
            sig3(one.iqr_percent),
            sig3(one.device_ms),
            str(one.repeats),
            one.remark,
        )
        for one in result.measurements
    ]
    headers = ("LAYER", "COUNT", "MEDIAN (ms)", "LEAST (ms)", "IQR %", "DEVICE (ms)", "CALLS", "NOTE")
    usage.print_table(headers, rows, right=headers[1:7])
    if len(rows) > 1:
        print(f"{sig3(_total(result, counts))} ms in all: {sum(counts.values())} convolutions, {len(rows)} of them different")
    if errors:
        print()
        _print_errors(errors)


def _total(result: MeasureResult, counts: dict[ConvConfig, int]) -> float:
    """Sum over one pass of the network (ms), of what could be measured."""
    return sum(one.median_ms * counts[one.config] for one in result.measurements if usable(one))


def _print_errors(errors: list[MeasuredErrors]) -> None:
    rows = []
    for one in errors:
        scores = one.metrics
        if scores is None:
            rows.append((one.predictor, one.target.time_kind, str(len(one.points)), "–", "–", "–"))
        else:
            values = (sig3(scores.mape), sig3(scores.median_ape), f"{one.bias_percent:+.1f}")
            rows.append((one.predictor, one.target.time_kind, str(len(one.points)), *values))
    headers = ("PREDICTOR", "TIME KIND", "LAYERS", "MAPE %", "MEDIAN %", "BIAS %")
    usage.print_table(headers, rows, right=headers[2:])
