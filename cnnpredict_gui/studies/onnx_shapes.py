"""ONNX shape inference that also follows sizes computed inside the network.

The onnx package follows sums, products and concatenations of sizes but, for one, no divisions, as exporters write them for
channel shuffles. Where convolutions stay without a shape, sizes that are known by then are computed and written into the
model as constants, and inference runs again, until nothing more becomes known.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

Values = dict[str, Any]
#: Rounds of computing and inferring; every round gets at least one operator further, usually one block of the network.
MAX_ROUNDS = 300
#: Arithmetic that is computed, and the most elements a result may have: sizes are short lists.
_ARITHMETIC = {
    *("Add", "Sub", "Mul", "Div", "Mod", "Floor", "Ceil", "Neg", "Abs", "Min"),
    *("Max", "Cast", "Concat", "Gather", "Slice", "Squeeze", "Unsqueeze", "Reshape", "Identity", "Range"),
    *("ConstantOfShape", "Where", "Equal", "Greater", "Less", "Not", "And", "Or", "Expand", "ReduceProd"),
    *("Transpose", "Split"),
}
_MAX_ELEMENTS = 1_024


def infer_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model of the same tensors with their shapes, as far as they can be known; operators may be left out of it."""
    inferred = _infer(model)
    for _ in range(MAX_ROUNDS):
        if not _unknown_convolutions(inferred) or not _compute_sizes(inferred):
            break
        inferred = _infer(inferred)
    return inferred


def _infer(model: onnx.ModelProto) -> onnx.ModelProto:
    from onnx import shape_inference

    return shape_inference.infer_shapes(model, check_type=False, strict_mode=False, data_prop=True)


def _known_shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    found = {}
    for value in (*graph.value_info, *graph.input, *graph.output):
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(extent.HasField("dim_value") for extent in tensor.shape.dim):
            found[value.name] = tuple(extent.dim_value for extent in tensor.shape.dim)
    return found


def _unknown_convolutions(model: onnx.ModelProto) -> bool:
    shapes = _known_shapes(model.graph)
    return any(node.op_type == "Conv" and node.input[0] not in shapes for node in model.graph.node if node.input)


def _compute_sizes(model: onnx.ModelProto) -> bool:
    """Turn operators whose result is known into constants; false if there was none."""
    from onnx import numpy_helper

    graph = model.graph
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    shapes = _known_shapes(graph)
    values: Values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    kept = []
    for node in graph.node:
        results = _results(node, shapes, values, opsets)
        if results is None:
            kept.append(node)
            continue
        for name, value in zip(node.output, results, strict=False):
            values[name] = value
            graph.initializer.append(numpy_helper.from_array(value, name))
    changed = len(kept) < len(graph.node)
    del graph.node[:]
    graph.node.extend(kept)
    return changed


def _results(
    node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]], values: Values, opsets: dict[str, int]
) -> list[Any] | None:
    """What an operator of the size arithmetic gives, or none if it is something else or not known yet."""
    from onnx import helper

    if node.domain not in ("", "ai.onnx"):
        return None
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if node.op_type == "Shape" and node.input[0] in shapes:
        extents = shapes[node.input[0]][attributes.get("start", 0) : attributes.get("end")]
        return [np.array(extents, dtype=np.int64)]
    if node.op_type == "Constant":
        return _constant(attributes)
    if node.op_type not in _ARITHMETIC or not all(name in values for name in node.input if name):
        return None
    if any(value.size > _MAX_ELEMENTS for value in (values[name] for name in node.input if name)):
        return None
    if node.op_type in ("ConstantOfShape", "Expand", "Range") and not _is_short(node, values):
        return None
    from onnx.reference import ReferenceEvaluator

    given = {name: values[name] for name in node.input if name}
    found = list(ReferenceEvaluator(node, opsets=opsets).run(None, given))
    return found if all(isinstance(value, np.ndarray | np.generic) for value in found) else None


def _constant(attributes: dict[str, Any]) -> list[Any] | None:
    from onnx import numpy_helper

    if "value" in attributes:
        tensor = attributes["value"]
        return [numpy_helper.to_array(tensor)] if math.prod(tensor.dims) <= _MAX_ELEMENTS else None
    if "value_int" in attributes or "value_ints" in attributes:
        return [np.array(attributes.get("value_int", attributes.get("value_ints")), dtype=np.int64)]
    return None


def _is_short(node: onnx.NodeProto, values: Values) -> bool:
    """Whether an operator that makes tensors of any size makes a short one here."""
    given = [np.asarray(values[name], dtype=np.float64).ravel() for name in node.input]
    if node.op_type == "Range":
        start, limit, step = (float(value[0]) for value in given)
        return step != 0 and (limit - start) / step <= _MAX_ELEMENTS
    return bool(np.prod(np.maximum(given[-1], 1)) * given[0].size <= _MAX_ELEMENTS)
