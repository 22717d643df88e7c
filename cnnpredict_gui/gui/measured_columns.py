"""The two columns of a table that hold predictions against times measured on this machine; hidden until there are any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnnpredict_gui.gui.format import percent
from cnnpredict_gui.gui.tables import Column


def measured_columns(time_ms: Callable[[Any], Any], error_percent: Callable[[Any], Any], tip: str) -> tuple[Column, Column]:
    """Columns of the measured time and of the prediction's error against it, both taken from a row.

    ``tip`` says of what the time is.
    """
    return (
        Column("measured_ms", "measured (ms)", time_ms, tip=tip, hidden=True, numeric=True),
        Column(
            "error_percent",
            "error",
            error_percent,
            lambda row: percent(error_percent(row), signed=True),
            "Prediction against the measured time; positive where it is too high",
            hidden=True,
            numeric=True,
        ),
    )
