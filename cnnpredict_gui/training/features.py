"""Which features each family is given, and the physical estimate whose log ratio is learnt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnpredict_gui.core import cpu_features
from cnnpredict_gui.core.config import INTEGER_FIELDS
from cnnpredict_gui.core.features import feature_matrix, feature_names
from cnnpredict_gui.training.datasets import Measurements

#: Sizes that stand in the matrix as logarithms; the plain ones are for models made elsewhere.
_PLAIN = {
    *INTEGER_FIELDS,
    *("kernel_size", "stride", "padding", "dilation", "output_height", "output_width", "macs", "direction_code"),
}
#: What the polynomial works on: few and smooth, since it takes every product of two.
_SMOOTH = (
    *("log_batch_size", "log_input_channels", "log_input_height", "log_taps", "log_stride_height"),
    *("log_groups", "log_oh", "log_cg", "log_kg", "log_gemm_m", "log_gemm_k", "log_input", "log_output", "log_weight"),
    *("log_macs", "log_bytes", "log_intensity", "ln_compute", "ln_memory", "ln_copies", "ln_roofline", "compute_to_memory"),
    *("is_depthwise", "is_pointwise", "is_strided", "is_3x3_s1", "winograd_waste_4", "cg_waste_32", "kg_waste_32"),
    *("log_output_channels", "log_kernel_height", "log_ow", "cg_waste_4", "cg_waste_16", "kg_waste_8", "kg_waste_16"),
    *("ow_waste_8", "gemm_m_waste_64", "gemm_k_waste_32", "log_im2col", "ln_roofline_sum", "wave_waste_128x128"),
    *("wave_waste_64x64", "log_waves_64x64", "log_waves_32x32", "aspect", "padding_share", "log_pixels_per_unit"),
    *("log_output_to_l2", "log_winograd_4"),
    *("kg_waste_64", "cg_waste_8", "log_waves_128x128", "wave_waste_128x64", "log_bytes_to_l2", "log_weight_to_l2", "log_fft"),
)
#: A feature that varies less than this over the rows says nothing.
_LEAST_VARIATION = 1e-6


#: Only of processors: the code path of a layer.
_PROCESSOR = frozenset(cpu_features.NAMES)


def offset_feature(rows: Measurements) -> str:
    """The estimate the models correct: of a processor that of the code path, else with the host copies if the time has them."""
    if rows.device.vector_lanes:
        return "cpu_ln_estimate"
    return "ln_copies_and_compute" if rows.target.time_kind == "call_with_host_copies" else "ln_roofline_sum"


def usable_features(family: str, parts: Sequence[Measurements]) -> tuple[str, ...]:
    """Names of the features that vary over the rows of a family's training data, in their canonical order.

    Calls with host copies scatter less within a process than between processes, and each timed one algorithm on one image size:
    boosted trees are given the height per algorithm there. To networks and forests it is of no use.
    """
    by_algorithm = family == "xgb" and all(part.target.time_kind == "call_with_host_copies" for part in parts)
    processors = all(part.device.vector_lanes for part in parts)
    smooth = (*_SMOOTH, *cpu_features.NAMES)
    wanted = [
        name
        for name in feature_names()
        if name not in _PLAIN
        and (processors or name not in _PROCESSOR)
        and (by_algorithm or not name.startswith("height_if_"))
        and (family != "lasso" or name in smooth or name.startswith(("algorithm_", "dtype_")))
    ]
    low, high = np.full(len(wanted), np.inf), np.full(len(wanted), -np.inf)
    for part in parts:
        matrix = feature_matrix(part.table, part.device, wanted)
        low, high = np.minimum(low, matrix.min(axis=0)), np.maximum(high, matrix.max(axis=0))
    return tuple(name for name, spread in zip(wanted, high - low, strict=True) if spread > _LEAST_VARIATION)
