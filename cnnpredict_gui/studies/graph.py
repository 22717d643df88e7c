"""Shapes through a network: the stored graph of a preset, evaluated for any resolution and batch size.

A graph is a list of rows ``[name, operator, parameters, inputs]``. ``inputs`` holds the numbers of the rows that feed this
one (-1 is the network's input) and is left out where that is the row before; ``parameters`` is left out where it is empty.
Extents follow PyTorch's documented formulas, ``ceil_mode`` included.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cnnpredict_gui.core.config import ConvConfig, output_size
from cnnpredict_gui.core.errors import ConfigError
from cnnpredict_gui.infra.precedence import giving_way
from cnnpredict_gui.studies.layers import NetworkLayer, conv_layer, other_layer

Shape = tuple[int, ...]
Parameters = dict[str, Any]


@dataclass(frozen=True)
class GraphRow:
    """One operator of a network: its name, operator, parameters and the rows that feed it."""

    name: str
    operator: str
    parameters: Parameters
    inputs: tuple[int, ...]


def parse_rows(raw: Sequence[Sequence[Any]]) -> tuple[GraphRow, ...]:
    """Rows as stored in a preset file, with the left-out parts filled in."""
    rows = []
    for number, entry in enumerate(raw):
        parameters = entry[2] if len(entry) > 2 else {}
        inputs = tuple(entry[3]) if len(entry) > 3 else (number - 1,)
        rows.append(GraphRow(entry[0], entry[1], parameters, inputs))
    return tuple(rows)


def evaluate(rows: Sequence[GraphRow], input_shape: Shape, dtype: str = "fp32") -> list[NetworkLayer]:
    """Layers of a graph for one input.

    Args:
        rows: The graph, in order of execution.
        input_shape: (batch, channels, height, width) in elements.
        dtype: Element type of the convolutions.

    Raises:
        ConfigError: an extent would drop below one, or a convolution's limits are passed; names the layer.
    """
    shapes: list[Shape] = []
    layers: list[NetworkLayer] = []
    for row in giving_way(rows):
        inputs = [shapes[index] if index >= 0 else input_shape for index in row.inputs]
        shape = _SHAPES[row.operator](row.parameters, inputs)
        if min(shape) < 1:
            raise ConfigError(f"layer {row.name} would have an output of {shape}", "use a larger resolution", "resolution")
        shapes.append(shape)
        layers.append(_layer(row, inputs, shape, dtype))
    return layers


def _layer(row: GraphRow, inputs: list[Shape], shape: Shape, dtype: str) -> NetworkLayer:
    kind, parameters = OPERATORS[row.operator], row.parameters
    if row.operator == "conv":
        return conv_layer(row.name, _config(row, inputs[0], dtype), bias=bool(parameters.get("bias")))
    macs, weights = 0, parameters.get("w", 0)
    bias = shape[-1 if kind == "linear" else 1] if parameters.get("bias") else 0
    if row.operator == "linear":
        macs, weights = math.prod(shape) * inputs[0][-1], shape[-1] * inputs[0][-1] + bias
    elif row.operator == "deconv":
        each = math.prod(_pair(parameters["k"])) * shape[1] // parameters.get("g", 1)
        macs, weights = math.prod(inputs[0]) * each, inputs[0][1] * each + bias
    return other_layer(row.name, kind, shape, macs=macs, parameters=weights)


def _config(row: GraphRow, given: Shape, dtype: str) -> ConvConfig:
    p = row.parameters
    values = {
        "batch_size": given[0],
        "input_channels": given[1],
        "input_height": given[2],
        "input_width": given[3],
        "output_channels": p["out"],
        "kernel_size": _pair(p["k"]),
        "stride": _pair(p.get("s", 1)),
        "padding": _pair(p.get("p", 0)),
        "dilation": _pair(p.get("d", 1)),
        "groups": p.get("g", 1),
        "dtype": dtype,
    }
    try:
        return ConvConfig.parse(values)
    except ConfigError as error:
        raise ConfigError(f"layer {row.name}: {error.message}", error.hint, error.field) from None


def _pair(value: int | list[int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _window(p: Parameters, inputs: list[Shape]) -> tuple[int, int]:
    """Spatial extents after a sliding window; 0 where the window does not fit."""
    kernel, stride = _pair(p["k"]), _pair(p.get("s", 1))
    padding, dilation = _pair(p.get("p", 0)), _pair(p.get("d", 1))
    extents = []
    for axis in (0, 1):
        size = inputs[0][2 + axis]
        extent = output_size(size, kernel[axis], stride[axis], padding[axis], dilation[axis])
        rest = (size + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1) % stride[axis]
        # With ceil_mode a last, partial window counts when it starts inside the input or the left padding.
        if p.get("ceil") and rest and extent * stride[axis] < size + padding[axis]:
            extent += 1
        extents.append(max(extent, 0))
    return extents[0], extents[1]


def _conv(p: Parameters, inputs: list[Shape]) -> Shape:
    return (inputs[0][0], p["out"], *_window(p, inputs))


def _pool(p: Parameters, inputs: list[Shape]) -> Shape:
    return (*inputs[0][:2], *_window(p, inputs))


def _deconv(p: Parameters, inputs: list[Shape]) -> Shape:
    kernel, stride, padding = _pair(p["k"]), _pair(p.get("s", 1)), _pair(p.get("p", 0))
    extents = [(inputs[0][2 + axis] - 1) * stride[axis] - 2 * padding[axis] + kernel[axis] for axis in (0, 1)]
    return (inputs[0][0], p["out"], *extents)


def _same(_: Parameters, inputs: list[Shape]) -> Shape:
    return inputs[0]


def _broadcast(_: Parameters, inputs: list[Shape]) -> Shape:
    first = inputs[0]
    for shape in inputs[1:]:
        if any(a != b and 1 not in (a, b) for a, b in zip(first, shape, strict=True)):
            raise ConfigError(f"shapes {first} and {shape} do not match", "use a resolution the network accepts", "resolution")
        first = tuple(max(a, b) for a, b in zip(first, shape, strict=True))
    return first


def _concatenate(_: Parameters, inputs: list[Shape]) -> Shape:
    batch, _channels, *spatial = inputs[0]
    if any(list(shape[2:]) != spatial for shape in inputs):
        raise ConfigError(
            "maps of different sizes meet in a concatenation", "use a resolution the network accepts", "resolution"
        )
    return (batch, sum(shape[1] for shape in inputs), *spatial)


def _split(p: Parameters, inputs: list[Shape]) -> Shape:
    return (inputs[0][0], p["out"], *inputs[0][2:])


def _flatten(p: Parameters, inputs: list[Shape]) -> Shape:
    return (*inputs[0][:1], math.prod(inputs[0][1:]))


def _permute(p: Parameters, inputs: list[Shape]) -> Shape:
    return tuple(inputs[0][axis] for axis in p["order"])


def _linear(p: Parameters, inputs: list[Shape]) -> Shape:
    return (*inputs[0][:-1], p["out"])


def _adaptive(p: Parameters, inputs: list[Shape]) -> Shape:
    return (*inputs[0][:2], *_pair(p["size"]))


def _mean(_: Parameters, inputs: list[Shape]) -> Shape:
    return inputs[0][:2]


def _like(_: Parameters, inputs: list[Shape]) -> Shape:
    """Spatial extents of the second input."""
    return (*inputs[0][:2], *inputs[1][2:])


#: Operator of a graph row to the kind of layer it is.
OPERATORS: dict[str, str] = {
    "conv": "conv",
    "deconv": "transposed conv",
    "linear": "linear",
    "maxpool": "pooling",
    "avgpool": "pooling",
    "adaptive": "pooling",
    "mean": "pooling",
    "norm": "normalisation",
    "activation": "activation",
    "softmax": "softmax",
    "add": "add",
    "multiply": "multiply",
    "scale": "multiply",
    "concatenate": "concatenation",
    "split": "split",
    "shuffle": "shuffle",
    "flatten": "reshape",
    "permute": "reshape",
    "resize": "upsampling",
    "crop": "crop",
    "dropout": "dropout",
}

_SHAPES: dict[str, Callable[[Parameters, list[Shape]], Shape]] = {
    "conv": _conv,
    "deconv": _deconv,
    "linear": _linear,
    "maxpool": _pool,
    "avgpool": _pool,
    "adaptive": _adaptive,
    "mean": _mean,
    "norm": _same,
    "activation": _same,
    "softmax": _same,
    "add": _broadcast,
    "multiply": _broadcast,
    "scale": _same,
    "concatenate": _concatenate,
    "split": _split,
    "shuffle": _same,
    "flatten": _flatten,
    "permute": _permute,
    "resize": _like,
    "crop": _like,
    "dropout": _same,
}
