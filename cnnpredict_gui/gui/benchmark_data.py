"""Benchmark results as the screen shows them. No widgets here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from cnnpredict_gui.core.names import FAMILIES, TRAINING_PREFIX

if TYPE_CHECKING:
    from cnnpredict_gui.bench.benchmark import BenchmarkRun, Outcome
    from cnnpredict_gui.bench.history import RunSummary
    from cnnpredict_gui.bench.predictor_latency import Timed
    from cnnpredict_gui.serving.library import ModelEntry

ENGINE_TITLES = {"onnxruntime": "ONNX Runtime", "native": "native library"}


@dataclass(frozen=True)
class ResultRow:
    """One predictor with one engine. ``ratio`` is its median over that of ONNX Runtime for the same predictor, or None."""

    outcome: Outcome
    title: str
    family: str
    ratio: float | None = None

    @property
    def key(self) -> str:
        """Identity within a run."""
        return f"{self.outcome.name} {self.outcome.engine}"

    @property
    def timed(self) -> Timed | None:
        """The measurement, if it succeeded."""
        return self.outcome.timed

    @property
    def is_native(self) -> bool:
        """Whether the library that trained the model answered."""
        return self.outcome.engine == "native"

    @property
    def engine(self) -> str:
        """What answered, with its version where it is known."""
        return self.outcome.timed.library if self.outcome.timed else ENGINE_TITLES[self.outcome.engine]


def result_rows(outcomes: Sequence[Outcome], entries: Sequence[ModelEntry]) -> list[ResultRow]:
    """Rows for outcomes; predictors that are no longer there are called by their names."""
    titles = {name: one.target.title for one in entries if one.target for name in (one.name, one.full_name)}
    served = {one.name: one.timed.latency.p50_ms for one in outcomes if one.timed and one.engine == "onnxruntime"}
    rows = []
    for outcome in outcomes:
        family, _, folder = outcome.name.partition("_")
        base = served.get(outcome.name)
        ratio = outcome.timed.latency.p50_ms / base if outcome.timed and base and outcome.engine == "native" else None
        title = titles.get(outcome.name, folder.removeprefix(TRAINING_PREFIX))
        rows.append(ResultRow(outcome, title, family if family in FAMILIES else "nn", ratio))
    return rows


@dataclass(frozen=True)
class Change:
    """The same predictor and engine in two runs; None where a run does not have it or it failed there."""

    row: ResultRow
    before: Timed | None
    after: Timed | None

    @property
    def ratio(self) -> float | None:
        """Median time after over before, per row."""
        if self.before is None or self.after is None:
            return None
        old, new = self.before.latency, self.after.latency
        return (new.p50_ms / new.rows) / (old.p50_ms / old.rows)


def changes(before: BenchmarkRun, after: BenchmarkRun, entries: Sequence[ModelEntry]) -> list[Change]:
    """What both runs say of each predictor and engine, in the order of the later run."""
    rows = {row.key: row for run in (after, before) for row in result_rows(run.outcomes, entries)}
    old = {row.key: row.timed for row in result_rows(before.outcomes, entries)}
    new = {row.key: row.timed for row in result_rows(after.outcomes, entries)}
    order = [*new, *(key for key in old if key not in new)]
    return [Change(rows[key], old.get(key), new.get(key)) for key in order]


def plan_text(rows: int, iterations: int, warm_up: int) -> str:
    """Sizes of a run in words."""
    layers = f"{rows:,} layer{'s' if rows != 1 else ''}"
    return f"{iterations:,} call{'s' if iterations != 1 else ''} of {layers}, {warm_up:,} before them"


def local_time(started: str) -> str:
    """A time in ISO 8601 as the clock on the wall shows it."""
    try:
        return datetime.fromisoformat(started).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return started


def run_text(run: BenchmarkRun | RunSummary) -> str:
    """A run in one line."""
    from cnnpredict_gui.bench.history import RunSummary

    sizes = run if isinstance(run, RunSummary) else run.plan
    name = f"Run {run.number}" if run.number else "This run"
    return f"{name}, {local_time(run.started)}: {plan_text(sizes.rows, sizes.iterations, sizes.warm_up)}"
