"""NVIDIA GPUs through NVML, the library behind ``nvidia-smi``; without a GPU or its driver there is a sentence instead."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

NOT_FOUND = "No NVIDIA GPU found"


@dataclass(frozen=True)
class GpuSample:
    """A GPU now: load in percent, memory in MB (1e6 bytes), power in W, clocks in MHz, temperature in °C; NaN if not told."""

    name: str
    load_percent: float
    memory_used_mb: float
    memory_total_mb: float
    power_w: float
    clock_mhz: float
    memory_clock_mhz: float
    temperature_c: float


class GpuMeter:
    """All NVIDIA GPUs of this machine. ``problem`` says why there are none (empty if there are)."""

    def __init__(self) -> None:
        self._gpus: list[tuple[str, Any]] = []
        self.problem = ""
        try:
            import pynvml
        except ImportError:
            self.problem = f"{NOT_FOUND}: the package nvidia-ml-py is not installed"
            return
        self._nvml: Any = pynvml
        try:
            self._nvml.nvmlInit()
            count = self._nvml.nvmlDeviceGetCount()
            self._gpus = [self._open(number) for number in range(count)]
        except self._nvml.NVMLError as error:
            missing = "Shared Library Not Found" in str(error)
            self.problem = f"{NOT_FOUND}: {'its driver is not installed' if missing else error}"
        if not self._gpus and not self.problem:
            self.problem = NOT_FOUND

    def _open(self, number: int) -> tuple[str, Any]:
        handle = self._nvml.nvmlDeviceGetHandleByIndex(number)
        name = self._nvml.nvmlDeviceGetName(handle)
        return (name.decode() if isinstance(name, bytes) else str(name)), handle

    @property
    def names(self) -> list[str]:
        """Names of the GPUs."""
        return [name for name, _ in self._gpus]

    def sample(self) -> tuple[GpuSample, ...]:
        """What each GPU does now."""
        return tuple(self._sample(name, handle) for name, handle in self._gpus)

    def _sample(self, name: str, handle: Any) -> GpuSample:
        nvml = self._nvml

        def ask(question: Callable[[], float]) -> float:
            with suppress(nvml.NVMLError):
                return float(question())
            return math.nan

        memory: Any = None
        with suppress(nvml.NVMLError):
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        return GpuSample(
            name=name,
            load_percent=ask(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu),
            memory_used_mb=memory.used / 1e6 if memory else math.nan,
            memory_total_mb=memory.total / 1e6 if memory else math.nan,
            power_w=ask(lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1e3),
            clock_mhz=ask(lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_GRAPHICS)),
            memory_clock_mhz=ask(lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)),
            temperature_c=ask(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
        )

    def close(self) -> None:
        """Let go of the driver."""
        if self._gpus:
            self._gpus = []
            with suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()
