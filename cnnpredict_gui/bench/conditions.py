"""Whether a machine is fit to be measured on: battery, clock frequency, what other programs take, how well a probe repeats."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

#: Spread of the probe layer (in percent), cores taken by others, and share of the highest frequency, from which on we warn.
NOISY_PERCENT, BUSY_CORES, THROTTLED_SHARE = 10.0, 0.2, 0.8


@dataclass(frozen=True)
class Conditions:
    """What was seen while measuring.

    ``on_battery`` is None without a battery, ``frequency_mhz`` and ``max_frequency_mhz`` are None where the system does not
    tell them. ``other_cores`` is the mean number of cores that other programs kept busy; ``repeatability`` by how many
    percent the slowest run of the fixed probe layer exceeded the quickest (None: not measured).
    """

    on_battery: bool | None = None
    frequency_mhz: float | None = None
    max_frequency_mhz: float | None = None
    other_cores: float = 0.0
    cores: int = 1
    threads: int = 1
    repeatability: float | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes the times doubtful, with what to do about it; empty on a quiet machine."""
        found = []
        if self.repeatability is not None and self.repeatability > NOISY_PERCENT:
            found.append(
                f"the machine is noisy: the same layer took up to {self.repeatability:.0f} % longer (close other programs)"
            )
        if self.other_cores > max(BUSY_CORES, self.cores - self.threads):
            found.append(
                f"other programs kept {self.other_cores:.1f} of {self.cores} cores busy (close them, or use fewer threads)"
            )
        if self.on_battery:
            found.append("the computer runs on battery, which may slow it down (connect it to the mains)")
        if self.frequency_mhz and self.max_frequency_mhz and self.frequency_mhz < THROTTLED_SHARE * self.max_frequency_mhz:
            found.append(
                f"the processor ran at {self.frequency_mhz:.0f} of {self.max_frequency_mhz:.0f} MHz "
                "(let it cool down, choose the performance power plan)"
            )
        return tuple(found)


@dataclass
class Watcher:
    """Looks at the machine while this process measures: :meth:`look` now and then, :meth:`conditions` at the end."""

    threads: int = 1
    _probes: list[float] = field(default_factory=list)
    _frequencies: list[tuple[float, float]] = field(default_factory=list)
    _begin: tuple[float, float, float] = field(default_factory=lambda: _usage())

    def look(self, probe_ms: float) -> None:
        """Note a run of the probe layer (ms), and the frequency right after it."""
        self._probes.append(probe_ms)
        found = _frequency()
        if found is not None:
            self._frequencies.append(found)

    def conditions(self) -> Conditions:
        """What was seen since the watcher was made."""
        clock, busy, own = (now - then for now, then in zip(_usage(), self._begin, strict=True))
        lowest = min(self._frequencies, default=(None, None))
        return Conditions(
            on_battery=_on_battery(),
            frequency_mhz=lowest[0],
            max_frequency_mhz=lowest[1],
            other_cores=max(busy - own, 0.0) / clock if clock > 0 else 0.0,
            cores=psutil.cpu_count() or 1,
            threads=self.threads,
            repeatability=repeatability(self._probes),
        )


def repeatability(times: Sequence[float]) -> float | None:
    """By how many percent the slowest time exceeds the quickest; None for fewer than two."""
    return 100 * (max(times) / min(times) - 1) if len(times) > 1 else None


def _usage() -> tuple[float, float, float]:
    """Host clock, seconds all cores were busy, and those this process used."""
    all_cores, own = psutil.cpu_times(), os.times()
    idle = all_cores.idle + getattr(all_cores, "iowait", 0.0)
    counted_twice = getattr(all_cores, "guest", 0.0) + getattr(all_cores, "guest_nice", 0.0)
    return time.monotonic(), sum(all_cores) - idle - counted_twice, own.user + own.system


def _frequency() -> tuple[float, float] | None:
    """Frequency of the fastest core and the highest one possible, in MHz; None where the system does not tell both."""
    try:
        each = psutil.cpu_freq(percpu=True)
    except (OSError, NotImplementedError, AttributeError):
        return None
    pairs = [(one.current, one.max) for one in each or () if one.current and one.max]
    return max(pairs) if pairs else None


def _on_battery() -> bool | None:
    try:
        battery = psutil.sensors_battery()
    except (OSError, NotImplementedError, AttributeError):
        return None
    return None if battery is None or battery.power_plugged is None else not battery.power_plugged
