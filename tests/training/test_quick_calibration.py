"""Quick calibration: the choice of layers, the correction, its graph, the new target, and the whole way on this machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnpredict_gui.bench.child import Message
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import CancelledByUserError, ConfigError, DataFileError, ModelFileError, WorkerError
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.serving.models import Memo
from cnnpredict_gui.training.calibration_work import choose_in_this_process, fit_in_this_process
from cnnpredict_gui.training.correction import (
    CORRECTION_FEATURES,
    Scaling,
    correction_features,
    fit_correction,
    held_out_corrections,
    space_filling,
)
from cnnpredict_gui.training.correction_graph import corrected_graph
from cnnpredict_gui.training.plan import layer_plan
from cnnpredict_gui.training.quick_calibration import CalibrateRequest, calibrate
from tests.artefacts import write_training_folder
from tests.measured import SETTING, layer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two processors and a GPU whose times hold copies."""
    models = tmp_path_factory.mktemp("models")
    for target in ("cpu", "gpul40s"):
        write_training_folder(models, target)
    return models


def request(folder: Path, out: Path, **changes: Any) -> Message:
    made = asdict(CalibrateRequest([folder], "cpu", layers=60, checks=20, name="Lab PC", out=out))
    return made | {"folders": [str(folder)], "out": str(out)} | changes


def other_device(configs: list[ConvConfig], times: Any) -> Any:
    """Times on a device that is 1.8 times slower, quicker with much work per byte, and slow with grouped layers."""
    intensity = np.log2([config.arithmetic_intensity for config in configs])
    grouped = np.array([config.groups > 1 for config in configs])
    return times * 1.8 * np.exp(-0.12 * (intensity - intensity.mean()) + 0.4 * grouped)


def measured_request(folder: Path, out: Path, count: int = 80, **changes: Any) -> Message:
    """A request as it reaches the last child process, with times of the other device and 3 % noise."""
    configs = [config for config, _ in layer_plan(count, seed=3)]
    source = ModelLibrary([folder]).get("consensus_prediction-training-cpu")
    noise = np.exp(np.random.default_rng(0).normal(0, 0.03, count))
    times = other_device(configs, source.predict(ConfigTable.from_configs(configs)).time_ms) * noise
    rows = [
        {"place": place, "config": config.model_dump(), "wall_ms": time, "device_ms": float("nan")}
        for place, (config, time) in enumerate(zip(configs, times.tolist(), strict=True))
    ]
    more = {"fitted": count - 20, "setting": asdict(SETTING), "measured": rows}
    return request(folder, out) | more | changes


def test_points_far_from_each_other_are_chosen_the_same_each_time() -> None:
    rng = np.random.default_rng(0)
    clusters = [rng.normal(centre, 0.1, (200, 2)) for centre in ([0, 0], [10, 0], [0, 10], [10, 10])]
    points = np.concatenate(clusters)
    chosen = space_filling(points, 4)
    assert sorted((chosen // 200).tolist()) == [0, 1, 2, 3]
    assert (space_filling(points, 40) == space_filling(points, 40)).all()
    assert len(set(space_filling(points, 40).tolist())) == 40
    assert space_filling(points[:5], 9).tolist() == [0, 1, 2, 3, 4]


def test_choice_stays_in_the_domain_and_holds_different_layers(folder: Path, tmp_path: Path) -> None:
    chosen = choose_in_this_process(request(folder, tmp_path), lambda message: None)
    configs = [ConvConfig(**values) for values in chosen["layers"]]
    assert chosen["fitted"] == 60
    assert len(set(configs)) == len(configs) == 80
    batch = ModelLibrary([folder]).get("consensus_prediction-training-cpu").predict(ConfigTable.from_configs(configs))
    assert (batch.status == 0).all()
    assert batch.time_ms.max() < 60
    assert {config.kernel_height for config in configs} == {1, 3, 7}
    assert chosen == choose_in_this_process(request(folder, tmp_path), lambda message: None)


def test_correction_learns_scale_and_structure_and_is_cut_off_beyond_the_layers() -> None:
    table = ConfigTable.from_configs([config for config, _ in layer_plan(300, seed=0)])
    device = ModelLibrary().get("xgb_prediction-training-cpu").card.device
    features = correction_features(table, device)
    truth = 0.5 - 0.1 * features[:, CORRECTION_FEATURES.index("compute_to_memory")]
    rows = space_filling(Scaling.of(features)(features), 60)
    correction = fit_correction(features[rows], truth[rows], Scaling.of(features[rows]))
    rest = np.setdiff1d(np.arange(300), rows)
    assert np.abs(correction(features[rest]) - truth[rest]).mean() < 0.2 * np.abs(truth[rest] - truth.mean()).mean()
    held_out = held_out_corrections(features[rows], truth[rows], Scaling.of(features[rows]))
    assert 0 < np.abs(held_out - truth[rows]).mean() < 0.15
    far = features[rest] + 1e6
    assert np.abs(correction(far)).max() < np.abs(truth).max() + 1.0
    noise = np.random.default_rng(0).normal(0, 0.3, 60)
    scattered = fit_correction(features[rows], 0.7 + noise, Scaling.of(features[rows]))(features[rest])
    assert np.abs(scattered - 0.7).mean() < 0.2


def test_served_graph_computes_the_correction(folder: Path, tmp_path: Path) -> None:
    fit_in_this_process(measured_request(folder, tmp_path), lambda message: None)
    library = ModelLibrary([folder, tmp_path])
    table = ConfigTable.from_configs([config for config, _ in layer_plan(40, seed=9)])
    for family in ("nn", "xgb", "rf", "lasso"):
        source, made = (library.get(f"{family}_prediction-training-{target}") for target in ("cpu", "cpu-lab-pc"))
        rows = measured_request(folder, tmp_path)["measured"][:60]
        fitted = ConfigTable.from_configs([ConvConfig(**row["config"]) for row in rows])
        before = source.model.log_time(fitted.resolve_algorithm("any"), Memo())
        features = correction_features(fitted, source.card.device)
        ratio = np.log([row["wall_ms"] for row in rows]) - before
        correction = fit_correction(features, ratio, Scaling.of(features))
        expected = source.predict(table).time_ms * np.exp(correction(correction_features(table, source.card.device)))
        np.testing.assert_allclose(made.predict(table).time_ms, expected, rtol=2e-4)


def test_error_is_more_than_halved_and_intervals_hold(folder: Path, tmp_path: Path) -> None:
    found = fit_in_this_process(measured_request(folder, tmp_path), lambda message: None)
    assert found["source"] == "cpu"
    families = {one["family"]: one for one in found["families"]}
    assert list(families) == ["nn", "xgb", "rf", "lasso", "consensus"]
    for scores in families.values():
        assert scores["after"]["mape"] < scores["before"]["mape"]
    consensus = families["consensus"]
    for name in ("", "check_"):
        assert consensus[f"{name}after"]["mape"] < consensus[f"{name}before"]["mape"] / 2
    assert [point["is_check"] for point in found["points"]] == [False] * 60 + [True] * 20
    # layers that calibration has never seen
    library = ModelLibrary([folder, tmp_path])
    configs = [config for config, _ in layer_plan(300, seed=77)]
    table = ConfigTable.from_configs(configs)
    truth = other_device(configs, library.get("consensus_prediction-training-cpu").predict(table).time_ms)
    made = library.get("consensus_prediction-training-cpu-lab-pc").predict(table)
    errors = np.abs(made.time_ms / truth - 1)
    assert 100 * errors.mean() < families["consensus"]["before"]["mape"] / 2
    assert ((truth >= made.low_ms) & (truth <= made.high_ms)).mean() > 0.8


def test_new_target_tells_where_it_comes_from(folder: Path, tmp_path: Path) -> None:
    fit_in_this_process(measured_request(folder, tmp_path), lambda message: None)
    library = ModelLibrary([folder, tmp_path])
    predictors = library.for_target("cpu-lab-pc")
    assert [one.family for one in predictors] == ["nn", "xgb", "rf", "lasso", "consensus"]
    card = predictors[1].card
    assert card.target.title == "CPU: Lab PC · PyTorch 9 / oneDNN"
    assert card.target.time_kind == "framework_wall_clock"
    assert card.hyperparameters["calibrated_from"] == "cpu"
    assert card.provenance.rows == 60
    assert "calibrated from xgb_prediction-training-cpu" in card.notes[0]
    assert set(card.metrics) == {"grouped_by_shape", "separate_layers"}
    assert card.interval is not None


def test_target_most_alike_is_found(folder: Path, tmp_path: Path) -> None:
    write_training_folder(tmp_path / "more", "cpu", folder="prediction-training-cpu-odd", ranges={})
    odd = tmp_path / "more" / "prediction-training-cpu-odd"
    for card in odd.rglob("*.card.json"):  # another processor, other times by the number of taps
        text = (
            card.read_text(encoding="utf-8")
            .replace('"name":"cpu"', '"name":"cpu-odd"')
            .replace('"name": "cpu"', '"name": "cpu-odd"')
        )
        card.write_text(text.replace('"offset_feature": null', '"offset_feature": "log_taps"'), encoding="utf-8")
    both = measured_request(folder, tmp_path / "out", target="", folders=[str(folder), str(tmp_path / "more")])
    assert fit_in_this_process(both, lambda message: None)["source"] == "cpu"


def test_what_cannot_be_calibrated_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="layers is 3"):
        calibrate(CalibrateRequest([folder], layers=3))
    with pytest.raises(DataFileError, match="host copies"):
        fit_in_this_process(measured_request(folder, tmp_path, target="gpul40s"), lambda message: None)
    fit_in_this_process(measured_request(folder, tmp_path), lambda message: None)
    again = measured_request(folder, tmp_path, target="cpu-lab-pc", folders=[str(folder), str(tmp_path)])
    with pytest.raises(DataFileError, match="calibrated already"):
        fit_in_this_process(again, lambda message: None)
    data = next((tmp_path / "prediction-training-cpu-lab-pc").rglob("best_xgb_model.onnx")).read_bytes()
    with pytest.raises(ModelFileError, match="calibrated already"):
        corrected_graph(data, None, (), False)  # type: ignore[arg-type]
    few = measured_request(folder, tmp_path)
    with pytest.raises(DataFileError, match="only 5 layers"):
        fit_in_this_process(few | {"measured": few["measured"][:5]}, lambda message: None)
    with pytest.raises(WorkerError, match="no target 'gpux'"):
        calibrate(CalibrateRequest([folder], "gpux"))


@pytest.mark.timeout(300)
def test_this_machine_is_calibrated_for_real_and_cancel_writes_nothing(folder: Path, tmp_path: Path) -> None:
    work = CalibrateRequest([folder], "cpu", layers=14, checks=3, rounds=1, out=tmp_path / "out", budget_ms=2.0)
    arrived: list[int] = []
    with pytest.raises(CancelledByUserError):
        calibrate(work, lambda place, _one: arrived.append(place), cancelled=lambda: len(arrived) > 3)
    assert not (tmp_path / "out").exists()
    progress: list[tuple[int, int]] = []
    result = calibrate(work, progress=lambda *both: progress.append(both))
    assert progress[-1] == (17, 17)
    assert len(result.points) == 17
    assert result.main.family == "consensus"
    (predictor,) = [one for one in ModelLibrary([tmp_path / "out"]).for_target(result.target.name) if one.family == "xgb"]
    answer = predictor.predict_one(layer(input_channels=32, input_height=28, input_width=28))
    assert answer.low_ms < answer.time_ms < answer.high_ms


def test_what_is_right_already_is_left_alone_and_a_plain_scale_stays_one() -> None:
    table = ConfigTable.from_configs([config for config, _ in layer_plan(60, seed=0)])
    features = correction_features(table, ModelLibrary().get("xgb_prediction-training-cpu").card.device)
    scatter = np.random.default_rng(0).normal(0, 0.1, 60)
    scatter -= np.median(scatter)
    right = fit_correction(features, scatter, Scaling.of(features))
    assert not right.weights.any() and not right.linear.any() and right.constant == 0
    slower = fit_correction(features, 0.5 + scatter, Scaling.of(features))
    assert not slower.weights.any() and slower.constant == pytest.approx(0.5)
