"""Features against their definitions, row by row, and independence of how they are asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnpredict_gui.core import features
from cnnpredict_gui.core.config import DTYPE_BYTES, ConvConfig
from cnnpredict_gui.core.errors import UnknownNameError
from cnnpredict_gui.core.features import feature_matrix, feature_names
from cnnpredict_gui.core.table import ConfigTable
from tests.artefacts import make_device
from tests.strategies import valid_configs

DEVICE = make_device("gpul40s")


def expected(config: ConvConfig) -> dict[str, float]:
    """Some of each group of features, by plain arithmetic."""
    c = config
    cg, kg = c.input_channels // c.groups, c.output_channels // c.groups
    gemm_m = c.batch_size * c.output_height * c.output_width
    peak = (DEVICE.fp32_tflops if c.dtype == "fp32" else DEVICE.fp16_tflops) * 1e9
    compute, memory = 2 * c.macs / peak, c.bytes_moved / (DEVICE.memory_bandwidth_gbs * 1e6)
    pixels = c.output_height * c.output_width
    waves = math.ceil(gemm_m / 128) * math.ceil(kg / 64) * c.groups / DEVICE.compute_units
    wave_time = math.ceil(waves) * 2 * 128 * 64 * cg * c.kernel_height * c.kernel_width * DEVICE.compute_units / peak
    return {
        "kernel_size": c.kernel_height,
        "input_width": c.input_width,
        "dtype_bytes": DTYPE_BYTES[c.dtype],
        "macs": c.macs,
        "log_macs": math.log2(c.macs),
        "log_bytes": math.log2(c.bytes_moved),
        "log_taps": math.log2(c.kernel_height * c.kernel_width),
        "log_intensity": math.log2(c.arithmetic_intensity),
        "aspect": math.log2(c.input_height / c.input_width),
        "is_depthwise": c.groups > 1 and c.groups == c.input_channels,
        "is_3x3_s1": (c.kernel_height * c.kernel_width, c.stride_height, c.stride_width) == (9, 1, 1),
        "output_pixels_mod_4": pixels % 4,
        "winograd_waste_4": math.ceil(c.output_height / 4) * math.ceil(c.output_width / 4) * 16 / pixels,
        "k_mod_32": c.output_channels % 32,
        "n_mod_2": c.batch_size % 2,
        "cg_waste_8": math.ceil(cg / 8) * 8 / cg,
        "gemm_m_waste_128": math.ceil(gemm_m / 128) * 128 / gemm_m,
        f"algorithm_{c.algorithm}": 1,
        f"dtype_{c.dtype}": 1,
        "ln_compute": math.log(compute),
        "ln_roofline": math.log(max(compute, memory) + 0.005),
        "ln_copies_and_compute": math.log(c.bytes_moved / (DEVICE.host_copy_gbs * 1e6) + compute + 0.1),
        "log_weight_to_l2": math.log2(c.weight_elements * DTYPE_BYTES[c.dtype] / (DEVICE.l2_mb * 1e6)),
        "log_waves_128x64": math.log2(waves),
        "wave_waste_128x64": min(math.ceil(waves) / waves, 8.0),
        "ln_wave_time_128x64": math.log(wave_time),
        "device_log_l2_mb": math.log2(DEVICE.l2_mb),
    }


@settings(max_examples=150, deadline=None)
@given(config=valid_configs())
def test_features_are_what_they_are_defined_as(config: ConvConfig) -> None:
    wanted = expected(config)
    found = feature_matrix(ConfigTable.from_configs([config]), DEVICE, list(wanted))[0]
    for name, value, number in zip(wanted, found.tolist(), wanted.values(), strict=True):
        assert value == pytest.approx(float(number), rel=2e-6, abs=2e-6), name


@settings(max_examples=50, deadline=None)
@given(configs=st.lists(valid_configs(), min_size=1, max_size=6))
def test_every_feature_of_every_valid_layer_is_finite(configs: list[ConvConfig]) -> None:
    assert np.isfinite(feature_matrix(ConfigTable.from_configs(configs), DEVICE, feature_names())).all()


def test_pieces_order_and_what_was_asked_before_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    sizes = {name: rng.integers(1, 300, 500) for name in ("input_channels", "input_height", "input_width", "output_channels")}
    table, _, _ = ConfigTable.from_columns(sizes | {"kernel_size": [1] * 500})
    names = list(rng.permutation(feature_names()))
    whole = feature_matrix(ConfigTable(table.columns), DEVICE, names)
    feature_matrix(table, make_device("cpu"), feature_names())
    np.testing.assert_array_equal(feature_matrix(table, DEVICE, names), whole)
    np.testing.assert_array_equal(feature_matrix(table, DEVICE, names[7:9]), whole[:, 7:9])
    monkeypatch.setattr(features, "CHUNK_ROWS", 77)
    np.testing.assert_array_equal(feature_matrix(table, DEVICE, names), whole)


def test_the_algorithm_is_not_remembered_from_another_table() -> None:
    config = ConvConfig.parse(
        {"input_channels": 8, "input_height": 8, "input_width": 8, "output_channels": 8, "kernel_size": 3}
    )
    table = ConfigTable.from_configs([config])
    names = ["algorithm_default", "algorithm_gemm", "algorithm_guess", "height_if_gemm", "height_if_guess"]
    assert feature_matrix(table, DEVICE, names).tolist() == [[1, 0, 0, 0, 0]]
    assert feature_matrix(table.resolve_algorithm("guess"), DEVICE, names).tolist() == [[0, 0, 1, 0, 8]]
    assert feature_matrix(table.with_algorithm("gemm"), DEVICE, names).tolist() == [[0, 1, 0, 8, 0]]


def test_an_unknown_feature_is_named_with_the_nearest() -> None:
    table = ConfigTable.from_configs([])
    with pytest.raises(UnknownNameError, match="did you mean log_macs"):
        feature_matrix(table, DEVICE, ["log_mac"])


def test_names_are_unique() -> None:
    assert len(set(feature_names())) == len(feature_names())
