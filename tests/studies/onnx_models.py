"""Small ONNX files for tests: single operators, and whole presets written without weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from cnnpredict_gui.studies.graph import GraphRow
from cnnpredict_gui.studies.layers import NetworkLayer
from cnnpredict_gui.studies.presets import Preset

Extent = int | str | None


def weight(name: str, shape: Sequence[int], element_type: int = TensorProto.FLOAT) -> onnx.TensorProto:
    """A tensor that lies in external data, in a file that does not exist."""
    tensor = TensorProto(name=name, data_type=element_type, dims=shape, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="absent.bin")
    return tensor


def write(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    weights: Sequence[onnx.TensorProto],
    shape: Sequence[Extent] = (1, 8, 32, 32),
    *,
    element_type: int = TensorProto.FLOAT,
    output: str = "y",
    domains: Sequence[str] = (),
    functions: Sequence[onnx.FunctionProto] = (),
) -> Path:
    """A model with one input ``x`` and one output of unknown shape."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info("x", element_type, list(shape))],
        [helper.make_tensor_value_info(output, element_type, None)],
        list(weights),
    )
    opsets = [helper.make_opsetid("", 20), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=opsets, functions=list(functions), ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


def write_conv(
    path: Path, weight_shape: Sequence[int], shape: Sequence[Extent] = (1, 8, 32, 32), operator: str = "Conv", **attributes: Any
) -> Path:
    """A model of one convolution."""
    element_type = attributes.pop("element_type", TensorProto.FLOAT)
    node = helper.make_node(operator, ["x", "w"], ["y"], name="layer", **attributes)
    return write(path, [node], [weight("w", weight_shape, element_type)], shape, element_type=element_type)


def write_preset(path: Path, network: Preset, resolution: int, batch: Extent) -> Path:
    """A preset as an ONNX file, named like an exporter names it; weights lie in a file that does not exist."""
    layers = network.layers(resolution)
    tensors = ["x", *(f"t{number}" for number in range(len(layers)))]
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    for number, (row, layer) in enumerate(zip(network.rows, layers, strict=True)):
        inputs = [tensors[index + 1] for index in row.inputs]
        channels = network.input_channels if row.inputs[0] < 0 else layers[row.inputs[0]].output_shape[1]
        added = [weight(f"{row.name}.{name}", shape) for name, shape in _weights(row, layer, channels).items()]
        weights += added
        operator, attributes = _operator(row)
        inputs += [tensor.name for tensor in added]
        nodes.append(helper.make_node(operator, inputs, [f"t{number}"], name=row.name, **attributes))
    return write(path, nodes, weights, (batch, network.input_channels, resolution, resolution), output=tensors[-1])


def _weights(row: GraphRow, layer: NetworkLayer, channels: int) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    if layer.config is not None:
        kernel = (layer.config.kernel_height, layer.config.kernel_width)
        found["weight"] = (layer.config.output_channels, channels // layer.config.groups, *kernel)
    elif row.operator == "linear":
        found["weight"] = (row.parameters["out"], channels)
    elif row.operator == "norm":
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (channels,))
    if row.parameters.get("bias"):
        found["bias"] = (row.parameters["out"],)
    return found


def _operator(row: GraphRow) -> tuple[str, dict[str, Any]]:
    p = row.parameters
    if row.operator in ("conv", "maxpool", "avgpool"):
        pads = _pair(p.get("p", 0))
        values: dict[str, Any] = {"strides": _pair(p.get("s", 1)), "pads": [*pads, *pads]}
        if row.operator == "conv":
            return "Conv", values | {"dilations": _pair(p.get("d", 1)), "group": p.get("g", 1)}
        values |= {"kernel_shape": _pair(p["k"]), "ceil_mode": p.get("ceil", 0)}
        return ("MaxPool" if row.operator == "maxpool" else "AveragePool"), values
    attributes = {"linear": {"transB": 1}, "concatenate": {"axis": 1}}
    return _NAMES[p["is"] if row.operator == "activation" else row.operator], attributes.get(row.operator, {})


def _pair(value: int | list[int]) -> list[int]:
    return [value, value] if isinstance(value, int) else value


_NAMES = {
    "linear": "Gemm",
    "adaptive": "GlobalAveragePool",
    "norm": "BatchNormalization",
    "relu": "Relu",
    "relu6": "Relu",
    "hardswish": "HardSwish",
    "hardsigmoid": "HardSigmoid",
    "add": "Add",
    "multiply": "Mul",
    "concatenate": "Concat",
    "flatten": "Flatten",
    "dropout": "Dropout",
}
