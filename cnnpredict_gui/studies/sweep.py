"""Sweeps: one layer with one or two of its parameters varied, through several predictors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.config import INTEGER_FIELDS, LIMITS, PAIR_FIELDS, ConvConfig, same_padding
from cnnpredict_gui.core.errors import CancelledByUserError, ConfigError, UnknownNameError
from cnnpredict_gui.core.names import nearest
from cnnpredict_gui.core.prediction import Prediction, PredictionBatch, Status
from cnnpredict_gui.core.table import ConfigTable, Integers
from cnnpredict_gui.serving.predictor import Predictor, predict_many

#: Parameters that can be varied, with the fields each sets.
VARIABLES: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in INTEGER_FIELDS},
    **{short: (f"{stem}_height", f"{stem}_width") for short, stem in PAIR_FIELDS.items()},
    "input_size": ("input_height", "input_width"),
    "channels": ("input_channels", "output_channels"),
}
MAX_POINTS = 10_000


@dataclass(frozen=True, eq=False)
class SweepResult:
    """Answers of a sweep; n points, of which some may be no valid configuration.

    ``points`` holds the varied values in the order of ``parameters``; ``errors`` says why a point is no configuration, empty
    where it is one; ``rows`` has shape (n,): the row of ``table`` and of each batch in ``answers``, -1 for a point in error.
    """

    config: ConvConfig
    parameters: tuple[str, ...]
    points: list[tuple[int, ...]]
    errors: list[str]
    rows: npt.NDArray[np.int64]
    table: ConfigTable
    answers: dict[str, PredictionBatch]

    def prediction(self, name: str, point: int) -> Prediction:
        """Answer of the predictor ``name`` for a point, refused where the point is no configuration."""
        if self.rows[point] < 0:
            nan = float("nan")
            return Prediction(nan, nan, nan, Status.REFUSED, self.errors[point])
        return self.answers[name].row(int(self.rows[point]))


def sweep(
    config: ConvConfig,
    varied: Mapping[str, Sequence[int]],
    predictors: Sequence[Predictor],
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> SweepResult:
    """Vary one parameter, or two over their grid (the first one slowest), and ask all predictors.

    Padding that is "same" stays so when the kernel or dilation is varied; a depthwise layer stays depthwise when
    ``channels`` is.

    Args:
        config: The layer whose other parameters stay.
        varied: Parameter to its values.
        predictors: Whom to ask.
        progress: Called after each predictor with (predictors done, predictors in all).
        cancelled: Asked before each predictor.

    Raises:
        UnknownNameError: a parameter cannot be varied.
        ConfigError: there are no points or more than :data:`MAX_POINTS`, or two parameters set the same field.
        CancelledByUserError: ``cancelled`` said so.
    """
    fields = [field for name in varied for field in _fields(name)]
    if len(set(fields)) != len(fields):
        raise ConfigError(f"{' and '.join(varied)} overlap", "vary parameters that have nothing in common", fields[0])
    count = prod(len(values) for values in varied.values()) if varied else 0
    if not 0 < count <= MAX_POINTS:
        raise ConfigError(f"the sweep has {count:,} points", f"give 1 to {MAX_POINTS:,}")
    points = list(product(*varied.values()))
    table, valid, errors = ConfigTable.from_columns(_columns(config, varied, np.array(points)))
    rows = np.where(valid, np.cumsum(valid) - 1, -1)
    answers = _answers(table, predictors, progress, cancelled)
    return SweepResult(config, tuple(varied), points, errors, rows, table, answers)


def _answers(
    table: ConfigTable,
    predictors: Sequence[Predictor],
    progress: Callable[[int, int], None] | None,
    cancelled: Callable[[], bool] | None,
) -> dict[str, PredictionBatch]:
    if progress is None and cancelled is None:
        return predict_many(predictors, table) if len(table) else {}
    answers: dict[str, PredictionBatch] = {}
    for done, predictor in enumerate(predictors, 1):
        if cancelled is not None and cancelled():
            raise CancelledByUserError("the sweep was cancelled")
        answers |= predict_many([predictor], table) if len(table) else {}
        if progress is not None:
            progress(done, len(predictors))
    return answers


def _columns(config: ConvConfig, varied: Mapping[str, Sequence[int]], points: Integers) -> dict[str, Any]:
    """Columns of all points, by canonical field; without padding where it is "same"."""
    columns: dict[str, Any] = {name: np.full(len(points), value) for name, value in _free(config, varied).items()}
    for place, name in enumerate(varied):
        columns |= dict.fromkeys(_fields(name), points[:, place])
    if "groups" not in columns:
        columns["groups"] = columns["input_channels"]
    return columns


def _free(config: ConvConfig, varied: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the layer, without those that follow from the varied ones: "same" padding and groups of a depthwise layer."""
    data = config.model_dump()
    for axis in ("height", "width"):
        if data[f"padding_{axis}"] == same_padding(data[f"kernel_{axis}"], data[f"dilation_{axis}"]):
            del data[f"padding_{axis}"]
    if "channels" in varied and 1 < config.groups == config.input_channels == config.output_channels:
        del data["groups"]
    return data


def with_values(config: ConvConfig, values: Mapping[str, int]) -> ConvConfig:
    """The layer with other values of some parameters of :data:`VARIABLES`, by the rules of :func:`sweep`.

    Raises:
        UnknownNameError: a parameter is not in :data:`VARIABLES`.
        ConfigError: there is no such layer.
    """
    data = _free(config, values)
    for name, value in values.items():
        data |= dict.fromkeys(_fields(name), value)
    return ConvConfig.parse({"groups": data["input_channels"]} | data)


def parse_values(text: str, parameter: str) -> list[int]:
    """Values from a text: ``1,2,8``, a range ``16:256:16`` (ends included), or a series ``1,2,4,...,128``.

    A series goes on by the ratio of the three numbers before the dots if they have one that is whole, else by the difference
    of the last two; it ends at the number after the dots.

    Raises:
        UnknownNameError: the parameter cannot be varied.
        ConfigError: the text is none of these, or a value is outside the parameter's limits.
    """
    fields = _fields(parameter)
    values: list[int] = []
    parts = [part.strip() for part in text.split(",") if part.strip()]
    for place, part in enumerate(parts):
        if part in ("...", "…"):
            end = _whole(parts[place + 1], parameter) if place + 1 < len(parts) else None
            values += _continued(values, end, parameter)
        elif ":" in part:
            values += _range(part, parameter)
        else:
            values.append(_whole(part, parameter))
    values = list(dict.fromkeys(values))
    high = min(LIMITS[field] for field in fields)
    low = 0 if fields[0].startswith("padding") else 1
    wrong = [value for value in values if not low <= value <= high]
    if wrong or not values:
        shown = f"{parameter} is {wrong[0]}, outside {low} to {high:,}" if wrong else f"{parameter} has no values"
        raise ConfigError(shown, "give values such as 1,2,4,...,128 or 16:256:16", fields[0])
    return values


def _fields(parameter: str) -> tuple[str, ...]:
    if parameter not in VARIABLES:
        raise UnknownNameError(f"{parameter!r} cannot be varied", nearest(parameter, list(VARIABLES)))
    return VARIABLES[parameter]


def _whole(text: str, parameter: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,9}", text):
        raise ConfigError(
            f"{text!r} is no value of {parameter}", "give whole numbers such as 1,2,4,...,128 or 16:256:16", parameter
        )
    return int(text)


def _range(text: str, parameter: str) -> list[int]:
    numbers = [_whole(part.strip(), parameter) for part in text.split(":")]
    start, stop, step = (*numbers, 1)[:3]
    if len(numbers) > 3 or step < 1 or stop < start:
        raise ConfigError(f"{text!r} is no range", "write first:last:step with first below last, such as 16:256:16", parameter)
    return list(range(start, stop + 1, step))[: MAX_POINTS + 1]


def _continued(values: Sequence[int], end: int | None, parameter: str) -> list[int]:
    if end is None or len(values) < 2 or not values[-2] < values[-1] < end:
        hint = "write two numbers before the dots and a larger one after, such as 1,2,...,16"
        raise ConfigError(f"the dots in the values of {parameter} cannot be filled in", hint, parameter)
    before, last = values[-2:]
    step = last - before
    is_geometric = len(values) > 2 and values[-3] * last == before**2
    ratio = last // before if is_geometric and last % before == 0 else 1
    found: list[int] = []
    while len(found) <= MAX_POINTS:
        last = last * ratio if ratio > 1 else last + step
        if last >= end:
            return found
        found.append(last)
    return found
