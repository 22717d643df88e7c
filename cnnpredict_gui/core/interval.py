"""The 90 % interval of a prediction from the quantiles in its card; used alike by training and serving."""

from __future__ import annotations

import numpy as np

from cnnpredict_gui.core.card import Interval
from cnnpredict_gui.core.table import VOCABULARY, ConfigTable, Floats

#: Group used for rows whose own group has no quantiles.
ANY_GROUP = "*"


def group_name(values: tuple[str, ...]) -> str:
    """Name of a group in the card: the values of ``group_by`` in its order, joined by ``/``, e.g. ``gemm/fp32``."""
    return "/".join(values) or ANY_GROUP


def interval_bounds(interval: Interval, table: ConfigTable, log_time: Floats) -> tuple[Floats, Floats]:
    """Lower and upper log time (natural log of ms), shape (n,) each, for predicted log times of shape (n,).

    The lower bound never lies above the prediction and the upper one never below. Rows of a group without quantiles take
    those of ``*``; without ``*`` the widest of all groups.
    """
    low, high = np.zeros_like(log_time), np.zeros_like(log_time)
    codes = np.zeros(len(table), dtype=np.int64)
    for field in interval.group_by:
        codes = codes * len(VOCABULARY[field]) + table.columns[field]
    for code in _distinct(codes):
        rows = codes == code
        below, above = _quantiles(interval, _group_of(interval, int(code)), log_time[rows])
        low[rows], high[rows] = below, above
    return log_time + np.minimum(low, 0.0), log_time + np.maximum(high, 0.0)


def _distinct(codes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[int]:
    if len(codes) and (codes[0] == codes).all():
        return [int(codes[0])]
    return [int(code) for code in np.flatnonzero(np.bincount(codes))]


def _group_of(interval: Interval, code: int) -> str:
    values: list[str] = []
    for field in reversed(interval.group_by):
        code, index = divmod(code, len(VOCABULARY[field]))
        values.insert(0, VOCABULARY[field][index])
    return group_name(tuple(values))


def _quantiles(interval: Interval, group: str, log_time: Floats) -> tuple[Floats, Floats]:
    if group not in interval.knots:
        group = ANY_GROUP
    if group in interval.knots:
        knots = interval.knots[group]
        return np.interp(log_time, knots, interval.low[group]), np.interp(log_time, knots, interval.high[group])
    each = [_quantiles(interval, name, log_time) for name in interval.knots]
    return np.min([low for low, _ in each], axis=0), np.max([high for _, high in each], axis=0)
