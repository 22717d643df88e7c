"""Split-conformal 90 % intervals, their measured coverage, and the weights of the consensus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Literal

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.card import Interval, Metrics
from cnnpredict_gui.core.interval import ANY_GROUP, group_name, interval_bounds
from cnnpredict_gui.core.metrics import metrics
from cnnpredict_gui.core.table import VOCABULARY, ConfigTable, Floats

LEVEL = 0.90
#: Rows a bin of predicted times needs for stable 5 % and 95 % quantiles, and most bins of a group.
BIN_ROWS, MAX_BINS = 160, 10
WEIGHT_STEP = 0.1


def fit_interval(table: ConfigTable, predicted: Floats, true: Floats) -> Interval:
    """Interval of the log error by algorithm, dtype and size (Lei et al. 2018; Mondrian bins, Vovk et al. 2003).

    Args:
        table: n configurations, none of them seen by the model that predicted them.
        predicted: Predicted natural log of ms, shape (n,).
        true: Measured natural log of ms, shape (n,).
    """
    fields = _varying(table)
    groups = {ANY_GROUP: np.ones(len(true), dtype=np.bool_)} | _groups(table, fields)
    fitted = {name: _bins(predicted[rows], (true - predicted)[rows]) for name, rows in groups.items()}
    parts = [{name: bins[part] for name, bins in fitted.items()} for part in range(3)]
    return Interval(group_by=fields, knots=parts[0], low=parts[1], high=parts[2])


def _varying(table: ConfigTable) -> tuple[Literal["algorithm", "dtype"], ...]:
    fields: tuple[Literal["algorithm", "dtype"], ...] = ("algorithm", "dtype")
    return tuple(field for field in fields if len(np.unique(table.columns[field])) > 1)


def _groups(table: ConfigTable, fields: Sequence[str]) -> dict[str, npt.NDArray[np.bool_]]:
    """Rows of each combination of values of some fields that has enough of them, masks of shape (n,); none without fields."""
    groups: dict[str, npt.NDArray[np.bool_]] = {}
    if not fields:
        return groups
    codes = np.stack([table.columns[field] for field in fields], axis=1)
    for row in np.unique(codes, axis=0):
        rows = (codes == row).all(axis=1)
        if rows.sum() >= BIN_ROWS:
            groups[group_name(tuple(VOCABULARY[field][code] for field, code in zip(fields, row, strict=True)))] = rows
    return groups


def _bins(predicted: Floats, error: Floats) -> tuple[list[float], list[float], list[float]]:
    """Knots at the bins' median prediction; order statistics with the finite-sample correction as bounds."""
    order = np.argsort(predicted, kind="stable")
    count = int(np.clip(len(order) // BIN_ROWS, 1, MAX_BINS))
    knots, low, high = [], [], []
    for rows in np.array_split(order, count):
        errors = np.sort(error[rows])
        rank = min(int(np.ceil((len(errors) + 1) * (1 + LEVEL) / 2)), len(errors)) - 1
        knots.append(round(float(np.median(predicted[rows])), 5))
        low.append(round(float(errors[len(errors) - 1 - rank]), 5))
        high.append(round(float(errors[rank]), 5))
    return knots, low, high


def score(
    table: ConfigTable, predicted: Floats, true: Floats, groups: npt.NDArray[np.uint64]
) -> tuple[Metrics, dict[str, Metrics]]:
    """Metrics of all rows, and of each algorithm and element type where there are several.

    The intervals are fitted on the other half of the shapes (two-fold, so never on the same rows).

    Args:
        table: n configurations, none of them seen by the model that predicted them.
        predicted: Predicted natural log of ms, shape (n,).
        true: Measured natural log of ms, shape (n,).
        groups: A number for each shape, shape (n,).
    """
    low, high = np.empty_like(true), np.empty_like(true)
    half = (groups >> np.uint64(40)) % np.uint64(2) == 0
    for fitted_on, scored in ((half, ~half), (~half, half)):
        if fitted_on.any() and scored.any():
            interval = fit_interval(table[fitted_on], predicted[fitted_on], true[fitted_on])
            low[scored], high[scored] = interval_bounds(interval, table[scored], predicted[scored])
        else:
            low[scored], high[scored] = predicted[scored], predicted[scored]
    times = [np.exp(values) for values in (true, predicted, low, high)]
    by_group = {name: metrics(*(one[rows] for one in times)) for name, rows in _groups(table, _varying(table)).items()}
    return metrics(*times), by_group


def consensus_weights(predicted: Mapping[str, Floats], true: Floats) -> dict[str, float]:
    """Weights on a grid of tenths, summing to one, whose blend of log times has the least mean absolute percentage error."""
    families = list(predicted)
    columns = np.stack([predicted[family] for family in families], axis=1)
    rows = np.random.default_rng(0).permutation(len(true))[:20_000]
    steps = round(1 / WEIGHT_STEP)
    best, least = (steps, *[0] * (len(families) - 1)), np.inf
    for tenths in product(range(steps + 1), repeat=len(families)):
        if sum(tenths) == steps:
            error = float(np.abs(np.expm1(columns[rows] @ np.array(tenths) / steps - true[rows])).mean())
            if error < least:
                best, least = tenths, error
    return {family: part / steps for family, part in zip(families, best, strict=True)}
