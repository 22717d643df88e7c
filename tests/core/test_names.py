"""Which processor a name means."""

from __future__ import annotations

import pytest

from cnnpredict_gui.core.names import Target, TimeKind, most_like


def target(name: str, device: str, kind: TimeKind = "framework_wall_clock") -> Target:
    return Target(name=name, title=device, device=device, framework="PyTorch", time_kind=kind)


TARGETS = (
    target("cpu", "AMD EPYC, 1 thread"),
    target("cpu-xeon", "Intel Xeon (AVX-512), 1 thread"),
    target("cpu-kernel", "Intel Xeon Processor", "kernel"),
    target("gpul40s", "Intel Xeon beside an NVIDIA L40S"),
)


@pytest.mark.parametrize(
    ("processor", "name"),
    [
        ("Intel(R) Xeon(R) Processor", "cpu-xeon"),
        ("Intel(R) Core(TM) i7-1185G7", "cpu-xeon"),
        ("AMD EPYC 7763 64-Core Processor", "cpu"),
        ("AMD Ryzen 9 5950X", "cpu"),
        ("Apple M2", "cpu"),
        ("", "cpu"),
    ],
)
def test_a_processor_is_judged_by_the_most_like(processor: str, name: str) -> None:
    assert most_like(TARGETS, processor) == name
    assert most_like(reversed(TARGETS), processor) == name
    assert most_like((), processor) == "cpu"
