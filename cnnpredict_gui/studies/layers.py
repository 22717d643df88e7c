"""The layers of a network as every source (preset, ONNX file, CSV) gives them: convolutions and everything else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cnnpredict_gui.core.config import LIMITS, ConvConfig
from cnnpredict_gui.core.errors import ConfigError
from cnnpredict_gui.infra.precedence import giving_way

#: Kinds of layers and, for those without a predictor, why. Only ``conv`` is predicted.
KINDS: dict[str, str] = {
    "conv": "",
    "transposed conv": "no predictor is trained on transposed convolutions",
    "conv 1d": "predictors are trained on two-dimensional convolutions only",
    "conv 3d": "predictors are trained on two-dimensional convolutions only",
    "quantised conv": "no predictor is trained on quantised convolution operators",
    "linear": "no predictor is trained on linear layers",
    "matmul": "no predictor is trained on matrix products",
    "attention": "no predictor is trained on attention",
    "recurrent": "no predictor is trained on recurrent layers",
    "pooling": "no predictor is trained on pooling",
    "normalisation": "no predictor is trained on normalisation; runtimes often fold it into the convolution before it",
    "activation": "no predictor is trained on activations; runtimes often fuse them into the layer before",
    "softmax": "no predictor is trained on softmax",
    "add": "no predictor is trained on element-wise addition",
    "multiply": "no predictor is trained on element-wise multiplication",
    "element-wise": "no predictor is trained on element-wise arithmetic",
    "concatenation": "no predictor is trained on concatenation",
    "split": "no predictor is trained on splitting a tensor",
    "shuffle": "no predictor is trained on channel shuffles",
    "reshape": "no predictor is trained on reshaping and transposing",
    "upsampling": "no predictor is trained on upsampling",
    "crop": "no predictor is trained on cropping",
    "padding": "no predictor is trained on padding as a layer of its own",
    "shape arithmetic": "computes sizes, not activations",
    "control flow": "what runs inside depends on the data",
    "dropout": "does nothing at inference",
    "other": "no predictor is trained on this operator",
}


@dataclass(frozen=True)
class NetworkLayer:
    """One layer of a network, or ``count`` identical ones.

    Attributes:
        name: Where the layer sits, e.g. ``layer2.0.conv2``.
        kind: One of :data:`KINDS`.
        config: The convolution, or none where the layer is not predicted.
        output_shape: Extents of the output, batch first (elements); empty when unknown.
        count: How often the layer occurs.
        reason: Why the layer is not predicted; empty for predicted ones.
        note: What was approximated to describe the layer; empty when nothing was.
        macs: Multiply-accumulates of one occurrence (convolutions and linear layers; 0 for the others).
        parameters: Learnt parameters of one occurrence, bias included.
    """

    name: str
    kind: str
    config: ConvConfig | None
    output_shape: tuple[int, ...] = ()
    count: int = 1
    reason: str = ""
    note: str = ""
    macs: int = 0
    parameters: int = 0

    @property
    def predicted(self) -> bool:
        """Whether the layer is a convolution that predictors can be asked about."""
        return self.config is not None


@dataclass(frozen=True)
class NetworkTotals:
    """Sums over a network: MACs and parameters of all layers, and of its predicted convolutions alone."""

    layers: int
    convolutions: int
    distinct_convolutions: int
    macs: int
    convolution_macs: int
    parameters: int


def conv_layer(name: str, config: ConvConfig, *, count: int = 1, note: str = "", bias: bool = False) -> NetworkLayer:
    """A predicted layer made of a convolution; ``bias`` adds one parameter per output channel."""
    shape = (config.batch_size, config.output_channels, config.output_height, config.output_width)
    parameters = config.weight_elements + (config.output_channels if bias else 0)
    return NetworkLayer(name, "conv", config, shape, count, "", note, config.macs, parameters)


def other_layer(
    name: str, kind: str, output_shape: tuple[int, ...] = (), *, reason: str = "", macs: int = 0, parameters: int = 0
) -> NetworkLayer:
    """A layer that is not predicted; the reason defaults to that of its kind."""
    return NetworkLayer(name, kind, None, output_shape, 1, reason or KINDS[kind], "", macs, parameters)


def totals(layers: Iterable[NetworkLayer]) -> NetworkTotals:
    """Sum a network's layers, each as often as it occurs."""
    rows = list(layers)
    convolutions = [layer for layer in rows if layer.predicted]
    return NetworkTotals(
        layers=sum(layer.count for layer in rows),
        convolutions=sum(layer.count for layer in convolutions),
        distinct_convolutions=len({layer.config for layer in convolutions}),
        macs=sum(layer.macs * layer.count for layer in rows),
        convolution_macs=sum(layer.macs * layer.count for layer in convolutions),
        parameters=sum(layer.parameters * layer.count for layer in rows),
    )


def distinct_layers(layers: Iterable[NetworkLayer]) -> dict[ConvConfig, int]:
    """Each different convolution with how often it occurs in one pass, in the order of execution."""
    counts: dict[ConvConfig, int] = {}
    for layer in layers:
        if layer.config is not None:
            counts[layer.config] = counts.get(layer.config, 0) + layer.count
    return counts


def with_batch_size(layers: Sequence[NetworkLayer], batch_size: int) -> list[NetworkLayer]:
    """The same layers for another batch size; exact, since no other extent depends on it.

    Raises:
        ConfigError: the batch size is out of its limits.
    """
    check_batch_size(batch_size)
    changed = _changed(layers, "batch_size", batch_size)
    return [_rebatched(layer, batch_size, changed) for layer in layers]


def with_dtype(layers: Sequence[NetworkLayer], dtype: str) -> list[NetworkLayer]:
    """The same layers computed in another element type.

    Raises:
        ConfigError: the type is unknown.
    """
    changed = _changed(layers, "dtype", dtype)
    return [layer if layer.config is None else _with_config(layer, changed[layer.config]) for layer in layers]


def _changed(layers: Sequence[NetworkLayer], field: str, value: int | str) -> dict[ConvConfig, ConvConfig]:
    """Each different convolution with one parameter changed: a network has far fewer than layers, which share them."""
    return {
        config: config if getattr(config, field) == value else ConvConfig.parse(config.model_dump() | {field: value})
        for config in giving_way(distinct_layers(layers))
    }


def _with_config(layer: NetworkLayer, config: ConvConfig) -> NetworkLayer:
    return layer if layer.config is config else replace(layer, config=config)


def check_batch_size(batch_size: int) -> None:
    """Refuse a batch size out of its limits with a :class:`ConfigError`."""
    if not 1 <= batch_size <= LIMITS["batch_size"]:
        message = f"batch_size is {batch_size}, outside 1 to {LIMITS['batch_size']:,}"
        raise ConfigError(message, "give a value within the limits", "batch_size")


def _rebatched(layer: NetworkLayer, batch_size: int, changed: dict[ConvConfig, ConvConfig]) -> NetworkLayer:
    if layer.config is not None:
        config = changed[layer.config]
        if config is layer.config:
            return layer
        return replace(layer, config=config, output_shape=(batch_size, *layer.output_shape[1:]), macs=config.macs)
    if not layer.output_shape:
        return layer
    before = layer.output_shape[0]
    return replace(layer, output_shape=(batch_size, *layer.output_shape[1:]), macs=layer.macs * batch_size // max(before, 1))
