"""How measured times are distributed, in few numbers: quantiles for curves, counts in fixed bins for histograms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
#: Bins are a fiftieth of a decade wide (4.7 %), the same for all distributions so that they can be laid over each other.
BINS_PER_DECADE = 50
#: Quantiles kept: 0 %, 0.5 % … 100 %.
QUANTILES = 201


@dataclass(frozen=True)
class Distribution:
    """``quantiles_ms`` are evenly spaced from the least to the greatest; ``bins`` maps bin number to count.

    Bin ``i`` reaches from ``10^(i/50)`` to ``10^((i+1)/50)`` ms.
    """

    quantiles_ms: tuple[float, ...]
    bins: dict[int, int]

    @classmethod
    def of(cls, times_ms: Floats) -> Distribution:
        """The distribution of times in ms, shape (n,), n ≥ 1."""
        quantiles = np.quantile(times_ms, np.linspace(0, 1, QUANTILES))
        numbers = np.floor(np.log10(np.maximum(times_ms, 1e-9)) * BINS_PER_DECADE).astype(int)
        values, counts = np.unique(numbers, return_counts=True)
        return cls(tuple(quantiles.tolist()), dict(zip(values.tolist(), counts.tolist(), strict=True)))

    def cumulative(self) -> tuple[Floats, Floats]:
        """Times in ms and the share of calls (percent) that took no longer, shape (201,) each."""
        return np.array(self.quantiles_ms), np.linspace(0, 100, len(self.quantiles_ms))

    def histogram(self) -> tuple[Floats, Floats]:
        """Edges in ms, shape (n + 1,), and the share of calls (percent) between them, shape (n,)."""
        first, last = min(self.bins), max(self.bins)
        counts = np.array([self.bins.get(number, 0) for number in range(first, last + 1)], dtype=float)
        edges = 10.0 ** (np.arange(first, last + 2) / BINS_PER_DECADE)
        return edges, 100 * counts / counts.sum()

    def to_json(self) -> dict[str, object]:
        """As plain JSON values."""
        return {"quantiles_ms": list(self.quantiles_ms), "bins": {str(number): count for number, count in self.bins.items()}}

    @classmethod
    def from_json(cls, data: dict[str, object]) -> Distribution:
        """What :meth:`to_json` gave.

        Raises:
            ValueError, TypeError, KeyError: it is something else.
        """
        quantiles, bins = data["quantiles_ms"], data["bins"]
        if not isinstance(quantiles, list) or not quantiles or not isinstance(bins, dict) or not bins:
            raise ValueError("not a distribution")
        return cls(tuple(float(value) for value in quantiles), {int(number): int(count) for number, count in bins.items()})
