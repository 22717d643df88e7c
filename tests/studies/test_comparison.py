"""Configurations and predictors side by side."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import UnknownNameError
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.serving.predictor import Predictor
from cnnpredict_gui.studies.comparison import ONLY, compare

LAYER = ConvConfig.parse({"input_channels": 64, "input_height": 56, "input_width": 56, "output_channels": 64, "kernel_size": 3})
L40S, V100, CPU = "nn_prediction-training-gpul40s", "nn_prediction-training-gpuv100-cudnn", "nn_prediction-training-cpu"


@pytest.fixture(scope="module")
def predictors(models_folder: Path) -> list[Predictor]:
    library = ModelLibrary([models_folder])
    return [library.get(name) for name in (L40S, "rf_prediction-training-gpul40s", CPU)]


def test_rows_hold_the_predictions_and_their_ratios(predictors: list[Predictor]) -> None:
    result = compare(LAYER, predictors, baseline="rf_prediction-training-gpul40s")
    first, base = result.row(L40S), result.row("rf_prediction-training-gpul40s")
    assert first.prediction == predictors[0].predict_one(LAYER)
    assert first.ratio == pytest.approx(first.prediction.time_ms / base.prediction.time_ms)
    assert first.percent == pytest.approx(100 * (first.ratio - 1))
    assert (base.ratio, base.percent, base.is_baseline) == (1.0, 0.0, True)
    assert first.config == ONLY


def test_the_first_predictor_is_the_baseline_unless_another_is_named(predictors: list[Predictor]) -> None:
    assert compare(LAYER, predictors).baseline == L40S
    with pytest.raises(UnknownNameError, match="did you mean"):
        compare(LAYER, predictors, baseline="nn_prediction-training-gpul40")


def test_times_of_different_kinds_are_not_held_against_each_other(predictors: list[Predictor]) -> None:
    result = compare(LAYER, predictors)
    other = result.row(CPU)
    assert not other.same_time_kind
    assert math.isnan(other.ratio)
    assert other.prediction.time_ms > 0
    assert result.time_kinds == ("call_with_host_copies", "framework_wall_clock")


def test_pinned_configurations_are_held_against_the_first(predictors: list[Predictor]) -> None:
    larger = LAYER.model_copy(update={"batch_size": 8})
    result = compare({"A": LAYER, "B": larger}, predictors)
    assert [row.config for row in result.rows] == ["A"] * 3 + ["B"] * 3
    for name in (L40S, CPU):
        pinned = result.row(name, "B")
        assert pinned.ratio_to_first == pytest.approx(pinned.prediction.time_ms / result.row(name, "A").prediction.time_ms)
        assert pinned.images_per_s == pytest.approx(8_000 / pinned.prediction.time_ms)
    assert len(result.of_config("B")) == 3


def test_a_refused_baseline_leaves_no_ratio(predictors: list[Predictor]) -> None:
    result = compare(LAYER.model_copy(update={"algorithm": "fft"}), predictors)
    assert all(math.isnan(row.ratio) and math.isnan(row.images_per_s) for row in result.rows)
    assert all(row.prediction.verdict.startswith("refused: algorithm fft") for row in result.rows)


def test_nothing_to_compare_is_an_empty_comparison(predictors: list[Predictor]) -> None:
    assert compare(LAYER, []).rows == ()
    assert compare({}, predictors).rows == ()
    with pytest.raises(UnknownNameError):
        compare(LAYER, []).row(L40S)
