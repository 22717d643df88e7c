"""Pieces of work, and a stopwatch, that workers import."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import DataFileError


def add(shared: int, item: int) -> tuple[int, int]:
    """The sum, and the process that computed it."""
    return shared + item, os.getpid()


def mark_late(folder: str, item: int) -> int:
    """The item, after seconds, and a file that tells of it."""
    time.sleep(4)
    (Path(folder) / f"{item}.done").touch()
    return item


def end_process(shared: int, item: int) -> int:
    """Nothing: the process is no more."""
    os._exit(shared + item)


def complain(shared: str, item: int) -> int:
    """An error of ours for the third item."""
    if item == 2:
        raise DataFileError(f"{shared} {item} is wrong", "leave it out")
    return item


@dataclass(frozen=True)
class FakeTiming:
    """Times that follow from the layer alone."""

    median_ms: float
    min_ms: float
    relative_std: float


class FakeStopwatch:
    """Times without measuring, the same each time."""

    def __init__(self, threads: int, budget_ms: float) -> None:
        self.factor = 1 + budget_ms / threads

    def time(self, config: ConvConfig) -> FakeTiming:
        """A made-up time in ms."""
        time_ms = self.factor * config.macs / 1e6
        return FakeTiming(time_ms, 0.9 * time_ms, 0.01)
