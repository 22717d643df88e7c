"""Timing layers of a plan, wherever it happens: in the child process of a collection or in a worker."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import version
from typing import Any

import psutil

from cnnpredict_gui.bench.child import Message
from cnnpredict_gui.bench.machine import processor_name
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import WorkerError

Task = tuple[int, int]
STOPWATCH = "cnnpredict_gui.bench.convolution:Stopwatch"


@dataclass(frozen=True)
class Machine:
    """What measured: host and process, processor, its logical cores, system and library versions."""

    host: str
    process: int
    cpu_model: str
    logical_cpus: int
    system: str
    torch: str
    numpy: str

    @classmethod
    def this(cls) -> Machine:
        """The machine and process that this runs in."""
        cores = psutil.cpu_count() or 1
        return cls(
            platform.node(), os.getpid(), processor_name(), cores, platform.platform(), version("torch"), version("numpy")
        )


@dataclass(frozen=True)
class TimingWork:
    """Layers that tasks refer to by number, and the stopwatch (``package.module:class``) with its settings."""

    layers: list[dict[str, Any]]
    threads: int
    budget_ms: float
    stopwatch: str = STOPWATCH


def time_task(work: TimingWork, task: Task) -> Message:
    """Time the layer of one task, (round, number of the layer)."""
    number, layer = task
    timing = _stopwatch(work.stopwatch, work.threads, work.budget_ms).time(ConvConfig(**work.layers[layer]))
    found = {"median_ms": timing.median_ms, "min_ms": timing.min_ms, "relative_std": timing.relative_std}
    return {"round": number, "layer": layer, **found}


def time_tasks(work: TimingWork, tasks: Sequence[Task]) -> tuple[Machine, list[Message]]:
    """Time several tasks; with the machine that did it."""
    return Machine.this(), [time_task(work, task) for task in tasks]


@lru_cache(maxsize=1)
def _stopwatch(name: str, threads: int, budget_ms: float) -> Any:
    """The stopwatch of this process, kept with its random numbers."""
    module, _, kind = name.partition(":")
    return getattr(import_module(module), kind)(threads, budget_ms=budget_ms)


class Party:
    """The machines that measure together; all must be alike, else their times would be those of different targets."""

    def __init__(self) -> None:
        self.first: Machine | None = None
        self._members: set[tuple[str, int]] = set()

    def join(self, machine: Machine) -> bool:
        """Count a machine in; true if it is the first that shares its host with another process.

        Raises:
            WorkerError: its processor or its PyTorch differs from the others'.
        """
        first = self.first = self.first or machine
        for what in ("cpu_model", "torch"):
            ours, theirs = (asdict(one)[what] for one in (first, machine))
            if ours != theirs:
                message = f"workers differ: {first.host} has {ours}, {machine.host} has {theirs}"
                raise WorkerError(message, "measure on machines of one kind only, each kind as a target of its own")
        crowded = self._crowded()
        self._members.add((machine.host, machine.process))
        return self._crowded() and not crowded

    def _crowded(self) -> bool:
        return len({host for host, _ in self._members}) < len(self._members)
