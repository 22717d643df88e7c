"""What the Sweep view shows, computed off the GUI thread in one go. No Qt here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import CancelledByUserError, ConfigError
from cnnpredict_gui.core.names import Target
from cnnpredict_gui.core.prediction import Prediction, Status

if TYPE_CHECKING:
    from cnnpredict_gui.serving.predictor import Predictor
    from cnnpredict_gui.studies.sweep import SweepResult

#: Answers shown at once at most; more make neither a chart nor a table better.
MAX_ANSWERS = 20_000
_COMPARED = re.compile(r"[\d.,e+]+ (?=[<>])")


@dataclass(frozen=True)
class SweepRequest:
    """What is asked: one or two parameters with their values, and whom."""

    config: ConvConfig
    varied: Mapping[str, Sequence[int]]
    predictors: tuple[Predictor, ...]


@dataclass(frozen=True, eq=False)
class Curve:
    """One predictor's answers over n points: times in ms, NaN where refused or impossible."""

    predictor: str
    family: str
    target: Target
    time_ms: npt.NDArray[np.float64]
    low_ms: npt.NDArray[np.float64]
    high_ms: npt.NDArray[np.float64]
    status: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class SweepRow:
    """One answer, for the table; ``values`` are the varied parameters' values."""

    point: int
    values: tuple[int, ...]
    predictor: str
    family: str
    target: Target
    prediction: Prediction


@dataclass(frozen=True, eq=False)
class SweepAnswer:
    """Everything the view shows. ``gaps`` and ``stretches`` are reasons with the points (n) they hold for."""

    result: SweepResult
    curves: tuple[Curve, ...]
    rows: tuple[SweepRow, ...]
    gaps: tuple[tuple[str, tuple[int, ...]], ...]
    stretches: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def values(self) -> npt.NDArray[np.int64]:
        """Values of the first parameter, shape (n,)."""
        return np.array([point[0] for point in self.result.points], dtype=np.int64)

    def curve(self, predictor: str) -> Curve | None:
        """The curve of a predictor."""
        return next((curve for curve in self.curves if curve.predictor == predictor), None)


def compute(request: SweepRequest, cancelled: Callable[[], bool]) -> SweepAnswer:
    """Ask the predictors everything.

    Raises:
        ConfigError: the sweep is impossible, or larger than :data:`MAX_ANSWERS`.
        CancelledByUserError: ``cancelled`` said so.
    """
    from cnnpredict_gui.studies.sweep import sweep

    points = int(np.prod([len(values) for values in request.varied.values()]))
    if points * len(request.predictors) > MAX_ANSWERS:
        message = f"{points:,} points for {len(request.predictors)} predictors are more than {MAX_ANSWERS:,} answers"
        raise ConfigError(message, "give fewer values or choose fewer predictors")
    result = sweep(request.config, request.varied, request.predictors, cancelled=cancelled)
    curves = tuple(_curve(result, one) for one in request.predictors)
    rows: list[SweepRow] = []
    gaps: dict[str, dict[int, None]] = {}
    stretches: dict[str, dict[int, None]] = {}
    for one in request.predictors:
        if cancelled():
            raise CancelledByUserError("the sweep was cancelled")
        for point, values in enumerate(result.points):
            answer = result.prediction(one.name, point)
            rows.append(SweepRow(point, values, one.name, one.family, one.target, answer))
            if answer.status != Status.IN_RANGE:
                kind = gaps if answer.status == Status.REFUSED else stretches
                for reason in answer.reason.split("; "):
                    kind.setdefault(reason, {})[point] = None
    return SweepAnswer(result, curves, tuple(rows), _listed(gaps), _listed(stretches))


def _listed(found: dict[str, dict[int, None]]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((reason, tuple(sorted(points))) for reason, points in found.items())


def _curve(result: SweepResult, predictor: Predictor) -> Curve:
    count, there = len(result.points), result.rows >= 0
    time, low, high = (np.full(count, np.nan) for _ in range(3))
    status = np.full(count, int(Status.REFUSED), dtype=np.uint8)
    batch = result.answers.get(predictor.name)
    if batch is not None:
        for array, values in ((time, batch.time_ms), (low, batch.low_ms), (high, batch.high_ms)):
            array[there] = values[result.rows[there]]
        status[there] = batch.status[result.rows[there]]
    return Curve(predictor.name, predictor.family, predictor.target, time, low, high, status)


def in_words(reasons: Sequence[tuple[str, tuple[int, ...]]], points: Sequence[tuple[int, ...]], most: int = 3) -> str:
    """Reasons with the values they hold for, the most frequent first: ``kernel too large (at 9, 11); ...``.

    Reasons that differ only in the value compared, such as ``macs 2e6 > 1e6 measured``, are taken together.
    """
    alike: dict[str, set[int]] = {}
    for reason, where in reasons:
        alike.setdefault(_COMPARED.sub("", reason), set()).update(where)
    ordered = sorted(alike.items(), key=lambda pair: -len(pair[1]))
    parts = []
    for reason, found in ordered[:most]:
        if len(found) == len(points):
            parts.append(f"{reason} (everywhere)")
            continue
        shown = [" × ".join(f"{value:,}" for value in points[point]) for point in sorted(found)[:8]]
        more = f" and {len(found) - 8} more" if len(found) > 8 else ""
        parts.append(f"{reason} (at {', '.join(shown)}{more})")
    if len(ordered) > most:
        parts.append(f"{len(ordered) - most} further reasons in the table")
    return "; ".join(parts)
