"""Whether the program can do its work: models, predictions and their errors, memory and disk. For people and monitoring."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from time import time
from typing import Any, Literal

import psutil

from cnnpredict_gui.bench.gpu import GpuMeter
from cnnpredict_gui.bench.machine import processor_name
from cnnpredict_gui.bench.predictor_latency import sample_layers
from cnnpredict_gui.infra.paths import data_dir
from cnnpredict_gui.serving.library import ModelEntry, ModelLibrary
from cnnpredict_gui.serving.statistics import STATISTICS, Served

HealthStatus = Literal["healthy", "degraded", "unhealthy"]
#: What each status means.
MEANINGS: dict[HealthStatus, str] = {
    "healthy": "every model found is loaded, no prediction failed, memory and disk suffice",
    "degraded": "predictions are made, but a model or a prediction failed, or memory or disk run short",
    "unhealthy": "no model is loaded, or every prediction failed",
}
#: Less than this is short: memory (MB) and share of it, and space for settings, history and imported models (MB).
LEAST_MEMORY_MB, LEAST_MEMORY_SHARE, LEAST_DISK_MB = 200.0, 0.03, 200.0


@dataclass(frozen=True)
class SystemFigures:
    """Processor load in percent of all cores, memory in MB (1e6 bytes), NaN where unknown; names of NVIDIA GPUs."""

    processor: str
    cores: int
    cpu_percent: float
    load_1m: float
    memory_total_mb: float
    memory_available_mb: float
    rss_mb: float
    disk_free_mb: float
    gpus: tuple[str, ...]


@dataclass(frozen=True)
class Health:
    """The state of this process. ``reasons`` say why it is not healthy; ``median_ms`` is the time of a call of one predictor,
    None before the first; ``uptime_s`` the age of the process.
    """

    status: HealthStatus
    reasons: tuple[str, ...]
    models_loaded: int
    models_failed: int
    uptime_s: float
    predictions: int
    errors: int
    median_ms: float | None
    system: SystemFigures

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; what is not known is null."""
        values = asdict(self)
        values["reasons"] = list(self.reasons)
        values["system"] = {name: None if _unknown(value) else value for name, value in values["system"].items()}
        values["system"]["gpus"] = list(self.system.gpus)
        return values


def _unknown(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def system_figures(cpu_percent: float | None = None) -> SystemFigures:
    """The machine now; ``cpu_percent`` if it is known already, else measured for 0.1 s."""
    memory = psutil.virtual_memory()
    return SystemFigures(
        processor=processor_name(),
        cores=psutil.cpu_count() or 1,
        cpu_percent=float(psutil.cpu_percent(0.1)) if cpu_percent is None else cpu_percent,
        load_1m=psutil.getloadavg()[0],
        memory_total_mb=memory.total / 1e6,
        memory_available_mb=memory.available / 1e6,
        rss_mb=psutil.Process().memory_info().rss / 1e6,
        disk_free_mb=_free_mb(data_dir()),
        gpus=_gpus(),
    )


@cache
def _gpus() -> tuple[str, ...]:
    meter = GpuMeter()
    names = tuple(meter.names)
    meter.close()
    return names


def _free_mb(folder: Path) -> float:
    """Free space where a folder is, or would be made."""
    for place in (folder, *folder.parents):
        with suppress(OSError):
            return shutil.disk_usage(place).free / 1e6
    return math.nan


def health(entries: Sequence[ModelEntry], system: SystemFigures | None = None) -> Health:
    """The state of this process, with the predictions it has made so far.

    Args:
        entries: All models that were found.
        system: The machine now; default: :func:`system_figures`.
    """
    system = system or system_figures()
    served = STATISTICS.snapshot()
    states = [entry.status for entry in entries]
    loaded, failed = states.count("loaded"), states.count("failed")
    fatal = _fatal(loaded, served)
    reasons = fatal or _shortcomings(entries, served.errors, system)
    return Health(
        status="unhealthy" if fatal else "degraded" if reasons else "healthy",
        reasons=tuple(reasons),
        models_loaded=loaded,
        models_failed=failed,
        uptime_s=max(0.0, time() - psutil.Process().create_time()),
        predictions=served.predictions,
        errors=served.errors,
        median_ms=served.median_ms,
        system=system,
    )


def _fatal(loaded: int, served: Served) -> list[str]:
    if not loaded:
        return ["no model is loaded"]
    return [f"all of {served.errors:,} calls failed"] if served.errors and not served.calls else []


def _shortcomings(entries: Sequence[ModelEntry], errors: int, system: SystemFigures) -> list[str]:
    found = [f"{entry.full_name}: {entry.reason}" for entry in entries if entry.status == "failed"]
    if errors:
        found.append(f"{errors:,} call{'s' if errors > 1 else ''} failed; the log says why")
    available = system.memory_available_mb
    if available < max(LEAST_MEMORY_MB, LEAST_MEMORY_SHARE * system.memory_total_mb):
        found.append(f"only {available:,.0f} MB of memory are available")
    if system.disk_free_mb < LEAST_DISK_MB:
        found.append(f"only {system.disk_free_mb:,.0f} MB are free for the program's own files")
    return found


def probe(library: ModelLibrary) -> Health:
    """Load every model, ask each for a layer like those it was trained on, and report; no model can stop it."""
    entries = library.load_all()
    for predictor in library.predictors.values():
        with suppress(Exception):  # counted by the predictor itself
            predictor.predict(sample_layers(predictor.card, 1))
    return health(entries)


def prometheus(state: Health) -> str:
    """The state in the text format that Prometheus scrapes (exposition format 0.0.4)."""
    system = state.system
    metrics: list[tuple[str, str, str, float | None]] = [
        ("up", "gauge", "1 unless the program is unhealthy.", float(state.status != "unhealthy")),
        ("models_loaded", "gauge", "Models ready to predict.", state.models_loaded),
        ("models_failed", "gauge", "Models that cannot be used.", state.models_failed),
        ("uptime_seconds", "gauge", "Age of the process.", state.uptime_s),
        ("predictions_total", "counter", "Layers predicted, once per predictor.", state.predictions),
        ("errors_total", "counter", "Calls of a predictor that failed.", state.errors),
        ("call_median_seconds", "gauge", "Median time of a predictor's call.", _seconds(state.median_ms)),
        ("resident_memory_bytes", "gauge", "Memory of the process.", 1e6 * system.rss_mb),
        ("machine_cpu_ratio", "gauge", "Load of all cores, 0 to 1.", system.cpu_percent / 100),
        ("machine_load1", "gauge", "Processes waiting or running, mean of a minute.", system.load_1m),
        ("machine_memory_bytes", "gauge", "Memory of the machine.", 1e6 * system.memory_total_mb),
        ("machine_memory_available_bytes", "gauge", "Memory that programs can still get.", 1e6 * system.memory_available_mb),
    ]
    lines: list[str] = []
    for name, kind, text, value in metrics:
        if value is not None and not math.isnan(value):
            lines += [f"# HELP cnnpredict_{name} {text}", f"# TYPE cnnpredict_{name} {kind}", f"cnnpredict_{name} {value:.10g}"]
    return "\n".join(lines) + "\n"


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1e3
