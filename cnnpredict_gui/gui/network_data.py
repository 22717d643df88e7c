"""What the Network view shows, computed off the GUI thread in one go; files are read in a child process. No Qt here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import repeat
from math import nan
from typing import TYPE_CHECKING, Any

from cnnpredict_gui.core.errors import CancelledByUserError, OpenDimension, OpenShapeError
from cnnpredict_gui.core.measurement import Measurement, same_layer
from cnnpredict_gui.infra.precedence import giving_way

if TYPE_CHECKING:
    from cnnpredict_gui.core.prediction import Prediction
    from cnnpredict_gui.serving.predictor import Predictor
    from cnnpredict_gui.studies.layers import NetworkLayer, NetworkTotals
    from cnnpredict_gui.studies.network import NetworkPrediction, NetworkResult
    from cnnpredict_gui.studies.network_source import OpenedNetwork


@dataclass(frozen=True)
class NetworkRequest:
    """What is asked: a preset by name, or a network opened from a file; ``resolution`` (px) is for presets only.

    A batch size of 0 and an empty ``dtype`` leave the network as it is.
    """

    source: str | OpenedNetwork
    resolution: int | None
    batch_size: int
    dtype: str
    rho: float
    predictors: tuple[Predictor, ...]
    #: What was measured on this machine.
    measured: tuple[Measurement, ...] = ()


@dataclass(frozen=True)
class LayerRow:
    """One layer for the table; ``answer`` is that of the predictor looked at, none where the layer is not predicted."""

    index: int
    layer: NetworkLayer
    answer: Prediction | None
    share: float
    verdict: str
    measured_ms: float = float("nan")

    @property
    def error_percent(self) -> float:
        """Prediction against the measured time in percent; NaN without one of them."""
        return 100 * (self.answer.time_ms / self.measured_ms - 1) if self.answer else float("nan")


@dataclass(frozen=True)
class NetworkAnswer:
    """Everything the view shows."""

    network: OpenedNetwork
    totals: NetworkTotals
    prediction: NetworkPrediction
    request: NetworkRequest

    def result(self, predictor: str) -> NetworkResult | None:
        """The answer of a predictor, or of the first one."""
        results = self.prediction.results
        return next((one for one in results if one.predictor == predictor), results[0] if results else None)

    @property
    def is_measured(self) -> bool:
        """Whether measured times stand beside those of a predictor."""
        return any(one.measured_ms for one in self.prediction.results)

    def rows(self, predictor: str) -> list[LayerRow]:
        """All layers with the answers of a predictor."""
        result, rows, layers = self.result(predictor), [], self.prediction.layers
        answers = result.predictions() if result else repeat(None)
        shares = result.share.tolist() if result else repeat(nan)
        measured = result.measured_ms if result and result.measured_ms else repeat(nan)
        for index, (layer, answer, share, known_ms) in enumerate(zip(layers, answers, shares, measured, strict=False)):
            verdict = answer.verdict if answer else "" if layer.predicted else f"not predicted: {layer.reason}"
            rows.append(LayerRow(index, layer, answer, share, verdict, known_ms))
        return rows


def compute(request: NetworkRequest, cancelled: Callable[[], bool]) -> NetworkAnswer:
    """Take the network at the resolution, batch size and type asked for, and ask the predictors.

    Raises:
        ConfigError: the resolution or batch size is impossible.
        CancelledByUserError: ``cancelled`` said so.
    """
    from cnnpredict_gui.studies.layers import totals, with_batch_size, with_dtype
    from cnnpredict_gui.studies.network import predict_network
    from cnnpredict_gui.studies.network_measured import with_measured
    from cnnpredict_gui.studies.network_source import Wanted, open_network

    if isinstance(request.source, str):
        network = open_network(request.source, Wanted(request.resolution, request.batch_size or None, request.dtype or None))
    else:
        layers = list(request.source.layers)
        if request.batch_size:
            layers = with_batch_size(layers, request.batch_size)
        if request.dtype:
            layers = with_dtype(layers, request.dtype)
        network = replace(request.source, layers=tuple(layers))
    if cancelled():
        raise CancelledByUserError("the network was cancelled")
    prediction = predict_network(network.layers, request.predictors, request.rho)
    known = {same_layer(one.config): one for one in reversed(request.measured)}
    prediction = with_measured(prediction, lambda config: known.get(same_layer(config)))
    return NetworkAnswer(network, totals(network.layers), prediction, request)


def open_file(path: str, dimensions: Mapping[str, int], cancelled: Callable[[], bool]) -> OpenedNetwork:
    """Read a network's file in a child process: parsing a large ONNX file would hold Python's lock for half a second.

    Args:
        path: The file.
        dimensions: Values for extents that it leaves open, by name.
        cancelled: Asked ten times a second; true kills the child process.

    Raises:
        OpenShapeError: the file leaves extents open that ``dimensions`` does not give.
        WorkerError: it cannot be read.
        CancelledByUserError: ``cancelled`` said so.
    """
    from cnnpredict_gui.bench.child import run_in_child
    from cnnpredict_gui.studies.network_source import OpenedNetwork

    found = run_in_child(f"{__name__}:serve_open", {"path": path, "dimensions": dict(dimensions)}, cancelled=cancelled)
    if "open" in found:
        open_dimensions = tuple(OpenDimension(name, meaning) for name, meaning in found["open"])
        raise OpenShapeError(found["message"], found["hint"], open_dimensions)
    return OpenedNetwork(found["title"], found["source"], _layers(found["layers"]))


def serve_open(request: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Body of :func:`open_file` in the child process."""
    from cnnpredict_gui.studies.network_source import Wanted, open_network

    try:
        network = open_network(request["path"], Wanted(dimensions=request["dimensions"]))
    except OpenShapeError as error:
        still_open = [[one.name, one.meaning] for one in error.dimensions]
        return {"open": still_open, "message": error.message, "hint": error.hint}
    layers = [
        {field.name: getattr(one, field.name) for field in fields(one)}
        | {"config": one.config.model_dump() if one.config else None}
        for one in network.layers
    ]
    return {"title": network.title, "source": network.source, "layers": layers}


def _layers(stored: list[dict[str, Any]]) -> tuple[NetworkLayer, ...]:
    """The layers as they were; equal ones share their convolution."""
    from cnnpredict_gui.core.config import ConvConfig
    from cnnpredict_gui.studies.layers import NetworkLayer

    @cache
    def config_of(*values: tuple[str, int | str]) -> ConvConfig:
        return ConvConfig.parse(dict(values))

    configs = [config_of(*one["config"].items()) if one["config"] else None for one in giving_way(stored)]
    return tuple(
        NetworkLayer(**one | {"config": config, "output_shape": tuple(one["output_shape"])})
        for one, config in zip(stored, configs, strict=True)
    )
