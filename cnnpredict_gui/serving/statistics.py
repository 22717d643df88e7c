"""Counts of what was predicted, for the screen and for monitoring."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median
from threading import Lock

#: Calls whose latencies the median is taken over.
WINDOW = 1_024


@dataclass(frozen=True)
class Served:
    """What was predicted: calls of a predictor that were answered, configurations in them, and calls that failed.

    ``median_ms`` is the latency of the last 1,024 answered calls in ms; None before the first.
    """

    calls: int
    predictions: int
    errors: int
    median_ms: float | None


class ServingStatistics:
    """Thread-safe counters of predictions, errors and latency, of all predictors together."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._calls = self._predictions = self._errors = 0
            self._latencies: deque[float] = deque(maxlen=WINDOW)

    def record(self, rows: int, seconds: float) -> None:
        """Count one call that answered ``rows`` configurations in ``seconds``."""
        with self._lock:
            self._calls += 1
            self._predictions += rows
            self._latencies.append(seconds * 1e3)

    def record_error(self) -> None:
        """Count one call that ended in an exception."""
        with self._lock:
            self._errors += 1

    def snapshot(self) -> Served:
        """The counts now."""
        with self._lock:
            latencies = list(self._latencies)
            counts = self._calls, self._predictions, self._errors
        return Served(*counts, median(latencies) if latencies else None)


#: What :class:`cnnpredict_gui.serving.predictor.Predictor` records into.
STATISTICS = ServingStatistics()
