"""A measured layer: its times, where and with what they were measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, nan

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.names import Target, is_processor

#: What a stopwatch says of a layer, in the order in which it is kept.
TIMING_FIELDS = (
    "median_ms",
    "min_ms",
    "p25_ms",
    "p75_ms",
    "relative_std",
    "repeats",
    "device_ms",
    "stable",
    "interrupted",
    "own_time",
)


@dataclass(frozen=True)
class Setting:
    """Where and with what was measured; times of different settings are never mixed.

    ``machine`` is the computer's name, ``device`` PyTorch's name (``cpu``, ``cuda:0``), ``device_title`` that of the
    processor or GPU.
    """

    machine: str
    device: str
    device_title: str
    threads: int
    framework: str
    tf32: bool = False

    @property
    def title(self) -> str:
        """For people: device, threads and framework."""
        threads = f", {self.threads} thread{'s' if self.threads > 1 else ''}" if self.device == "cpu" else ""
        return f"{self.device_title}{threads} · {self.framework}"


@dataclass(frozen=True)
class Measurement:
    """A measured layer; times in ms.

    ``median_ms`` is the host clock around one call (``framework_wall_clock``), ``device_ms`` the device's own clock
    (``kernel``), NaN on processors. Half of the calls lie between ``p25_ms`` and ``p75_ms``. ``error`` says why there is no
    time. ``interrupted`` is the share of calls that other programs interrupted (left out of the times); ``own_time`` tells that
    hardly any was spared, so that the processor time of the calls stands for the host clock.
    """

    config: ConvConfig
    setting: Setting
    median_ms: float = nan
    min_ms: float = nan
    p25_ms: float = nan
    p75_ms: float = nan
    relative_std: float = nan
    repeats: int = 0
    device_ms: float = nan
    stable: bool = True
    interrupted: float = 0.0
    own_time: bool = False
    measured_at: str = ""
    error: str = ""

    @property
    def remark(self) -> str:
        """What makes the time doubtful, or why there is none; empty for a good one."""
        if self.error:
            return self.error
        if self.own_time:
            return "calls were interrupted: their processor time"
        return "" if self.stable else "median not yet stable"

    @property
    def iqr_percent(self) -> float:
        """Width of the middle half of the calls in percent of the median."""
        return 100 * (self.p75_ms - self.p25_ms) / self.median_ms

    def time_ms(self, time_kind: str) -> float:
        """The time of a kind; NaN where it was not measured: kinds are never taken for each other."""
        return {"framework_wall_clock": self.median_ms, "kernel": self.device_ms}.get(time_kind, nan)


def usable(measurement: Measurement) -> bool:
    """Whether there is a time."""
    return not measurement.error and isfinite(measurement.median_ms) and measurement.median_ms > 0


def measured_ms(measurement: Measurement | None, target: Target) -> float:
    """The measured time that predictions of a target can be held against, in ms; NaN where there is none.

    It is of the target's kind of time, and of a processor for a processor, of a GPU for a GPU.
    """
    if measurement is None or (measurement.setting.device == "cpu") != is_processor(target):
        return nan
    return measurement.time_ms(target.time_kind)


def same_layer(config: ConvConfig) -> ConvConfig:
    """The layer as it is measured: PyTorch always takes its library's own choice of algorithm."""
    return config.model_copy(update={"algorithm": "default"})


def settings_of(measurements: Iterable[Measurement]) -> list[Setting]:
    """The different settings, in the order of the measurements."""
    return list(dict.fromkeys(one.setting for one in measurements))


def find_measurement(measurements: Sequence[Measurement], config: ConvConfig) -> Measurement | None:
    """The first measurement of a layer, whatever algorithm it names."""
    wanted = same_layer(config)
    return next((one for one in measurements if same_layer(one.config) == wanted), None)
