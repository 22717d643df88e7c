"""Clocks for single calls of a framework: the host's alone on processors, together with the device's own on GPUs.

A GPU works behind the host's back: without waiting for it, the host clock would tell how long it takes to ask for the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from typing import Any, Protocol

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

Call = Callable[[], object]


@dataclass(frozen=True)
class Ticks:
    """One timed call: ``wall_ms`` by the host clock until the result is there, ``device_ms`` by the device's (NaN: none).

    ``interrupted`` tells that the system gave the processor to another program meanwhile; ``own_ms`` is the processor time of
    the calling thread (NaN: not asked for), which such interruptions do not lengthen.
    """

    wall_ms: float
    device_ms: float = nan
    interrupted: bool = False
    own_ms: float = nan


class Clock(Protocol):
    """Times one call of work on a device."""

    def time(self, call: Call) -> Ticks:
        """Call, wait until the device has done it, and say how long it took."""


class HostClock:
    """For processors: a call returns when it is done. ``time.perf_counter``, better than a microsecond.

    Interruptions are involuntary context switches of this process (``getrusage``; unknown on Windows).
    """

    def time(self, call: Call) -> Ticks:
        """Time one call."""
        switches, own = _switches(), time.thread_time()
        start = time.perf_counter()
        call()
        wall = time.perf_counter() - start
        own = time.thread_time() - own
        return Ticks(wall * 1e3, interrupted=_switches() > switches, own_ms=own * 1e3)


def _switches() -> int:
    """How often this process had to give way to another program so far."""
    return 0 if resource is None else resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


class CudaClock:
    """For CUDA and ROCm: events in the stream give the device's time, and the host waits for the second one.

    Args:
        cuda: ``torch.cuda``.
        device: ``cuda:0`` and so on.
    """

    def __init__(self, cuda: Any, device: str) -> None:
        self._cuda, self._device = cuda, device
        self._begin, self._end = (cuda.Event(enable_timing=True) for _ in range(2))

    def time(self, call: Call) -> Ticks:
        """Time one call; nothing asked for before it is still running when the clocks start."""
        self._cuda.synchronize(self._device)
        start = time.perf_counter()
        self._begin.record()
        call()
        self._end.record()
        self._end.synchronize()
        return Ticks((time.perf_counter() - start) * 1e3, float(self._begin.elapsed_time(self._end)))


class MpsClock:
    """For Apple's GPUs: the host clock around a call and the wait for it.

    Args:
        mps: ``torch.mps``.
    """

    def __init__(self, mps: Any) -> None:
        self._mps = mps

    def time(self, call: Call) -> Ticks:
        """Time one call."""
        self._mps.synchronize()
        start = time.perf_counter()
        call()
        self._mps.synchronize()
        return Ticks((time.perf_counter() - start) * 1e3)


@dataclass(frozen=True)
class Device:
    """Something PyTorch can compute on: its own name (``cpu``, ``cuda:0``, ``mps``) and one for people."""

    name: str
    title: str


def devices(torch: Any, cpu_title: str) -> list[Device]:
    """What PyTorch can compute on here; the processor first.

    Args:
        torch: The module.
        cpu_title: Name of the processor.
    """
    found = [Device("cpu", cpu_title)]
    if torch.cuda.is_available():
        found += [Device(f"cuda:{number}", torch.cuda.get_device_name(number)) for number in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append(Device("mps", f"{cpu_title}, GPU"))
    return found


def clock_for(torch: Any, device: str) -> Clock:
    """The clock for a device of :func:`devices`."""
    if device.startswith("cuda"):
        return CudaClock(torch.cuda, device)
    return MpsClock(torch.mps) if device == "mps" else HostClock()
