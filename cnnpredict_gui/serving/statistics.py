"""Counts of what was predicted, for the screen and for monitoring."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from threading import Lock
from time import time
from typing import Any

import numpy as np

#: Latencies kept for the percentiles.
WINDOW = 1_024


@dataclass
class _Counts:
    calls: int = 0
    predictions: int = 0
    refused: int = 0
    extrapolating: int = 0
    errors: int = 0
    seconds: float = 0.0
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))


class ServingStatistics:
    """Thread-safe counters of predictions, errors and latency, per predictor and in all."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[str, _Counts] = {}
        self._since = time()

    def record(self, name: str, rows: int, seconds: float, refused: int = 0, extrapolating: int = 0) -> None:
        """Count one call that answered ``rows`` configurations in ``seconds``."""
        with self._lock:
            counts = self._counts.setdefault(name, _Counts())
            counts.calls += 1
            counts.predictions += rows
            counts.refused += refused
            counts.extrapolating += extrapolating
            counts.seconds += seconds
            counts.latencies.append(seconds * 1e3)

    def record_error(self, name: str) -> None:
        """Count one call that ended in an exception."""
        with self._lock:
            self._counts.setdefault(name, _Counts()).errors += 1

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._counts.clear()
            self._since = time()

    def snapshot(self) -> dict[str, Any]:
        """Totals and a mapping ``predictors`` of the same per predictor; latencies are per call, in ms.

        Returns:
            ``since`` (seconds since the epoch), ``calls``, ``predictions``, ``refused``, ``extrapolating``, ``errors``,
            ``mean_ms``, ``p50_ms``, ``p95_ms``, ``max_ms`` (the percentiles over the last 1,024 calls; None before the first).
        """
        with self._lock:
            each = {name: _summary([counts]) for name, counts in sorted(self._counts.items())}
            return {"since": self._since, **_summary(list(self._counts.values())), "predictors": each}


def _summary(parts: list[_Counts]) -> dict[str, Any]:
    calls = sum(part.calls for part in parts)
    latencies = np.array([value for part in parts for value in part.latencies])
    seen = len(latencies) > 0
    return {
        "calls": calls,
        "predictions": sum(part.predictions for part in parts),
        "refused": sum(part.refused for part in parts),
        "extrapolating": sum(part.extrapolating for part in parts),
        "errors": sum(part.errors for part in parts),
        "mean_ms": sum(part.seconds for part in parts) * 1e3 / calls if calls else None,
        "p50_ms": float(np.percentile(latencies, 50)) if seen else None,
        "p95_ms": float(np.percentile(latencies, 95)) if seen else None,
        "max_ms": float(latencies.max()) if seen else None,
    }


#: What :class:`cnnpredict_gui.serving.predictor.Predictor` records into.
STATISTICS = ServingStatistics()
