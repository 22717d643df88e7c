"""A correction appended to a model's ONNX graph, so that a calibrated model is served like any other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.training.correction import CORRECTION_FEATURES, Correction

#: What the names of the added nodes and constants begin with.
PREFIX = "calibration."
_INPUT = "features"


def corrected_graph(
    data: bytes, correction: Correction, features: Sequence[str], takes_log: bool
) -> tuple[bytes, tuple[str, ...]]:
    """A model's graph with the correction added to its output.

    Args:
        data: The model: ``features`` float32 (n, f) to one float32 output of n elements.
        correction: What to add.
        features: Names of the model's features, in its order.
        takes_log: Whether the output is a time in ms, of which the logarithm is to be taken first.

    Returns:
        The graph, whose output is ``time`` (n, 1), and the names of its features: the model's, then those it lacks.

    Raises:
        ModelFileError: the model is not of this form, or is calibrated already.
    """
    model = onnx.load_model_from_string(data)
    graph = model.graph
    if any(node.name.startswith(PREFIX) or PREFIX in "".join(node.output) for node in graph.node):
        raise ModelFileError("the model is calibrated already", "calibrate the target it was calibrated from")
    if [item.name for item in graph.input] != [_INPUT] or len(graph.output) != 1:
        raise ModelFileError("the model does not take features and give one output", "train it with this program")
    names = (*features, *(name for name in CORRECTION_FEATURES if name not in features))
    _take_own_columns(graph, len(features))
    nodes, constants = _correction_nodes(graph.output[0].name, correction, names, takes_log)
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(value, f"{PREFIX}{name}") for name, value in constants.items())
    del graph.input[:], graph.output[:]
    graph.input.append(helper.make_tensor_value_info(_INPUT, TensorProto.FLOAT, ["n", len(names)]))
    graph.output.append(helper.make_tensor_value_info(f"{PREFIX}time", TensorProto.FLOAT, ["n", 1]))
    onnx.checker.check_model(model)
    return model.SerializeToString(), names


def _take_own_columns(graph: onnx.GraphProto, count: int) -> None:
    """Let the model read the first ``count`` columns of what it is given."""
    own = f"{PREFIX}own"
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == _INPUT:
                node.input[place] = own
    columns = numpy_helper.from_array(np.arange(count, dtype=np.int64), f"{PREFIX}own_columns")
    graph.initializer.append(columns)
    graph.node.insert(0, helper.make_node("Gather", [_INPUT, columns.name], [own], name=own, axis=1))


def _correction_nodes(
    output: str, correction: Correction, names: Sequence[str], takes_log: bool
) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """Nodes of :class:`Correction` behind the model's output; squared distances as ``|z|² - 2 z·c + |c|²``."""
    features, centres = len(CORRECTION_FEATURES), correction.centres
    scale = 1 / (2 * features * correction.length**2)
    constants: dict[str, np.ndarray] = {
        name: np.asarray(value, dtype=np.float32)
        for name, value in {
            "mean": correction.scaling.mean,
            "spread": correction.scaling.spread,
            "low": correction.low,
            "high": correction.high,
            "twice_centres": (2 * scale * centres).T,
            "centre_squares": scale * (centres**2).sum(axis=1),
            "scale": np.full((features, 1), scale),
            "weights": correction.weights[:, None],
            "linear": correction.linear[:, None],
            "constant": correction.constant,
        }.items()
    }
    constants["columns"] = np.array([names.index(name) for name in CORRECTION_FEATURES], dtype=np.int64)
    constants["column"] = np.array([-1, 1], dtype=np.int64)
    nodes = [
        helper.make_node("Gather", [_INPUT, f"{PREFIX}columns"], [f"{PREFIX}raw"], name=f"{PREFIX}raw", axis=1),
        helper.make_node("Reshape", [output, f"{PREFIX}column"], [f"{PREFIX}model"], name=f"{PREFIX}model"),
    ]

    def add(kind: str, inputs: Sequence[str], name: str) -> None:
        full = f"{PREFIX}{name}"
        nodes.append(helper.make_node(kind, [f"{PREFIX}{one}" for one in inputs], [full], name=full))

    add("Sub", ["raw", "mean"], "centred")
    add("Div", ["centred", "spread"], "standardised")
    add("Max", ["standardised", "low"], "above")
    add("Min", ["above", "high"], "z")
    add("Mul", ["z", "z"], "squares")
    add("MatMul", ["squares", "scale"], "square")
    add("MatMul", ["z", "twice_centres"], "products")
    add("Sub", ["products", "square"], "difference")
    add("Sub", ["difference", "centre_squares"], "exponent")
    add("Exp", ["exponent"], "nearness")
    add("MatMul", ["nearness", "weights"], "smooth")
    add("MatMul", ["z", "linear"], "slope")
    add("Add", ["smooth", "slope"], "varying")
    add("Add", ["varying", "constant"], "correction")
    if takes_log:
        add("Log", ["model"], "log_time")
    add("Add", ["log_time" if takes_log else "model", "correction"], "time")
    return nodes, constants
