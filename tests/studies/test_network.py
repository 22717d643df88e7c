"""Whole networks: sums, intervals of sums, shares, refused layers, and nothing skipped silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnpredict_gui.core.card import Interval, Range
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import ConfigError, PredictionError
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.serving.engine import OnnxModel
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.serving.predictor import Predictor
from cnnpredict_gui.studies.layers import conv_layer, other_layer
from cnnpredict_gui.studies.network import NOT_PREDICTED, predict_network, sum_intervals
from cnnpredict_gui.studies.presets import preset
from tests.artefacts import write_models, write_training_folder


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ModelLibrary:
    models = ModelLibrary([write_models(tmp_path_factory.mktemp("models"))])
    models.scan()
    models.load_all()
    return models


@pytest.fixture(scope="module")
def predictors(library: ModelLibrary) -> list[Predictor]:
    return list(library.predictors.values())


def _config(size: int, kernel: int) -> ConvConfig:
    values = {"input_channels": 64, "input_height": size, "input_width": size, "output_channels": 64, "kernel_size": kernel}
    return ConvConfig.parse(values)


def _narrow(tmp_path: Path, **changes: Any) -> list[Predictor]:
    write_training_folder(tmp_path, "cpu", ("nn", "xgb"), **changes)
    models = ModelLibrary([tmp_path])
    models.scan()
    models.load_all()
    return list(models.predictors.values())


def test_the_total_is_the_sum_of_all_layers(predictors: list[Predictor]) -> None:
    layers = preset("resnet50").layers(224)
    answer = predict_network(layers, predictors)
    assert len(answer.results) == len(predictors) > 10
    for result, predictor in zip(answer.results, predictors, strict=True):
        one_by_one = [predictor.predict_one(layer.config).time_ms for layer in layers if layer.config]
        assert len(one_by_one) == 53
        assert result.total.time_ms == pytest.approx(sum(one_by_one), rel=1e-6)
        assert np.nansum(result.share) == pytest.approx(1.0)
        assert sum(result.verdicts.values()) == 53
        assert not result.is_lower_bound
        assert result.images_per_second == pytest.approx(1000 / result.total.time_ms)


def test_layers_keep_their_place(predictors: list[Predictor]) -> None:
    layers = preset("squeezenet1_1").layers(224)
    result = predict_network(layers, predictors[:1]).results[0]
    for index, layer in enumerate(layers):
        found = result.prediction(index)
        if layer.config is None:
            assert found is None
            assert result.status[index] == NOT_PREDICTED
            assert np.isnan(result.time_ms[index])
        else:
            assert found == predictors[0].predict_one(layer.config)
    assert result.predictions() == [result.prediction(index) for index in range(len(layers))]


def test_equal_layers_are_evaluated_once(predictors: list[Predictor], monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    run = OnnxModel.run

    def counting(model: OnnxModel, matrix: Any) -> Any:
        rows.append(len(matrix))
        return run(model, matrix)

    monkeypatch.setattr(OnnxModel, "run", counting)
    layers = preset("resnet152").layers(224)
    predict_network(layers, [one for one in predictors if one.family == "xgb"][:1])
    assert rows == [len({layer.config for layer in layers if layer.config})]
    assert rows[0] < 30 < sum(layer.predicted for layer in layers)


def test_occurrences_count_like_copies(predictors: list[Predictor]) -> None:
    config = _config(56, 3)
    other = _config(28, 1)
    copies = [conv_layer(str(index), config) for index in range(5)]
    separate = predict_network([*copies, conv_layer("b", other)], predictors)
    counted = predict_network([conv_layer("a", config, count=5), conv_layer("b", other)], predictors)
    for one, many in zip(counted.results, separate.results, strict=True):
        assert one.total == many.total
        assert one.share[0] == pytest.approx(many.share[:5].sum())
        assert one.verdicts == many.verdicts


def test_interval_formula_by_hand() -> None:
    """Two layers of 10 and 20 ms (-1/+2 and -3/+4), the second one twice."""
    args = (np.array([10.0, 20.0]), np.array([9.0, 17.0]), np.array([12.0, 24.0]), np.array([1, 2]))
    total = sum_intervals(*args, rho=0.25)
    assert total.time_ms == 50.0
    assert total.dependent == pytest.approx((50 - (1 + 6), 50 + (2 + 8)))
    assert total.independent == pytest.approx((50 - np.hypot(1, 6), 50 + np.hypot(2, 8)))
    assert total.low_ms == pytest.approx(50 - np.sqrt(1 + 36 + 2 * 0.25 * 1 * 6))
    assert total.high_ms == pytest.approx(50 + np.sqrt(4 + 64 + 2 * 0.25 * 2 * 8))


def test_interval_covers_sums_of_correlated_errors() -> None:
    """Simulated log errors with a common part: nine in ten true sums fall inside, with the right correlation."""
    generator = np.random.default_rng(7)
    time = generator.lognormal(0.0, 1.0, 40)
    for rho in (0.0, 0.5, 1.0):
        common = generator.normal(size=(20_000, 1)) * np.sqrt(rho)
        own = generator.normal(size=(20_000, 40)) * np.sqrt(1 - rho)
        truth = (time * np.exp(0.1 * (common + own))).sum(axis=1)
        reach = np.exp(0.1 * 1.645)
        total = sum_intervals(time, time / reach, time * reach, np.ones(40, dtype=np.int64), rho)
        inside = np.mean((truth > total.low_ms) & (truth < total.high_ms))
        assert 0.86 < inside < 0.93


def test_an_interval_that_misses_its_time_does_not_narrow_the_sum() -> None:
    total = sum_intervals(np.array([10.0]), np.array([11.0]), np.array([12.0]), np.array([1]))
    assert (total.low_ms, total.time_ms, total.high_ms) == (10.0, 10.0, 12.0)


def test_bounds_enclose_the_result(predictors: list[Predictor]) -> None:
    for result in predict_network(preset("vgg16").layers(), predictors).results:
        total = result.total
        assert 0 < total.dependent[0] < total.low_ms < total.independent[0] < total.time_ms
        assert total.time_ms < total.independent[1] < total.high_ms < total.dependent[1]


def test_what_is_not_predicted_is_listed(predictors: list[Predictor]) -> None:
    layers = preset("resnet18").layers()
    listed = {one.kind: one.count for one in predict_network(layers, predictors[:1]).not_predicted}
    assert listed == {"normalisation": 20, "activation": 17, "add": 8, "pooling": 2, "reshape": 1, "linear": 1}
    assert sum(listed.values()) + 20 == len(layers)


def test_reasons_of_one_kind_are_listed_apart() -> None:
    layers = [other_layer("a", "other", reason="operator A"), other_layer("b", "other", reason="operator B")]
    assert [(one.count, one.reason) for one in predict_network(layers, []).not_predicted] == [
        (1, "operator A"),
        (1, "operator B"),
    ]


def test_refused_layers_make_the_total_a_lower_bound(tmp_path: Path) -> None:
    layers = preset("resnet18").layers(224, 1, "fp16")
    half = [*preset("resnet18").layers(), *layers]
    for result in predict_network(half, _narrow(tmp_path)).results:
        assert result.verdicts[Status.REFUSED] == result.refused == 20
        assert result.is_lower_bound
        assert np.isfinite(result.total.time_ms)
        assert np.isnan(result.share[len(layers) :]).all()
        refused = [reason for reason, status in zip(result.reasons, result.status, strict=True) if status == Status.REFUSED]
        assert all("fp16" in reason for reason in refused)


def test_only_refused_layers_give_no_total(tmp_path: Path) -> None:
    result = predict_network(preset("alexnet").layers(dtype="fp16"), _narrow(tmp_path)).results[0]
    assert np.isnan(result.total.time_ms)
    assert np.isnan(result.total.high_ms)
    assert result.is_lower_bound


def test_a_network_without_convolutions(predictors: list[Predictor]) -> None:
    answer = predict_network([other_layer("fc", "linear", (1, 10))], predictors)
    assert all(np.isnan(result.total.time_ms) and not result.is_lower_bound for result in answer.results)
    assert answer.not_predicted[0].kind == "linear"


def test_extrapolation_is_counted(tmp_path: Path) -> None:
    narrow = _narrow(tmp_path, ranges={"input_channels": Range(low=1, high=100)})
    result = predict_network(preset("vgg11").layers(), narrow).results[0]
    assert result.verdicts[Status.EXTRAPOLATING] == 6
    assert result.verdicts[Status.IN_RANGE] == 2


def test_a_failing_predictor_does_not_stop_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = _narrow(tmp_path)

    def fail(*_: object) -> None:
        raise PredictionError("the model answered nonsense")

    monkeypatch.setattr(bad.model, "log_time", fail)
    first, second = predict_network(preset("alexnet").layers(), [bad, good]).results
    assert first.error == "the model answered nonsense"
    assert np.isnan(first.total.time_ms)
    assert first.refused == 5
    assert second.error == ""
    assert second.total.time_ms > 0


def test_predictors_without_intervals(tmp_path: Path) -> None:
    result = predict_network(preset("alexnet").layers(), _narrow(tmp_path, interval=None)).results[0]
    assert result.total.time_ms > 0 and np.isnan([result.total.low_ms, result.total.high_ms]).all()


def test_wider_layers_give_a_wider_sum(tmp_path: Path) -> None:
    wide = Interval(knots={"*": [0.0, 1.0]}, low={"*": [-0.7, -0.7]}, high={"*": [0.7, 0.7]})
    narrow = Interval(knots={"*": [0.0, 1.0]}, low={"*": [-0.1, -0.1]}, high={"*": [0.1, 0.1]})
    reach = []
    for number, interval in enumerate((narrow, wide)):
        total = predict_network(preset("alexnet").layers(), _narrow(tmp_path / str(number), interval=interval)).results[0].total
        reach.append(total.high_ms / total.time_ms)
    assert 1.0 < reach[0] < np.exp(0.1) < reach[1] < np.exp(0.7)


@pytest.mark.parametrize("rho", [-0.1, 1.1, float("nan")])
def test_impossible_correlations(rho: float) -> None:
    with pytest.raises(ConfigError, match="rho"):
        predict_network([], [], rho)
