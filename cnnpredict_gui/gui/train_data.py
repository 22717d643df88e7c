"""What the Train page does off the GUI thread: look at a file, check it, measure or import, train. No Qt here.

Files are read in child processes: in a thread a large one would make the window stutter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnpredict_gui.core.card import Device, ModelCard
from cnnpredict_gui.core.names import TRAINING_PREFIX
from cnnpredict_gui.infra.paths import data_dir, user_models_dir

if TYPE_CHECKING:
    from cnnpredict_gui.studies.tabular import TablePreview
    from cnnpredict_gui.training.importing import ImportReport, ImportRequest

Stage = Callable[[str, int, int], None]
Cancelled = Callable[[], bool]
Message = dict[str, Any]


@dataclass(frozen=True)
class OpenedTable:
    """A file of measurements as far as it was looked at: suggested mapping, column of the times and its unit."""

    table: TablePreview
    suggested: dict[str, str]
    time_column: str
    time_unit: str


@dataclass(frozen=True)
class TrainPlan:
    """Where the measurements come from, and what is trained from them.

    Without ``file``, ``layers`` layers are measured on this machine in ``rounds`` rounds with ``threads`` threads. ``trials``
    are those of the search for hyperparameters (None: each family's own number).
    """

    target: str
    device: Device
    file: ImportRequest | None = None
    layers: int = 500
    rounds: int = 3
    threads: int = 1
    trials: int | None = None
    budget_ms: float = 45.0

    @property
    def collected(self) -> Path:
        """The file of this machine's measurements; it stays, and an interrupted measurement goes on in it."""
        threads = f"-{self.threads}-threads" if self.threads > 1 else ""
        return data_dir() / "collected" / f"{self.target}-{self.layers}-layers{threads}.parquet"

    @property
    def imported(self) -> Path:
        """The imported file's rows, in the form that training reads."""
        return data_dir() / "imported" / f"{self.target}.parquet"

    @property
    def folder(self) -> Path:
        """The training folder to write."""
        return user_models_dir() / f"{TRAINING_PREFIX}{self.target}"


def look(path: Path) -> OpenedTable:
    """Look at a file.

    Raises:
        DataFileError: it cannot be read.
    """
    from cnnpredict_gui.studies.tabular import open_table, suggest_mapping
    from cnnpredict_gui.training.importing import suggest_time

    table = open_table(path)
    column, unit = suggest_time(table.columns)
    suggested = {theirs: ours for theirs, ours in suggest_mapping(table.columns).items() if theirs != column}
    return OpenedTable(table, suggested, column, unit)


def check(request: ImportRequest, cancelled: Cancelled | None = None) -> ImportReport:
    """Check a file in a child process.

    Raises:
        WorkerError: the file cannot be used; says why.
    """
    from cnnpredict_gui.training.importing import ImportReport

    found = _in_child(request, "", cancelled)
    return ImportReport(**found | {name: tuple(found[name]) for name in ("problems", "warnings")})


def _in_child(request: ImportRequest, out: str, cancelled: Cancelled | None) -> Message:
    from cnnpredict_gui.bench.child import run_in_child

    work = asdict(request) | {"path": str(request.path), "device": request.device.model_dump(), "out": out}
    return run_in_child(f"{__name__}:import_in_this_process", work, cancelled=cancelled)


def import_in_this_process(request: Message, send: Callable[[Message], None]) -> Message:
    """Body of the child process: checks the file, and writes it if there is an ``out``."""
    from cnnpredict_gui.training.importing import ImportRequest, check, import_measurements

    out = request.pop("out")
    values: Mapping[str, Any] = request | {"path": Path(request["path"]), "device": Device(**request["device"])}
    work = ImportRequest(**values)
    return asdict(import_measurements(work, Path(out)) if out else check(work))


def run(plan: TrainPlan, stage: Stage, cancelled: Cancelled) -> list[ModelCard]:
    """Measure or import, then train; returns the cards of the families and their consensus.

    Raises:
        CnnPredictError: whatever stands in the way; an interrupted measurement goes on the next time.
        CancelledByUserError: ``cancelled`` said so.
    """
    from cnnpredict_gui.training.in_child import train_in_child

    if plan.file is not None:
        stage("importing", 0, 0)
        data = plan.imported
        _in_child(replace(plan.file, target=plan.target, device=plan.device), str(data), cancelled)
    else:
        data = plan.collected
        if not data.exists():
            _collect(plan, stage, cancelled)
        _state_device(data, plan.device)
    stage("training", 0, 0)
    return train_in_child([data], plan.target, plan.folder, plan.trials, stage, cancelled)


def _collect(plan: TrainPlan, stage: Stage, cancelled: Cancelled) -> None:
    from cnnpredict_gui.training.collect import CollectRequest, collect

    request = CollectRequest(plan.collected, plan.target, plan.layers, plan.rounds, plan.threads, budget_ms=plan.budget_ms)
    collect(request, lambda done, total: stage("measuring layers", done, total), cancelled)


def _state_device(path: Path, device: Device) -> None:
    from cnnpredict_gui.training.importing import state_device

    state_device(path, device)
