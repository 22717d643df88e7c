"""Traces a network and turns it into the rows of a preset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from tools.preset_models import centre_crop

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.Hardswish, nn.Hardsigmoid, nn.SiLU, nn.Sigmoid, nn.GELU, nn.LeakyReLU)
#: Calls that compute sizes or check them; no activation passes through.
NO_ROW = ("getattr", "eq", "_assert", "size", "floordiv")
Row = list[Any]


class Converter:
    """Turns a traced network into rows; ``modules`` remembers which row came from which module, in order of execution."""

    def __init__(self, model: nn.Module, example: torch.Tensor) -> None:
        self.model = model
        self.tracer, graph = _trace(model)
        ShapeProp(fx.GraphModule(model, graph)).propagate(example)
        self.rows: list[Row] = []
        self.modules: list[tuple[str, int]] = []
        self.source: dict[fx.Node, int] = {}
        for node in graph.nodes:
            self._convert(node)

    def _convert(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            self.source[node] = -1
        elif node.op == "call_module":
            self._module(node, self.model.get_submodule(str(node.target)))
        elif node.op in ("call_function", "call_method"):
            self._call(node, node.target if isinstance(node.target, str) else node.target.__name__)

    def _add(self, node: fx.Node, operator: str, parameters: dict[str, Any] | None = None, suffix: str = "") -> None:
        inputs = [self.source[given] for given in _flat_inputs(node) if given in self.source]
        if suffix:
            inputs = [self.source[node]]
        self.source[node] = len(self.rows)
        self.rows.append([self.tracer.node_to_qualname[node] + suffix, operator, parameters or {}, inputs])

    def _module(self, node: fx.Node, module: nn.Module) -> None:
        if isinstance(module, nn.Identity):
            self.source[node] = self.source[_flat_inputs(node)[0]]
            return
        if type(module).__name__ == "BatchNormAct2d":
            self._add(node, "norm", {"w": weight_count(module)})
            activation = module.get_submodule("act")
            if not isinstance(activation, nn.Identity):
                self._add(node, "activation", {"is": _snake(activation)}, ".act")
        else:
            self._add(node, *_module_row(module))
        self.modules.append((str(node.target), self.source[node]))

    def _call(self, node: fx.Node, name: str) -> None:
        if name in NO_ROW or (name == "getitem" and not isinstance(node.meta.get("tensor_meta"), tuple)):
            return
        given = _flat_inputs(node)
        if name in ("contiguous", "chunk", "split"):
            self.source[node] = self.source[given[0]]
        elif name == "getitem":
            self._add(node, "split", {"out": node.meta["tensor_meta"].shape[1]})
        elif name in _FUNCTIONS:
            self._add(node, *_FUNCTIONS[name](node))
        else:
            raise SystemExit(f"no rule for {name} at {self.tracer.node_to_qualname[node]}")


def weight_count(module: nn.Module) -> int:
    """Learnt parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


def _trace(model: nn.Module) -> tuple[Any, fx.Graph]:
    from torchvision.models import shufflenetv2
    from torchvision.models.feature_extraction import NodePathTracer

    class Tracer(NodePathTracer):  # type: ignore[misc, unused-ignore]
        def is_leaf_module(self, module: nn.Module, name: str) -> bool:
            return type(module).__name__ in ("BatchNormAct2d", "LayerNorm2d") or super().is_leaf_module(module, name)

    tracer = Tracer(autowrap_functions=(shufflenetv2.channel_shuffle, centre_crop))
    return tracer, tracer.trace(model)


def _flat_inputs(node: fx.Node) -> list[fx.Node]:
    """Activations that feed a node, in order; the ``size`` of an interpolation stands for the map it was read from."""
    found: list[fx.Node] = []

    def visit(value: Any) -> None:
        if isinstance(value, fx.Node):
            name = value.target if isinstance(value.target, str) else getattr(value.target, "__name__", "")
            if name == "getattr" or (name == "getitem" and "tensor_meta" not in value.meta):
                visit(value.args[0])
            else:
                found.append(value)
        elif isinstance(value, list | tuple):
            for item in value:
                visit(item)

    visit(list(node.args))
    visit(list(node.kwargs.values()))
    return found


def _square(value: Any) -> int | list[int]:
    pair = list(value) if isinstance(value, list | tuple) else [value, value]
    return int(pair[0]) if pair[0] == pair[1] else [int(item) for item in pair]


def _sparse(**values: Any) -> dict[str, Any]:
    defaults = {"s": 1, "p": 0, "d": 1, "g": 1, "bias": 0, "ceil": 0}
    return {key: value for key, value in values.items() if defaults.get(key) != value}


def _snake(module: nn.Module) -> str:
    return type(module).__name__.lower()


def _module_row(module: nn.Module) -> tuple[str, dict[str, Any]]:
    bias = int(getattr(module, "bias", None) is not None)
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        window = {"k": module.kernel_size, "s": module.stride, "p": module.padding, "d": module.dilation}
        if isinstance(module, nn.ConvTranspose2d) and any(module.output_padding):
            raise SystemExit("no rule for output_padding")
        values = {key: _square(value) for key, value in window.items()} | {"g": module.groups, "bias": bias}
        return "conv" if isinstance(module, nn.Conv2d) else "deconv", _sparse(out=module.out_channels, **values)
    if isinstance(module, nn.Linear):
        return "linear", _sparse(out=module.out_features, bias=bias)
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        return _pool("maxpool" if isinstance(module, nn.MaxPool2d) else "avgpool", vars(module))
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return "adaptive", {"size": _square(module.output_size)}
    if isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
        return "norm", {"w": weight_count(module)}
    if isinstance(module, ACTIVATIONS):
        return "activation", {"is": _snake(module)}
    if isinstance(module, nn.Dropout) or type(module).__name__ == "StochasticDepth":
        return "dropout", {}
    if isinstance(module, nn.Flatten):
        return "flatten", {}
    if type(module).__name__ == "Permute":
        return "permute", {"order": list(vars(module)["dims"])}
    raise SystemExit(f"no rule for module {type(module).__name__}")


def _pool(operator: str, values: Any) -> tuple[str, dict[str, Any]]:
    """Parameters of a pooling module or call, the defaults of both filled in."""
    kernel = values["kernel_size"]
    stride = values.get("stride") or kernel
    window = {"k": kernel, "s": stride, "p": values.get("padding", 0), "d": values.get("dilation", 1)}
    return operator, _sparse(**{key: _square(value) for key, value in window.items()}, ceil=int(values.get("ceil_mode", False)))


def _pool_call(operator: str) -> Callable[[fx.Node], tuple[str, dict[str, Any]]]:
    names = ("kernel_size", "stride", "padding")
    return lambda node: _pool(operator, dict(zip(names, node.args[1:], strict=False)) | dict(node.kwargs))


def _multiply(node: fx.Node) -> tuple[str, dict[str, Any]]:
    weights = [given for given in _flat_inputs(node) if given.op == "get_attr"]
    return ("scale", {"w": weights[0].meta["tensor_meta"].shape.numel()}) if weights else ("multiply", {})


def _permute(node: fx.Node) -> tuple[str, dict[str, Any]]:
    order = node.args[1] if isinstance(node.args[1], list | tuple) else node.args[1:]
    return "permute", {"order": list(order)}


_FUNCTIONS: dict[str, Callable[[fx.Node], tuple[str, dict[str, Any]]]] = {
    "relu": lambda node: ("activation", {"is": "relu"}),
    "add": lambda node: ("add", {}),
    "mul": _multiply,
    "cat": lambda node: ("concatenate", {}),
    "flatten": lambda node: ("flatten", {}),
    "mean": lambda node: ("mean", {}),
    "permute": _permute,
    "max_pool2d": _pool_call("maxpool"),
    "avg_pool2d": _pool_call("avgpool"),
    "adaptive_avg_pool2d": lambda node: ("adaptive", {"size": _square(node.args[1])}),
    "stochastic_depth": lambda node: ("dropout", {}),
    "channel_shuffle": lambda node: ("shuffle", {"groups": node.args[1]}),
    "centre_crop": lambda node: ("crop", {}),
    "interpolate": lambda node: ("resize", {}),
}


def compact(rows: list[Row]) -> list[Row]:
    """Rows without the parts that :func:`cnnpredict_gui.studies.graph.parse_rows` fills in."""
    short = []
    for number, (name, operator, parameters, inputs) in enumerate(rows):
        row: Row = [name, operator, parameters, inputs]
        if inputs == [number - 1]:
            row.pop()
            if not parameters:
                row.pop()
        short.append(row)
    return short
