"""What a predictor answers: times, 90 % intervals and verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import overload

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
    """One predictor's answer for one configuration; times in ms, NaN where refused; bounds NaN where no interval is known."""

    time_ms: float
    low_ms: float
    high_ms: float
    status: Status
    reason: str = ""

    @property
    def verdict(self) -> str:
        """``in range``, ``extrapolating: why`` or ``refused: why``."""
        return f"{self.status.label}: {self.reason}" if self.reason else self.status.label


class Reasons(Sequence[str]):
    """One text per row, made when first looked at: a million verdicts cost nothing until somebody reads why.

    Args:
        make: Gives the texts, an object array of shape (n,).
        length: n.
    """

    def __init__(self, make: Callable[[], npt.NDArray[np.object_]], length: int) -> None:
        self._make, self._length = make, length
        self._texts: npt.NDArray[np.object_] | None = None

    def texts(self) -> npt.NDArray[np.object_]:
        """All texts, shape (n,), object."""
        if self._texts is None:
            self._texts = self._make()
        return self._texts

    def tolist(self) -> list[str]:
        """All texts as a list."""
        return list(self.texts().tolist())

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        found = self.texts()[index]
        return list(found.tolist()) if isinstance(index, slice) else str(found)

    def __iter__(self) -> Iterator[str]:
        return iter(self.tolist())


@dataclass(frozen=True)
class PredictionBatch:
    """One predictor's answers for n configurations: arrays of shape (n,); times in ms, NaN where refused.

    The bounds are NaN as well where no interval is known (imported models).

    ``reasons`` has one text per row, empty where in range; :meth:`Reasons.texts` gives them as an array.
    """

    time_ms: npt.NDArray[np.float64]
    low_ms: npt.NDArray[np.float64]
    high_ms: npt.NDArray[np.float64]
    status: npt.NDArray[np.uint8]
    reasons: Reasons

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
