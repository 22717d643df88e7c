"""Code paths of PyTorch on a processor, against what oneDNN reported for these layers, and the work of a path."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.cpu_features import NAMES, PATHS, _valid_share, path_codes
from cnnpredict_gui.core.features import feature_matrix, quantities
from cnnpredict_gui.core.table import ConfigTable
from tests.artefacts import make_device
from tests.strategies import valid_configs

AVX2, AVX512 = 8, 16


def table(batch: int, inputs: int, size: int, outputs: int, kernel: int, **more: int) -> ConfigTable:
    """One layer as a table; stride, padding, dilation and groups as keywords."""
    sizes = {"batch_size": batch, "input_channels": inputs, "input_height": size, "input_width": size}
    return ConfigTable.from_configs([ConvConfig.parse({**sizes, "output_channels": outputs, "kernel_size": kernel, **more})])


def features(layer: ConfigTable, lanes: int = AVX512) -> dict[str, float]:
    """The features of one layer by name."""
    device = make_device("cpu").model_copy(update={"vector_lanes": lanes})
    return dict(zip(NAMES, feature_matrix(layer, device, NAMES)[0].tolist(), strict=True))


@pytest.mark.parametrize(
    ("layer", "avx2", "avx512"),
    [
        (table(1, 800, 14, 128, 1), "native_1x1", "native_1x1"),
        (table(16, 58, 28, 58, 1), "pointwise", "pointwise"),
        (table(1, 7, 39, 32, 3, stride=4), "native_im2col", "native_im2col"),
        (table(3, 8, 60, 8, 1, groups=8), "native_grouped", "native_grouped"),
        (table(1, 6, 8, 896, 3, padding=2, dilation=2), "native_dilated", "native_dilated"),
        (table(1, 3, 128, 64, 3), "flat", "flat"),
        (table(1, 9, 158, 7, 5, stride=2), "direct", "flat"),
        (table(1, 256, 32, 256, 3, stride=2), "direct", "direct"),
        (table(14, 256, 56, 256, 3, stride=4, padding=0, groups=256), "depthwise", "depthwise"),
        (table(7, 64, 27, 64, 11, groups=64), "gemm", "depthwise"),
        (table(8, 448, 7, 448, 11, stride=2, groups=448), "gemm", "gemm"),
        (table(1, 32, 79, 43, 11), "gemm", "direct"),
        (table(1, 64, 40, 64, 3, groups=4), "direct", "direct"),
        (table(1, 128, 56, 128, 3, groups=32), "gemm", "direct"),
        (table(1, 48, 79, 32, 8, padding=3, groups=8), "gemm", "gemm"),
        (table(2, 320, 48, 192, 1, stride=3), "pointwise", "pointwise"),
        (table(1, 768, 172, 8, 1, stride=3), "direct", "direct"),
    ],
)
def test_the_path_is_the_one_that_was_seen(layer: ConfigTable, avx2: str, avx512: str) -> None:
    assert PATHS[path_codes(quantities(layer), AVX2)[0]] == avx2
    assert PATHS[path_codes(quantities(layer), AVX512)[0]] == avx512


def test_channels_are_padded_to_whole_vectors() -> None:
    ragged, full = features(table(1, 24, 56, 40, 3)), features(table(1, 32, 56, 48, 3))
    assert ragged["cpu_log_padded_macs"] == pytest.approx(full["cpu_log_padded_macs"])
    assert (ragged["cpu_input_padded"], full["cpu_input_padded"]) == (1, 0)
    assert ragged["cpu_log_padding"] == pytest.approx(np.log2(32 * 48 / (24 * 40)))
    assert features(table(1, 24, 56, 40, 3), AVX2)["cpu_log_padding"] == 0


def test_large_buffers_cost_pages_on_every_call() -> None:
    below, above = features(table(1, 16, 360, 64, 1)), features(table(1, 16, 364, 64, 1))
    assert below["cpu_log_paged"] == 0
    assert 2 ** above["cpu_log_paged"] == pytest.approx(64 * 364 * 364, rel=1e-3)
    assert above["cpu_ln_estimate"] > below["cpu_ln_estimate"] + 0.5


@settings(max_examples=60, deadline=None)
@given(config=valid_configs().filter(lambda config: max(config.kernel_height, config.kernel_width) <= 24))
def test_taps_on_padding_are_counted(config: ConvConfig) -> None:
    outputs = np.arange(config.output_height)[:, None] * config.stride_height - config.padding_height
    places = outputs + np.arange(config.kernel_height) * config.dilation_height
    inside = ((places >= 0) & (places < config.input_height)).sum()
    share = _valid_share(quantities(ConfigTable.from_configs([config])), "height")[0]
    assert share == pytest.approx(max(inside, 1) / places.size)
