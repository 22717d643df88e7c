"""Times, intervals and verdicts of predictors."""

from __future__ import annotations

import hashlib
import json
import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from cnnpredict_gui.core.card import Interval, Range
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.serving.predictor import PIECE_ROWS, Predictor, predict_many
from cnnpredict_gui.serving.statistics import STATISTICS, Served, ServingStatistics
from tests.artefacts import write_model, write_training_folder
from tests.strategies import valid_configs

LAYER = ConvConfig.parse({"input_channels": 64, "input_height": 56, "input_width": 56, "output_channels": 64, "kernel_size": 3})


def changed(**values: object) -> ConvConfig:
    return ConvConfig.parse(LAYER.compact() | values)


@pytest.fixture(scope="module")
def library(models_folder: Path) -> ModelLibrary:
    found = ModelLibrary([models_folder])
    found.load_all()
    return found


def one(folder: Path, family: str = "xgb", target: str = "cpu", **card: Any) -> Predictor:
    write_training_folder(folder, target, families=(family,), **card)
    return ModelLibrary([folder]).get(f"{family}_prediction-training-{target}")


def test_the_time_is_what_the_model_says(library: ModelLibrary) -> None:
    expected = math.exp(0.4 * math.log2(LAYER.macs) - 11.0 + 1.0)  # third target of the fixture, network
    assert library.get("nn_prediction-training-cpu").predict_one(LAYER).time_ms == pytest.approx(expected, rel=1e-5)


def test_an_offset_feature_is_added_to_the_output(tmp_path: Path) -> None:
    plain = one(tmp_path / "plain", "nn", features=("log_macs", "log_bytes"))
    offset = one(tmp_path / "offset", "nn", features=("log_macs", "log_bytes"), offset_feature="log_taps")
    known = one(tmp_path / "known", "nn", features=("log_macs", "log_taps"), offset_feature="log_taps")
    factor = math.exp(math.log2(9))
    for predictor in (offset, known):
        ratio = predictor.predict_one(LAYER).time_ms / plain.predict_one(LAYER).time_ms
        assert ratio == pytest.approx(factor, rel=1e-5)


def test_an_output_in_ms_is_the_time_itself(tmp_path: Path) -> None:
    log = one(tmp_path / "log", "nn").predict_one(changed(input_channels=2048, output_channels=2048))
    ms = one(tmp_path / "ms", "nn", output="ms").predict_one(changed(input_channels=2048, output_channels=2048))
    assert ms.time_ms == pytest.approx(math.log(log.time_ms), rel=1e-5)


def test_the_consensus_is_the_weighted_mean_of_log_times(tmp_path: Path) -> None:
    write_training_folder(tmp_path, "cpu")
    write_model(tmp_path / "prediction-training-cpu", "consensus", "cpu", weights={"nn": 0.75, "rf": 0.25})
    library = ModelLibrary([tmp_path])
    nn, rf, consensus = (
        library.get(f"{family}_prediction-training-cpu").predict_one(LAYER) for family in ("nn", "rf", "consensus")
    )
    assert consensus.time_ms == pytest.approx(nn.time_ms**0.75 * rf.time_ms**0.25, rel=1e-6)


def test_the_interval_follows_the_group_and_the_size(tmp_path: Path) -> None:
    interval = Interval(
        group_by=("algorithm", "dtype"),
        knots={"gemm/fp32": [-10.0, 10.0], "*": [0.0]},
        low={"gemm/fp32": [-0.4, -0.2], "*": [-1.0]},
        high={"gemm/fp32": [0.2, 0.4], "*": [1.0]},
    )
    predictor = one(tmp_path, "nn", "gpul40s", interval=interval)
    gemm, winograd = (predictor.predict_one(changed(algorithm=name)) for name in ("gemm", "winograd"))
    t = math.log(gemm.time_ms)
    assert math.log(gemm.low_ms) == pytest.approx(t - 0.3 + 0.01 * t, abs=1e-6)
    assert math.log(gemm.high_ms) == pytest.approx(t + 0.3 + 0.01 * t, abs=1e-6)
    assert winograd.high_ms / winograd.time_ms == pytest.approx(math.e)


def test_an_interval_always_holds_the_prediction(tmp_path: Path) -> None:
    interval = Interval(knots={"*": [0.0]}, low={"*": [0.1]}, high={"*": [0.3]})
    answer = one(tmp_path, interval=interval).predict_one(LAYER)
    assert answer.low_ms == answer.time_ms < answer.high_ms


def test_without_an_interval_in_the_card_there_is_none(tmp_path: Path) -> None:
    answer = one(tmp_path, interval=None).predict_one(LAYER)
    assert answer.time_ms > 0 and answer.status == Status.IN_RANGE
    assert math.isnan(answer.low_ms) and math.isnan(answer.high_ms)


VERDICTS: dict[str, tuple[dict[str, Any], Status, str]] = {
    "in range": ({}, Status.IN_RANGE, ""),
    "batch": ({"batch_size": 32}, Status.EXTRAPOLATING, "batch_size 32 > 1 measured"),
    "too small": ({"input_height": 4}, Status.EXTRAPOLATING, "input_height 4 < 7 measured"),
    "both sides": ({"input_height": 4, "input_width": 4}, Status.EXTRAPOLATING, "input_size 4 < 7 measured"),
    "kernel": ({"kernel_size": 4}, Status.EXTRAPOLATING, "kernel_size 4 never measured (seen 1, 3, 7)"),
    "kernel of one side": (
        {"kernel_size": None, "kernel_height": 5, "kernel_width": 3},
        Status.EXTRAPOLATING,
        "kernel_height 5 never measured (seen 1, 3, 7)",
    ),
    "beyond what was seen": ({"stride": 4}, Status.EXTRAPOLATING, "stride 4 never measured (seen 1, 2)"),
    "several": (
        {"kernel_size": 5, "input_channels": 4096},
        Status.EXTRAPOLATING,
        "kernel_size 5 never measured (seen 1, 3, 7); input_channels 4,096 > 2,048 measured",
    ),
    "derived": (
        {"input_height": 512, "input_width": 512, "input_channels": 2048, "output_channels": 2048, "kernel_size": 7},
        Status.EXTRAPOLATING,
        "MACs 53.9 T > 1 T measured",
    ),
    "algorithm": (
        {"algorithm": "fft"},
        Status.REFUSED,
        "algorithm fft is unknown to this target (it knows guess, gemm, winograd)",
    ),
    "dtype": ({"dtype": "int8"}, Status.REFUSED, "dtype int8 is unknown to this target (it knows fp32)"),
    "direction": (
        {"direction": "backward_data"},
        Status.REFUSED,
        "direction backward_data is unknown to this target (it knows forward)",
    ),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_verdicts_name_the_parameter_and_how_far(library: ModelLibrary, case: str) -> None:
    values, status, reason = VERDICTS[case]
    values = {name: value for name, value in (LAYER.compact() | values).items() if value is not None}
    answer = library.get("xgb_prediction-training-gpul40s").predict_one(ConvConfig.parse(values))
    assert (answer.status, answer.reason) == (status, reason)
    assert math.isnan(answer.time_ms) == (status == Status.REFUSED)


def test_the_default_algorithm_is_what_the_card_calls_so(tmp_path: Path) -> None:
    predictor = one(tmp_path, "nn", "gpul40s", features=("log_macs", "algorithm_guess", "algorithm_gemm"))
    default, guess = (predictor.predict_one(changed(algorithm=name)) for name in ("default", "guess"))
    assert default == guess
    assert default.status == Status.IN_RANGE


def test_shorthands_in_a_card_stand_for_both_sides(tmp_path: Path) -> None:
    predictor = one(tmp_path, ranges={"kernel_size": Range(low=1, high=3)}, values_seen={"stride": (1,)})
    assert predictor.predict_one(changed(kernel_size=5, stride=2)).reason == (
        "stride 2 never measured (seen 1); kernel_size 5 > 3 measured"
    )


def nonsense_model(value: float) -> onnx.ModelProto:
    """A model that always answers ``value``."""
    constant = helper.make_tensor("value", TensorProto.FLOAT, [1, 1], [value])
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [6, 1], [0.0] * 6)
    nodes = [
        helper.make_node("MatMul", ["features", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "value"], ["time"]),
    ]
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, 6])]
    outputs = [helper.make_tensor_value_info("time", TensorProto.FLOAT, [None, 1])]
    graph = helper.make_graph(nodes, "nonsense", inputs, outputs, [constant, zero])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 800.0, -800.0, 40.0])
def test_an_answer_that_is_no_time_is_refused(tmp_path: Path, value: float) -> None:
    folder = write_training_folder(tmp_path, "cpu", families=("nn", "consensus"))
    path, card = folder / "nn/output/best_model.onnx", folder / "nn/output/best_model.card.json"
    path.write_bytes(nonsense_model(value).SerializeToString())
    content = json.loads(card.read_text("utf-8"))
    content["files"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    card.write_text(json.dumps(content), "utf-8")
    write_model(folder, "consensus", "cpu", weights={"nn": 1.0})
    library = ModelLibrary([tmp_path])
    for family in ("nn", "consensus"):
        answer = library.get(f"{family}_prediction-training-cpu").predict_one(LAYER)
        assert answer.status == Status.REFUSED
        assert answer.reason == "the model's answer is not a plausible time for a layer"
        assert math.isnan(answer.time_ms) and math.isnan(answer.low_ms) and math.isnan(answer.high_ms)


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_ms_that_are_not_positive_are_refused(tmp_path: Path, value: float) -> None:
    folder = write_training_folder(tmp_path, "cpu", families=("nn",), output="ms")
    path, card = folder / "nn/output/best_model.onnx", folder / "nn/output/best_model.card.json"
    path.write_bytes(nonsense_model(value).SerializeToString())
    content = json.loads(card.read_text("utf-8"))
    content["files"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    card.write_text(json.dumps(content), "utf-8")
    assert ModelLibrary([tmp_path]).get("nn_prediction-training-cpu").predict_one(LAYER).status == Status.REFUSED


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(configs=st.lists(valid_configs(), min_size=1, max_size=8))
def test_no_valid_configuration_ever_gets_a_time_that_is_none(library: ModelLibrary, configs: list[ConvConfig]) -> None:
    for batch in predict_many(list(library.predictors.values()), ConfigTable.from_configs(configs)).values():
        refused = batch.status == Status.REFUSED
        for times in (batch.time_ms, batch.low_ms, batch.high_ms):
            assert np.isnan(times[refused]).all()
            assert (np.isfinite(times[~refused]) & (times[~refused] > 0)).all()
        assert (batch.low_ms[~refused] <= batch.time_ms[~refused]).all()
        assert (batch.time_ms[~refused] <= batch.high_ms[~refused]).all()
        assert [bool(text) for text in batch.reasons] == (batch.status != Status.IN_RANGE).tolist()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(configs=st.lists(valid_configs(), min_size=2, max_size=8))
def test_a_row_gets_the_same_answer_alone_and_among_others(library: ModelLibrary, configs: list[ConvConfig]) -> None:
    predictors = list(library.predictors.values())
    together = predict_many(predictors, ConfigTable.from_configs(configs))
    for predictor in predictors:
        for index, config in enumerate(configs):
            alone, among = predictor.predict_one(config), together[predictor.name].row(index)
            assert (alone.status, alone.reason) == (among.status, among.reason)
            assert alone.time_ms == pytest.approx(among.time_ms, rel=1e-4, nan_ok=True)


def test_large_tables_are_answered_in_pieces_alike(library: ModelLibrary) -> None:
    rng = np.random.default_rng(0)
    rows = 3 * PIECE_ROWS + 100
    columns = {name: rng.integers(1, 600, rows) for name in ("input_channels", "input_height", "output_channels", "batch_size")}
    columns |= {"input_width": columns["input_height"], "kernel_size": rng.integers(1, 9, rows)}
    table, valid, _ = ConfigTable.from_columns(columns | {"algorithm": rng.choice(["default", "gemm", "fft"], rows)})
    assert valid.sum() > 2 * PIECE_ROWS
    predictors = list(library.predictors.values())
    whole = predict_many(predictors, table)
    pieces = [predict_many(predictors, table[start : start + 1_000]) for start in range(0, len(table), 1_000)]
    for name, batch in whole.items():
        np.testing.assert_allclose(batch.time_ms, np.concatenate([piece[name].time_ms for piece in pieces]), rtol=1e-5)
        np.testing.assert_array_equal(batch.status, np.concatenate([piece[name].status for piece in pieces]))
        assert batch.reasons.tolist() == [text for piece in pieces for text in piece[name].reasons]


def test_no_rows_give_no_answers(library: ModelLibrary) -> None:
    answers = predict_many(list(library.predictors.values()), ConfigTable.from_configs([]))
    assert {len(batch) for batch in answers.values()} == {0}
    assert all(batch.reasons.tolist() == [] for batch in answers.values())


def test_threads_may_share_a_table_and_predictors(library: ModelLibrary) -> None:
    predictors = list(library.predictors.values())
    configs = [changed(input_height=size, input_width=size, batch_size=batch) for size in range(7, 60) for batch in (1, 2)]
    table = ConfigTable.from_configs(configs)
    expected = {name: batch.time_ms for name, batch in predict_many(predictors, ConfigTable.from_configs(configs)).items()}
    wrong: list[str] = []

    def ask() -> None:
        for name, batch in predict_many(predictors, table).items():
            if not np.array_equal(batch.time_ms, expected[name]):
                wrong.append(name)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_predictions_are_counted(library: ModelLibrary) -> None:
    STATISTICS.reset()
    table = ConfigTable.from_configs([LAYER, changed(batch_size=2), changed(algorithm="fft")])
    predict_many([library.get("xgb_prediction-training-gpul40s")], table)
    library.get("rf_prediction-training-cpu").predict_one(LAYER)
    served = STATISTICS.snapshot()
    assert (served.calls, served.predictions, served.errors) == (2, 4, 0)
    assert served.median_ms is not None and served.median_ms > 0


def test_statistics_count_in_many_threads() -> None:
    statistics = ServingStatistics()

    def count() -> None:
        for _ in range(500):
            statistics.record(2, 0.001)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statistics.record_error()
    served = statistics.snapshot()
    assert (served.calls, served.predictions, served.errors) == (2_000, 4_000, 1)
    assert served.median_ms == pytest.approx(1.0)
    statistics.reset()
    assert statistics.snapshot() == Served(0, 0, 0, None)


def test_an_error_of_a_model_is_counted_and_told(library: ModelLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = library.get("nn_prediction-training-cpu")

    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(predictor.model, "log_time", fail)
    STATISTICS.reset()
    with pytest.raises(RuntimeError, match="broken"):
        predictor.predict_one(LAYER)
    assert STATISTICS.snapshot().errors == 1


def test_without_training_ranges_nothing_is_in_range_and_no_interval_is_made_up(tmp_path: Path) -> None:
    predictor = one(tmp_path, ranges={}, values_seen={}, interval=None)
    answer = predictor.predict_one(LAYER)
    assert answer.verdict == "extrapolating: training range unknown"
    assert answer.time_ms > 0
    assert math.isnan(answer.low_ms) and math.isnan(answer.high_ms)


def test_implausible_times_are_refused_without_an_interval_too(tmp_path: Path) -> None:
    predictor = one(tmp_path, ranges={}, values_seen={}, interval=None, output="ms")
    answer = predictor.predict_one(changed(input_channels=1, output_channels=1))  # a negative time
    assert answer.status == Status.REFUSED and math.isnan(answer.time_ms)
