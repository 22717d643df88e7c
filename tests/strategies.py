"""Hypothesis strategies for configurations."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from cnnpredict_gui.core.config import ALGORITHMS, DIRECTIONS, DTYPES, LIMITS, ConvConfig
from cnnpredict_gui.core.errors import ConfigError


def _size(name: str, low: int = 1) -> st.SearchStrategy[int]:
    """Small values, powers of two and everything up to the limit."""
    limit = LIMITS[name]
    powers = st.sampled_from([2**power for power in range(17) if low <= 2**power <= limit])
    return st.one_of(st.integers(low, min(limit, 64)), powers, st.integers(low, limit))


@st.composite
def valid_configs(draw: st.DrawFn) -> ConvConfig:
    """Any valid configuration, ordinary or absurd."""
    groups = draw(st.sampled_from([1, 1, 1, 2, 32]))
    data: dict[str, Any] = {name: draw(_size(name)) for name in LIMITS if not name.startswith(("padding", "groups"))}
    data |= {"groups": groups, "input_channels": groups * draw(st.integers(1, LIMITS["input_channels"] // 32))}
    data["output_channels"] = groups * draw(st.integers(1, LIMITS["output_channels"] // 32))
    for axis in ("height", "width"):
        reach = data[f"input_{axis}"]
        data[f"dilation_{axis}"] = draw(st.sampled_from([1, 1, 2, 3]))
        data[f"kernel_{axis}"] = min(data[f"kernel_{axis}"], max(1, (reach - 1) // data[f"dilation_{axis}"] + 1))
        data[f"padding_{axis}"] = draw(st.integers(0, 16))
    data["dtype"] = draw(st.sampled_from(DTYPES))
    data["direction"] = draw(st.sampled_from(DIRECTIONS))
    data["algorithm"] = draw(st.sampled_from(ALGORITHMS))
    while True:  # only the limit on a tensor's elements can still be broken
        try:
            return ConvConfig.parse(data)
        except ConfigError:
            largest = max(("batch_size", "input_height", "input_width"), key=lambda name: data[name])
            if data[largest] > 64:
                data[largest] = max(64, data[largest] // 4)
                for axis in ("height", "width"):
                    data[f"kernel_{axis}"] = min(data[f"kernel_{axis}"], max(1, data[f"input_{axis}"] // 4))
            else:
                data["input_channels"] = data["output_channels"] = groups
