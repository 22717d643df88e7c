"""Predictors: one trained family for one target, ready to answer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count
from math import log
from pathlib import Path
from time import perf_counter
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.card import ModelCard
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.features import feature_matrix
from cnnpredict_gui.core.interval import IntervalBounds
from cnnpredict_gui.core.names import Target
from cnnpredict_gui.core.prediction import Prediction, PredictionBatch, Reasons, Status
from cnnpredict_gui.core.table import ConfigTable, Floats
from cnnpredict_gui.serving.bulk import BULK, Worker
from cnnpredict_gui.serving.domain import Texts, TrainingDomain
from cnnpredict_gui.serving.statistics import STATISTICS

#: Rows handled at once; larger tables are cut and their pieces spread over the cores.
CHUNK_ROWS = 8_192
#: Times outside these limits (ms) are no times of a layer: the model is far outside of what it knows.
PLAUSIBLE_MS = (1e-6, 1e15)
_REFUSED, _EXTRAPOLATING, _STATES = int(Status.REFUSED), int(Status.EXTRAPOLATING), len(Status)
_PLAUSIBLE = (log(PLAUSIBLE_MS[0]), log(PLAUSIBLE_MS[1]))
_KEYS = count()
_NOT_A_TIME = "the model's answer is not a plausible time for a layer"


@dataclass
class Memo:
    """What predictors share while they answer one table: log times of all, the feature matrix used last, and a worker."""

    log_times: dict[int, Floats] = field(default_factory=dict)
    matrix_key: tuple[str, tuple[str, ...]] | None = None
    matrix: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))
    worker: Worker | None = None


class Engine(Protocol):
    """What runs a model's weights."""

    def run(self, matrix: npt.NDArray[np.float32]) -> Floats:
        """Answers of shape (n,), float64, for features of shape (n, F)."""


class TrainedModel:
    """Weights and card of one family: gives log times.

    ``path`` is that of the weights' file, None where they were not loaded from one.
    """

    def __init__(self, card: ModelCard, engine: Engine, path: Path | None = None) -> None:
        self.card = card
        self.path = path
        #: Tells models apart for as long as the program runs.
        self.key = next(_KEYS)
        self._engine = engine
        offset = (card.offset_feature,) if card.offset_feature else ()
        self._names = (*card.features, *(name for name in offset if name not in card.features))
        self._offset = self._names.index(offset[0]) if offset else None

    @property
    def sha256(self) -> str:
        """Hash of the weights' file by its card; empty if it has none."""
        return self.card.files.get(self.path.name, "") if self.path else ""

    def log_time(self, table: ConfigTable, memo: Memo) -> Floats:
        """Natural log of the time in ms, shape (n,); not finite where the model gave no time."""
        if self.key not in memo.log_times:
            memo.log_times[self.key] = self._by_worker(table, memo) if memo.worker else self._compute(table, memo)
        return memo.log_times[self.key]

    def _by_worker(self, table: ConfigTable, memo: Memo) -> Floats:
        if memo.worker is not None and BULK.is_ready(self):
            answer = BULK.log_time(memo.worker, self, table)
            if answer is not None:
                return answer
        return self._compute(table, memo)

    def _compute(self, table: ConfigTable, memo: Memo) -> Floats:
        BULK.note(self, table)
        matrix = self._matrix(table, memo)
        width = len(self.card.features)
        answer = self._engine.run(matrix if matrix.shape[1] == width else np.ascontiguousarray(matrix[:, :width]))
        if self.card.output == "ms":
            with np.errstate(divide="ignore", invalid="ignore"):
                answer = np.log(answer)
        return answer if self._offset is None else answer + matrix[:, self._offset]

    def _matrix(self, table: ConfigTable, memo: Memo) -> npt.NDArray[np.float32]:
        key = (self.card.device.name, self._names)
        if key != memo.matrix_key:
            memo.matrix_key, memo.matrix = key, feature_matrix(table, self.card.device, self._names)
        return memo.matrix


class ConsensusModel:
    """Families of one target blended by weights: log times are averaged."""

    def __init__(self, card: ModelCard, parts: dict[str, TrainedModel]) -> None:
        self.card = card
        self._parts = [(card.weights[family], part) for family, part in parts.items()]

    def log_time(self, table: ConfigTable, memo: Memo) -> Floats:
        """Weighted mean of the families' log times, shape (n,)."""
        total = np.zeros(len(table))
        for weight, part in self._parts:
            total += weight * part.log_time(table, memo)
        return total


@dataclass(frozen=True)
class _Answer:
    time: Floats
    low: Floats
    high: Floats
    status: npt.NDArray[np.uint8]


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
        times[:] = log_time
        if self.bounds is not None:
            times[0], times[2] = self.bounds(resolved, log_time)
        usable = (times[0] >= _PLAUSIBLE[0]) & (times[2] <= _PLAUSIBLE[1])
        if not usable.all():
            status = np.where(usable, status, np.uint8(_REFUSED))
        refused = status == _REFUSED
        if refused.any():
            times[:, refused] = np.nan
        low, time, high = np.exp(times, out=times)
        return _Answer(time, low, high, status)

    def reasons(self, table: ConfigTable, status: npt.NDArray[np.uint8]) -> Texts:
        """Texts for the given verdicts, shape (n,)."""
        resolved = table.resolve_algorithm(self.card.default_algorithm)
        texts = self.domain.reasons(resolved)
        texts[(status == Status.REFUSED) & (self.domain.status(resolved) != Status.REFUSED)] = _NOT_A_TIME
        return texts


def predict_many(predictors: Sequence[Predictor], table: ConfigTable) -> dict[str, PredictionBatch]:
    """Answers of several predictors for the same rows, by name; features are computed once for all of them.

    What is derived from the rows is kept in the table, so measure latency with a fresh table each time.
    """
    if len(table) <= CHUNK_ROWS:
        return {predictor.name: _batch(predictor, table, [answer]) for predictor, answer in _answers(predictors, table)}
    chunks = [slice(start, start + CHUNK_ROWS) for start in range(0, len(table), CHUNK_ROWS)]
    pieces = list(_pool().map(lambda rows: _answers(predictors, table[rows]), chunks))
    return {
        predictor.name: _batch(predictor, table, [piece[column][1] for piece in pieces])
        for column, predictor in enumerate(predictors)
    }


def _answers(predictors: Sequence[Predictor], table: ConfigTable) -> list[tuple[Predictor, _Answer]]:
    with BULK.worker(len(table)) as worker:
        return _answers_with(predictors, table, Memo(worker=worker))


def _answers_with(predictors: Sequence[Predictor], table: ConfigTable, memo: Memo) -> list[tuple[Predictor, _Answer]]:
    found: list[tuple[Predictor, _Answer]] = []
    for predictor in predictors:
        begin = perf_counter()
        try:
            answer = predictor.answer(table, memo)
        except Exception:
            STATISTICS.record_error(predictor.name)
            raise
        counts = np.bincount(answer.status, minlength=_STATES).tolist()
        STATISTICS.record(predictor.name, len(table), perf_counter() - begin, counts[_REFUSED], counts[_EXTRAPOLATING])
        found.append((predictor, answer))
    return found


def _batch(predictor: Predictor, table: ConfigTable, answers: list[_Answer]) -> PredictionBatch:
    def joined(parts: list[npt.NDArray[np.float64]]) -> Floats:
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    status = answers[0].status if len(answers) == 1 else np.concatenate([answer.status for answer in answers])
    return PredictionBatch(
        joined([answer.time for answer in answers]),
        joined([answer.low for answer in answers]),
        joined([answer.high for answer in answers]),
        status,
        Reasons(lambda: predictor.reasons(table, status), len(table)),
    )


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1), thread_name_prefix="predict")
