"""What the Network view shows, computed off the GUI thread in one go. No Qt here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cnnpredict_gui.core.errors import CancelledByUserError

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


@dataclass(frozen=True)
class LayerRow:
    """One layer for the table; ``answer`` is that of the predictor looked at, none where the layer is not predicted."""

    index: int
    layer: NetworkLayer
    answer: Prediction | None
    share: float
    verdict: str


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

    def rows(self, predictor: str) -> list[LayerRow]:
        """All layers with the answers of a predictor."""
        result, rows = self.result(predictor), []
        for index, layer in enumerate(self.prediction.layers):
            answer = result.prediction(index) if result else None
            share = float(result.share[index]) if result else float("nan")
            verdict = (result.verdict(index) if result else "") if layer.predicted else f"not predicted: {layer.reason}"
            rows.append(LayerRow(index, layer, answer, share, verdict))
        return rows


def compute(request: NetworkRequest, cancelled: Callable[[], bool]) -> NetworkAnswer:
    """Take the network at the resolution, batch size and type asked for, and ask the predictors.

    Raises:
        ConfigError: the resolution or batch size is impossible.
        CancelledByUserError: ``cancelled`` said so.
    """
    from cnnpredict_gui.studies.layers import totals, with_batch_size, with_dtype
    from cnnpredict_gui.studies.network import predict_network
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
    return NetworkAnswer(
        network, totals(network.layers), predict_network(network.layers, request.predictors, request.rho), request
    )
