"""Predictors: one trained family for one target, ready to answer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from math import log
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.card import ModelCard
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.features import quantities
from cnnpredict_gui.core.interval import IntervalBounds
from cnnpredict_gui.core.names import Target
from cnnpredict_gui.core.prediction import Prediction, PredictionBatch, Reasons, Status
from cnnpredict_gui.core.table import ConfigTable, Floats
from cnnpredict_gui.infra.precedence import give_way
from cnnpredict_gui.serving.domain import Texts, TrainingDomain
from cnnpredict_gui.serving.models import ConsensusModel, Memo, TrainedModel
from cnnpredict_gui.serving.statistics import STATISTICS

#: Most rows handled at once, few enough to stay in a core's cache, and most rows of the block that a thread works on.
PIECE_ROWS, BLOCK_ROWS = 4_096, 65_536
#: From this many rows on, trees are asked in an order of their own.
SORTED_ROWS = 2_048
_SMOOTH_FAMILIES = ("nn", "lasso")
#: Times outside these limits (ms) are no times of a layer: the model is far outside of what it knows.
PLAUSIBLE_MS = (1e-6, 1e15)
#: Bounds of models whose card has no interval: none is made up.
_UNKNOWN = np.nan
_REFUSED = int(Status.REFUSED)
_PLAUSIBLE = (log(PLAUSIBLE_MS[0]), log(PLAUSIBLE_MS[1]))
_NOT_A_TIME = "the model's answer is not a plausible time for a layer"


@dataclass(frozen=True)
class _Answer:
    """Low, predicted and high times, shape (3, n), in ms; verdicts, shape (n,); seconds of work."""

    times: Floats
    status: npt.NDArray[np.uint8]
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Predictor:
    """Answers configurations with times, 90 % intervals and verdicts. Safe to use from several threads.

    ``name`` is ``{family}_{training folder}``, with ``@version`` appended if a newer version bears the plain name.
    """

    name: str
    version: str
    path: Path
    card: ModelCard
    model: TrainedModel | ConsensusModel
    domain: TrainingDomain
    bounds: IntervalBounds | None

    @property
    def family(self) -> str:
        """``nn``, ``xgb``, ``rf``, ``lasso`` or ``consensus``."""
        return self.card.family

    @property
    def target(self) -> Target:
        """Device, framework and time kind the times belong to."""
        return self.card.target

    def named(self, name: str) -> Predictor:
        """The same predictor under another name."""
        return self if name == self.name else replace(self, name=name)

    def predict(self, table: ConfigTable) -> PredictionBatch:
        """Times, intervals and verdicts of every row; refused rows are NaN."""
        return predict_many([self], table)[self.name]

    def predict_one(self, config: ConvConfig) -> Prediction:
        """Time, interval and verdict of one configuration."""
        return self.predict(ConfigTable.from_configs([config])).row(0)

    def answer(self, table: ConfigTable, memo: Memo) -> _Answer:
        """Arrays of one chunk of rows, refused ones NaN."""
        resolved = table.resolve_algorithm(self.card.default_algorithm)
        status = self.domain.status(resolved)
        log_time = self.model.log_time(resolved, memo)
        times = np.empty((3, len(table)))
        low, high = self.bounds(resolved, log_time) if self.bounds is not None else (log_time, log_time)
        usable = (low >= _PLAUSIBLE[0]) & (high <= _PLAUSIBLE[1])
        times[0], times[1], times[2] = (low, log_time, high) if self.bounds is not None else (_UNKNOWN, log_time, _UNKNOWN)
        if not usable.all():
            status = np.where(usable, status, np.uint8(_REFUSED))
        refused = status == _REFUSED
        if refused.any():
            times[:, refused] = np.nan
        return _Answer(np.exp(times, out=times), status)

    def reasons(self, table: ConfigTable, status: npt.NDArray[np.uint8]) -> Texts:
        """Texts for the given verdicts, shape (n,)."""
        resolved = table.resolve_algorithm(self.card.default_algorithm)
        texts = self.domain.reasons(resolved)
        no_time = (status == Status.REFUSED) & (self.domain.status(resolved) != Status.REFUSED)
        return np.where(no_time, _NOT_A_TIME, texts) if no_time.any() else texts


def predict_many(predictors: Sequence[Predictor], table: ConfigTable) -> dict[str, PredictionBatch]:
    """Answers of several predictors for the same rows, by name; features are computed once for all of them.

    Large tables are cut into pieces that are spread over the cores. What is derived from the rows is kept in the table, so
    measure latency with a fresh table each time.
    """
    blocks = _blocks(len(table))
    if len(blocks) == 1:
        parts = [_block(predictors, table)]
    else:
        parts = list(_pool().map(lambda rows: _block(predictors, table[rows]), blocks))
    return {
        predictor.name: _batch(predictor, table, [part[place] for part in parts]) for place, predictor in enumerate(predictors)
    }


def _blocks(rows: int) -> list[slice]:
    """Parts of a table that threads work on: of equal size and as many for each core, so that all cores end together."""
    if rows <= PIECE_ROWS:
        return [slice(0, rows)]
    cores = _cores()
    return _equal_parts(rows, cores * -(-rows // (cores * BLOCK_ROWS)))


def _equal_parts(rows: int, count: int) -> list[slice]:
    edges = [rows * part // count for part in range(count + 1)]
    return [slice(start, end) for start, end in pairwise(edges)]


def _block(predictors: Sequence[Predictor], table: ConfigTable) -> list[_Answer]:
    """Answers for a block, computed in an order in which like rows follow each other if trees are asked."""
    if len(table) < SORTED_ROWS or all(predictor.family in _SMOOTH_FAMILIES for predictor in predictors):
        return _pieces(predictors, table)
    order = _coherent_order(table)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    answers = _pieces(predictors, table[order])
    return [_Answer(answer.times[:, back], answer.status[back], answer.seconds) for answer in answers]


def _coherent_order(table: ConfigTable) -> npt.NDArray[np.intp]:
    """Order by algorithm, element type, size of the data, depth of the sums and work.

    Rows that follow each other then mostly take the same branches of the trees, which processors predict: half as much time.
    """
    q, c = quantities(table), table.columns
    key = c["algorithm"] * 4 + c["dtype"]
    for name in ("bytes", "gemm_k"):
        key = key * 64 + np.rint(np.log2(q[name])).astype(np.int64)
    return np.argsort(key * 64.0 + np.log2(q["macs"]))


def _pieces(predictors: Sequence[Predictor], table: ConfigTable) -> list[_Answer]:
    if len(table) <= PIECE_ROWS:
        return _piece(predictors, table)
    pieces = [_piece(predictors, table[rows]) for rows in _equal_parts(len(table), -(-len(table) // PIECE_ROWS))]
    return [_joined(list(answers)) for answers in zip(*pieces, strict=True)]


def _piece(predictors: Sequence[Predictor], table: ConfigTable) -> list[_Answer]:
    found: list[_Answer] = []
    memo = Memo()
    for predictor in predictors:
        give_way()
        begin = perf_counter()
        try:
            answer = predictor.answer(table, memo)
        except Exception:
            STATISTICS.record_error()
            raise
        found.append(replace(answer, seconds=perf_counter() - begin))
    return found


def _joined(answers: list[_Answer]) -> _Answer:
    if len(answers) == 1:
        return answers[0]
    times = np.concatenate([answer.times for answer in answers], axis=1)
    return _Answer(times, np.concatenate([answer.status for answer in answers]), sum(answer.seconds for answer in answers))


def _batch(predictor: Predictor, table: ConfigTable, answers: list[_Answer]) -> PredictionBatch:
    give_way()
    answer = _joined(answers)
    STATISTICS.record(len(table), answer.seconds)
    reasons = Reasons(lambda: predictor.reasons(table, answer.status), len(table))
    return PredictionBatch(answer.times[1], answer.times[0], answer.times[2], answer.status, reasons)


def _cores() -> int:
    return min(8, os.cpu_count() or 1)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=_cores(), thread_name_prefix="predict")
