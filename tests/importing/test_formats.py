"""Every kind of model that is read: converted, and equal to what its own library says."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnxruntime as ort
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.linear_model import ElasticNet, Lasso, LassoCV, LinearRegression, RidgeCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeRegressor
from xgboost import XGBRegressor, XGBRFRegressor

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.importing import worker
from cnnpredict_gui.importing.mapping import OUTPUTS, FeatureMapping
from cnnpredict_gui.importing.samples import sample_matrix
from tests.security.workshop import Forged, mapping

Matrix = np.ndarray[Any, np.dtype[Any]]


@pytest.fixture(scope="module")
def rows() -> Matrix:
    """Features of the sample layers, (512, 3)."""
    return sample_matrix(mapping())


def log_times(rows: Matrix) -> Matrix:
    """Something a model can learn: natural log of ms."""
    return np.asarray(0.4 * rows[:, 0] - 9.0 + 0.02 * rows[:, 2] ** 2, dtype=np.float64)


def converted(path: Path, wanted: FeatureMapping) -> tuple[float, Any]:
    """Largest relative difference between graph and native model, and the session of the graph."""
    native = worker.read_native(path.read_bytes(), path, wanted)
    graph = native.graph().SerializeToString()
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return float(worker.compare(native, graph, wanted).difference), session


LOGS = "log_ms"
ESTIMATORS: dict[str, tuple[Callable[[], BaseEstimator], str]] = {
    "forest": (lambda: RandomForestRegressor(4, random_state=0), LOGS),
    "forest with a generator": (lambda: RandomForestRegressor(2, random_state=np.random.RandomState(1)), LOGS),
    "extra trees": (lambda: ExtraTreesRegressor(4, random_state=0), LOGS),
    "a single tree": (lambda: DecisionTreeRegressor(max_depth=5), "ms"),
    "stumps": (lambda: RandomForestRegressor(3, max_depth=1, min_samples_leaf=400), LOGS),
    "histogram boosting": (lambda: HistGradientBoostingRegressor(max_iter=5), LOGS),
    "histogram boosting of gamma": (lambda: HistGradientBoostingRegressor(loss="gamma", max_iter=5), "ms"),
    "gradient boosting": (lambda: GradientBoostingRegressor(n_estimators=6, random_state=0), LOGS),
    "gradient boosting of absolute errors": (lambda: GradientBoostingRegressor(loss="absolute_error", n_estimators=6), LOGS),
    "gradient boosting from zero": (lambda: GradientBoostingRegressor(init="zero", n_estimators=6), LOGS),
    "linear": (LinearRegression, LOGS),
    "ridge": (RidgeCV, LOGS),
    "lasso": (LassoCV, LOGS),
    "cubic lasso": (lambda: make_pipeline(StandardScaler(), PolynomialFeatures(3), Lasso(0.01)), LOGS),
    "polynomial, then scaled": (
        lambda: make_pipeline(PolynomialFeatures(2, include_bias=False), StandardScaler(), RidgeCV()),
        LOGS,
    ),
    "interactions only": (lambda: make_pipeline(PolynomialFeatures(2, interaction_only=True), LinearRegression()), LOGS),
    "every scaler": (
        lambda: make_pipeline(
            RobustScaler(), MinMaxScaler(), MaxAbsScaler(), FunctionTransformer(np.log1p), "passthrough", ElasticNet(0.01)
        ),
        LOGS,
    ),
    "network": (
        lambda: make_pipeline(
            StandardScaler(), MLPRegressor(hidden_layer_sizes=(8, 8), activation="tanh", max_iter=40, random_state=0)
        ),
        LOGS,
    ),
    "target transformed by functions": (
        lambda: TransformedTargetRegressor(LinearRegression(), func=np.log1p, inverse_func=np.expm1),
        "ms",
    ),
    "target standardised": (
        lambda: TransformedTargetRegressor(RandomForestRegressor(3, random_state=0), transformer=StandardScaler()),
        LOGS,
    ),
    "XGBoost": (lambda: XGBRegressor(n_estimators=5, n_jobs=1), LOGS),
    "XGBoost of gamma": (lambda: XGBRegressor(n_estimators=5, objective="reg:gamma", n_jobs=1), "ms"),
    "XGBoost DART": (lambda: XGBRegressor(n_estimators=5, booster="dart", rate_drop=0.5, n_jobs=1), LOGS),
    "XGBoost linear": (lambda: XGBRegressor(n_estimators=5, booster="gblinear", n_jobs=1), LOGS),
    "XGBoost forest": (lambda: XGBRFRegressor(n_estimators=5, n_jobs=1), LOGS),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_agree_with_their_library(name: str, rows: Matrix, tmp_path: Path) -> None:
    make, output = ESTIMATORS[name]
    times = log_times(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: Any = make().fit(rows, times if output == LOGS else np.exp(times))
        path = tmp_path / "model.joblib"
        joblib.dump(model, path)
        difference, session = converted(path, mapping(output=output))
        said = np.asarray(model.predict(rows[:64].astype(np.float64))).reshape(-1)
    answer = session.run(None, {"features": rows[:64]})[0][:, 0]
    assert difference < 2e-4
    np.testing.assert_allclose(answer, said, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("compress", [0, 3, ("zlib", 1), ("gzip", 3), ("bz2", 1), ("lzma", 1), ("xz", 1), ("lz4", 1)])
def test_every_compression_of_joblib_is_read(compress: Any, rows: Matrix, tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    joblib.dump(RandomForestRegressor(2, random_state=0).fit(rows, log_times(rows)), path, compress=compress)
    assert converted(path, mapping())[0] < 1e-5


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("make", [lambda: RandomForestRegressor(2), lambda: XGBRegressor(n_estimators=2, n_jobs=1)])
def test_every_protocol_of_pickle_is_read(protocol: int, make: Callable[[], Any], rows: Matrix, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(make().fit(rows, log_times(rows)), protocol))
    assert converted(path, mapping())[0] < 1e-4


def test_trees_of_old_versions_are_read(rows: Matrix, tmp_path: Path) -> None:
    """scikit-learn before 1.3 wrote nodes without a place for missing values."""
    tree = DecisionTreeRegressor(max_depth=4).fit(rows, log_times(rows))
    arguments, state = tree.tree_.__reduce__()[1:]
    old = [name for name in state["nodes"].dtype.names if name != "missing_go_to_left"]
    narrow = np.zeros(len(state["nodes"]), dtype=[(name, state["nodes"].dtype[name]) for name in old])
    for name in old:
        narrow[name] = state["nodes"][name]
    wanted = tree.predict(rows[:9])
    tree.tree_ = Forged(arguments, state | {"nodes": narrow})
    joblib.dump(tree, tmp_path / "model.joblib")
    difference, session = converted(tmp_path / "model.joblib", mapping())
    assert difference < 1e-5
    np.testing.assert_allclose(session.run(None, {"features": rows[:9]})[0][:, 0], wanted, rtol=1e-5)


def test_early_stopping_uses_the_best_rounds(rows: Matrix, tmp_path: Path) -> None:
    times = log_times(rows)
    model = XGBRegressor(n_estimators=60, learning_rate=1.0, early_stopping_rounds=3, n_jobs=1)
    noise = np.random.default_rng(0).normal(0, 0.5, 512)
    model.fit(rows[:256], (times + noise)[:256], eval_set=[(rows[256:], times[256:])], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    for name in ("model.json", "model.ubj"):
        model.save_model(tmp_path / name)
        difference, session = converted(tmp_path / name, mapping(family="xgb"))
        assert difference < 1e-4
        np.testing.assert_allclose(session.run(None, {"features": rows})[0][:, 0], model.predict(rows), rtol=1e-4, atol=1e-4)
        native = worker.read_native((tmp_path / name).read_bytes(), tmp_path / name, mapping(family="xgb"))
        assert "stopped early: the first" in native.notes[0]


@pytest.mark.parametrize("output", OUTPUTS)
def test_every_unit_becomes_milliseconds(output: str, rows: Matrix, tmp_path: Path) -> None:
    """One model of the same times in each unit: what is served must always be the same time in ms."""
    times = np.exp(log_times(rows))
    written = {
        "ms": times,
        "s": times / 1e3,
        "us": times * 1e3,
        "log_ms": np.log(times),
        "log_s": np.log(times / 1e3),
        "log10_ms": np.log10(times),
        "log1p_ms": np.log1p(times),
    }[output]
    path = tmp_path / "model.joblib"
    joblib.dump(DecisionTreeRegressor().fit(rows, written), path)
    _, session = converted(path, mapping(output=output))
    served = session.run(None, {"features": rows})[0][:, 0].astype(np.float64)
    ours = np.exp(served) if output in ("log_ms", "log_s", "log10_ms") else served
    np.testing.assert_allclose(ours, times, rtol=2e-4)


def test_names_that_a_table_gave_are_read_and_only_compared_where_known(rows: Matrix, tmp_path: Path) -> None:
    model = RandomForestRegressor(2, random_state=0).fit(rows, log_times(rows))
    path = tmp_path / "model.joblib"
    for names, refused in ((["my macs", "my bytes", "k"], False), (["log_bytes", "log_macs", "kernel_size"], True)):
        model.feature_names_in_ = np.array(names, dtype=object)
        joblib.dump(model, path)
        native = worker.read_native(path.read_bytes(), path, mapping())
        assert native.names == tuple(names)
        if refused:
            with pytest.raises(ModelFileError, match=r"feature 1 of .* calls itself 'log_bytes'"):
                worker._check_names(native, mapping(), "model.joblib")
        else:
            worker._check_names(native, mapping(), "model.joblib")


@pytest.mark.parametrize("activation", ["identity", "relu", "tanh", "sigmoid", "softplus", "elu", "leaky_relu", "silu", "gelu"])
def test_networks_of_plain_layers(activation: str, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(3)
    layers = [torch.nn.Linear(3, 16), torch.nn.Linear(16, 16), torch.nn.Linear(16, 1)]
    state = {
        f"layers.{9 + number}.{key}": value for number, layer in enumerate(layers) for key, value in layer.state_dict().items()
    }
    torch.save({"epoch": 3, "model_state_dict": state}, tmp_path / "model.pt")
    save_file(state, tmp_path / "model.safetensors")
    wanted = mapping(family="nn", activation=activation, input_mean=(20.0, 20.0, 3.0), input_scale=(5.0, 5.0, 2.0))
    for name in ("model.pt", "model.safetensors"):
        assert converted(tmp_path / name, wanted)[0] < 1e-4


def test_a_pickled_booster_is_read(rows: Matrix, tmp_path: Path) -> None:
    """Without the wrapper of scikit-learn, as ``xgboost.train`` gives it."""
    booster = XGBRegressor(n_estimators=4, n_jobs=1).fit(rows, log_times(rows)).get_booster()
    joblib.dump(booster, tmp_path / "model.joblib", compress=3)
    difference, session = converted(tmp_path / "model.joblib", mapping(family="xgb"))
    assert difference < 1e-4
    np.testing.assert_allclose(session.run(None, {"features": rows})[0][:, 0], booster.inplace_predict(rows), rtol=1e-4)


def test_weights_in_a_file_beside_the_onnx_model_are_taken_in(tmp_path: Path) -> None:
    import onnx

    from tests.artefacts import linear_model

    path = tmp_path / "model.onnx"
    onnx.save_model(
        linear_model(mapping().features),
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location="weights.bin",
        size_threshold=0,
    )
    assert (tmp_path / "weights.bin").stat().st_size > 0
    difference, session = converted(path, mapping(family="lasso"))
    (tmp_path / "weights.bin").unlink()
    assert difference < 1e-5
    assert session.run(None, {"features": sample_matrix(mapping())})[0].shape == (512, 1)


def test_a_model_for_one_row_is_served_for_many(tmp_path: Path) -> None:
    """Exports for a fixed batch of one row get a free one."""
    import onnx

    from tests.artefacts import linear_model

    model = linear_model(mapping().features)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1
    model.graph.node[0].input[0] = model.graph.input[0].name = "time"  # and a name that is taken
    model.graph.node[0].output[0] = model.graph.output[0].name = "features"
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    difference, session = converted(path, mapping(family="lasso", output="log_s"))
    assert difference < 1e-5
    assert [item.name for item in session.get_inputs()] == ["features"]
    assert session.run(["time"], {"features": sample_matrix(mapping())[:7]})[0].shape == (7, 1)
    assert onnx.load(path).graph.input[0].name == "time"


def test_our_own_checkpoints_are_read(tmp_path: Path) -> None:
    import torch

    from cnnpredict_gui.training.network_regressor import NetworkRegressor, TimeNetwork

    torch.manual_seed(0)
    path = tmp_path / "best_model.pth"
    torch.save(NetworkRegressor(TimeNetwork(3, 8, 2)).checkpoint(), path)
    assert converted(path, mapping(family="nn"))[0] < 1e-4
    with pytest.raises(ModelFileError, match="whose output is log_ms"):
        converted(path, mapping(family="nn", output="ms"))


def test_a_conversion_that_differs_is_refused(rows: Matrix, tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    joblib.dump(LinearRegression().fit(rows, log_times(rows)), path)
    native = worker.read_native(path.read_bytes(), path, mapping())
    graph = native.graph().SerializeToString()
    native.predict = lambda matrix: np.full(len(matrix), 1.0)
    with pytest.raises(ModelFileError, match=r"differs from the native one by .* %"):
        worker.compare(native, graph, mapping())
