"""Which measured times a target's predictions are held against."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from cnnpredict_gui.core.measurement import Setting, measured_ms, usable
from cnnpredict_gui.core.names import Target, TimeKind, is_processor
from tests.measured import layer, measured


def target(device: str, kind: TimeKind = "framework_wall_clock", name: str = "x") -> Target:
    return Target(name=name, title=device, device=device, framework="PyTorch", time_kind=kind)


@pytest.mark.parametrize("device", ["AMD EPYC, 1 thread", "Intel(R) Xeon(R) Processor", "Intel Core i7-1185G7", "CPU: lab"])
def test_processors(device: str) -> None:
    assert is_processor(target(device))


@pytest.mark.parametrize("device", ["NVIDIA L40S", "NVIDIA A100 Tensor Core GPU", "AMD Instinct MI210", "Tesla V100-SXM2"])
def test_gpus(device: str) -> None:
    assert not is_processor(target(device))


def test_times_are_held_against_their_own_kind_and_sort_of_device() -> None:
    one = measured(layer(), 2.0)
    assert measured_ms(one, target("AMD EPYC, 1 thread")) == 2.0
    assert math.isnan(measured_ms(one, target("AMD EPYC, 1 thread", "call_with_host_copies")))
    assert math.isnan(measured_ms(one, target("Tesla V100-SXM2")))
    assert math.isnan(measured_ms(None, target("AMD EPYC, 1 thread")))
    gpu = replace(measured(layer(), 2.0, Setting("pc", "cuda:0", "GPU", 1, "PyTorch")), device_ms=1.5)
    assert measured_ms(gpu, target("Tesla V100-SXM2", "kernel")) == 1.5
    assert measured_ms(gpu, target("Tesla V100-SXM2")) == 2.0
    assert not usable(replace(one, error="no memory")) and not usable(replace(one, median_ms=math.nan))
