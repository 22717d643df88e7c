"""ONNX operators as layers: convolutions with their configurations, everything else with a kind and a reason."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cnnpredict_gui.core.config import ConvConfig, output_size
from cnnpredict_gui.core.errors import ConfigError
from cnnpredict_gui.studies.layers import NetworkLayer, conv_layer, other_layer

if TYPE_CHECKING:
    import onnx

#: Kinds of operators (domain ai.onnx).
_OPERATORS: dict[str, str] = {
    "transposed conv": "ConvTranspose",
    "quantised conv": "QLinearConv ConvInteger",
    "linear": "Gemm",
    "matmul": "MatMul MatMulInteger QLinearMatMul Einsum",
    "attention": "Attention",
    "recurrent": "LSTM GRU RNN",
    "pooling": "MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool ReduceMean ReduceMax",
    "normalisation": "BatchNormalization InstanceNormalization LayerNormalization GroupNormalization RMSNormalization LRN "
    "LpNormalization MeanVarianceNormalization",
    "activation": "Relu LeakyRelu PRelu Elu Selu Celu Gelu Sigmoid HardSigmoid HardSwish Swish Mish Tanh Softplus Softsign "
    "ThresholdedRelu Clip Erf",
    "softmax": "Softmax LogSoftmax",
    "add": "Add Sum",
    "multiply": "Mul",
    "element-wise": "Sub Div Pow Sqrt Reciprocal Exp Log Abs Neg Max Min Mean Where Floor Ceil Round Sin Cos Cast "
    "QuantizeLinear DequantizeLinear DynamicQuantizeLinear ReduceSum ReduceProd ReduceMin ReduceL2",
    "concatenation": "Concat",
    "split": "Split",
    "reshape": "Reshape Flatten Transpose Squeeze Unsqueeze Expand Tile DepthToSpace SpaceToDepth Gather",
    "upsampling": "Resize Upsample",
    "crop": "Slice CenterCropPad",
    "padding": "Pad",
    "shape arithmetic": "Shape Size ConstantOfShape Range",
    "control flow": "If Loop Scan",
    "dropout": "Dropout",
}
_KIND_OF = {operator: kind for kind, operators in _OPERATORS.items() for operator in operators.split()}
#: Inputs that hold learnt parameters when they are constants.
_WEIGHT_INPUTS = {
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm", "BatchNormalization", "InstanceNormalization"), (1, 2)),
    **dict.fromkeys(("LayerNormalization", "GroupNormalization", "PRelu"), (1, 2)),
    **dict.fromkeys(("MatMul", "Add", "Mul"), (0, 1)),
}
_LEFT_OUT = ("Constant", "Identity")
#: onnx.TensorProto numbers of the element types that convolutions are predicted for.
_DTYPES = {1: "fp32", 10: "fp16", 16: "bf16"}
_FLOATS = (1, 10, 11, 16)


@dataclass(frozen=True)
class TensorInfo:
    """Extents of a tensor (elements) and its ONNX element type; ``known`` is false where an extent is not."""

    shape: tuple[int, ...]
    element_type: int
    known: bool = True


@dataclass
class Graph:
    """Operators in order of execution, and what is known of the tensors between them."""

    nodes: list[onnx.NodeProto]
    tensors: Mapping[str, TensorInfo]
    weights: Mapping[str, TensorInfo]
    producer: dict[str, str] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.producer = {output: node.op_type for node in self.nodes for output in node.output}

    def info(self, name: str) -> TensorInfo:
        """What is known of a tensor."""
        return self.tensors.get(name, TensorInfo((), 0, known=False))

    def parameters(self, node: onnx.NodeProto) -> int:
        """Learnt parameters of an operator; shared ones count where they are used first."""
        total = 0
        for index in _WEIGHT_INPUTS.get(node.op_type, ()):
            name = node.input[index] if index < len(node.input) else ""
            info = self.weights.get(name)
            if info is None or name in self.counted or info.element_type not in _FLOATS:
                continue
            if node.op_type in ("Add", "Mul") and math.prod(info.shape) == 1:
                continue
            self.counted.add(name)
            total += math.prod(info.shape)
        return total


def graph_layers(graph: Graph) -> list[NetworkLayer]:
    """Layers of a graph; every operator but constants and identities gives one, with a name of its own."""
    layers: list[NetworkLayer] = []
    used: dict[str, int] = {}
    for node in graph.nodes:
        if node.op_type in _LEFT_OUT:
            continue
        layer = _convolution(graph, node) if _is(node, "Conv") else _other(graph, node)
        used[layer.name] = used.get(layer.name, 0) + 1
        layers.append(layer if used[layer.name] == 1 else replace(layer, name=f"{layer.name} #{used[layer.name]}"))
    return layers


def _is(node: onnx.NodeProto, operator: str) -> bool:
    return node.op_type == operator and node.domain in ("", "ai.onnx")


def _name(graph: Graph, node: onnx.NodeProto) -> str:
    """The module a weight belongs to where exporters tell, else the operator's or its output's name."""
    for given in node.input[1:2]:
        if given in graph.weights and given.endswith(".weight"):
            return str(given.removesuffix(".weight"))
    parts = str(node.name or (node.output[0] if node.output else node.op_type)).strip("/").split("/")
    if len(parts) > 1 and parts[-1].split("_")[0] == node.op_type:
        parts.pop()
    following = [*parts[1:], ""]
    return ".".join(part for part, after in zip(parts, following, strict=True) if not after.startswith(f"{part}."))


def _output_shape(graph: Graph, node: onnx.NodeProto) -> tuple[int, ...]:
    info = graph.info(node.output[0]) if node.output else TensorInfo((), 0, known=False)
    return info.shape if info.known else ()


def _other(graph: Graph, node: onnx.NodeProto) -> NetworkLayer:
    shape, parameters = _output_shape(graph, node), graph.parameters(node)
    kind, reason = _kind(graph, node)
    macs = 0
    if kind in ("linear", "matmul") and shape and node.op_type in ("Gemm", "MatMul"):
        macs = math.prod(shape) * _inner_extent(graph, node)
    elif kind == "transposed conv":
        given, weight = graph.info(node.input[0]), graph.info(node.input[1])
        macs = math.prod(given.shape) * math.prod(weight.shape[1:]) if given.known and weight.known else 0
    return other_layer(_name(graph, node), kind, shape, reason=reason, macs=macs, parameters=parameters)


def _kind(graph: Graph, node: onnx.NodeProto) -> tuple[str, str]:
    """Kind of an operator and, where it differs from that of the kind, the reason why it is not predicted."""
    if node.domain not in ("", "ai.onnx"):
        return "other", f"no predictor is trained on the operator {node.domain}.{node.op_type}"
    kind = _KIND_OF.get(node.op_type, "other")
    if kind == "control flow":
        inside = sum(_count_convolutions(attribute.g) for attribute in node.attribute if attribute.HasField("g"))
        return kind, f"what runs inside depends on the data; it holds {inside} convolutions" if inside else ""
    produced = graph.info(node.output[0]).element_type if node.output else 0
    if produced and produced not in _FLOATS and kind in ("element-wise", "reshape", "concatenation", "crop", "add", "multiply"):
        return "shape arithmetic", ""
    if node.op_type == "MatMul" and any(given in graph.weights for given in node.input):
        return "linear", ""
    return kind, f"no predictor is trained on the operator {node.op_type}" if kind == "other" else ""


def _count_convolutions(graph: onnx.GraphProto) -> int:
    inner = (attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g"))
    return sum(_is(node, "Conv") for node in graph.node) + sum(_count_convolutions(one) for one in inner)


def _inner_extent(graph: Graph, node: onnx.NodeProto) -> int:
    """Length of the dot products of a matrix product; 0 when unknown."""
    first = graph.info(node.input[0])
    if not first.known or not first.shape:
        return 0
    transposed = node.op_type == "Gemm" and _attributes(node).get("transA", 0)
    return first.shape[0] if transposed else first.shape[-1]


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _convolution(graph: Graph, node: onnx.NodeProto) -> NetworkLayer:
    """A convolution with its configuration, or with the reason why it has none."""
    name, parameters = _name(graph, node), graph.parameters(node)
    given, weight = (graph.info(name) for name in node.input[:2])
    kind = {3: "conv 1d", 5: "conv 3d"}.get(len(given.shape), "conv")
    shape = _output_shape(graph, node)
    reason = ""
    if kind == "conv" and not (given.known and weight.known and len(given.shape) == len(weight.shape) == 4):
        reason = "the shape of its input or weights cannot be inferred from the file"
    elif given.element_type not in _DTYPES:
        reason = f"no predictor is trained on convolutions of ONNX element type {given.element_type}"
    if reason or kind != "conv":
        return other_layer(name, kind, shape, reason=reason, parameters=parameters)
    try:
        config, notes = _config(given, weight, _attributes(node))
    except ConfigError as error:
        return other_layer(name, kind, shape, reason=error.message, parameters=parameters)
    if any(graph.producer.get(tensor) == "DequantizeLinear" for tensor in node.input[:2]):
        notes.append("quantised in the file, taken as floating point")
    return replace(conv_layer(name, config, note="; ".join(notes)), parameters=parameters)


def _config(given: TensorInfo, weight: TensorInfo, attributes: Mapping[str, Any]) -> tuple[ConvConfig, list[str]]:
    strides, dilations = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    kernel = weight.shape[2:]
    groups = int(attributes.get("group", 1))
    if weight.shape[1] * groups != given.shape[1] or any(len(values) != 2 for values in (strides, dilations)):
        raise ConfigError("its weights do not fit its input", "export the network again")
    if min(*strides, *dilations) < 1:
        raise ConfigError("its stride or dilation is not positive", "export the network again")
    padding, notes = [], []
    for axis, word in enumerate(("height", "width")):
        window = (given.shape[2 + axis], kernel[axis], strides[axis], dilations[axis])
        sides = _sides(attributes, axis, *window)
        amount, note = _symmetric(sides, word, *window)
        padding.append(amount)
        notes += [note] if note else []
    values = {
        "batch_size": given.shape[0],
        "input_channels": given.shape[1],
        "input_height": given.shape[2],
        "input_width": given.shape[3],
        "output_channels": weight.shape[0],
        "kernel_size": kernel,
        "stride": tuple(strides),
        "padding": tuple(padding),
        "dilation": tuple(dilations),
        "groups": groups,
        "dtype": _DTYPES[given.element_type],
    }
    return ConvConfig.parse(values), notes


def _sides(attributes: Mapping[str, Any], axis: int, size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Padding before and after along one axis (elements); ``auto_pad`` as the ONNX operator specification defines it."""
    automatic = attributes.get("auto_pad", b"NOTSET").decode()
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        steps = -(-size // stride)
        total = max((steps - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
        small, large = total // 2, total - total // 2
        return (small, large) if automatic == "SAME_UPPER" else (large, small)
    pads: Sequence[int] = attributes.get("pads", [0, 0, 0, 0])
    if automatic == "VALID" or len(pads) != 4:
        return 0, 0
    return pads[axis], pads[2 + axis]


def _symmetric(sides: tuple[int, int], axis: str, size: int, kernel: int, stride: int, dilation: int) -> tuple[int, str]:
    """One padding for both sides, with the same output size where one exists, and a note where it is an approximation."""
    before, after = sides
    if before == after:
        return before, ""
    candidates = ((before + after + 1) // 2, (before + after) // 2)
    wanted = (size + before + after - dilation * (kernel - 1) - 1) // stride + 1
    sizes = [output_size(size, kernel, stride, amount, dilation) for amount in candidates]
    best = min((0, 1), key=lambda index: abs(sizes[index] - wanted))
    note = f"{axis} padding {before}/{after} taken as {candidates[best]}/{candidates[best]}"
    if sizes[best] != wanted:
        note += f", output {axis} {sizes[best]} instead of {wanted}"
    return candidates[best], note
