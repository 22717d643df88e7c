"""What a piece of work takes of the machine, counted by the process that does it, between its steps."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from time import perf_counter, process_time

import psutil

#: The highest load is that of the busiest stretch of at least this many seconds.
WINDOW_S = 0.25
#: The system counts its processors' time in ticks; over less than this many seconds a load of the machine means nothing.
_LEAST_S = 0.2


@dataclass(frozen=True)
class ResourceUse:
    """Resources of a piece of work.

    ``cpu_mean_percent`` and ``cpu_max_percent`` are of one core and of the process itself (200 means two cores);
    ``machine_cpu_percent`` is the mean load of all cores by all programs, None if the work was too short to tell.
    ``rss_peak_mb`` is the most memory the process ever held (1e6 bytes), ``seconds`` the time the work took.
    """

    seconds: float
    cpu_mean_percent: float
    cpu_max_percent: float
    machine_cpu_percent: float | None
    rss_peak_mb: float


class UseMeter:
    """Counts from its making on; call :meth:`tick` now and then, between the steps of the work."""

    def __init__(self) -> None:
        self._machine = _machine_seconds()
        self._begin = self._window = (perf_counter(), process_time())
        self._highest = 0.0

    def tick(self) -> None:
        """Take note of a stretch that has ended; costs microseconds."""
        now = (perf_counter(), process_time())
        if now[0] - self._window[0] >= WINDOW_S:
            self._highest = max(self._highest, _percent(self._window, now))
            self._window = now

    def result(self) -> ResourceUse:
        """Everything so far."""
        now = (perf_counter(), process_time())
        mean, seconds = _percent(self._begin, now), now[0] - self._begin[0]
        busy, total = (after - before for after, before in zip(_machine_seconds(), self._machine, strict=True))
        machine = 100 * busy / total if seconds >= _LEAST_S and total > 0 else None
        return ResourceUse(seconds, mean, max(self._highest, mean), machine, peak_rss_mb())


def _percent(begin: tuple[float, float], end: tuple[float, float]) -> float:
    return 100 * (end[1] - begin[1]) / max(end[0] - begin[0], 1e-9)


def _machine_seconds() -> tuple[float, float]:
    """Busy and all seconds of all cores since the machine started."""
    times = psutil.cpu_times()
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return total - times.idle - getattr(times, "iowait", 0.0), total


def peak_rss_mb() -> float:
    """Most resident memory this process has held so far, in MB (1e6 bytes)."""
    now = psutil.Process().memory_info()
    if sys.platform == "win32":
        return float(now.peak_wset) / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return max(float(peak), float(now.rss)) / 1e6  # the system counts the peak a little later
