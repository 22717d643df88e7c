"""Predicted beside measured: the error of each predictor on the layers that were really timed.

A predictor is held against a measured time of its own kind only: the host clock against ``framework_wall_clock``, the device's
clock against ``kernel``; and those of a processor against times of the processor. ``call_with_host_copies`` is never measured
here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnpredict_gui.core.card import Metrics
from cnnpredict_gui.core.measurement import Measurement, measured_ms
from cnnpredict_gui.core.metrics import metrics
from cnnpredict_gui.core.names import Target
from cnnpredict_gui.core.prediction import Prediction, Status
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.serving.predictor import Predictor, predict_many


@dataclass(frozen=True)
class MeasuredPoint:
    """One layer by one predictor: the measured time of the predictor's kind (ms) and its prediction."""

    measurement: Measurement
    measured_ms: float
    prediction: Prediction

    @property
    def error_percent(self) -> float:
        """Signed error, positive where the prediction is too high; NaN where refused."""
        return percent_error(self.prediction.time_ms, self.measured_ms)


@dataclass(frozen=True)
class MeasuredErrors:
    """A predictor on all layers that were measured in its kind of time; ``metrics`` is None where it refused them all."""

    predictor: str
    family: str
    target: Target
    points: tuple[MeasuredPoint, ...]
    metrics: Metrics | None

    @property
    def in_range(self) -> int:
        """How many of the layers are like those the predictor was trained on."""
        return sum(one.prediction.status == Status.IN_RANGE for one in self.points)

    @property
    def bias_percent(self) -> float:
        """Median signed error in percent: what a plain scale could correct."""
        errors = [one.error_percent for one in self.points if one.prediction.status != Status.REFUSED]
        return float(np.median(errors)) if errors else float("nan")


def percent_error(predicted_ms: float, measured_ms: float) -> float:
    """``100 (predicted - measured) / measured``."""
    return 100 * (predicted_ms / measured_ms - 1)


def measured_errors(measurements: Sequence[Measurement], predictors: Sequence[Predictor]) -> list[MeasuredErrors]:
    """Hold predictors against measurements; a predictor whose kind of time was not measured has no points."""
    if not measurements or not predictors:
        return []
    answers = predict_many(predictors, ConfigTable.from_configs([one.config for one in measurements]))
    found = []
    for predictor in predictors:
        batch = answers[predictor.name]
        found.append(_errors(predictor, measurements, [batch.row(place) for place in range(len(batch))]))
    return found


def _errors(predictor: Predictor, measurements: Sequence[Measurement], answers: Sequence[Prediction]) -> MeasuredErrors:
    points = tuple(
        MeasuredPoint(one, time_ms, answer)
        for one, answer in zip(measurements, answers, strict=True)
        if (time_ms := measured_ms(one, predictor.target)) > 0
    )
    scored = [point for point in points if point.prediction.status != Status.REFUSED]
    found = None
    if scored:
        columns = [
            (point.measured_ms, point.prediction.time_ms, point.prediction.low_ms, point.prediction.high_ms) for point in scored
        ]
        found = metrics(*np.array(columns, dtype=np.float64).T)
    return MeasuredErrors(predictor.name, predictor.family, predictor.target, points, found)
