"""Trained models as files: the native one, the ONNX graph that is served, and the check of one against the other."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.pipeline import Pipeline
from xgboost import XGBRegressor

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.infra.files import atomic_write
from cnnpredict_gui.infra.onnx_runtime import onnxruntime
from cnnpredict_gui.training.families import Regressor
from cnnpredict_gui.training.network_regressor import CLIP, NetworkRegressor

OPSET, ML_OPSET = 18, 5
#: Largest relative difference of times allowed between a native model and its ONNX graph (both compute in float32).
TOLERANCE = 2e-3
_LIMITS = {"lowest": -CLIP, "highest": CLIP}
_MODES = {b"BRANCH_LEQ": 0, b"BRANCH_LT": 1, b"BRANCH_GTE": 2, b"BRANCH_GT": 3}


def write_native(model: Regressor, path: Path) -> None:
    """Write the model as its own library does: ``.pth`` for the network, compressed ``.joblib`` for the others.

    Of trees, what predictions do not need (gains, impurities, numbers of samples) is left out: half of the bytes and more.
    """
    with atomic_write(path) as temporary:
        if isinstance(model, NetworkRegressor):
            torch.save(model.checkpoint(), temporary)
        else:
            joblib.dump(lean(model), temporary, compress=("lzma", 6))


def lean(model: Regressor) -> Regressor:
    """The same model without the statistics of its training; its predictions are equal (of a forest, to float32)."""
    if isinstance(model, XGBRegressor):
        return _lean_boosted(model)
    return _lean_forest(model) if isinstance(model, ExtraTreesRegressor) else model


def _lean_boosted(model: XGBRegressor) -> XGBRegressor:
    content = json.loads(model.get_booster().save_raw("json"))
    for tree in content["learner"]["gradient_booster"]["model"]["trees"]:
        for name in ("base_weights", "loss_changes", "sum_hessian"):
            tree[name] = [0.0] * len(tree[name])
    slim = XGBRegressor(**model.get_params())
    slim.load_model(bytearray(json.dumps(content), "utf-8"))
    return slim


def _lean_forest(model: ExtraTreesRegressor) -> ExtraTreesRegressor:
    slim = copy.deepcopy(model)
    for estimator in slim.estimators_:
        state = estimator.tree_.__getstate__()
        nodes, inner = state["nodes"].copy(), state["nodes"]["left_child"] >= 0
        rounded = nodes["threshold"].astype(np.float32)
        below = np.where(rounded > nodes["threshold"], np.nextafter(rounded, np.float32(-np.inf)), rounded)
        nodes["threshold"] = np.where(inner, below, nodes["threshold"])  # features are float32: the same branches
        nodes["impurity"], nodes["n_node_samples"], nodes["weighted_n_node_samples"] = 0.0, 1, 1.0
        values = np.where(inner[:, None, None], np.float32(0), state["values"].astype(np.float32)).astype(np.float64)
        estimator.tree_.__setstate__(state | {"nodes": nodes, "values": values})
    return slim


def to_graph(model: Regressor, features: int) -> onnx.ModelProto:
    """The ONNX graph of a model: ``features`` float32 (n, f) to ``time`` float32 (n, 1).

    Raises:
        ModelFileError: the model is of a kind that has no conversion.
    """
    if isinstance(model, NetworkRegressor):
        return _network_graph(model, features)
    if isinstance(model, Pipeline):
        return _quadratic_graph(model, features)
    if isinstance(model, XGBRegressor):
        return compact_trees(convert_xgboost(model, initial_types=[("features", FloatTensorType([None, features]))]), features)
    if isinstance(model, ExtraTreesRegressor):
        sample = np.zeros((1, features), dtype=np.float32)
        return compact_trees(to_onnx(model, sample, target_opset={"": OPSET, "ai.onnx.ml": 3}), features)
    raise ModelFileError(f"a {type(model).__name__} has no conversion to ONNX", "train one of the four families")


def write_graph(model: Regressor, graph: onnx.ModelProto, path: Path, sample: npt.NDArray[np.float32]) -> float:
    """Write the graph after checking it against the model; returns the largest relative difference of the times.

    Raises:
        ModelFileError: graph and model disagree by more than :data:`TOLERANCE`.
    """
    content = graph.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    served = session.run(None, {"features": sample})[0][:, 0]
    difference = float(np.abs(np.expm1(served - model.predict(sample))).max())
    if not difference <= TOLERANCE:
        raise ModelFileError(f"{path.name}: ONNX and native model differ by {difference:.2%}", "train the model again")
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
    return difference


def _model(nodes: list[onnx.NodeProto], initialisers: list[onnx.TensorProto], features: int) -> onnx.ModelProto:
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", features])]
    outputs = [helper.make_tensor_value_info("time", TensorProto.FLOAT, ["n", 1])]
    graph = helper.make_graph(nodes, "predictor", inputs, outputs, initialisers)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="cnnpredict")
    onnx.checker.check_model(model)
    return model


def _network_graph(model: NetworkRegressor, features: int) -> onnx.ModelProto:
    """The layers of :class:`TimeNetwork` one by one; SiLU is ``x * sigmoid(x)``."""
    network = model.network
    state = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    initialisers = [numpy_helper.from_array(np.atleast_1d(value), name) for name, value in state.items()]
    initialisers += [numpy_helper.from_array(np.array(limit, dtype=np.float32), name) for name, limit in _LIMITS.items()]
    nodes = [
        helper.make_node("Sub", ["features", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["standardised"]),
        helper.make_node("Clip", ["standardised", *_LIMITS], ["inputs"]),
    ]

    def linear(source: str, layer: str, target: str) -> None:
        nodes.append(helper.make_node("Gemm", [source, f"{layer}.weight", f"{layer}.bias"], [target], transB=1))

    def norm(source: str, layer: str, target: str) -> None:
        scaled = [source, f"{layer}.weight", f"{layer}.bias"]
        nodes.append(helper.make_node("LayerNormalization", scaled, [target], axis=-1, epsilon=network.norm.eps))

    def silu(source: str, target: str) -> None:
        nodes.append(helper.make_node("Sigmoid", [source], [f"{target}.gate"]))
        nodes.append(helper.make_node("Mul", [source, f"{target}.gate"], [target]))

    linear("inputs", "entry", "hidden.0")
    for number in range(len(network.blocks)):
        block, hidden = f"blocks.{number}", f"hidden.{number}"
        norm(hidden, f"{block}.norm", f"{block}.normed")
        linear(f"{block}.normed", f"{block}.up", f"{block}.raised")
        silu(f"{block}.raised", f"{block}.active")
        linear(f"{block}.active", f"{block}.down", f"{block}.correction")
        nodes.append(helper.make_node("Add", [hidden, f"{block}.correction"], [f"hidden.{number + 1}"]))
    norm(f"hidden.{len(network.blocks)}", "norm", "normed")
    silu("normed", "active")
    linear("active", "head", "ratio")
    nodes.append(helper.make_node("Mul", ["ratio", "output_scale"], ["scaled"]))
    nodes.append(helper.make_node("Add", ["scaled", "output_mean"], ["time"]))
    return _model(nodes, initialisers, features)


def _quadratic_graph(model: Pipeline, features: int) -> onnx.ModelProto:
    """A polynomial of degree 2 as a quadratic form, ``z Q z + z b + c`` with ``z`` the standardised features."""
    scaler, polynomial, lasso = (step for _, step in model.steps)
    square, linear = np.zeros((features, features)), np.zeros((features, 1))
    for powers, coefficient in zip(polynomial.powers_, lasso.coef_, strict=True):
        where = np.repeat(np.arange(features), powers)
        if len(where) == 1:
            linear[where[0], 0] = coefficient
        else:
            square[where[0], where[1]] = coefficient
    constants: dict[str, Any] = {
        "mean": scaler.mean_,
        "inverse": 1 / scaler.scale_,
        "square": square,
        "linear": linear,
        "constant": np.array([[lasso.intercept_]]),
    }
    initialisers = [numpy_helper.from_array(np.asarray(value, dtype=np.float32), name) for name, value in constants.items()]
    initialisers.append(numpy_helper.from_array(np.array([1], dtype=np.int64), "axis"))
    nodes = [
        helper.make_node("Sub", ["features", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "inverse"], ["z"]),
        helper.make_node("MatMul", ["z", "square"], ["zq"]),
        helper.make_node("Mul", ["zq", "z"], ["zqz"]),
        helper.make_node("ReduceSum", ["zqz", "axis"], ["quadratic"], keepdims=1),
        helper.make_node("MatMul", ["z", "linear"], ["first_order"]),
        helper.make_node("Add", ["quadratic", "first_order"], ["varying"]),
        helper.make_node("Add", ["varying", "constant"], ["time"]),
    ]
    return _model(nodes, initialisers, features)


def compact_trees(converted: onnx.ModelProto, features: int) -> onnx.ModelProto:
    """A ``TreeEnsembleRegressor`` graph as ``TreeEnsemble`` of ai.onnx.ml 5: the same trees in a third of the bytes."""
    node = next(node for node in converted.graph.node if node.op_type == "TreeEnsembleRegressor")
    old: dict[str, Any] = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    tree, number = np.array(old["nodes_treeids"]), np.array(old["nodes_nodeids"])
    leaf = np.array([mode == b"LEAF" for mode in old["nodes_modes"]])
    stride = int(number.max()) + 1
    position = np.full((int(tree.max()) + 1) * stride, -1)
    position[(tree * stride + number)[~leaf]] = np.arange((~leaf).sum())
    position[np.array(old["target_treeids"]) * stride + np.array(old["target_nodeids"])] = np.arange(len(old["target_ids"]))
    is_leaf = np.zeros(len(position), dtype=bool)
    is_leaf[(tree * stride + number)[leaf]] = True
    true_child, false_child = (tree * stride + np.array(old[f"nodes_{side}nodeids"]) for side in ("true", "false"))
    weights = np.array(old["target_weights"], dtype=np.float32)
    if old.get("aggregate_function", b"SUM") == b"AVERAGE":
        weights = weights / np.float32(tree.max() + 1)
    roots = _roots(tree, number, leaf, position, stride)
    inner = np.flatnonzero(~leaf)
    attributes: dict[str, Any] = {
        "n_targets": 1,
        "aggregate_function": 1,
        "post_transform": 0,
        "tree_roots": roots,
        "nodes_featureids": np.array(old["nodes_featureids"])[inner],
        "nodes_truenodeids": position[true_child[inner]],
        "nodes_falsenodeids": position[false_child[inner]],
        "nodes_trueleafs": is_leaf[true_child[inner]].astype(np.int64),
        "nodes_falseleafs": is_leaf[false_child[inner]].astype(np.int64),
        "leaf_targetids": np.zeros(len(weights), dtype=np.int64),
    }
    attributes = {name: value if isinstance(value, int) else value.tolist() for name, value in attributes.items()}
    modes = np.array([_MODES[old["nodes_modes"][row]] for row in inner], dtype=np.uint8)
    splits = np.array(old["nodes_values"], dtype=np.float32)[inner]
    attributes |= {
        "nodes_modes": numpy_helper.from_array(modes),
        "nodes_splits": numpy_helper.from_array(splits),
        "leaf_weights": numpy_helper.from_array(weights),
    }
    base = np.array(old.get("base_values", [0.0]), dtype=np.float32).reshape(1, 1)
    nodes = [
        helper.make_node("TreeEnsemble", ["features"], ["sum"], domain="ai.onnx.ml", **attributes),
        helper.make_node("Add", ["sum", "base"], ["time"]),
    ]
    return _model(nodes, [numpy_helper.from_array(base, "base")], features)


def _roots(tree: Any, number: Any, leaf: Any, position: Any, stride: int) -> Any:
    """Position of each tree's root; a tree that is a lone leaf has no place in the format and is refused."""
    first = np.flatnonzero(number == 0)
    if leaf[first].any():
        raise ModelFileError("a tree of the ensemble is a single leaf", "train with more rows or fewer trees")
    return position[tree[first] * stride]
