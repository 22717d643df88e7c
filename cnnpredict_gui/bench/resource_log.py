"""The samples of the last half hour as columns of numbers, ready to be drawn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.bench.resources import Sample

Floats = npt.NDArray[np.float64]
#: What is kept: half an hour at one sample a second, and a little more.
CAPACITY = 1_900


class ResourceLog:
    """A ring of samples.

    Columns are named after the fields of :class:`Sample`; cores are ``core.0``, sensors ``temperature.NAME`` and GPUs
    ``gpu.0.load_percent`` and so on. They are those of the first sample; what a later one lacks is NaN.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._places: dict[str, int] = {}
        self._rows: Floats = np.empty((0, 0))
        self._end = 0
        self.latest: Sample | None = None

    @property
    def names(self) -> list[str]:
        """The columns there are."""
        return list(self._places)

    def __len__(self) -> int:
        return min(self._end, self._capacity)

    def append(self, sample: Sample) -> None:
        """Keep one more; the oldest is forgotten."""
        values = flat(sample)
        if not self._places:
            self._places = {name: place for place, name in enumerate(values)}
            self._rows = np.full((2 * self._capacity, len(values)), np.nan)
        if self._end == len(self._rows):
            self._rows[: self._capacity] = self._rows[self._capacity :]
            self._end = self._capacity
        self._rows[self._end] = [values.get(name, np.nan) for name in self._places]
        self._end += 1
        self.latest = sample

    def since(self, time: float) -> dict[str, Floats]:
        """Columns from ``time`` (seconds since the epoch) on, shape (n,) each; views, not copies."""
        if not self._places:
            return {}
        rows = self._rows[max(0, self._end - self._capacity) : self._end]
        rows = rows[int(np.searchsorted(rows[:, self._places["time"]], time)) :]
        return {name: rows[:, place] for name, place in self._places.items()}


def flat(sample: Sample) -> dict[str, float]:
    """All numbers of a sample by column name."""
    single = {
        name: getattr(sample, name)
        for name in (
            "time",
            "cpu_percent",
            "clock_mhz",
            "load_1m",
            "memory_total_mb",
            "memory_used_mb",
            "own_mb",
            "own_cpu_percent",
            "disk_read",
            "disk_write",
            "net_received",
            "net_sent",
        )
    }
    single |= {f"core.{number}": load for number, load in enumerate(sample.cores_percent)}
    single |= {f"temperature.{name}": value for name, value in sample.temperatures.items()}
    for number, gpu in enumerate(sample.gpus):
        single |= {
            f"gpu.{number}.{name}": getattr(gpu, name)
            for name in ("load_percent", "memory_used_mb", "power_w", "clock_mhz", "memory_clock_mhz", "temperature_c")
        }
    return single


def thinned(time: Floats, values: Floats, points: int) -> tuple[Floats, Floats]:
    """At most about ``points`` of a curve, shape (m,) each: of each stretch its highest value, so that no peak is lost."""
    if len(time) <= points or points < 2:
        return time, values
    step = -(-len(time) // points)
    whole = len(time) // step * step
    with np.errstate(invalid="ignore"):
        highest = np.fmax.reduce(values[:whole].reshape(-1, step), axis=1)
    last = slice(whole, None)
    rest = ([time[-1]], [np.fmax.reduce(values[last])]) if whole < len(time) else ([], [])
    return np.concatenate([time[step - 1 : whole : step], rest[0]]), np.concatenate([highest, rest[1]])
