"""Layers and measurements made up, for tests."""

from __future__ import annotations

from typing import Any

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.measurement import Measurement, Setting

SETTING = Setting("pc", "cpu", "Chip", 1, "PyTorch 9 / oneDNN")


def layer(**changes: Any) -> ConvConfig:
    """A small layer."""
    values = {"input_channels": 8, "input_height": 12, "input_width": 12, "output_channels": 16, "kernel_size": 3}
    return ConvConfig.parse(values | changes)


def measured(
    config: ConvConfig, median_ms: float, setting: Setting = SETTING, at: str = "2026-01-01T00:00:00+00:00"
) -> Measurement:
    """A measurement of a layer, quiet and stable."""
    times = (median_ms, 0.9 * median_ms, 0.95 * median_ms, 1.05 * median_ms)
    return Measurement(config, setting, *times, 0.05, 20, 0.0, measured_at=at)
