"""From a parquet of measurements to predictors that the application serves."""

from __future__ import annotations

import lzma
import pickle
from pathlib import Path

import joblib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from optuna.trial import FixedTrial

from cnnpredict_gui.core.errors import CancelledByUserError, DataFileError
from cnnpredict_gui.core.features import feature_matrix
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.training import pipeline
from cnnpredict_gui.training.export import lean
from cnnpredict_gui.training.families import RECIPES, Task
from cnnpredict_gui.training.network_regressor import NetworkRegressor
from cnnpredict_gui.training.pipeline import TrainRequest, train
from cnnpredict_gui.training.plan import layer_plan
from tests.training.conftest import law, measured_rows

pytestmark = pytest.mark.usefixtures("small_recipes")


@pytest.fixture(scope="module")
def trained(data_file: Path, small_recipes: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "prediction-training-gputest"
    train(TrainRequest([data_file], "gputest", out, trials=2))
    return out


def test_all_families_are_trained_served_and_right(trained: Path) -> None:
    library = ModelLibrary([trained.parent])
    entries = library.load_all()
    assert {entry.family for entry in entries} == {"nn", "xgb", "rf", "lasso", "consensus"}
    assert [entry.reason for entry in entries if entry.status != "loaded"] == []
    fresh = [config for config, _ in layer_plan(150, seed=5)]
    table, true = ConfigTable.from_configs(fresh), np.array([law(config) for config in fresh])
    for predictor in library.predictors.values():
        answer = predictor.predict(table)
        known = answer.status == Status.IN_RANGE
        assert known.sum() > 50
        error = np.abs(answer.time_ms[known] / true[known] - 1)
        assert np.median(error) < 0.35, predictor.name
        assert ((answer.low_ms <= answer.time_ms) & (answer.time_ms <= answer.high_ms)).all()


def test_native_files_agree_with_what_is_served(trained: Path) -> None:
    library = ModelLibrary([trained.parent])
    table = ConfigTable.from_configs([config for config, _ in layer_plan(40, seed=6)])
    natives = {"xgb": "xgboost/best_xgb_model", "rf": "rdf/best_rf_model", "lasso": "polynomial-regression/best_lasso_model"}
    for family in ("nn", *natives):
        predictor = library.get(f"{family}_prediction-training-gputest")
        card = predictor.card
        if family == "nn":
            checkpoint = torch.load(trained / "nn/output/best_model.pth", weights_only=True)
            native = NetworkRegressor.from_checkpoint(checkpoint)
        else:
            native = joblib.load(trained / f"{natives[family]}.joblib")
        assert card.offset_feature is not None
        matrix = feature_matrix(table, card.device, (*card.features, card.offset_feature))
        expected = np.exp(native.predict(np.ascontiguousarray(matrix[:, :-1])) + matrix[:, -1])
        assert predictor.predict(table).time_ms == pytest.approx(expected, rel=2e-3), family


def test_cards_tell_three_protocols_and_the_data(trained: Path) -> None:
    for entry in ModelLibrary([trained.parent]).scan():
        card = entry.card
        assert card is not None
        assert card.provenance.rows == 260
        assert card.ranges["macs"].high > card.ranges["macs"].low
        assert card.interval is not None
        if card.family != "consensus":
            assert set(card.metrics) == {"random_5_fold", "grouped_by_shape", "unseen_combinations"}
            assert card.metrics["grouped_by_shape"].mape < 60
        else:
            assert sum(card.weights.values()) == pytest.approx(1)


def test_same_seed_same_files(data_file: Path, tmp_path: Path) -> None:
    graphs = []
    for name in ("a", "b"):
        train(TrainRequest([data_file], "gputest", tmp_path / name, families=("xgb", "nn"), trials=0))
        graphs.append(
            [(tmp_path / name / path).read_bytes() for path in ("xgboost/best_xgb_model.onnx", "nn/output/best_model.onnx")]
        )
    assert graphs[0] == graphs[1]


def test_cancel_stops_between_fits(data_file: Path, tmp_path: Path) -> None:
    calls = []
    with pytest.raises(CancelledByUserError):
        train(
            TrainRequest([data_file], "gputest", tmp_path / "out", families=("lasso",), trials=0),
            lambda stage, done, total: calls.append((done, total)),
            lambda: len(calls) == 2,
        )
    assert calls == [(1, 8), (2, 8)]
    assert not list((tmp_path / "out").rglob("*.*"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": "other"}, "no measurements of target"),
        ({"time_kind": "guessed"}, "time_kind"),
        ({"time_ms": float("nan")}, "not a positive number"),
        ({"time_ms": -1.0}, "not a positive number"),
    ],
)
def test_unusable_data_is_refused_with_the_reason(tmp_path: Path, change: dict[str, object], words: str) -> None:
    rows = measured_rows(40)
    rows |= {name: [value] * 40 for name, value in change.items()}
    path = tmp_path / "bad.parquet"
    pq.write_table(pa.table(rows), path)
    with pytest.raises(DataFileError, match=words):
        train(TrainRequest([path], "gputest", tmp_path / "out"))


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "few.parquet"
    pq.write_table(pa.table(measured_rows(10)), path)
    with pytest.raises(DataFileError, match="only 10 usable rows"):
        train(TrainRequest([path], "gputest", tmp_path / "out"))


def test_trees_are_stored_without_statistics_and_predict_the_same(data_file: Path) -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(400, 6)).astype(np.float32)
    task = Task(features, generator.normal(size=400), generator.uniform(0.2, 1, 400), 0)
    probe = generator.normal(size=(3_000, 6)).astype(np.float32)
    for name, more in (("xgb", {"n_estimators": 30}), ("rf", {"n_estimators": 5})):
        recipe = RECIPES[name]
        model = recipe.fit(task, recipe.start(400) | more)
        slim = lean(model)
        assert np.allclose(slim.predict(probe), model.predict(probe), rtol=0, atol=1e-6), name
        sizes = [len(lzma.compress(pickle.dumps(each))) for each in (slim, model)]
        assert sizes[0] < 0.7 * sizes[1], name


@pytest.mark.parametrize(("medium", "pooled"), [(61, 60), (60, 0)])
def test_a_target_with_enough_rows_is_trained_without_other_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, medium: int, pooled: int
) -> None:
    monkeypatch.setattr(pipeline, "MEDIUM_ROWS", medium)
    own, path = measured_rows(60), tmp_path / "two.parquet"
    sister = own | {"target": ["gpusister"] * 60}
    pq.write_table(pa.table({name: own[name] + sister[name] for name in own}), path)
    (card,) = train(TrainRequest([path], "gputest", tmp_path / "out", families=("rf",), trials=0))
    assert card.hyperparameters["pooled_rows"] == pooled


@pytest.mark.parametrize("rows", [5_000, 20_000, 50_000, 200_000])
def test_the_search_of_every_size_starts_from_its_start_values(rows: int) -> None:
    for name, recipe in RECIPES.items():
        start = recipe.start(rows)
        assert recipe.space(FixedTrial(start), rows).keys() == start.keys(), name  # a warning if outside of the space
