"""One configuration, or several pinned ones, asked of several predictors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import UnknownNameError
from cnnpredict_gui.core.names import Target, nearest
from cnnpredict_gui.core.prediction import Prediction
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.infra.precedence import give_way
from cnnpredict_gui.serving.predictor import Predictor, predict_many

#: Label of a configuration that was given without one.
ONLY = "config"


@dataclass(frozen=True)
class ComparisonRow:
    """One predictor's answer for one configuration.

    ``ratio`` is its time over the baseline predictor's time for the same configuration, ``percent`` the difference in
    percent of the baseline. Both are NaN where either was refused, and where ``same_time_kind`` is false: times of
    different kinds are not compared. ``ratio_to_first`` is its time over its own time for the first configuration.
    ``measured_ms`` is the time measured on this machine in the predictor's kind of time, NaN where there is none.
    """

    config: str
    predictor: str
    family: str
    target: Target
    prediction: Prediction
    images_per_s: float
    ratio: float
    ratio_to_first: float
    same_time_kind: bool
    is_baseline: bool
    measured_ms: float = math.nan

    @property
    def error_percent(self) -> float:
        """Error against the measured time in percent of it; positive where the prediction is too high, NaN without one."""
        return 100 * (self.prediction.time_ms / self.measured_ms - 1)

    @property
    def percent(self) -> float:
        """Difference to the baseline in percent of the baseline; positive where slower."""
        return 100 * (self.ratio - 1)


@dataclass(frozen=True)
class Comparison:
    """Rows ordered by configuration, then by predictor, in the order given."""

    configs: dict[str, ConvConfig]
    baseline: str
    rows: tuple[ComparisonRow, ...]

    def of_config(self, label: str) -> tuple[ComparisonRow, ...]:
        """Rows of one configuration."""
        return tuple(row for row in self.rows if row.config == label)

    def row(self, predictor: str, label: str | None = None) -> ComparisonRow:
        """The row of a predictor, for the first configuration unless another is named.

        Raises:
            UnknownNameError: there is no such row.
        """
        wanted = label if label is not None else next(iter(self.configs))
        for row in self.rows:
            if (row.predictor, row.config) == (predictor, wanted):
                return row
        raise UnknownNameError(f"{predictor!r} was not asked about {wanted!r}")

    @property
    def time_kinds(self) -> tuple[str, ...]:
        """Kinds of time among the rows; more than one means that not all rows can be compared."""
        return tuple(dict.fromkeys(row.target.time_kind for row in self.rows))


def compare(
    configs: ConvConfig | Mapping[str, ConvConfig], predictors: Sequence[Predictor], baseline: str | None = None
) -> Comparison:
    """Ask every predictor about every configuration.

    Args:
        configs: One configuration, or several by label; the first is what the others are held against.
        predictors: Predictors in the order of the rows.
        baseline: Name of the predictor the others are held against; default: the first.

    Raises:
        UnknownNameError: the baseline is not among the predictors.
    """
    named = {ONLY: configs} if isinstance(configs, ConvConfig) else dict(configs)
    by_name = {predictor.name: predictor for predictor in predictors}
    if baseline is not None and baseline not in by_name:
        raise UnknownNameError(
            f"the baseline {baseline!r} is not among the predictors compared", nearest(baseline, list(by_name))
        )
    if not by_name or not named:
        return Comparison(named, baseline or "", ())
    reference = by_name[baseline] if baseline is not None else predictors[0]
    answers = predict_many(list(by_name.values()), ConfigTable.from_configs(named.values()))
    rows = []
    for index, (label, config) in enumerate(named.items()):
        base = answers[reference.name].row(index)
        for predictor in by_name.values():
            give_way()
            answer, first = answers[predictor.name].row(index), answers[predictor.name].row(0)
            rows.append(_row(label, config, predictor, answer, first, reference, base))
    return Comparison(named, reference.name, tuple(rows))


def _row(
    label: str,
    config: ConvConfig,
    predictor: Predictor,
    answer: Prediction,
    first: Prediction,
    reference: Predictor,
    base: Prediction,
) -> ComparisonRow:
    same = predictor.target.time_kind == reference.target.time_kind
    return ComparisonRow(
        config=label,
        predictor=predictor.name,
        family=predictor.family,
        target=predictor.target,
        prediction=answer,
        images_per_s=1e3 * config.batch_size / answer.time_ms,
        ratio=answer.time_ms / base.time_ms if same else math.nan,
        ratio_to_first=answer.time_ms / first.time_ms,
        same_time_kind=same,
        is_baseline=predictor is reference,
    )
