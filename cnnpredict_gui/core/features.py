"""Physical features of convolution layers, vectorised over a table.

A feature is named in a model card and computed here; training and serving share these functions. Logarithms are to base
2, except in names that begin with ``ln_`` (natural log of ms). Tile and wave quantisation follow NVIDIA's "Deep Learning
Performance" guide: a kernel covers its output by tiles, tiles run in waves over the compute units, and the last wave may
be nearly empty. Roofline time is the larger of compute and memory time (Williams, Waterman, Patterson 2009). Winograd
tile counts follow Lavin and Gray 2016.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.card import Device
from cnnpredict_gui.core.config import ALGORITHMS, DTYPES, INTEGER_FIELDS
from cnnpredict_gui.core.errors import UnknownNameError
from cnnpredict_gui.core.names import nearest
from cnnpredict_gui.core.table import ConfigTable, Floats

#: Rows handled at once, so that a million rows need little memory.
CHUNK_ROWS = 16_384
WASTE_MULTIPLES = (4, 8, 16, 32, 64, 128)
TILES = ((32, 32), (64, 64), (128, 64), (128, 128), (256, 128))
_SHAPE_CODES = {"n": "batch_size", "c": "input_channels", "h": "input_height", "w": "input_width", "k": "output_channels"}


def quantities(table: ConfigTable) -> dict[str, Floats]:
    """Counts that follow from the sizes, shape (n,) each: MACs, elements per tensor and GEMM extents (float64)."""
    key = ("quantities", "")
    if key not in table.cache:
        table.cache[key] = _quantities(table)
    found: dict[str, Floats] = table.cache[key]
    return found


def _quantities(table: ConfigTable) -> dict[str, Floats]:
    q: dict[str, Floats] = {name: table.columns[name].astype(np.float64) for name in INTEGER_FIELDS}
    q["oh"], q["ow"] = table.output_height.astype(np.float64), table.output_width.astype(np.float64)
    q["cg"], q["kg"] = q["input_channels"] / q["groups"], q["output_channels"] / q["groups"]
    q["taps"] = q["kernel_height"] * q["kernel_width"]
    q["gemm_m"] = q["batch_size"] * q["oh"] * q["ow"]
    q["gemm_k"] = q["cg"] * q["taps"]
    q["input"] = q["batch_size"] * q["input_channels"] * q["input_height"] * q["input_width"]
    q["output"] = q["gemm_m"] * q["output_channels"]
    q["weight"] = q["output_channels"] * q["gemm_k"]
    q["macs"] = q["output"] * q["gemm_k"]
    q["bytes"] = (q["input"] + q["output"] + q["weight"]) * table.dtype_bytes
    return q


def _base(table: ConfigTable) -> dict[str, Callable[[], npt.NDArray[np.generic]]]:
    """Features that depend on the layer alone, as functions so that only the wanted ones are computed."""
    q = quantities(table)
    c = table.columns
    made: dict[str, Callable[[], npt.NDArray[np.generic]]] = {
        "kernel_size": lambda: c["kernel_height"],
        "stride": lambda: c["stride_height"],
        "padding": lambda: c["padding_height"],
        "dilation": lambda: c["dilation_height"],
        "dtype_bytes": lambda: table.dtype_bytes,
        "direction_code": lambda: c["direction"],
        "output_height": lambda: q["oh"],
        "output_width": lambda: q["ow"],
        "macs": lambda: q["macs"],
        "log_taps": lambda: np.log2(q["taps"]),
        "log_intensity": lambda: np.log2(2 * q["macs"] / q["bytes"]),
        "log_im2col": lambda: np.log2(q["gemm_m"] * q["gemm_k"] * q["groups"]),
        "is_depthwise": lambda: (c["groups"] > 1) & (c["groups"] == c["input_channels"]),
        "is_pointwise": lambda: q["taps"] == 1,
        "is_strided": lambda: c["stride_height"] > 1,
        "is_3x3_s1": lambda: (q["taps"] == 9) & (c["stride_height"] == 1) & (c["stride_width"] == 1),
        "padding_share": lambda: (c["padding_height"] + c["padding_width"]) / (q["input_height"] + q["input_width"]),
        "aspect": lambda: np.log2(q["input_height"] / q["input_width"]),
        "output_pixels_mod_4": lambda: (q["oh"] * q["ow"]) % 4,
        "input_pixels_mod_4": lambda: (q["input_height"] * q["input_width"]) % 4,
        "log_winograd_2": lambda: np.log2(_winograd_macs(q, 2)),
        "log_winograd_4": lambda: np.log2(_winograd_macs(q, 4)),
        "winograd_waste_4": lambda: np.ceil(q["oh"] / 4) * np.ceil(q["ow"] / 4) * 16 / (q["oh"] * q["ow"]),
        "log_fft": lambda: np.log2(_fft_size(q)),
        "fft_tile_waste": lambda: np.ceil(q["oh"] / 30) * np.ceil(q["ow"] / 30) * 900 / (q["oh"] * q["ow"]),
    }
    for name in INTEGER_FIELDS:
        made[name] = lambda name=name: c[name]  # type: ignore[misc]
        if not name.startswith(("padding", "dilation")):
            made[f"log_{name}"] = lambda name=name: np.log2(q[name])  # type: ignore[misc]
    for name in ("oh", "ow", "cg", "kg", "gemm_m", "gemm_k", "input", "output", "weight", "macs", "bytes"):
        made[f"log_{name}"] = lambda name=name: np.log2(q[name])  # type: ignore[misc]
    for short, name in _SHAPE_CODES.items():
        for multiple in (2, 4, 8, 16, 32):
            made[f"{short}_mod_{multiple}"] = lambda n=name, m=multiple: c[n] % m  # type: ignore[misc]
    for multiple in WASTE_MULTIPLES:
        for short in ("cg", "kg", "ow", "gemm_m", "gemm_k"):
            made[f"{short}_waste_{multiple}"] = lambda s=short, m=multiple: np.ceil(q[s] / m) * m / q[s]  # type: ignore[misc]
    for code, name in enumerate(ALGORITHMS):
        made[f"algorithm_{name}"] = lambda code=code: c["algorithm"] == code  # type: ignore[misc]
    for code, name in enumerate(DTYPES):
        made[f"dtype_{name}"] = lambda code=code: c["dtype"] == code  # type: ignore[misc]
    return made


def _winograd_macs(q: dict[str, Floats], tile: int) -> Floats:
    """MACs of Winograd F(tile x tile, kh x kw): tiles * (tile + k - 1)^2 * C/g * K."""
    tiles = q["batch_size"] * np.ceil(q["oh"] / tile) * np.ceil(q["ow"] / tile)
    return tiles * (tile + q["kernel_height"] - 1) * (tile + q["kernel_width"] - 1) * q["cg"] * q["output_channels"]


def _fft_size(q: dict[str, Floats]) -> Floats:
    """Elements of the planes an FFT convolution works on: padded to powers of two, for input, output and weights."""
    height = np.exp2(np.ceil(np.log2(q["input_height"] + q["kernel_height"] - 1)))
    width = np.exp2(np.ceil(np.log2(q["input_width"] + q["kernel_width"] - 1)))
    planes = q["batch_size"] * (q["input_channels"] + q["output_channels"]) + q["cg"] * q["output_channels"]
    return height * width * planes


def _on_device(table: ConfigTable, device: Device) -> dict[str, Callable[[], npt.NDArray[np.generic]]]:
    """Features of the layer on a device; times are natural logs of ms."""
    q = quantities(table)
    memo: dict[str, Floats] = {}

    def kept(name: str, make: Callable[[], Floats]) -> Floats:
        if name not in memo:
            memo[name] = make()
        return memo[name]

    def peak() -> Floats:
        rates = np.array([device.fp32_tflops, device.fp16_tflops, device.fp16_tflops, device.fp16_tflops])
        return kept("peak", lambda: rates[table.columns["dtype"]] * 1e9)  # operations per ms

    def compute() -> Floats:
        return kept("compute", lambda: 2 * q["macs"] / peak())

    def memory() -> Floats:
        return kept("memory", lambda: q["bytes"] / (device.memory_bandwidth_gbs * 1e6))

    def copies() -> Floats:
        return kept("copies", lambda: q["bytes"] / (device.host_copy_gbs * 1e6))

    def waves(tile: tuple[int, int]) -> Floats:
        tiles = np.ceil(q["gemm_m"] / tile[0]) * np.ceil(q["kg"] / tile[1]) * q["groups"]
        return kept(f"waves{tile}", lambda: tiles / device.compute_units)

    def wave_time(tile: tuple[int, int]) -> Floats:
        work = 2 * tile[0] * tile[1] * q["gemm_k"] * device.compute_units
        return np.ceil(waves(tile)) * work / peak()

    made: dict[str, Callable[[], npt.NDArray[np.generic]]] = {
        "ln_compute": lambda: np.log(compute()),
        "ln_memory": lambda: np.log(memory()),
        "ln_copies": lambda: np.log(copies()),
        "ln_roofline": lambda: np.log(np.maximum(compute(), memory()) + 0.005),
        "ln_roofline_sum": lambda: np.log(compute() + memory() + 0.005),
        "ln_copies_and_compute": lambda: np.log(copies() + compute() + 0.1),
        "compute_to_memory": lambda: np.log2(compute() / memory()),
        "log_bytes_to_l2": lambda: np.log2(q["bytes"] / (device.l2_mb * 1e6)),
        "log_weight_to_l2": lambda: np.log2(q["weight"] * table.dtype_bytes / (device.l2_mb * 1e6)),
        "log_output_to_l2": lambda: np.log2(q["output"] * table.dtype_bytes / (device.l2_mb * 1e6)),
        "log_pixels_per_unit": lambda: np.log2(q["gemm_m"] / device.compute_units),
    }
    for tile in TILES:
        name = f"{tile[0]}x{tile[1]}"
        made[f"log_waves_{name}"] = lambda tile=tile: np.log2(waves(tile))  # type: ignore[misc]
        made[f"wave_waste_{name}"] = lambda tile=tile: np.minimum(np.ceil(waves(tile)) / waves(tile), 8.0)  # type: ignore[misc]
        made[f"ln_wave_time_{name}"] = lambda tile=tile: np.log(wave_time(tile))  # type: ignore[misc]
    for name in ("fp32_tflops", "fp16_tflops", "memory_bandwidth_gbs", "l2_mb", "compute_units", "boost_clock_mhz"):
        made[f"device_log_{name}"] = lambda name=name: np.full(len(table), np.log2(getattr(device, name)))  # type: ignore[misc]
    return made


def feature_names() -> tuple[str, ...]:
    """Every feature name a card may use."""
    one = ConfigTable.from_columns({name: [1] for name in INTEGER_FIELDS})[0]
    return (
        *_base(one),
        *_on_device(
            one,
            Device(name="", compute_units=1, boost_clock_mhz=1, fp32_tflops=1, fp16_tflops=1, memory_bandwidth_gbs=1, l2_mb=1),
        ),
    )


def feature_matrix(table: ConfigTable, device: Device, names: Sequence[str]) -> npt.NDArray[np.float32]:
    """Features of every row, shape (n, len(names)), float32, columns in the order of ``names``.

    What depends on the layer alone is kept in ``table.cache``, so that asking for several devices computes it once.

    Raises:
        UnknownNameError: a name is not a feature.
    """
    out = np.empty((len(table), len(names)), dtype=np.float32)
    if len(table) > CHUNK_ROWS:
        for start in range(0, len(table), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            out[rows] = feature_matrix(table[rows], device, names)
        return out
    base, own = _base(table), _on_device(table, device)
    for column, name in enumerate(names):
        cache = table.own_cache if name.startswith("algorithm_") else table.cache
        key = ("feature", name)
        if name in own:
            out[:, column] = own[name]()
        elif name in base:
            if key not in cache:
                cache[key] = base[name]()
            out[:, column] = cache[key]
        else:
            raise UnknownNameError(f"{name!r} is not a feature", nearest(name, [*base, *own]))
    return out
