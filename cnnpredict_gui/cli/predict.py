"""``cnnpredict predict``: the time of one layer by one or several predictors."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from cnnpredict_gui.cli import usage
from cnnpredict_gui.core.errors import PredictionError
from cnnpredict_gui.core.format import interval, scaled, sig3
from cnnpredict_gui.core.names import FAMILIES, TIME_KINDS

if TYPE_CHECKING:
    from cnnpredict_gui.cli.main import Parser
    from cnnpredict_gui.core.config import ConvConfig
    from cnnpredict_gui.core.prediction import Prediction
    from cnnpredict_gui.serving.predictor import Predictor


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Describe the command."""
    layer = "--input-channels 64 --input-height 56 --input-width 56 --output-channels 64 --kernel-size 3"
    parser = usage.add_command(
        subparsers,
        "predict",
        "time of one layer",
        "Predicts the time of one convolution layer, with a 90 % interval and a verdict whether the layer is like those the\n"
        "predictor was trained on. --json prints an object for one --model, else a list.",
        [
            f"cnnpredict predict --all {layer}",
            f"cnnpredict predict --target gpul40s {layer} --algorithm winograd",
            "cnnpredict predict --model xgb_prediction-training-gpul40s --config layer.json --json",
            'echo \'{"input_channels": 3, "input_height": 224, "input_width": 224, "output_channels": 64, "kernel_size": 7,',
            '       "stride": 2}\' | cnnpredict predict --target cpu --config -',
        ],
        run,
    )
    usage.add_choice(parser)
    usage.add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Predict and print."""
    config = usage.layer(options)
    predictors = usage.chosen_predictors(options, usage.open_library(options))
    from cnnpredict_gui.core.prediction import Status
    from cnnpredict_gui.core.table import ConfigTable
    from cnnpredict_gui.serving.predictor import predict_many

    batches = predict_many(predictors, ConfigTable.from_configs([config]))
    answers = [(predictor, batches[predictor.name].row(0)) for predictor in predictors]
    answered = any(prediction.status != Status.REFUSED for _, prediction in answers)
    if not answered and not options.json:
        raise PredictionError(f"refused: {answers[0][1].reason}", "change the layer or choose other predictors")
    if options.json:
        _print_json(options, config, answers)
    else:
        _print_text(config, answers)
    if not answered:
        usage.warn(f"error: refused: {answers[0][1].reason} (change the layer or choose other predictors)")
    return 0 if answered else 2


def _print_json(options: argparse.Namespace, config: ConvConfig, answers: list[tuple[Predictor, Prediction]]) -> None:
    common = {"config": config.model_dump(), "prediction_timestamp": usage.utc_now()}
    documents = [usage.answer_json(predictor, prediction) | common for predictor, prediction in answers]
    usage.print_json(documents[0] if usage.is_single(options) else documents)


def _print_text(config: ConvConfig, answers: list[tuple[Predictor, Prediction]]) -> None:
    print(f"{config.label()}, {config.dtype}, {config.direction}, algorithm {config.algorithm}")
    print(
        f"output {config.output_height}×{config.output_width}, {_count(config.macs)} MACs, "
        f"{_count(config.weight_elements)} parameters, {scaled(config.bytes_moved)}B moved, "
        f"{sig3(config.arithmetic_intensity)} FLOP/B"
    )
    headers = ("TARGET", "FAMILY", "TIME (ms)", "90 % INTERVAL (ms)", "IMAGES/S", "PREDICTOR", "VERDICT")
    for kind, words in TIME_KINDS.items():
        chosen = [(predictor, answer) for predictor, answer in answers if predictor.target.time_kind == kind]
        if not chosen:
            continue
        print(f"\n{kind}: {words}")
        rows = [
            (
                predictor.target.title,
                FAMILIES[predictor.family],
                sig3(answer.time_ms),
                interval(answer.low_ms, answer.high_ms),
                sig3(1000 * config.batch_size / answer.time_ms),
                predictor.name,
                answer.verdict,
            )
            for predictor, answer in chosen
        ]
        usage.print_table(headers, rows, right=("TIME (ms)", "90 % INTERVAL (ms)", "IMAGES/S"))


def _count(number: int) -> str:
    return scaled(number).rstrip()
