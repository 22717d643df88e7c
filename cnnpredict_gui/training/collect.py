"""Measuring layers on this machine, in rounds, with a journal that survives an interruption.

Every round times every layer once (several calls) in its own order, so that the rounds of a layer lie far apart in time.
A layer is kept if the two best rounds agree; its time is the least of the rounds' medians.
"""

from __future__ import annotations

import errno
import json
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from io import RawIOBase
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cnnpredict_gui.bench.child import Message, run_in_child
from cnnpredict_gui.core.config import INTEGER_FIELDS, ConvConfig
from cnnpredict_gui.core.errors import ConfigError, DataFileError
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.infra.files import atomic_text, atomic_write, output_error
from cnnpredict_gui.infra.parallel import Mapper
from cnnpredict_gui.training.datasets import COLLECTED, read_table
from cnnpredict_gui.training.plan import layer_plan
from cnnpredict_gui.training.timing import STOPWATCH, Machine, Party, Task, TimingWork, time_task, time_tasks

#: Largest relative difference of the two best rounds of a layer that is kept.
REPEATABLE = 0.10
#: Tasks that a worker times in one piece, about a second.
PIECE_TASKS = 16
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CollectRequest:
    """What to measure and where the parquet goes.

    ``plan`` names a file whose layers are measured again instead of a fresh plan of ``layers`` layers. ``budget_ms`` is the
    time spent on the repeated calls of one layer in one round, ``stopwatch`` the class that times (``package.module:class``).
    """

    out: Path
    target: str = "cpu"
    layers: int = 5000
    rounds: int = 3
    threads: int = 1
    seed: int = 0
    plan: Path | None = None
    budget_ms: float = 45.0
    stopwatch: str = STOPWATCH


@dataclass(frozen=True)
class CollectSummary:
    """What came of it: layers measured and kept; how well the two best rounds agree, in percent."""

    out: Path
    measured: int
    kept: int
    repeatability_median: float
    repeatability_90th: float


def collect(
    request: CollectRequest,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    mapper: Mapper | None = None,
) -> CollectSummary:
    """Measure all layers in all rounds and write the parquet. Called again after an interruption, it goes on where it was.

    ``mapper`` says which workers measure; None for one child process of this machine. Workers must be machines of one kind.
    Those that share a machine disturb each other's times, which is told by a warning.

    Raises:
        ConfigError: a number of the request is out of range.
        DataFileError: the plan cannot be read, or the journal is damaged or belongs to another plan.
        OutputError: the journal or the result cannot be written; what was measured before is in the journal.
        WorkerError: the measuring failed or workers differ; what was measured is in the journal.
        CancelledByUserError: ``cancelled`` said so; what was measured is in the journal.
    """
    for name, low in (("layers", 1), ("rounds", 2), ("threads", 1)):
        if getattr(request, name) < low:
            raise ConfigError(f"{name} is {getattr(request, name)}, less than {low}", "give a larger number", name)
    plan = layer_plan(request.layers, request.seed) if request.plan is None else _plan_of(request.plan)
    journal = request.out.with_name(request.out.name + ".journal.jsonl")
    done = _read_journal(journal, _header(request, plan))
    tasks = [task for task in _order(len(plan), request) if task not in done]
    total = len(plan) * request.rounds
    with _opened(journal) as file:

        def record(message: Message) -> None:
            _append(file, journal, message)
            done[message["round"], message["layer"]] = message
            if progress:
                progress(len(done), total)

        machine = _measure(request, plan, tasks, record, cancelled, mapper) if tasks else Machine.this()
    summary = _write(request, plan, done, machine)
    with suppress(OSError):
        journal.unlink()
    return summary


def _measure(
    request: CollectRequest,
    plan: list[tuple[ConvConfig, str]],
    tasks: list[Task],
    record: Callable[[Message], None],
    cancelled: Callable[[], bool] | None,
    mapper: Mapper | None,
) -> Machine:
    """Time the tasks in a child process or by workers; tells on which machine (of several alike, the first)."""
    layers = [config.model_dump(include=set(INTEGER_FIELDS)) for config, _ in plan]
    work = TimingWork(layers, request.threads, request.budget_ms, request.stopwatch)
    if mapper is None:
        run_in_child(f"{__name__}:measure_in_this_process", asdict(work) | {"tasks": tasks}, record, cancelled, measures=True)
        return Machine.this()
    party = Party()
    pieces = (tasks[start : start + PIECE_TASKS] for start in range(0, len(tasks), PIECE_TASKS))
    for machine, messages in mapper.map(time_tasks, work, pieces, cancelled):
        if party.join(machine):
            logger.warning("several workers measure on %s: they disturb each other's times", machine.host)
        for message in messages:
            record(message)
    return party.first or Machine.this()


def _opened(journal: Path) -> RawIOBase:
    try:
        return journal.open("ab", buffering=0)
    except OSError as error:
        raise output_error(journal, error) from error


def _append(file: RawIOBase, journal: Path, message: Message) -> None:
    line = (json.dumps(message) + "\n").encode()
    try:
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, "No space left on device")
    except OSError as error:
        raise output_error(journal, error) from error


def measure_in_this_process(request: Message, send: Callable[[Message], None]) -> Message:
    """Body of the child process: time each task (round, layer) and send what was found."""
    tasks = request.pop("tasks")
    work = TimingWork(**request)
    for number, layer in tasks:
        send(time_task(work, (number, layer)))
    return {}


def _order(layers: int, request: CollectRequest) -> list[tuple[int, int]]:
    """Round by round, each in an order of its own."""
    tasks = []
    for number in range(request.rounds):
        order = list(range(layers))
        random.Random(request.seed + 100 + number).shuffle(order)  # noqa: S311 - a reproducible order, no secret
        tasks += [(number, layer) for layer in order]
    return tasks


def _plan_of(path: Path) -> list[tuple[ConvConfig, str]]:
    table = read_table(path)
    columns = {name: table[name].to_numpy() for name in INTEGER_FIELDS if name in table.column_names}
    configs, _, messages = ConfigTable.from_columns(columns)
    if any(messages):
        raise DataFileError(f"{path}: {next(text for text in messages if text)}", "correct the row or leave it out")
    names = table["networks"].to_pylist() if "networks" in table.column_names else [""] * len(configs)
    return list({configs.config(row): name or "" for row, name in enumerate(names)}.items())


def _header(request: CollectRequest, plan: list[tuple[ConvConfig, str]]) -> Message:
    return {"layers": len(plan), "first": plan[0][0].label(), "last": plan[-1][0].label(), "threads": request.threads}


def _read_journal(journal: Path, header: Message) -> dict[tuple[int, int], Message]:
    """What an earlier run measured; a new journal is begun with the header. A last line cut short is left out."""
    if not journal.exists():
        atomic_text(journal, json.dumps(header) + "\n")
        return {}
    try:
        lines = journal.read_text(encoding="utf-8", errors="replace").split("\n")
        begun = json.loads(lines[0])
        rows = [json.loads(line) for line in lines[1:-1]]
        found = {(int(row["round"]), int(row["layer"])): row for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataFileError(f"{journal} is damaged: {error}", "remove it to begin anew") from None
    if begun != header:
        raise DataFileError(f"{journal} belongs to other layers", "remove it to begin anew, or name another output")
    if lines[-1]:
        atomic_text(journal, "\n".join(lines[:-1]) + "\n")
    return found


def _write(
    request: CollectRequest, plan: list[tuple[ConvConfig, str]], done: dict[Task, Message], machine: Machine
) -> CollectSummary:
    """Keep what repeats and write it with how it was measured."""
    found = [[done[number, layer] for number in range(request.rounds)] for layer in range(len(plan))]
    medians = np.sort(np.array([[row["median_ms"] for row in rounds] for rounds in found]), axis=1)
    spread = medians[:, 1] / medians[:, 0] - 1
    keep = np.flatnonzero(spread <= REPEATABLE)
    if not len(keep):
        raise DataFileError("no layer repeats within 10 %", "close other programs and measure again with more rounds")
    summary = CollectSummary(
        request.out, len(plan), len(keep), 100 * float(np.median(spread)), 100 * float(np.percentile(spread, 90))
    )
    kept = [plan[layer] for layer in keep]
    columns = _described(request, [config for config, _ in kept], machine)
    columns["time_ms"] = medians[keep, 0]
    columns["median_ms"] = np.median(medians[keep], axis=1)
    columns["repeatability"] = spread[keep].astype(np.float32)
    columns["relative_std"] = np.array(
        [min(found[layer], key=lambda row: float(row["median_ms"]))["relative_std"] for layer in keep], dtype=np.float32
    )
    columns["networks"] = [names for _, names in kept]
    table = pa.table(columns).replace_schema_metadata(_circumstances(request, summary, machine))
    with atomic_write(request.out) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return summary


def _described(request: CollectRequest, configs: list[ConvConfig], machine: Machine) -> dict[str, Any]:
    same = {
        "target": request.target,
        "device": machine.cpu_model,
        "framework": f"PyTorch {machine.torch} / oneDNN",
        "time_kind": "framework_wall_clock",
    }
    columns: dict[str, Any] = {name: [value] * len(configs) for name, value in same.items()}
    for name in (*INTEGER_FIELDS, "output_height", "output_width"):
        columns[name] = np.array([getattr(config, name) for config in configs], dtype=np.int32)
    rest = {"dtype": "fp32", "layout": "nchw", "direction": "forward", "algorithm": "any", "source": COLLECTED}
    columns |= {name: [value] * len(configs) for name, value in rest.items()}
    columns["runs"] = np.full(len(configs), request.rounds, dtype=np.int32)
    return columns


def _circumstances(request: CollectRequest, summary: CollectSummary, machine: Machine) -> dict[str, str]:
    return {
        "cpu_model": machine.cpu_model,
        "logical_cpus": str(machine.logical_cpus),
        "threads": str(request.threads),
        "rounds": str(request.rounds),
        "torch": machine.torch,
        "numpy": machine.numpy,
        "system": machine.system,
        "repeatability": f"two best rounds agree within {summary.repeatability_median:.1f} % (median), "
        f"{summary.repeatability_90th:.1f} % (90th percentile); {summary.kept} of {summary.measured} layers kept",
    }
