"""Quick calibration: some sixty measured layers turn the predictors of a similar device into predictors of this one.

The layers are chosen to fill the domain, measured in several rounds, and a correction (:mod:`.correction`) is fitted for each
family. Errors before and after are those of layers that the correction did not see: by folds over the layers measured, and on
further layers drawn at random. The corrected models are saved as a target of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cnnpredict_gui.bench.child import Message, run_in_child
from cnnpredict_gui.bench.conditions import Conditions
from cnnpredict_gui.bench.measuring import MeasureRequest, MeasureResult, measure
from cnnpredict_gui.core.card import Metrics
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import ConfigError
from cnnpredict_gui.core.measurement import Measurement, Setting, usable
from cnnpredict_gui.core.names import Target
from cnnpredict_gui.infra.paths import user_models_dir

#: Fewest layers a correction can be fitted to.
MIN_LAYERS = 12
#: Where a card names the target that a model was calibrated from, among its hyperparameters.
CALIBRATED_FROM = "calibrated_from"
_WORK = "cnnpredict_gui.training.calibration_work"


@dataclass(frozen=True)
class CalibrateRequest:
    """What to calibrate and how.

    ``target`` is the target to start from; empty takes the processor whose times run most nearly parallel to those measured.
    ``checks`` further layers are measured and only used to tell the error. ``out`` is the models folder, ``name`` the name this
    machine gets in the list (default: the computer's).
    """

    folders: Sequence[Path]
    target: str = ""
    layers: int = 60
    checks: int = 20
    rounds: int = 3
    threads: int = 1
    device: str = "cpu"
    name: str = ""
    out: Path | None = None
    budget_ms: float = 350.0


@dataclass(frozen=True)
class FamilyCalibration:
    """Errors of a family before and after: on the layers measured, each held out in turn, and on the check layers."""

    family: str
    before: Metrics
    after: Metrics
    check_before: Metrics | None = None
    check_after: Metrics | None = None


@dataclass(frozen=True)
class CalibrationPoint:
    """One layer: measured and predicted times in ms by the consensus (or the first family), the calibrated one held out."""

    layer: str
    measured_ms: float
    before_ms: float
    after_ms: float
    is_check: bool


@dataclass(frozen=True)
class CalibrationResult:
    """The new target and how well it does."""

    folder: Path
    target: Target
    source: str
    families: tuple[FamilyCalibration, ...]
    points: tuple[CalibrationPoint, ...]
    setting: Setting
    conditions: Conditions

    @property
    def main(self) -> FamilyCalibration:
        """The consensus, or else the first family."""
        return next((one for one in self.families if one.family == "consensus"), self.families[0])


def calibrate(
    request: CalibrateRequest,
    arrived: Callable[[int, Measurement], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> CalibrationResult:
    """Choose layers, measure them, fit, and save the new target; everything heavy runs in child processes.

    Args:
        request: What to calibrate.
        arrived: Called with a layer's place and its time, anew after each round.
        progress: Called with timings done and timings in all.
        cancelled: Asked ten times a second; then nothing is written.

    Raises:
        ConfigError: a number is out of range.
        WorkerError: there is no such target, or measuring or fitting failed.
        CancelledByUserError: ``cancelled`` said so.
    """
    if request.layers < MIN_LAYERS:
        raise ConfigError(f"layers is {request.layers}, less than {MIN_LAYERS}", "measure more layers", "layers")
    paths = {"folders": [str(folder) for folder in request.folders], "out": str(request.out or user_models_dir())}
    work = asdict(request) | paths
    chosen = run_in_child(f"{_WORK}:choose_in_this_process", work, cancelled=cancelled)
    layers = [ConvConfig(**values) for values in chosen["layers"]]
    timing = MeasureRequest(layers, request.device, request.threads, rounds=request.rounds, budget_ms=request.budget_ms)
    result = measure(timing, arrived, progress, cancelled)
    work |= {"fitted": chosen["fitted"], "setting": asdict(result.setting), "measured": _rows(result)}
    found = run_in_child(f"{_WORK}:fit_in_this_process", work, cancelled=cancelled)
    return CalibrationResult(
        Path(found["folder"]),
        Target(**found["target"]),
        found["source"],
        tuple(_family(one) for one in found["families"]),
        tuple(CalibrationPoint(**one) for one in found["points"]),
        result.setting,
        result.conditions,
    )


def _rows(result: MeasureResult) -> list[Message]:
    rows = enumerate(result.measurements)
    return [
        {"place": place, "config": one.config.model_dump(), "wall_ms": one.median_ms, "device_ms": one.device_ms}
        for place, one in rows
        if usable(one)
    ]


def _family(values: Message) -> FamilyCalibration:
    scores = {name: Metrics(**value) if value else None for name, value in values.items() if name != "family"}
    return FamilyCalibration(values["family"], **scores)  # type: ignore[arg-type]
