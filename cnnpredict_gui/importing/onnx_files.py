"""ONNX files of others: checked, and brought to the form that is served: ``features`` (n, f) to ``time`` (n, 1)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.importing.limits import AGAIN, MAX_FEATURES, MAX_FILE_BYTES, read_file, shown_name
from cnnpredict_gui.importing.mapping import LOG_OUTPUTS
from cnnpredict_gui.importing.trees import Trees

_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
#: Operators whose work the file alone decides, without a bound that can be seen.
_UNBOUNDED = ("Loop", "Scan", "If", "SequenceMap")
_TREE_OPERATORS = ("TreeEnsemble", "TreeEnsembleRegressor", "TreeEnsembleClassifier")
_FLOATS = {TensorProto.FLOAT: "tensor(float)", TensorProto.DOUBLE: "tensor(double)"}
_LEAST_OPSET, _NEW_OPSET, _LEAST_IR, _ROWS = 9, 18, 8, "n"
_EXPORT = "export it again: one float matrix in, one number per row out"


def read_onnx(data: bytes, path: Path) -> ModelProto:
    """The model in the content of a file, with tensors that lie beside it taken in, after all checks.

    Raises:
        ModelFileError: it is damaged, has other operators than ONNX's own, or its trees or its form are wrong.
    """
    name = shown_name(path)
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf has exceptions of its own
        raise ModelFileError(f"{name} is damaged or no ONNX model ({str(error)[:80]})", AGAIN) from None
    if not model.graph.node:
        raise ModelFileError(f"{name} is damaged or no ONNX model (it has no operators)", AGAIN)
    _check_operators(model, name)
    _take_in(model, path)
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        raise ModelFileError(f"{name} is no valid ONNX model: {str(error).splitlines()[0][:120]}", _EXPORT) from None
    width = width_of(model, name)
    for node in model.graph.node:
        if node.op_type in _TREE_OPERATORS:
            _check_trees(node, _width_at(model, node.input[0], width), name)
    return model


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.type == AttributeProto.GRAPH else [])):
                yield from _nodes(inner)


def _check_operators(model: ModelProto, name: str) -> None:
    if len(model.functions):
        raise ModelFileError(f"{name} defines operators of its own", _EXPORT)
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    for node in _nodes(model.graph):
        what = f"{node.domain}.{node.op_type}".strip(".")[:80]
        if node.domain not in _DOMAINS:
            raise ModelFileError(f"{name} uses the custom operator {what}, which is not allowed", _EXPORT)
        if node.op_type in _UNBOUNDED:
            raise ModelFileError(f"{name} uses the operator {what}, which may run for ever", _EXPORT)
    version = max(opsets.get("", 0), opsets.get("ai.onnx", 0))
    if not version:  # a file of trees alone
        model.opset_import.append(helper.make_opsetid("", _NEW_OPSET))
    elif version < _LEAST_OPSET:
        raise ModelFileError(f"{name} is written for operator set {version}, older than {_LEAST_OPSET}", _EXPORT)


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in _nodes(graph):
        for attribute in node.attribute:
            yield from attribute.tensors
            if attribute.HasField("t"):
                yield attribute.t


def _take_in(model: ModelProto, path: Path) -> None:
    """Put tensors that lie in files beside the model into it; those files must be plain files in its folder."""
    total = 0
    for tensor in _tensors(model.graph):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        data = read_file(beside(entries.get("location", ""), path))
        try:
            offset, length = int(entries.get("offset", 0)), int(entries.get("length", len(data)))
        except ValueError:
            raise ModelFileError(f"{shown_name(path)} names its external data by something that is no number", AGAIN) from None
        total += length
        if offset < 0 or length < 0 or offset + length > len(data) or total > MAX_FILE_BYTES:
            raise ModelFileError(f"{shown_name(path)} names external data that is not in its file", AGAIN)
        tensor.raw_data = data[offset : offset + length]
        tensor.ClearField("data_location")
        del tensor.external_data[:]


def beside(location: str, path: Path) -> Path:
    """The file with external data of a model; it must really lie in the model's folder.

    Raises:
        ModelFileError: it is outside.
    """
    wanted, folder = PurePosixPath(location.replace("\\", "/")), path.parent.resolve()
    outside = not location or "\0" in location or wanted.is_absolute() or ".." in wanted.parts or ":" in location
    found = folder if outside else (folder / wanted).resolve()
    if outside or not found.is_relative_to(folder) or found == folder:
        text = "".join(letter if letter.isprintable() else "?" for letter in location)[:60]
        raise ModelFileError(f"{shown_name(path)} wants data from {text!r}, outside of its folder", _EXPORT)
    return found


def inputs_of(model: ModelProto) -> list[onnx.ValueInfoProto]:
    """Inputs that are not weights (old files list those as well)."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [one for one in model.graph.input if one.name not in weights]


def width_of(model: ModelProto, name: str) -> int:
    """Number of features.

    Raises:
        ModelFileError: the inputs and outputs have another form than that of a predictor.
    """
    inputs, outputs = inputs_of(model), list(model.graph.output)
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelFileError(f"{name} has {len(inputs)} inputs and {len(outputs)} outputs, not one of each", _EXPORT)
    kind, extents = inputs[0].type.tensor_type, inputs[0].type.tensor_type.shape.dim
    if kind.elem_type not in _FLOATS or len(extents) != 2 or not 0 < extents[1].dim_value <= MAX_FEATURES:
        raise ModelFileError(f"{name} does not take a float matrix with a known number of columns", _EXPORT)
    if outputs[0].type.tensor_type.elem_type not in _FLOATS:
        raise ModelFileError(f"{name} does not give float numbers", _EXPORT)
    return int(extents[1].dim_value)


def _width_at(model: ModelProto, value: str, width: int) -> int:
    """Number of columns of a value; trees read their columns without asking.

    Raises:
        ModelFileError: it cannot be told.
    """
    if value == inputs_of(model)[0].name:
        return width
    inferred = onnx.shape_inference.infer_shapes(model).graph
    for one in inferred.value_info:
        extents = one.type.tensor_type.shape.dim
        if one.name == value and len(extents) == 2 and extents[1].dim_value > 0:
            return int(extents[1].dim_value)
    raise ModelFileError("the number of columns that the trees of the ONNX model see cannot be told", _EXPORT)


def _check_trees(node: NodeProto, width: int, name: str) -> None:
    """Node by node: children that are there, features that are there, no circles."""
    named = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    try:
        trees = _v5_trees(named) if node.op_type == "TreeEnsemble" else _listed_trees(named)
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise ModelFileError(f"{name} has trees whose lists do not fit each other ({error})"[:160], AGAIN) from None
    trees.checked(width, name)


def _listed_trees(named: dict[str, Any]) -> Trees:
    """Trees of ``TreeEnsembleRegressor``: each node has the number of its tree and its own."""
    tree, number = (np.array(named[f"nodes_{key}"], dtype=np.int64) for key in ("treeids", "nodeids"))
    place = {key: at for at, key in enumerate(zip(tree.tolist(), number.tolist(), strict=True))}
    if len(place) != len(tree):
        raise ValueError("a node is there twice")
    leaf = np.array([mode == b"LEAF" for mode in named["nodes_modes"]])

    def child(key: str) -> npt.NDArray[np.int64]:
        wanted = zip(tree.tolist(), np.array(named[key]).tolist(), leaf.tolist(), strict=True)
        return np.array([-1 if end else place.get((which, to), -2) for which, to, end in wanted], dtype=np.int64)

    feature, threshold = np.array(named["nodes_featureids"], dtype=np.int64), np.array(named["nodes_values"], dtype=np.float64)
    if not len(tree) == len(leaf) == len(feature) == len(threshold):
        raise ValueError("lists of different lengths")
    roots = np.array(sorted({int(one): at for at, one in reversed(list(enumerate(tree)))}.values()), dtype=np.int64)
    return Trees(child("nodes_truenodeids"), child("nodes_falsenodeids"), feature, threshold, np.zeros(len(tree)), leaf, roots)


def _v5_trees(named: dict[str, Any]) -> Trees:
    """Trees of ``TreeEnsemble`` of ai.onnx.ml 5: inner nodes and leaves are counted separately; leaves come last here."""
    inner, leaves = (
        len(named["nodes_featureids"]),
        len(named["leaf_weights"].dims and numpy_helper.to_array(named["leaf_weights"])),
    )

    def child(side: str) -> npt.NDArray[np.int64]:
        ids, ends = (np.array(named[f"nodes_{side}{key}"], dtype=np.int64) for key in ("nodeids", "leafs"))
        limit = np.where(ends != 0, leaves, inner)
        return np.where((ids >= 0) & (ids < limit), ids + np.where(ends != 0, inner, 0), -2)

    blank = np.full(leaves, -1)
    threshold = numpy_helper.to_array(named["nodes_splits"]).astype(np.float64)
    feature = np.array(named["nodes_featureids"], dtype=np.int64)
    roots = np.array(named["tree_roots"], dtype=np.int64)
    left, right = child("true"), child("false")
    if not inner == len(threshold) == len(left) == len(right) or len(named["leaf_targetids"]) != leaves:
        raise ValueError("lists of different lengths")
    if not len(roots) or roots.min() < 0 or roots.max() >= inner or any(named["leaf_targetids"]):
        raise ValueError("a root or target that is not there")
    left, right, feature = (np.concatenate([values, blank]) for values in (left, right, feature))
    return Trees(
        left,
        right,
        feature,
        np.concatenate([threshold, np.zeros(leaves)]),
        np.zeros(inner + leaves),
        np.arange(inner + leaves) >= inner,
        roots,
    )


def predict(model: ModelProto, matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """What the model as it came answers, shape (n,); row by row if it was exported for one row."""
    from cnnpredict_gui.infra.onnx_runtime import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        first = session.get_inputs()[0]
        values = matrix.astype(np.float64 if "double" in first.type else np.float32)
        rows = first.shape[0] if isinstance(first.shape[0], int) else len(values)
        parts = [session.run(None, {first.name: values[at : at + rows]})[0] for at in range(0, len(values), rows)]
        answer = np.concatenate([np.asarray(part, dtype=np.float64).reshape(-1) for part in parts])
    except Exception as error:  # ONNX Runtime raises a dozen unrelated types
        raise ModelFileError(f"ONNX Runtime cannot run it: {str(error).splitlines()[0][:120]}", _EXPORT) from None
    if len(answer) != len(matrix):
        raise ModelFileError(f"it gives {len(answer)} numbers for {len(matrix)} rows", _EXPORT)
    return answer


def served_form(model: ModelProto, output: str) -> ModelProto:
    """The same model with the names, shapes and unit that are served."""
    made = ModelProto()
    made.CopyFrom(model)
    graph, inner = made.graph, inputs_of(made)[0]
    before = inner.type.tensor_type.elem_type
    taken, answer = inner.name, graph.output[0].name
    prefix = "served"
    while any(part.startswith(prefix) for node in graph.node for part in (*node.input, *node.output)):
        prefix += "_"
    rename = {"features": f"{prefix}.features", "time": f"{prefix}.time", taken: f"{prefix}.in", answer: f"{prefix}.out"}
    for node in graph.node:
        node.input[:] = [rename.get(part, part) for part in node.input]
        node.output[:] = [rename.get(part, part) for part in node.output]
    for tensor in graph.initializer:
        tensor.name = rename.get(tensor.name, tensor.name)
    width = int(inner.type.tensor_type.shape.dim[1].dim_value)
    nodes, constants = _output_nodes(output, prefix)
    first = helper.make_node("Cast", ["features"], [f"{prefix}.in"], to=before)
    rest = [*graph.node]
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend([first, *rest, *nodes])
    graph.initializer.extend(constants)
    graph.input.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, [_ROWS, width]))
    graph.output.append(helper.make_tensor_value_info("time", TensorProto.FLOAT, [_ROWS, 1]))
    made.ir_version = max(made.ir_version, _LEAST_IR)
    try:
        onnx.checker.check_model(made)
    except Exception as error:
        raise ModelFileError(f"it cannot be brought to the served form: {str(error)[:120]}", _EXPORT) from None
    return made


def _output_nodes(output: str, prefix: str) -> tuple[list[NodeProto], list[TensorProto]]:
    """What makes ms or the natural log of ms of the model's own answer, as (n, 1)."""
    constants = [numpy_helper.from_array(np.array([-1, 1], dtype=np.int64), f"{prefix}.shape")]
    nodes = [
        helper.make_node("Cast", [f"{prefix}.out"], [f"{prefix}.0"], to=TensorProto.DOUBLE),
        helper.make_node("Reshape", [f"{prefix}.0", f"{prefix}.shape"], [f"{prefix}.1"]),
    ]
    if output == "log1p_ms":
        steps: list[tuple[str, float | None]] = [("Exp", None), ("Sub", 1.0)]
    elif output in LOG_OUTPUTS:
        factor, shift = LOG_OUTPUTS[output]
        steps = [("Mul", factor), ("Add", shift)]
    else:
        steps = [("Mul", {"s": 1e3, "ms": 1.0, "us": 1e-3}[output])]
    value = f"{prefix}.1"
    for number, (operator, amount) in enumerate(steps, 2):
        inputs = [value]
        if amount is not None and math.isfinite(amount):
            constants.append(numpy_helper.from_array(np.array(amount, dtype=np.float64), f"{prefix}.c{number}"))
            inputs.append(f"{prefix}.c{number}")
        value = f"{prefix}.{number}"
        nodes.append(helper.make_node(operator, inputs, [value]))
    nodes.append(helper.make_node("Cast", [value], ["time"], to=TensorProto.FLOAT))
    return nodes, constants
