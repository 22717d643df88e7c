"""What the Compare view shows, computed off the GUI thread in one go. No Qt here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.names import TRAINED_FAMILIES, Target
from cnnpredict_gui.core.prediction import Prediction, Status
from cnnpredict_gui.core.table import ConfigTable

if TYPE_CHECKING:
    from cnnpredict_gui.serving.predictor import Predictor


@dataclass(frozen=True)
class CompareRow:
    """One predictor's answer. ``ratio`` is its time over the baseline's: NaN for another time kind or a refusal."""

    name: str
    family: str
    target: Target
    prediction: Prediction
    ratio: float
    images_per_s: float

    @property
    def drawn(self) -> bool:
        """Whether there is a time to draw."""
        return self.prediction.status != Status.REFUSED and math.isfinite(self.prediction.time_ms)


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


@dataclass(frozen=True)
class CompareResult:
    """Everything the view shows for one configuration."""

    config: ConvConfig
    rows: tuple[CompareRow, ...]
    baseline: str
    focus: str
    agreement: tuple[Agreement, ...]
    #: Algorithm to its prediction by the predictor in focus; empty when its target knows only one.
    algorithms: tuple[tuple[str, Prediction], ...]
    #: Pin to predictor to prediction.
    pinned: dict[str, dict[str, Prediction]]
    pins: tuple[tuple[str, ConvConfig], ...]

    def row(self, name: str) -> CompareRow | None:
        """The row of a predictor."""
        return next((row for row in self.rows if row.name == name), None)


def compute(request: CompareRequest) -> CompareResult:
    """Ask the predictors everything that was requested."""
    from cnnpredict_gui.serving.predictor import predict_many

    configs = [request.config, *(config for _, config in request.pins)]
    table = ConfigTable.from_configs(configs)
    everyone = {predictor.name: predictor for predictor in (*request.predictors, *request.peers)}
    answers = predict_many(list(everyone.values()), table)
    now = {name: batch.row(0) for name, batch in answers.items()}
    chosen = [predictor.name for predictor in request.predictors]
    baseline = request.baseline if request.baseline in chosen else (chosen[0] if chosen else "")
    focus = request.focus if request.focus in chosen else baseline
    rows = tuple(_row(everyone[name], now, baseline, everyone, request.config.batch_size) for name in chosen)
    pinned = {pin: {name: answers[name].row(i) for name in chosen} for i, (pin, _) in enumerate(request.pins, 1)}
    return CompareResult(
        request.config,
        rows,
        baseline,
        focus,
        _agreement([predictor for predictor in everyone.values() if predictor.family in TRAINED_FAMILIES], now),
        _algorithms(everyone[focus], request.config) if focus else (),
        pinned,
        request.pins,
    )


def _row(
    predictor: Predictor, now: Mapping[str, Prediction], baseline: str, everyone: Mapping[str, Predictor], batch_size: int
) -> CompareRow:
    answer, ratio = now[predictor.name], math.nan
    if everyone[baseline].target.time_kind == predictor.target.time_kind:
        ratio = answer.time_ms / now[baseline].time_ms
    return CompareRow(predictor.name, predictor.family, predictor.target, answer, ratio, 1e3 * batch_size / answer.time_ms)


def _agreement(predictors: Sequence[Predictor], now: Mapping[str, Prediction]) -> tuple[Agreement, ...]:
    found = []
    targets = {predictor.target.name: predictor.target for predictor in predictors}
    for name, target in targets.items():
        mine = [one for one in predictors if one.target.name == name and math.isfinite(now[one.name].time_ms)]
        if len(mine) < 2:
            continue
        middle = median(now[one.name].time_ms for one in mine)
        for one in mine:
            answer = now[one.name]
            hatched = answer.status != Status.IN_RANGE
            found.append(Agreement(one.name, one.family, target, middle, answer.time_ms / middle, hatched))
    return tuple(found)


def _algorithms(predictor: Predictor, config: ConvConfig) -> tuple[tuple[str, Prediction], ...]:
    names = predictor.card.algorithms
    if len(names) < 2:
        return ()
    batch = predictor.predict(ConfigTable.from_configs([config.model_copy(update={"algorithm": name}) for name in names]))
    return tuple((name, batch.row(i)) for i, name in enumerate(names))


def fastest(algorithms: Sequence[tuple[str, Prediction]]) -> str:
    """Name of the algorithm with the smallest time; empty when there is none."""
    usable = [(answer.time_ms, name) for name, answer in algorithms if math.isfinite(answer.time_ms)]
    return min(usable)[1] if usable else ""
