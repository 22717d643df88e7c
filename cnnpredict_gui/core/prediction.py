"""What a predictor answers: times, 90 % intervals and verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt


class Status(IntEnum):
    """How far a prediction can be trusted."""

    IN_RANGE = 0
    EXTRAPOLATING = 1
    REFUSED = 2

    @property
    def label(self) -> str:
        """The word on screen: ``in range``, ``extrapolating`` or ``refused``."""
        return ("in range", "extrapolating", "refused")[self]


@dataclass(frozen=True)
class Prediction:
    """One predictor's answer for one configuration; times in ms, NaN where refused."""

    time_ms: float
    low_ms: float
    high_ms: float
    status: Status
    reason: str = ""

    @property
    def verdict(self) -> str:
        """``in range``, ``extrapolating: why`` or ``refused: why``."""
        return f"{self.status.label}: {self.reason}" if self.reason else self.status.label


@dataclass(frozen=True)
class PredictionBatch:
    """One predictor's answers for n configurations: arrays of shape (n,); times in ms, NaN where refused.

    ``reasons`` has one text per row, empty where in range.
    """

    time_ms: npt.NDArray[np.float64]
    low_ms: npt.NDArray[np.float64]
    high_ms: npt.NDArray[np.float64]
    status: npt.NDArray[np.uint8]
    reasons: npt.NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.time_ms)

    def row(self, index: int) -> Prediction:
        """One row as a :class:`Prediction`."""
        return Prediction(
            float(self.time_ms[index]),
            float(self.low_ms[index]),
            float(self.high_ms[index]),
            Status(int(self.status[index])),
            str(self.reasons[index]),
        )
