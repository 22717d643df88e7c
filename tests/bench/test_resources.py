"""Samples of the machine, GPUs through a stand-in for NVML, and the log that charts are drawn from."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from cnnpredict_gui.bench.gpu import GpuMeter
from cnnpredict_gui.bench.resource_log import ResourceLog, flat, thinned
from cnnpredict_gui.bench.resources import Sample, Sampler


class FakeNvml(ModuleType):
    """What of ``pynvml`` is used, for two GPUs of which the second offers little."""

    class NVMLError(Exception):
        pass

    NVML_CLOCK_GRAPHICS, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 0, 2, 0

    def __init__(self, count: int = 2, problem: str = "") -> None:
        super().__init__("pynvml")
        self.count, self.problem, self.open = count, problem, 0

    def nvmlInit(self) -> None:
        if self.problem:
            raise self.NVMLError(self.problem)
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return self.count

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:
        return number

    def nvmlDeviceGetName(self, handle: int) -> Any:
        return b"NVIDIA Old" if handle else "NVIDIA New"

    def _offered(self, handle: int, value: Any) -> Any:
        if handle:
            raise self.NVMLError("Not Supported")
        return value

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        return self._offered(handle, SimpleNamespace(gpu=37, memory=5))

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        return SimpleNamespace(used=2_000_000_000, total=8_000_000_000)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        return int(self._offered(handle, 123_400))

    def nvmlDeviceGetClockInfo(self, handle: int, which: int) -> int:
        return int(self._offered(handle, 5_000 if which else 1_500))

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:
        return int(self._offered(handle, 61))


def use_nvml(monkeypatch: pytest.MonkeyPatch, nvml: FakeNvml | None) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml)


def test_gpus_are_asked_for_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = FakeNvml()
    use_nvml(monkeypatch, nvml)
    meter = GpuMeter()
    assert meter.problem == "" and meter.names == ["NVIDIA New", "NVIDIA Old"]
    new, old = meter.sample()
    assert (new.load_percent, new.memory_used_mb, new.memory_total_mb, new.power_w) == (37, 2_000, 8_000, 123.4)
    assert (new.clock_mhz, new.memory_clock_mhz, new.temperature_c) == (1_500, 5_000, 61)
    assert old.memory_used_mb == 2_000 and math.isnan(old.load_percent) and math.isnan(old.power_w)
    meter.close()
    meter.close()
    assert nvml.open == 0 and meter.sample() == ()


@pytest.mark.parametrize(
    ("nvml", "text"),
    [
        (None, "No NVIDIA GPU found: the package nvidia-ml-py is not installed"),
        (FakeNvml(problem="NVML Shared Library Not Found"), "No NVIDIA GPU found: its driver is not installed"),
        (FakeNvml(problem="Insufficient Permissions"), "No NVIDIA GPU found: Insufficient Permissions"),
        (FakeNvml(count=0), "No NVIDIA GPU found"),
    ],
)
def test_without_a_gpu_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch, nvml: FakeNvml | None, text: str) -> None:
    use_nvml(monkeypatch, nvml)
    meter = GpuMeter()
    assert (meter.problem, meter.names, meter.sample()) == (text, [], ())
    meter.close()


def test_a_sample_of_this_machine_is_plausible() -> None:
    sampler = Sampler()
    end = psutil.Process().cpu_times().user + 0.1
    while psutil.Process().cpu_times().user < end:
        sum(range(1_000))
    sample = sampler.sample()
    sampler.close()
    assert len(sample.cores_percent) == psutil.cpu_count()
    assert 0 < sample.cpu_percent <= 100 and all(0 <= load <= 100 for load in sample.cores_percent)
    assert sample.own_cpu_percent > 0
    assert 0 < sample.own_mb < sample.memory_used_mb < sample.memory_total_mb
    assert sample.disk_read >= 0 or math.isnan(sample.disk_read)
    assert sample.net_sent >= 0 or math.isnan(sample.net_sent)


def test_children_count_as_this_program() -> None:
    alone = Sampler().sample().own_mb
    code = "data = bytearray(80_000_000); print('ready', flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    together = Sampler().sample().own_mb
    child.communicate("\n")
    assert together > alone + 70
    child.wait()
    assert Sampler().sample().own_mb < together - 70


def test_what_the_system_does_not_offer_is_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError("not here")

    for name in ("disk_io_counters", "net_io_counters", "cpu_freq"):
        monkeypatch.setattr(psutil, name, fail)
    monkeypatch.delattr(psutil, "sensors_temperatures", raising=False)
    sample = Sampler().sample()
    assert all(math.isnan(value) for value in (sample.disk_read, sample.net_sent, sample.clock_mhz))
    assert sample.temperatures == {}


def test_temperatures_are_the_hottest_of_each_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = {"coretemp": [SimpleNamespace(current=41.0), SimpleNamespace(current=55.5)], "empty": []}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: readings, raising=False)
    assert Sampler().sample().temperatures == {"coretemp": 55.5}


def make_sample(time: float = 0.0, **changes: Any) -> Sample:
    made = Sample(
        time, 50.0, (40.0, 60.0), 2_600.0, 1.0, 16_000.0, 10_000.0, 300.0, 20.0, 1.0, 2.0, 3.0, 4.0, {"chip": 50.0}, ()
    )
    return replace(made, **changes)


def test_the_log_keeps_the_last_samples() -> None:
    log = ResourceLog(capacity=10)
    assert len(log) == 0 and log.since(0) == {}
    for second in range(57):
        log.append(make_sample(float(second), cpu_percent=float(second % 7)))
    assert len(log) == 10
    kept = log.since(0)
    assert kept["time"].tolist() == [float(second) for second in range(47, 57)]
    assert kept["cpu_percent"].tolist() == [float(second % 7) for second in range(47, 57)]
    assert log.since(53.5)["time"].tolist() == [54, 55, 56] and log.since(99)["time"].size == 0
    assert kept["core.1"][-1] == 60 and kept["temperature.chip"][-1] == 50 and kept["memory_used_mb"][-1] == 6_000


def test_a_column_that_vanishes_is_a_gap() -> None:
    log = ResourceLog()
    log.append(make_sample(1.0))
    log.append(make_sample(2.0, temperatures={}))
    assert np.isnan(log.since(0)["temperature.chip"]).tolist() == [False, True]
    assert set(flat(make_sample())) == set(log.names)


def test_thinning_keeps_every_peak() -> None:
    time, values = np.arange(1_000.0), np.zeros(1_000)
    values[123], values[999] = 9.0, 7.0
    few_times, few = thinned(time, values, 100)
    assert len(few_times) == len(few) <= 101
    assert few.max() == 9 and few[-1] == 7 and (np.diff(few_times) > 0).all()
    assert thinned(time[:50], values[:50], 100)[0].tolist() == time[:50].tolist()
    gaps = np.full(1_000, np.nan)
    assert np.isnan(thinned(time, gaps, 100)[1]).all()
