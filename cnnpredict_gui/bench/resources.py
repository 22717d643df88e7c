"""What this machine is doing: processors, memory, disks, network, temperatures and GPUs, as one sample at a time."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic, time
from typing import Any

import psutil

from cnnpredict_gui.bench.gpu import GpuMeter, GpuSample
from cnnpredict_gui.infra.precedence import give_way

#: The program's child processes are looked for at most this often (seconds): it means reading the list of all processes.
CHILDREN_EVERY_S = 2.0
#: Below this time (seconds) since the sample before, rates would be noise.
_LEAST_S = 0.02


@dataclass(frozen=True)
class Sample:
    """The machine at one moment; what the system does not offer is NaN or empty.

    ``time`` is in seconds since the epoch. Loads are percentages since the sample before: of all cores, of each core, and of
    one core for ``own_cpu_percent`` (this program with its children; 200 means two cores). Memory is in MB (1e6 bytes),
    rates in MB/s, clock in MHz, temperatures in °C by sensor.
    """

    time: float
    cpu_percent: float
    cores_percent: tuple[float, ...]
    clock_mhz: float
    load_1m: float
    memory_total_mb: float
    memory_available_mb: float
    own_mb: float
    own_cpu_percent: float
    disk_read: float
    disk_write: float
    net_received: float
    net_sent: float
    temperatures: dict[str, float]
    gpus: tuple[GpuSample, ...]

    @property
    def memory_used_mb(self) -> float:
        """Memory in use by all programs."""
        return self.memory_total_mb - self.memory_available_mb


class Sampler:
    """Takes samples; keep one for as long as they are wanted, since loads and rates count from one to the next.

    Args:
        gpus: Where GPUs are asked; default: NVML.
    """

    def __init__(self, gpus: GpuMeter | None = None) -> None:
        self.gpus = gpus or GpuMeter()
        self._process = psutil.Process()
        self._children: list[psutil.Process] = []
        self._children_at = -math.inf
        self._at = monotonic()
        self._cores = _core_times()
        self._own: dict[int, float] = {}
        self._own_usage()
        self._counters = _counters()

    def sample(self) -> Sample:
        """The machine now."""
        give_way()
        now = monotonic()
        elapsed = now - self._at
        self._at = now
        cores = self._core_loads()
        own_mb, own_seconds = self._own_usage()
        rates = self._rates(elapsed)
        memory = psutil.virtual_memory()
        return Sample(
            time=time(),
            cpu_percent=sum(cores) / len(cores) if cores else math.nan,
            cores_percent=cores,
            clock_mhz=_clock(),
            load_1m=psutil.getloadavg()[0],
            memory_total_mb=memory.total / 1e6,
            memory_available_mb=memory.available / 1e6,
            own_mb=own_mb,
            own_cpu_percent=100 * own_seconds / elapsed if elapsed > _LEAST_S else math.nan,
            disk_read=rates[0],
            disk_write=rates[1],
            net_received=rates[2],
            net_sent=rates[3],
            temperatures=_temperatures(),
            gpus=self.gpus.sample(),
        )

    def close(self) -> None:
        """Let go of the GPU driver."""
        self.gpus.close()

    def _core_loads(self) -> tuple[float, ...]:
        before, self._cores = self._cores, _core_times()
        loads = []
        for (busy_before, all_before), (busy, total) in zip(before, self._cores, strict=False):
            share = (busy - busy_before) / (total - all_before) if total > all_before else math.nan
            loads.append(100 * min(max(share, 0.0), 1.0) if share == share else math.nan)
        return tuple(loads)

    def _own_usage(self) -> tuple[float, float]:
        """Resident memory in MB, and seconds of processor time since the last call, of this process and its children."""
        if monotonic() - self._children_at >= CHILDREN_EVERY_S:
            self._children_at = monotonic()
            with suppress(psutil.Error):
                self._children = self._process.children(recursive=True)
        memory, seconds, seen = 0.0, 0.0, {}
        for process in (self._process, *self._children):
            with suppress(psutil.Error), process.oneshot():
                memory += process.memory_info().rss / 1e6
                times = process.cpu_times()
                seen[process.pid] = times.user + times.system
                seconds += seen[process.pid] - self._own.get(process.pid, seen[process.pid])  # a new child counts from now on
        self._own = seen
        return memory, max(seconds, 0.0)

    def _rates(self, elapsed: float) -> tuple[float, ...]:
        before, self._counters = self._counters, _counters()
        if elapsed <= _LEAST_S:
            return (math.nan,) * 4
        return tuple((now - then) / 1e6 / elapsed for now, then in zip(self._counters, before, strict=True))


def _core_times() -> list[tuple[float, float]]:
    """Busy and all seconds of each core since the machine started."""
    found = []
    for times in psutil.cpu_times(percpu=True):
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)  # they are in user and nice
        idle = times.idle + getattr(times, "iowait", 0.0)
        found.append((total - idle, total))
    return found


def _counters() -> tuple[float, float, float, float]:
    """Bytes read, written, received and sent since the machine started."""
    disk: Any = None
    net: Any = None
    with suppress(OSError, RuntimeError, psutil.Error):
        disk = psutil.disk_io_counters()
    with suppress(OSError, RuntimeError, psutil.Error):
        net = psutil.net_io_counters()
    return (
        disk.read_bytes if disk else math.nan,
        disk.write_bytes if disk else math.nan,
        net.bytes_recv if net else math.nan,
        net.bytes_sent if net else math.nan,
    )


def _clock() -> float:
    with suppress(OSError, RuntimeError, NotImplementedError, AttributeError, psutil.Error):
        found = psutil.cpu_freq()
        return float(found.current) if found and found.current else math.nan
    return math.nan


def _temperatures() -> dict[str, float]:
    """Hottest reading of each sensor chip; psutil offers them on Linux and FreeBSD only."""
    ask = getattr(psutil, "sensors_temperatures", None)
    if ask is None:
        return {}
    with suppress(OSError, RuntimeError, psutil.Error):
        return {
            chip: max(float(entry.current) for entry in entries if entry.current is not None)
            for chip, entries in ask().items()
            if any(entry.current is not None for entry in entries)
        }
    return {}
