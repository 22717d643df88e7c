"""Tables of configurations obey the rules of single ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import ConfigError, DataFileError
from cnnpredict_gui.core.table import ConfigTable

LAYER = {"input_channels": 64, "input_height": 56, "input_width": 56, "output_channels": 64, "kernel_size": 3}


def _table(**columns: list[Any]) -> tuple[ConfigTable, list[bool], list[str]]:
    length = len(next(iter(columns.values())))
    table, valid, messages = ConfigTable.from_columns({name: [value] * length for name, value in LAYER.items()} | columns)
    return table, valid.tolist(), messages


def test_blank_optional_cells_are_defaults() -> None:
    table, valid, _ = _table(
        batch_size=["", None, "4"], padding=["same", "", "0"], stride=[None, "2", " 1 "], dtype=["", None, "FP16"]
    )
    assert valid == [True] * 3
    assert table.columns["batch_size"].tolist() == [1, 1, 4]
    assert table.columns["padding_height"].tolist() == [1, 1, 0]
    assert table.columns["stride_width"].tolist() == [1, 2, 1]
    assert [table.config(row).dtype for row in range(3)] == ["fp32", "fp32", "fp16"]


def test_messages_name_the_value() -> None:
    _, valid, messages = _table(input_channels=["", "x", "2.5", np.nan, "-3"])
    assert valid == [False] * 5
    assert messages == [
        "input_channels is missing",
        "input_channels is x, not a whole number",
        "input_channels is 2.5, not a whole number",
        "input_channels is nan, not a whole number",
        "input_channels is -3, outside 1 to 131,072",
    ]


def test_negative_padding_is_an_error_and_not_same() -> None:
    _, valid, messages = _table(padding_height=[-1, 1])
    assert valid == [False, True]
    assert messages[0] == "padding_height is -1, outside 0 to 4,096"


def test_fields_go_before_shorthands() -> None:
    table, _, _ = _table(kernel_height=[5], kernel_width=[1])
    assert (table.columns["kernel_height"][0], table.columns["kernel_width"][0]) == (5, 1)
    assert (table.columns["padding_height"][0], table.columns["padding_width"][0]) == (2, 0)


def test_missing_columns() -> None:
    with pytest.raises(DataFileError, match="no column input_width, output_channels, kernel_size"):
        ConfigTable.from_columns({"input_channels": [1], "input_height": [1]})


numbers = st.one_of(st.integers(-3, 70), st.sampled_from([1.5, float("nan"), float("inf"), 10**9]))


@given(
    st.fixed_dictionaries(
        dict.fromkeys(
            ("input_channels", "input_height", "input_width", "output_channels", "kernel_size", "stride", "padding", "groups"),
            numbers,
        )
    )
)
def test_rows_and_single_configurations_are_judged_alike(values: dict[str, Any]) -> None:
    table, valid, messages = ConfigTable.from_columns({name: np.array([value]) for name, value in values.items()})
    try:
        config = ConvConfig.parse(values)
    except ConfigError:
        assert not valid[0]
        assert messages[0]
    else:
        assert valid[0], messages
        assert table.config(0) == config
