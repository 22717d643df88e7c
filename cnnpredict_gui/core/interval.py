"""The 90 % interval of a prediction from the quantiles in its card; used alike by training and serving."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.card import Interval
from cnnpredict_gui.core.table import VOCABULARY, ConfigTable, Floats

#: Group used for rows whose own group has no quantiles.
ANY_GROUP = "*"


def group_name(values: tuple[str, ...]) -> str:
    """Name of a group in the card: the values of ``group_by`` in its order, joined by ``/``, e.g. ``gemm/fp32``."""
    return "/".join(values) or ANY_GROUP


class IntervalBounds:
    """The quantiles of a card made ready for use.

    Rows of a group without quantiles take those of ``*``; without ``*`` the widest of all groups. Quantiles on the wrong side
    of the prediction count as zero.
    """

    def __init__(self, interval: Interval) -> None:
        self._fields = interval.group_by
        self._curves = {
            group: (np.array(knots), np.minimum(interval.low[group], 0.0), np.maximum(interval.high[group], 0.0))
            for group, knots in interval.knots.items()
        }

    def __call__(self, table: ConfigTable, log_time: Floats) -> tuple[Floats, Floats]:
        """Lower and upper log time (natural log of ms), shape (n,) each, for predicted log times of shape (n,).

        The lower bound never lies above the prediction and the upper one never below.
        """
        codes = self._codes(table)
        if codes is None:
            low, high = self._quantiles(self._group_of(0), log_time)
        elif (codes[:1] == codes).all():
            low, high = self._quantiles(self._group_of(int(codes[0]) if len(codes) else 0), log_time)
        else:
            low, high = np.empty_like(log_time), np.empty_like(log_time)
            for code in np.flatnonzero(np.bincount(codes)):
                rows = codes == code
                low[rows], high[rows] = self._quantiles(self._group_of(int(code)), log_time[rows])
        return log_time + low, log_time + high

    def _codes(self, table: ConfigTable) -> npt.NDArray[np.int64] | None:
        """One number per row for its group; None if there is only one group."""
        codes: npt.NDArray[np.int64] | None = None
        for field in self._fields:
            column = table.columns[field]
            codes = column if codes is None else codes * len(VOCABULARY[field]) + column
        return codes

    def _group_of(self, code: int) -> str:
        values: list[str] = []
        for field in reversed(self._fields):
            code, index = divmod(code, len(VOCABULARY[field]))
            values.insert(0, VOCABULARY[field][index])
        return group_name(tuple(values))

    def _quantiles(self, group: str, log_time: Floats) -> tuple[Floats, Floats]:
        curve = self._curves.get(group) or self._curves.get(ANY_GROUP)
        if curve is not None:
            return np.interp(log_time, curve[0], curve[1]), np.interp(log_time, curve[0], curve[2])
        each = [self._quantiles(name, log_time) for name in self._curves]
        return np.min([low for low, _ in each], axis=0), np.max([high for _, high in each], axis=0)


def interval_bounds(interval: Interval, table: ConfigTable, log_time: Floats) -> tuple[Floats, Floats]:
    """Bounds of :class:`IntervalBounds` for quantiles that are used once."""
    return IntervalBounds(interval)(table, log_time)
