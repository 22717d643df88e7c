"""What charts and tables of predictions have in common: headings per time kind, and the columns of their exports. No Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnpredict_gui import __version__
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.gui.csv_text import Cell

if TYPE_CHECKING:
    from cnnpredict_gui.studies.comparison import ComparisonRow

#: Headings of the panels.
KIND_TITLES = {
    "kernel": "Kernel time (ms): the device kernel alone",
    "call_with_host_copies": "Call time (ms): one library call with allocation and host copies",
    "framework_wall_clock": "Wall-clock time (ms): host clock around one framework call",
}
PREDICTION_COLUMNS = (
    "predictor",
    "family",
    "target",
    "device",
    "framework",
    "time_kind",
    "time_ms",
    "low_90_ms",
    "high_90_ms",
    "verdict",
    "measured_ms",
    "error_percent",
)


def config_columns(config: ConvConfig) -> dict[str, Cell]:
    """A configuration and the program's version as constant columns of an export."""
    return {**config.model_dump(), "version": __version__}


def prediction_cells(row: ComparisonRow) -> tuple[Cell, ...]:
    """Values for :data:`PREDICTION_COLUMNS`."""
    target, answer = row.target, row.prediction
    head = (row.predictor, row.family, target.name, target.device, target.framework, target.time_kind)
    return (*head, answer.time_ms, answer.low_ms, answer.high_ms, answer.verdict, row.measured_ms, row.error_percent)
