"""Sweeps over parameters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import CancelledByUserError, ConfigError, UnknownNameError
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.serving.predictor import Predictor
from cnnpredict_gui.studies.sweep import parse_values, sweep, with_values

LAYER = ConvConfig.parse({"input_channels": 64, "input_height": 28, "input_width": 56, "output_channels": 64, "kernel_size": 3})
DEPTHWISE = ConvConfig.parse({**LAYER.model_dump(), "groups": 64})


@pytest.fixture(scope="module")
def predictor(models_folder: Path) -> Predictor:
    return ModelLibrary([models_folder]).get("xgb_prediction-training-gpul40s")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1", [1]),
        ("1,2,8", [1, 2, 8]),
        (" 3 , 5 ", [3, 5]),
        ("4,4,4", [4]),
        ("1,2,4,...,16", [1, 2, 4, 8, 16]),
        ("1,2,4,…,20", [1, 2, 4, 8, 16, 20]),
        ("10,20,...,50", [10, 20, 30, 40, 50]),
        ("16:64:16", [16, 32, 48, 64]),
        ("3:6", [3, 4, 5, 6]),
        ("1,16:48:16", [1, 16, 32, 48]),
    ],
)
def test_values(text: str, values: list[int]) -> None:
    assert parse_values(text, "batch_size") == values


def test_padding_zero_is_a_value_and_kernel_zero_is_none() -> None:
    assert parse_values("0,1", "padding") == [0, 1]
    with pytest.raises(ConfigError, match="outside 1 to 1,024"):
        parse_values("0,1", "kernel_size")


def test_same_padding_stays_same_and_other_padding_stays() -> None:
    wider = with_values(LAYER, {"kernel_size": 7})
    assert (wider.padding_height, wider.padding_width) == (3, 3)
    unpadded = ConvConfig.parse({**LAYER.model_dump(), "padding_height": 0, "padding_width": 0})
    assert with_values(unpadded, {"kernel_size": 7}).padding_height == 0


def test_what_is_varied_together() -> None:
    square = with_values(LAYER, {"input_size": 7})
    assert (square.input_height, square.input_width) == (7, 7)
    assert with_values(DEPTHWISE, {"channels": 32}).groups == 32


def test_every_point_is_what_the_single_layer_gives(predictor: Predictor) -> None:
    result = sweep(LAYER, {"batch_size": [1, 2], "kernel_size": [1, 3, 7]}, [predictor])
    assert result.points == [(1, 1), (1, 3), (1, 7), (2, 1), (2, 3), (2, 7)]
    for place, (batch, kernel) in enumerate(result.points):
        alone = predictor.predict_one(with_values(LAYER, {"batch_size": batch, "kernel_size": kernel}))
        assert result.prediction(predictor.name, place).time_ms == pytest.approx(alone.time_ms, rel=1e-6)


def test_points_that_cannot_be(predictor: Predictor) -> None:
    result = sweep(LAYER, {"groups": [1, 3, 64]}, [predictor])
    assert result.rows.tolist() == [0, -1, 1]
    refused = result.prediction(predictor.name, 1)
    assert refused.status == Status.REFUSED
    assert np.isnan(refused.time_ms)
    assert "divide" in refused.reason


def test_errors(predictor: Predictor) -> None:
    with pytest.raises(UnknownNameError, match="did you mean batch_size"):
        sweep(LAYER, {"bach_size": [1]}, [predictor])
    with pytest.raises(ConfigError, match="overlap"):
        sweep(LAYER, {"input_size": [7], "input_height": [7]}, [predictor])
    with pytest.raises(ConfigError, match="0 points"):
        sweep(LAYER, {"batch_size": []}, [predictor])
    with pytest.raises(CancelledByUserError):
        sweep(LAYER, {"batch_size": [1]}, [predictor], cancelled=lambda: True)
