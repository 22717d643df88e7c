"""Weights that give log times: one family of a target, or the blend of its families."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.card import Device, ModelCard
from cnnpredict_gui.core.features import feature_matrix
from cnnpredict_gui.core.table import ConfigTable, Floats


class Engine(Protocol):
    """Weights: the application serves :class:`~cnnpredict_gui.serving.engine.OnnxModel`; benchmarks try others."""

    def run(self, matrix: npt.NDArray[np.float32], /) -> Floats:
        """Answers of shape (n,), float64, for features of shape (n, F)."""


@dataclass
class Memo:
    """What predictors share while they answer one table: log times of all, and the feature matrix used last."""

    log_times: dict[tuple[int, int], Floats] = field(default_factory=dict)
    matrix_key: tuple[int, Device, tuple[str, ...]] | None = None
    matrix: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))


@cache
def _one_of_each(device: Device) -> Device:
    """The same object for equal devices: what is kept per device is then found without comparing their figures."""
    return device


class TrainedModel:
    """Weights and card of one family: gives log times."""

    def __init__(self, card: ModelCard, engine: Engine) -> None:
        self.card = card
        self.engine = engine
        self._device = _one_of_each(card.device)
        offset = (card.offset_feature,) if card.offset_feature else ()
        self._names = (*card.features, *(name for name in offset if name not in card.features))
        self._offset = self._names.index(offset[0]) if offset else None

    def __reduce__(self) -> tuple[type[TrainedModel], tuple[ModelCard, Engine]]:
        return TrainedModel, (self.card, self.engine)

    def log_time(self, table: ConfigTable, memo: Memo) -> Floats:
        """Natural log of the time in ms, shape (n,); not finite where the model gave no time."""
        key = (id(self), id(table))
        if key not in memo.log_times:
            memo.log_times[key] = self._compute(table, memo)
        return memo.log_times[key]

    def _compute(self, table: ConfigTable, memo: Memo) -> Floats:
        matrix = self._matrix(table, memo)
        width = len(self.card.features)
        answer = self.engine.run(matrix if matrix.shape[1] == width else np.ascontiguousarray(matrix[:, :width]))
        if self.card.output == "ms":
            with np.errstate(divide="ignore", invalid="ignore"):
                answer = np.log(answer)
        return answer if self._offset is None else answer + matrix[:, self._offset]

    def _matrix(self, table: ConfigTable, memo: Memo) -> npt.NDArray[np.float32]:
        key = (id(table), self._device, self._names)
        if key != memo.matrix_key:
            memo.matrix_key, memo.matrix = key, feature_matrix(table, self._device, self._names)
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
