"""The layers of a network in an ONNX file, with shapes from ONNX shape inference. Weights are not needed."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnpredict_gui.core.errors import CnnPredictError, DataFileError, OpenDimension, OpenShapeError
from cnnpredict_gui.studies.layers import NetworkLayer
from cnnpredict_gui.studies.onnx_layers import Graph, TensorInfo, graph_layers
from cnnpredict_gui.studies.onnx_shapes import infer_shapes

if TYPE_CHECKING:
    import onnx

#: Largest file read, in bytes; weights kept in a file of their own do not count.
MAX_FILE_BYTES = 2**30
MAX_NODES = 100_000
#: Constants up to this many elements are kept: shapes may be computed from them. Larger ones are weights.
_KEPT_ELEMENTS = 4_096
_MEANINGS = {3: ("batch", "channels", "width"), 4: ("batch", "channels", "height", "width")}


def import_onnx(path: str | os.PathLike[str], dimensions: Mapping[str, int] | None = None) -> list[NetworkLayer]:
    """Layers of an ONNX file in its order of execution; convolutions with their configurations, the rest with reasons.

    Constants and identities do nothing and are left out. Files with weights in external data need only the ``.onnx``.

    Args:
        path: The file.
        dimensions: Values for the extents that the file leaves open, by name.

    Raises:
        OpenShapeError: the file leaves extents open that ``dimensions`` does not give; it lists them.
        DataFileError: the file is missing, too large, damaged or contradicts itself.
    """
    model = _load(Path(path))
    try:
        weights = _take_out_weights(model)
        model = _inline(model)
        if len(model.graph.node) > MAX_NODES:
            raise DataFileError(f"{Path(path).name} has more than {MAX_NODES:,} operators", "import a smaller network")
        _fill_in(model, weights, dict(dimensions or {}))
        return graph_layers(_with_shapes(model, weights))
    except CnnPredictError:
        raise
    except Exception as error:  # parser and shape inference raise many kinds, some derived from Exception alone
        reason = str(error).strip().split("\n")[0][:200]
        raise DataFileError(f"{Path(path).name} contradicts itself: {reason}", "export the network again") from error


def _load(path: Path) -> onnx.ModelProto:
    import onnx

    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataFileError(f"cannot read {path}: {error.strerror}", "check that the file exists") from error
    if size > MAX_FILE_BYTES:
        raise DataFileError(
            f"{path.name} is larger than {MAX_FILE_BYTES / 2**30:.0f} GiB", "export it with its weights in external data"
        )
    try:
        model = onnx.load_model(path, format="protobuf", load_external_data=False)
    except OSError as error:
        raise DataFileError(f"cannot read {path}: {error.strerror}", "check that you may read it") from error
    except Exception as error:  # the parser's exception class depends on how protobuf was built
        raise DataFileError(f"{path.name} is not an ONNX file, or damaged", "export the network again") from error
    if not model.graph.node or not model.opset_import:
        raise DataFileError(f"{path.name} holds no network", "export the network again")
    return model


def _take_out_weights(model: onnx.ModelProto) -> dict[str, TensorInfo]:
    """Replace large constants by inputs of the same shape, so that shape inference has nothing to carry around."""
    from onnx import helper

    found: dict[str, TensorInfo] = {}
    kept = []
    declared = {value.name for value in model.graph.input}
    for tensor in model.graph.initializer:
        found[tensor.name] = TensorInfo(tuple(tensor.dims), tensor.data_type)
        if math.prod(tensor.dims) <= _KEPT_ELEMENTS and not tensor.external_data:
            kept.append(tensor)
        elif tensor.name not in declared:
            model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return found


def _inline(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its own functions replaced by what they contain."""
    if not model.functions:
        return model
    import onnx.inliner

    return onnx.inliner.inline_local_functions(model)


def _fill_in(model: onnx.ModelProto, weights: Mapping[str, TensorInfo], given: dict[str, int]) -> None:
    """Write the given values over open extents; raise for those that stay open."""
    missing: dict[str, OpenDimension] = {}
    for value in model.graph.input:
        if value.name in weights or not value.type.HasField("tensor_type"):
            continue
        if not value.type.tensor_type.HasField("shape"):
            raise DataFileError(f"input {value.name!r} has no shape, not even a rank", "export it with shapes")
        for dimension in _open_dimensions(value, given):
            missing.setdefault(dimension.name, dimension)
    if missing:
        names = ", ".join(f"{one.name} ({one.meaning})" if one.meaning else one.name for one in missing.values())
        raise OpenShapeError(f"the network leaves open: {names}", "give a value for each", tuple(missing.values()))
    for value in (*model.graph.value_info, *model.graph.output):
        for extent in value.type.tensor_type.shape.dim:
            if extent.dim_param in given:
                extent.dim_value = given[extent.dim_param]


def _open_dimensions(value: Any, given: Mapping[str, int]) -> list[OpenDimension]:
    """Open extents of one input after writing the given values."""
    extents = value.type.tensor_type.shape.dim
    meanings = _MEANINGS.get(len(extents), ("batch",) + ("",) * max(len(extents) - 1, 0))
    still_open = []
    for axis, extent in enumerate(extents):
        if extent.dim_value > 0:
            continue
        name = extent.dim_param or f"{value.name}:{axis}"
        if name not in given:
            still_open.append(OpenDimension(name, meanings[axis]))
        elif given[name] < 1:
            raise DataFileError(f"{name} is {given[name]}", "give a whole number of at least 1")
        else:
            extent.dim_value = given[name]
    return still_open


def _with_shapes(model: onnx.ModelProto, weights: dict[str, TensorInfo]) -> Graph:
    graph = infer_shapes(model).graph
    tensors = {value.name: _info(value) for value in (*graph.value_info, *graph.input, *graph.output)}
    computed = {tensor.name: TensorInfo(tuple(tensor.dims), tensor.data_type) for tensor in graph.initializer}
    return Graph(list(model.graph.node), tensors | computed | weights, weights)


def _info(value: Any) -> TensorInfo:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not tensor.HasField("shape"):
        return TensorInfo((), tensor.elem_type, known=False)
    extents: Sequence[int] = [extent.dim_value if extent.HasField("dim_value") else -1 for extent in tensor.shape.dim]
    return TensorInfo(tuple(extents), tensor.elem_type, known=min(extents, default=1) >= 0)
