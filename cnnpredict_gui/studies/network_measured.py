"""Measured times of a network's layers beside the predicted ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isfinite, nan

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.measurement import Measurement, measured_ms
from cnnpredict_gui.infra.precedence import give_way
from cnnpredict_gui.studies.network import NetworkPrediction, NetworkResult


def with_measured(prediction: NetworkPrediction, find: Callable[[ConvConfig], Measurement | None]) -> NetworkPrediction:
    """The same with ``measured_ms`` and ``measured_total_ms`` of every result that measured times can be held against.

    Args:
        prediction: Answers of the predictors.
        find: Gives the measurement of a layer, or none.
    """
    found = [find(layer.config) if layer.config is not None else None for layer in prediction.layers]
    if not any(found):
        return prediction
    return replace(prediction, results=tuple(_with_times(one, prediction, found) for one in prediction.results))


def _with_times(result: NetworkResult, prediction: NetworkPrediction, found: list[Measurement | None]) -> NetworkResult:
    give_way()
    times = tuple(measured_ms(one, result.target) for one in found)
    if not any(map(isfinite, times)):
        return result
    parts = [time * layer.count for time, layer in zip(times, prediction.layers, strict=True) if layer.predicted]
    return replace(result, measured_ms=times, measured_total_ms=sum(parts) if all(map(isfinite, parts)) else nan)
