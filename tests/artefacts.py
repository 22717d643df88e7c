"""Small but complete artefacts for tests: training folders with ONNX models, cards and hashes, made in milliseconds.

The models are not trained; they give plausible times (about 1e-3 to 1e4 ms) that grow with the layer's MACs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cnnpredict_gui.core.card import Device, Interval, Metrics, ModelCard, Provenance, Range
from cnnpredict_gui.core.names import LAYOUT, TRAINED_FAMILIES, TRAINING_PREFIX, Target, predictor_name

FEATURES = ("log_macs", "log_bytes", "log_oh", "log_output_channels", "kernel_size", "ln_roofline")
#: Slope of the log time over ``log_macs`` and its offset: 2^20 MACs take e^-3 ms.
_SLOPE, _OFFSET = 0.4, -11.0
DEVICES = {
    "gpul40s": ("NVIDIA L40S", "cuDNN (ai3)", "call_with_host_copies", 142, 91.6, 864.0),
    "gpuv100-cudnn": ("NVIDIA V100", "PyTorch / cuDNN", "kernel", 80, 15.7, 900.0),
    "cpu": ("CPU", "PyTorch", "framework_wall_clock", 2, 0.1, 20.0),
}


def make_target(name: str) -> Target:
    """A target; names not in :data:`DEVICES` get an invented device with the time kind ``kernel``."""
    device, framework, kind, *_ = DEVICES.get(name, (f"Device {name}", "Test", "kernel", 10, 1.0, 100.0))
    return Target(name=name, title=f"{device} · {framework}", device=device, framework=framework, time_kind=kind)


def make_device(name: str) -> Device:
    """Datasheet figures for :func:`make_target`."""
    device, _, _, units, tflops, bandwidth = DEVICES.get(name, (f"Device {name}", "", "", 10, 1.0, 100.0))
    return Device(
        name=device,
        compute_units=units,
        boost_clock_mhz=1500.0,
        fp32_tflops=tflops,
        fp16_tflops=2 * tflops,
        memory_bandwidth_gbs=bandwidth,
        l2_mb=6.0,
    )


def make_card(family: str, folder: str, target: str, **changes: Any) -> ModelCard:
    """A valid card; ``changes`` replace its fields."""
    values: dict[str, Any] = {
        "name": predictor_name(family, folder),
        "family": family,
        "target": make_target(target),
        "device": make_device(target),
        "features": () if family == "consensus" else FEATURES,
        "weights": {name: 1 / len(TRAINED_FAMILIES) for name in TRAINED_FAMILIES} if family == "consensus" else {},
        "default_algorithm": "guess" if target == "gpul40s" else "any",
        "algorithms": ("guess", "gemm", "winograd") if target == "gpul40s" else ("any",),
        "ranges": {
            "batch_size": Range(low=1, high=1),
            "input_channels": Range(low=1, high=2048),
            "output_channels": Range(low=1, high=2048),
            "input_height": Range(low=7, high=512),
            "input_width": Range(low=7, high=512),
            "macs": Range(low=1e3, high=1e12),
        },
        "values_seen": {"kernel_height": (1, 3, 7), "kernel_width": (1, 3, 7), "stride_height": (1, 2), "stride_width": (1, 2)},
        "interval": Interval(knots={"*": [-5.0, 5.0]}, low={"*": [-0.2, -0.1]}, high={"*": [0.25, 0.1]}),
        "metrics": {
            "grouped_by_shape": Metrics(
                n=1000, mape=5.0, median_ape=3.0, within_10=85.0, within_20=95.0, rmse=1.0, r2_log=0.99, coverage_90=90.0
            )
        },
        "provenance": Provenance(source="made for tests", licence="MIT", rows=1000, shapes=900),
        "created": "2026-01-01T00:00:00Z",
    }
    return ModelCard(**(values | changes))


def linear_model(features: Sequence[str] = FEATURES, shift: float = 0.0) -> onnx.ModelProto:
    """A linear model: log time = slope * log_macs + offset + shift."""
    weights = np.zeros((len(features), 1), dtype=np.float32)
    weights[features.index("log_macs") if "log_macs" in features else 0, 0] = _SLOPE
    initializers = [
        numpy_helper.from_array(weights, "w"),
        numpy_helper.from_array(np.array([_OFFSET + shift], np.float32), "b"),
    ]
    node = helper.make_node("Gemm", ["features", "w", "b"], ["time"])
    return _model([node], len(features), initializers)


def tree_model(features: Sequence[str] = FEATURES, shift: float = 0.0, trees: int = 3, depth: int = 4) -> onnx.ModelProto:
    """Equal trees of full depth that split ``log_macs`` into equal parts between 0 and 48; their sum is the log time."""
    attributes = _tree_attributes(features.index("log_macs") if "log_macs" in features else 0, trees, depth)
    nodes = [
        helper.make_node("TreeEnsemble", ["features"], ["sum"], domain="ai.onnx.ml", **attributes),
        helper.make_node("Add", ["sum", "base"], ["time"]),
    ]
    return _model(nodes, len(features), [numpy_helper.from_array(np.array([[_OFFSET + shift]], np.float32), "base")])


def _tree_attributes(feature: int, trees: int, depth: int) -> dict[str, Any]:
    """A complete tree, node ``i`` above nodes ``2i + 1`` and ``2i + 2``, repeated."""
    inner = 2**depth - 1
    bounds = [(0.0, 48.0)]
    for node in range(inner):
        low, high = bounds[node]
        bounds += [(low, (low + high) / 2), ((low + high) / 2, high)]
    middles = np.array([(low + high) / 2 for low, high in bounds], dtype=np.float32)
    first = 2 * np.arange(inner) + 1
    is_leaf = (first >= inner).astype(int)

    def repeated(children: Any) -> list[int]:
        places = [children + np.where(is_leaf, tree * (inner + 1) - inner, tree * inner) for tree in range(trees)]
        return [int(place) for place in np.concatenate(places)]

    return {
        "n_targets": 1,
        "aggregate_function": 1,
        "post_transform": 0,
        "tree_roots": [tree * inner for tree in range(trees)],
        "nodes_featureids": [feature] * (inner * trees),
        "nodes_modes": numpy_helper.from_array(np.zeros(inner * trees, dtype=np.uint8)),
        "nodes_splits": numpy_helper.from_array(np.tile(middles[:inner], trees)),
        "nodes_truenodeids": repeated(first),
        "nodes_falsenodeids": repeated(first + 1),
        "nodes_trueleafs": np.tile(is_leaf, trees).tolist(),
        "nodes_falseleafs": np.tile(is_leaf, trees).tolist(),
        "leaf_targetids": [0] * ((inner + 1) * trees),
        "leaf_weights": numpy_helper.from_array(np.tile(_SLOPE * middles[inner:] / trees, trees).astype(np.float32)),
    }


def _model(nodes: list[onnx.NodeProto], width: int, initializers: list[onnx.TensorProto]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("time", TensorProto.FLOAT, [None, 1])],
        initializers,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 5)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def write_model(folder: Path, family: str, target: str = "gpul40s", stem: str | None = None, **changes: Any) -> Path:
    """Write one family below a training folder: native stand-in, ONNX and card. Returns the path of the card."""
    subfolder, usual_stem, suffix = LAYOUT[family]
    stem, place = stem or usual_stem, folder / subfolder
    place.mkdir(parents=True, exist_ok=True)
    card = make_card(family, folder.name, target, **changes)
    if family != "consensus":
        shift = 0.1 * TRAINED_FAMILIES.index(family) + 0.5 * (list(DEVICES).index(target) if target in DEVICES else 0)
        model = (linear_model if family in ("nn", "lasso") else tree_model)(card.features, shift)
        (place / f"{stem}.onnx").write_bytes(model.SerializeToString())
        (place / f"{stem}{suffix}").write_bytes(b"stands for what the training library writes\n")
        files = {name: hashlib.sha256((place / name).read_bytes()).hexdigest() for name in (f"{stem}.onnx", f"{stem}{suffix}")}
        card = card.model_copy(update={"files": files})
    path = place / f"{stem}.card.json"
    path.write_text(card.model_dump_json(indent=1), encoding="utf-8")
    return path


def write_training_folder(
    models: Path,
    target: str = "gpul40s",
    families: Sequence[str] = (*TRAINED_FAMILIES, "consensus"),
    folder: str | None = None,
    **changes: Any,
) -> Path:
    """Write a training folder with some families into a models folder; ``changes`` replace fields of every card."""
    training = models / (folder or f"{TRAINING_PREFIX}{target}")
    for family in families:
        write_model(training, family, target, **changes)
    return training


def write_models(models: Path, targets: Sequence[str] = tuple(DEVICES)) -> Path:
    """A models folder with all families of several targets (three with different time kinds by default)."""
    for target in targets:
        write_training_folder(models, target)
    return models
