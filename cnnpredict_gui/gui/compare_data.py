"""What the Compare view shows, computed off the GUI thread in one go. No Qt here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from textwrap import shorten
from typing import TYPE_CHECKING

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.measurement import Measurement, measured_ms
from cnnpredict_gui.core.names import TRAINED_FAMILIES, Target
from cnnpredict_gui.core.prediction import Prediction, PredictionBatch, Status
from cnnpredict_gui.core.table import ConfigTable

if TYPE_CHECKING:
    from cnnpredict_gui.serving.predictor import Predictor
    from cnnpredict_gui.studies.comparison import Comparison, ComparisonRow

#: Label of the current configuration beside the pinned ones.
NOW = "now"


@dataclass(frozen=True)
class Agreement:
    """One family's time relative to the median of the trained families of its target."""

    name: str
    family: str
    target: Target
    median_ms: float
    ratio: float
    hatched: bool


@dataclass(frozen=True)
class CompareRequest:
    """What is asked: predictors and everything they are asked about."""

    config: ConvConfig
    predictors: tuple[Predictor, ...]
    peers: tuple[Predictor, ...]
    baseline: str
    focus: str
    pins: tuple[tuple[str, ConvConfig], ...]
    #: The layer as it was measured on this machine.
    measured: Measurement | None = None


@dataclass(frozen=True)
class CompareResult:
    """Everything the view shows for one configuration."""

    config: ConvConfig
    comparison: Comparison
    rows: tuple[ComparisonRow, ...]
    baseline: str
    focus: str
    agreement: tuple[Agreement, ...]
    #: Algorithm to its prediction by the predictor in focus; empty when its target knows only one.
    algorithms: tuple[tuple[str, Prediction], ...]
    pins: tuple[tuple[str, ConvConfig], ...]
    measured: Measurement | None = None

    def measured_ms(self, time_kind: str) -> float:
        """The measured time that predictions of a kind were held against, NaN where there is none."""
        times = (row.measured_ms for row in self.rows if row.target.time_kind == time_kind)
        return next((time for time in times if time > 0), math.nan)

    def row(self, name: str) -> ComparisonRow | None:
        """The current configuration's row of a predictor."""
        return next((row for row in self.rows if row.predictor == name), None)


def is_time(prediction: Prediction) -> bool:
    """Whether there is a time to draw."""
    return prediction.status != Status.REFUSED and math.isfinite(prediction.time_ms)


def in_short(rows: Sequence[ComparisonRow], letters: int = 0) -> str:
    """How many answer in range, extrapolate or refuse, with the two commonest reasons; of each so many letters (0: all)."""
    parts = []
    for status in Status:
        reasons = Counter(row.prediction.reason for row in rows if row.prediction.status == status)
        common = [(text, count) for text, count in reasons.most_common(2) if text]
        texts = [shorten(text, letters, placeholder=" …") if letters else text for text, _ in common]
        if len(reasons) > 1:
            texts = [f"{text} ({count}×)" for text, (_, count) in zip(texts, common, strict=True)]
        if reasons:
            head = f"{reasons.total()} {status.label}"
            parts.append(f"{head}: {'; '.join(texts)}" if texts else head)
    return " – ".join(parts)


def compute(request: CompareRequest) -> CompareResult:
    """Ask the predictors everything that was requested."""
    from cnnpredict_gui.serving.predictor import predict_many
    from cnnpredict_gui.studies.comparison import compare

    chosen = {predictor.name: predictor for predictor in request.predictors}
    baseline = request.baseline if request.baseline in chosen else next(iter(chosen), "")
    focus = request.focus if request.focus in chosen else baseline
    comparison = compare({NOW: request.config, **dict(request.pins)}, request.predictors, baseline or None)
    peers = predict_many(request.peers, ConfigTable.from_configs([request.config])) if request.peers else {}
    return CompareResult(
        request.config,
        comparison,
        _with_measured(comparison.of_config(NOW), request.measured),
        baseline,
        focus,
        _agreement(request.peers, peers),
        _algorithms(chosen[focus], request.config) if focus else (),
        request.pins,
        request.measured,
    )


def _with_measured(rows: Sequence[ComparisonRow], measured: Measurement | None) -> tuple[ComparisonRow, ...]:
    if measured is None:
        return tuple(rows)
    return tuple(replace(row, measured_ms=measured_ms(measured, row.target)) for row in rows)


def _agreement(predictors: Sequence[Predictor], answers: Mapping[str, PredictionBatch]) -> tuple[Agreement, ...]:
    """Of the first row of ``answers``; nobody reads its reasons, so that they are not made."""
    found: list[Agreement] = []
    times = {name: float(batch.time_ms[0]) for name, batch in answers.items()}
    trained = [one for one in predictors if one.family in TRAINED_FAMILIES and math.isfinite(times[one.name])]
    for target in {one.target.name: one.target for one in trained}.values():
        mine = [one for one in trained if one.target.name == target.name]
        if len(mine) < 2:
            continue
        middle = median(times[one.name] for one in mine)
        for one in mine:
            hatched = answers[one.name].status[0] != Status.IN_RANGE
            found.append(Agreement(one.name, one.family, target, middle, times[one.name] / middle, hatched))
    return tuple(found)


def _algorithms(predictor: Predictor, config: ConvConfig) -> tuple[tuple[str, Prediction], ...]:
    names = predictor.card.algorithms
    if len(names) < 2:
        return ()
    batch = predictor.predict(ConfigTable.from_configs([config.model_copy(update={"algorithm": name}) for name in names]))
    return tuple((name, batch.row(i)) for i, name in enumerate(names))


def fastest(algorithms: Sequence[tuple[str, Prediction]]) -> str:
    """Name of the algorithm with the smallest time; empty when there is none."""
    usable = [(answer.time_ms, name) for name, answer in algorithms if is_time(answer)]
    return min(usable)[1] if usable else ""
