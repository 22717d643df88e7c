"""A whole network asked of many predictors: times per layer, their sum with an interval, and what is not in it.

**The interval of the sum.** Intervals of layers are not simply added: a predictor errs partly alike on all layers of a
network (its offset for the device, the day it was measured on) and partly differently on each. With distances ``d`` from a
layer's time to the end of its interval and one correlation ``rho`` between the errors of any two different layers, the
distance of the sum is ``sqrt((1 - rho) * sum(d²) + rho * (sum d)²)``, taken for the lower and the upper side by
themselves. This is the recovery of variance estimates from single limits (Zou and Donner 2008, Statistics in Medicine 27,
1693-1702) with equal correlations. ``rho = 0`` is independence (root of the sum of squares), ``rho = 1`` full dependence
(plain sum); both are given as bounds beside the result. Layers with equal configurations get the same prediction and
hence the same error: they are merged before, with their distances added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import CnnPredictError, ConfigError
from cnnpredict_gui.core.names import Target
from cnnpredict_gui.core.prediction import Prediction, PredictionBatch, Status
from cnnpredict_gui.core.table import ConfigTable, Floats, Integers
from cnnpredict_gui.infra.precedence import give_way
from cnnpredict_gui.serving.predictor import Predictor, predict_many
from cnnpredict_gui.studies.layers import NetworkLayer

#: Correlation of the errors of two layers of one network: half of their variance is taken as common to all layers.
#: Checked with ``tools/fit_correlation.py`` on 588 measured sums: ai3 data (2d2955f) of L40S, H100 and V100; DenseNet-121,
#: GoogLeNet, ResNet-152 and VGG-16 at 224 to 512 px; XGBoost that had seen none of the shapes summed. Of the sums' 90 %
#: intervals 79 % hold at 0, 93 % at 0.25, 98 % at 0.5; 0.2 would be enough. Of a network none of whose layers was seen 62 %
#: hold at 0.5 and no more than 71 % at 1: there the error has a part that no layer's interval knows.
DEFAULT_RHO = 0.5
#: What a sum of layers' times leaves out or counts too often, by time kind.
SUM_NOTES: dict[str, str] = {
    "kernel": "the sum of kernel times leaves out launch gaps between kernels",
    "call_with_host_copies": "each layer's time contains its own copies to and from the device, which a network run as a "
    "whole makes at its ends only",
    "framework_wall_clock": "each layer's time contains its own call of the framework; fused layers take less",
}
NOT_PREDICTED = -1


@dataclass(frozen=True)
class NetworkTotal:
    """Sum of the predicted convolutions' times in ms with its 90 % interval; NaN when no layer was predicted.

    ``independent`` and ``dependent`` are the (low, high) intervals for errors that have nothing, or everything, in common.
    """

    time_ms: float
    low_ms: float
    high_ms: float
    independent: tuple[float, float]
    dependent: tuple[float, float]
    rho: float


@dataclass(frozen=True)
class NotPredicted:
    """A kind of layer that no predictor was asked about: how many there are, and why."""

    kind: str
    count: int
    reason: str


@dataclass(frozen=True)
class NetworkResult:
    """One predictor's answer for a network of n layers.

    Arrays have shape (n,) and hold one occurrence of each layer: times in ms, NaN where refused or not predicted;
    ``status`` is a :class:`Status`, or :data:`NOT_PREDICTED`. ``share`` is a layer's part of the total, with all its
    occurrences, from 0 to 1. ``verdicts`` counts convolutions, occurrences included. If the predictor failed, ``error``
    says why and there are no times.
    """

    predictor: str
    version: str
    family: str
    target: Target
    time_ms: Floats
    low_ms: Floats
    high_ms: Floats
    status: Integers
    reasons: tuple[str, ...]
    share: Floats
    total: NetworkTotal
    verdicts: dict[Status, int]
    images: int
    error: str = ""
    #: Times of the layers measured on this machine in this target's kind (ms), NaN where not; empty if none was.
    measured_ms: tuple[float, ...] = ()
    #: Sum of the measured times of all convolutions, with all their occurrences (ms); NaN unless each was measured.
    measured_total_ms: float = float("nan")

    @property
    def measured_error_percent(self) -> float:
        """Error of the total against the measured one in percent; NaN without one, or where convolutions were refused."""
        return float("nan") if self.refused else 100 * (self.total.time_ms / self.measured_total_ms - 1)

    @property
    def refused(self) -> int:
        """Convolutions without a time."""
        return self.verdicts[Status.REFUSED]

    @property
    def is_lower_bound(self) -> bool:
        """Whether convolutions are missing from the total, so that the network's convolutions take at least that long."""
        return self.refused > 0

    @property
    def images_per_second(self) -> float:
        """Images per second if the convolutions were all there is; NaN without a total."""
        return 1000.0 * self.images / self.total.time_ms

    def verdict(self, layer: int) -> str:
        """``in range``, ``extrapolating: why``, ``refused: why``, or empty where the layer is not predicted."""
        found = self.prediction(layer)
        return "" if found is None else found.verdict

    def prediction(self, layer: int) -> Prediction | None:
        """The answer for one layer (one occurrence), or none where it is not predicted."""
        if self.status[layer] == NOT_PREDICTED:
            return None
        time, low, high = (float(values[layer]) for values in (self.time_ms, self.low_ms, self.high_ms))
        return Prediction(time, low, high, Status(int(self.status[layer])), self.reasons[layer])

    def predictions(self) -> list[Prediction | None]:
        """The answers for all layers, far quicker than one by one."""
        columns = (values.tolist() for values in (self.time_ms, self.low_ms, self.high_ms, self.status))
        return [
            None if status == NOT_PREDICTED else Prediction(time, low, high, Status(status), reason)
            for time, low, high, status, reason in zip(*columns, self.reasons, strict=True)
        ]


@dataclass(frozen=True)
class NetworkPrediction:
    """A network's layers and every predictor's answer; ``not_predicted`` lists what no total contains."""

    layers: tuple[NetworkLayer, ...]
    results: tuple[NetworkResult, ...]
    not_predicted: tuple[NotPredicted, ...]
    rho: float


def predict_network(
    layers: Sequence[NetworkLayer], predictors: Sequence[Predictor], rho: float = DEFAULT_RHO
) -> NetworkPrediction:
    """Ask predictors for the time of every convolution of a network; equal layers are evaluated once.

    A predictor that fails gets a result with ``error`` set; the others are not disturbed.

    Args:
        layers: The network, e.g. from a preset, an ONNX file or a CSV.
        predictors: Who is asked.
        rho: Correlation of the errors of different layers, 0 to 1 (see the module's text).

    Raises:
        ConfigError: ``rho`` is not within 0 to 1.
    """
    if not 0.0 <= rho <= 1.0:
        raise ConfigError(f"rho is {rho}, outside 0 to 1", "give a correlation from 0 to 1", "rho")
    numbers: dict[ConvConfig, int] = {}
    for layer in layers:
        if layer.config is not None:
            numbers.setdefault(layer.config, len(numbers))
    place = np.array([-1 if layer.config is None else numbers[layer.config] for layer in layers], dtype=np.int64)
    counts = np.array([layer.count for layer in layers], dtype=np.int64)
    images = next(iter(numbers)).batch_size if numbers else 0
    answers = _ask(predictors, ConfigTable.from_configs(numbers)) if numbers else {}
    results = tuple(_result(one, answers.get(one.name), place, counts, rho, images) for one in predictors)
    return NetworkPrediction(tuple(layers), results, list_not_predicted(layers), rho)


def list_not_predicted(layers: Sequence[NetworkLayer]) -> tuple[NotPredicted, ...]:
    """Kinds of layers without a predictor, the most frequent first; several reasons of one kind are listed apart."""
    counted: Counter[tuple[str, str]] = Counter()
    for layer in layers:
        if layer.config is None:
            counted[layer.kind, layer.reason] += layer.count
    return tuple(NotPredicted(kind, count, reason) for (kind, reason), count in counted.most_common())


def sum_intervals(time: Floats, low: Floats, high: Floats, counts: Integers, rho: float = DEFAULT_RHO) -> NetworkTotal:
    """Sum of different configurations' times, each ``counts`` times, with the interval of the sum.

    Args:
        time: Times in ms, shape (n,), finite.
        low: Lower ends of their intervals in ms, shape (n,).
        high: Upper ends of their intervals in ms, shape (n,).
        counts: Occurrences, shape (n,).
        rho: Correlation of the errors of two different configurations.
    """
    if not len(time):
        nowhere = (np.nan, np.nan)
        return NetworkTotal(np.nan, np.nan, np.nan, nowhere, nowhere, rho)
    total = float((time * counts).sum())
    below: Floats = np.maximum(time - low, 0.0) * counts.astype(np.float64)
    above: Floats = np.maximum(high - time, 0.0) * counts.astype(np.float64)

    def interval(correlation: float) -> tuple[float, float]:
        return total - _distance(below, correlation), total + _distance(above, correlation)

    return NetworkTotal(total, *interval(rho), interval(0.0), interval(1.0), rho)


def _distance(distances: Floats, rho: float) -> float:
    return float(np.sqrt((1.0 - rho) * (distances**2).sum() + rho * distances.sum() ** 2))


def _ask(predictors: Sequence[Predictor], table: ConfigTable) -> dict[str, PredictionBatch | CnnPredictError]:
    try:
        return dict(predict_many(predictors, table))
    except CnnPredictError:
        return {one.name: _ask_one(one, table) for one in predictors}


def _ask_one(predictor: Predictor, table: ConfigTable) -> PredictionBatch | CnnPredictError:
    try:
        return predictor.predict(table)
    except CnnPredictError as error:
        return error


def _result(
    predictor: Predictor,
    answer: PredictionBatch | CnnPredictError | None,
    place: Integers,
    counts: Integers,
    rho: float,
    images: int,
) -> NetworkResult:
    """Spread the answers for distinct configurations over the layers; ``place`` is a layer's row, -1 for none."""
    give_way()
    distinct = int(place.max(initial=-1)) + 1
    error = str(answer) if isinstance(answer, CnnPredictError) else ""
    if isinstance(answer, PredictionBatch):
        time, low, high, reasons = answer.time_ms, answer.low_ms, answer.high_ms, answer.reasons.tolist()
        status = answer.status.astype(np.int64)
    else:
        time = low = high = np.full(distinct, np.nan)
        status, reasons = np.full(distinct, int(Status.REFUSED), dtype=np.int64), [error] * distinct
    predicted = place >= 0
    occurrences = np.bincount(place[predicted], weights=counts[predicted], minlength=distinct).astype(np.int64)
    usable = np.isfinite(time)
    total = sum_intervals(time[usable], low[usable], high[usable], occurrences[usable], rho)
    per_layer = _spread(time, place, np.nan)
    return NetworkResult(
        predictor=predictor.name,
        version=predictor.version,
        family=predictor.family,
        target=predictor.target,
        time_ms=per_layer,
        low_ms=_spread(low, place, np.nan),
        high_ms=_spread(high, place, np.nan),
        status=_spread(status, place, NOT_PREDICTED).astype(np.int64),
        reasons=tuple(reasons[row] if row >= 0 else "" for row in place.tolist()),
        share=per_layer * counts / total.time_ms,
        total=total,
        verdicts={verdict: int(occurrences[status == verdict].sum()) for verdict in Status},
        images=images,
        error=error,
    )


def _spread(values: Floats | Integers, place: Integers, missing: float) -> Floats:
    spread = np.full(len(place), missing, dtype=np.float64)
    spread[place >= 0] = values[place[place >= 0]]
    return spread
