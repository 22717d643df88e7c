"""Several predictors timed one after the other, each in a process of its own; the failure of one does not stop the rest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from cnnpredict_gui import __version__
from cnnpredict_gui.bench.machine import machine_name
from cnnpredict_gui.bench.native import why_not
from cnnpredict_gui.bench.predictor_latency import ENGINES, Timed, check_sizes, measure_latency
from cnnpredict_gui.bench.sizes import ITERATIONS, WARM_UP
from cnnpredict_gui.core.errors import CancelledByUserError, CnnPredictError, ConfigError
from cnnpredict_gui.serving.library import ModelEntry

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What to time: (predictor, engine) pairs, rows per call, timed calls and calls before them."""

    jobs: tuple[tuple[str, str], ...]
    rows: int = 1
    iterations: int = ITERATIONS
    warm_up: int = WARM_UP


@dataclass(frozen=True)
class Outcome:
    """What came of one pair: ``timed``, or ``error`` with what went wrong."""

    name: str
    engine: str
    timed: Timed | None
    error: str = ""


@dataclass(frozen=True)
class BenchmarkRun:
    """A run with everything to compare it to another: when, where, with which version, what was asked, what came out.

    ``started`` is in UTC, ISO 8601; ``number`` is that of the history, 0 before it was kept.
    """

    started: str
    seconds: float
    version: str
    machine: str
    plan: Plan
    outcomes: tuple[Outcome, ...]
    number: int = 0


def jobs_for(entries: Sequence[ModelEntry], native: bool) -> tuple[tuple[str, str], ...]:
    """Each entry with ONNX Runtime and, if ``native``, right after it with its own library where that can be."""
    jobs: list[tuple[str, str]] = []
    for entry in entries:
        jobs.append((entry.name, ENGINES[0]))
        if native and not why_not(entry):
            jobs.append((entry.name, "native"))
    return tuple(jobs)


def run_benchmark(
    plan: Plan,
    folders: Sequence[Path],
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    arrived: Callable[[Outcome], None] | None = None,
) -> BenchmarkRun:
    """Time everything of the plan.

    Args:
        plan: What to time.
        folders: Models folders.
        progress: Called with (calls done, calls in all).
        cancelled: Asked ten times a second.
        arrived: Called with each outcome as it comes.

    Raises:
        ConfigError: there is nothing to time, or a size is out of range.
        CancelledByUserError: ``cancelled`` said so.
    """
    check_sizes(plan.iterations, plan.rows, plan.warm_up)
    if not plan.jobs:
        raise ConfigError("no predictor is chosen", "choose at least one")
    started, begin = datetime.now(UTC).isoformat(timespec="seconds"), perf_counter()
    outcomes: list[Outcome] = []
    total = len(plan.jobs) * plan.iterations
    for name, engine in plan.jobs:
        before = len(outcomes) * plan.iterations

        def tell(done: int, _calls: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total)

        tell(0, 0)
        outcomes.append(_time(name, engine, plan, folders, tell, cancelled))
        if arrived is not None:
            arrived(outcomes[-1])
    if progress is not None:
        progress(total, total)
    return BenchmarkRun(started, perf_counter() - begin, __version__, machine_name(), plan, tuple(outcomes))


def _time(
    name: str,
    engine: str,
    plan: Plan,
    folders: Sequence[Path],
    tell: Callable[[int, int], None],
    cancelled: Callable[[], bool] | None,
) -> Outcome:
    try:
        timed = measure_latency(name, folders, plan.iterations, plan.rows, tell, cancelled, plan.warm_up, engine)
    except CancelledByUserError:
        raise
    except CnnPredictError as error:
        logger.warning("benchmark of %s with %s failed: %s", name, engine, error)
        return Outcome(name, engine, None, str(error))
    return Outcome(name, engine, timed)
