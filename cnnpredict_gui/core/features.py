"""Physical features of convolution layers, vectorised over a table.

A feature is named in a model card and computed here; training and serving share these functions. Logarithms are to base
2, except in names that begin with ``ln_`` (natural log of ms). Tile and wave quantisation follow NVIDIA's "Deep Learning
Performance" guide: a kernel covers its output by tiles, tiles run in waves over the compute units, and the last wave may
be nearly empty. Roofline time is the larger of compute and memory time (Williams, Waterman, Patterson 2009). Winograd
tile counts follow Lavin and Gray 2016.

Features are computed in groups of like formulas, one array operation for a whole group: one configuration for many
devices then costs microseconds instead of one call per feature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.card import Device
from cnnpredict_gui.core.config import ALGORITHMS, DTYPES, INTEGER_FIELDS
from cnnpredict_gui.core.cpu_features import NAMES as CPU_NAMES
from cnnpredict_gui.core.cpu_features import path_features
from cnnpredict_gui.core.errors import UnknownNameError
from cnnpredict_gui.core.names import nearest
from cnnpredict_gui.core.table import ConfigTable, Floats

#: Rows handled at once, so that a million rows need little memory.
CHUNK_ROWS = 16_384
WASTE_MULTIPLES = (4, 8, 16, 32, 64, 128)
TILES = ((32, 32), (64, 64), (128, 64), (128, 128), (256, 128))
_SHAPE_CODES = {"n": "batch_size", "c": "input_channels", "h": "input_height", "w": "input_width", "k": "output_channels"}
_MODULI = (2, 4, 8, 16, 32)
_LOG_FIELDS = tuple(name for name in INTEGER_FIELDS if not name.startswith(("padding", "dilation")))
_LOG_QUANTITIES = ("oh", "ow", "cg", "kg", "gemm_m", "gemm_k", "input", "output", "weight", "macs", "bytes")
_WASTED = ("cg", "kg", "ow", "gemm_m", "gemm_k")
_DEVICE_LOGS = ("fp32_tflops", "fp16_tflops", "memory_bandwidth_gbs", "l2_mb", "compute_units", "boost_clock_mhz")
_TILE_NAMES = tuple(f"{rows}x{columns}" for rows, columns in TILES)
#: Waste of the last wave is cut off here: beyond it the device is nearly idle anyway.
_MAX_WAVE_WASTE = 8.0

Rows = Sequence[npt.NDArray[Any]] | npt.NDArray[Any]


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


def _plain(table: ConfigTable) -> Rows:
    return [table.columns[name] for name in INTEGER_FIELDS]


def _joint(table: ConfigTable) -> Rows:
    c, q = table.columns, quantities(table)
    heights = [c[f"{stem}_height"] for stem in ("kernel", "stride", "padding", "dilation")]
    return [*heights, table.dtype_bytes, c["direction"], q["oh"], q["ow"], q["macs"]]


def _logs(table: ConfigTable) -> Rows:
    q = quantities(table)
    intensity, im2col = 2 * q["macs"] / q["bytes"], q["gemm_m"] * q["gemm_k"] * q["groups"]
    aspect = q["input_height"] / q["input_width"]
    return np.log2(np.stack([*[q[name] for name in (*_LOG_FIELDS, *_LOG_QUANTITIES, "taps")], intensity, im2col, aspect]))


def _flags(table: ConfigTable) -> Rows:
    c, q = table.columns, quantities(table)
    strided = c["stride_height"] > 1
    return [
        (c["groups"] > 1) & (c["groups"] == c["input_channels"]),
        q["taps"] == 1,
        strided,
        (q["taps"] == 9) & ~strided & (c["stride_width"] == 1),
        (c["padding_height"] + c["padding_width"]) / (q["input_height"] + q["input_width"]),
        (table.output_height * table.output_width) & 3,
        (c["input_height"] * c["input_width"]) & 3,
    ]


def _transforms(table: ConfigTable) -> Rows:
    q = quantities(table)
    pixels = q["oh"] * q["ow"]
    return [
        np.log2(_winograd_macs(q, 2)),
        np.log2(_winograd_macs(q, 4)),
        np.ceil(q["oh"] / 4) * np.ceil(q["ow"] / 4) * 16 / pixels,
        np.log2(_fft_size(q)),
        np.ceil(q["oh"] / 30) * np.ceil(q["ow"] / 30) * 900 / pixels,
    ]


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


def _remainders(table: ConfigTable) -> Rows:
    """Remainders by powers of two, as bits."""
    sizes = np.stack([table.columns[name] for name in _SHAPE_CODES.values()])
    masks = np.array(_MODULI)[None, :, None] - 1
    remainders: Rows = (sizes[:, None, :] & masks).reshape(-1, len(table))
    return remainders


def _wastes(table: ConfigTable) -> Rows:
    q = quantities(table)
    sizes, multiples = np.stack([q[name] for name in _WASTED])[None], np.array(WASTE_MULTIPLES, dtype=np.float64)[:, None, None]
    wastes: Floats = np.ceil(sizes / multiples) * multiples / sizes
    return wastes.reshape(-1, len(table))


def _algorithms(table: ConfigTable) -> Rows:
    flags: Rows = table.columns["algorithm"] == np.arange(len(ALGORITHMS))[:, None]
    return flags


def _heights(table: ConfigTable) -> Rows:
    """Input height under the layer's algorithm, 0 under the others: one split then tells both."""
    heights: Rows = np.asarray(_algorithms(table)) * table.columns["input_height"]
    return heights


def _dtypes(table: ConfigTable) -> Rows:
    flags: Rows = table.columns["dtype"] == np.arange(len(DTYPES))[:, None]
    return flags


def _times(table: ConfigTable, device: Device) -> Rows:
    """Times by the datasheet and sizes by the device's own, as logs; times in ms."""
    q = quantities(table)
    compute = 2 * q["macs"] / _peak(table, device)
    memory = q["bytes"] / (device.memory_bandwidth_gbs * 1e6)
    copies = q["bytes"] / (device.host_copy_gbs * 1e6)
    sums = [np.maximum(compute, memory) + 0.005, compute + memory + 0.005, copies + compute + 0.1]
    l2 = device.l2_mb * 1e6
    to_l2 = [q["bytes"] / l2, q["weight"] * table.dtype_bytes / l2, q["output"] * table.dtype_bytes / l2]
    times = np.log(np.stack([compute, memory, copies, *sums]))
    return [*times, *np.log2(np.stack([compute / memory, *to_l2, q["gemm_m"] / device.compute_units]))]


def _peak(table: ConfigTable, device: Device) -> Floats:
    """Operations per ms at the peak rate of the element type."""
    rates = np.array([device.fp32_tflops, device.fp16_tflops, device.fp16_tflops, device.fp16_tflops])
    peak: Floats = rates[table.columns["dtype"]] * 1e9
    return peak


def _waves(table: ConfigTable, device: Device) -> Rows:
    """Waves, waste of the last wave and log time of all waves, for each tile in turn."""
    q = quantities(table)
    rows, columns = np.array(TILES, dtype=np.float64).T[:, :, None]
    waves = np.ceil(q["gemm_m"] / rows) * np.ceil(q["kg"] / columns) * q["groups"] / device.compute_units
    whole = np.ceil(waves)
    time = whole * (2 * rows * columns * q["gemm_k"] * device.compute_units) / _peak(table, device)
    each = np.stack([np.log2(waves), np.minimum(whole / waves, _MAX_WAVE_WASTE), np.log(time)], axis=1)
    return each.reshape(-1, len(table))


def _constants(table: ConfigTable, device: Device) -> Rows:
    logs = np.log2([getattr(device, name) for name in _DEVICE_LOGS])
    return np.broadcast_to(logs[:, None], (len(logs), len(table)))


def _processor(table: ConfigTable, device: Device) -> Rows:
    return path_features(quantities(table), device)


@dataclass(frozen=True)
class _Group:
    """Features computed together; exactly one of the functions is given."""

    names: tuple[str, ...]
    of_layer: Callable[[ConfigTable], Rows] | None = None
    of_device: Callable[[ConfigTable, Device], Rows] | None = None

    def rows(self, table: ConfigTable, device: Device) -> Rows:
        """The group's features, shape (len(names), n)."""
        if self.of_layer is not None:
            return self.of_layer(table)
        return self.of_device(table, device) if self.of_device is not None else []


_JOINT = (
    "kernel_size",
    "stride",
    "padding",
    "dilation",
    "dtype_bytes",
    "direction_code",
    "output_height",
    "output_width",
    "macs",
)
_RATIOS = ("log_taps", "log_intensity", "log_im2col")
_FLAGS = ("is_depthwise", "is_pointwise", "is_strided", "is_3x3_s1", "padding_share")
_PIXELS = ("output_pixels_mod_4", "input_pixels_mod_4")
_TRANSFORMS = ("log_winograd_2", "log_winograd_4", "winograd_waste_4", "log_fft", "fft_tile_waste")
_GROUPS = (
    _Group(_JOINT, _joint),
    _Group(INTEGER_FIELDS, _plain),
    _Group((*(f"log_{name}" for name in (*_LOG_FIELDS, *_LOG_QUANTITIES)), *_RATIOS, "aspect"), _logs),
    _Group((*_FLAGS, *_PIXELS), _flags),
    _Group(_TRANSFORMS, _transforms),
    _Group(tuple(f"{short}_mod_{modulus}" for short in _SHAPE_CODES for modulus in _MODULI), _remainders),
    _Group(tuple(f"{name}_waste_{multiple}" for multiple in WASTE_MULTIPLES for name in _WASTED), _wastes),
    _Group(tuple(f"algorithm_{name}" for name in ALGORITHMS), _algorithms),
    _Group(tuple(f"height_if_{name}" for name in ALGORITHMS), _heights),
    _Group(tuple(f"dtype_{name}" for name in DTYPES), _dtypes),
    _Group(
        (
            *("ln_compute", "ln_memory", "ln_copies", "ln_roofline", "ln_roofline_sum", "ln_copies_and_compute"),
            *("compute_to_memory", "log_bytes_to_l2", "log_weight_to_l2", "log_output_to_l2", "log_pixels_per_unit"),
        ),
        of_device=_times,
    ),
    _Group(
        tuple(f"{kind}_{tile}" for tile in _TILE_NAMES for kind in ("log_waves", "wave_waste", "ln_wave_time")),
        of_device=_waves,
    ),
    _Group(tuple(f"device_log_{name}" for name in _DEVICE_LOGS), of_device=_constants),
    _Group(CPU_NAMES, of_device=_processor),
)
_OF_ALGORITHM = (_algorithms, _heights)
#: Groups by what they depend on; each section is one array, of which the groups fill a part when they are first wanted.
_SECTIONS = {
    "layer": tuple(group for group in _GROUPS if group.of_layer not in (None, *_OF_ALGORITHM)),
    "algorithm": tuple(group for group in _GROUPS if group.of_layer in _OF_ALGORITHM),
    "device": tuple(group for group in _GROUPS if group.of_device is not None),
}
_HEIGHTS = {section: sum(len(group.names) for group in groups) for section, groups in _SECTIONS.items()}


@dataclass(frozen=True)
class _Part:
    """Part of a section: a group and its rows there."""

    group: _Group
    rows: slice


def _parts() -> dict[str, tuple[str, int, _Part]]:
    """Section, row and part of every feature."""
    found: dict[str, tuple[str, int, _Part]] = {}
    for section, groups in _SECTIONS.items():
        start = 0
        for group in groups:
            part = _Part(group, slice(start, start + len(group.names)))
            found |= {name: (section, start + row, part) for row, name in enumerate(group.names)}
            start += len(group.names)
    return found


_PLACES = _parts()


def feature_names() -> tuple[str, ...]:
    """Every feature name a card may use, in the order in which models are trained on them."""
    plain = [part for name in INTEGER_FIELDS for part in (name, f"log_{name}") if part in _PLACES]
    first = (*_JOINT, *_RATIOS, *_FLAGS, "aspect", *_PIXELS, *_TRANSFORMS, *plain)
    return tuple(dict.fromkeys((*first, *(name for group in _GROUPS for name in group.names))))


@dataclass(frozen=True)
class _Selection:
    """What a list of names takes from a section: its rows, the columns of the matrix they go to, the parts to be filled."""

    section: str
    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    parts: tuple[_Part, ...]


@lru_cache(maxsize=1_024)
def _plan(names: tuple[str, ...]) -> list[_Selection]:
    for name in names:
        if name not in _PLACES:
            raise UnknownNameError(f"{name!r} is not a feature", nearest(name, list(_PLACES)))
    plan = []
    for section in _SECTIONS:
        columns = [column for column, name in enumerate(names) if _PLACES[name][0] == section]
        places = [_PLACES[names[column]] for column in columns]
        if columns:
            rows = np.array([row for _, row, _ in places])
            plan.append(_Selection(section, rows, np.array(columns), tuple({id(part): part for _, _, part in places}.values())))
    return plan


def feature_matrix(table: ConfigTable, device: Device, names: Sequence[str]) -> npt.NDArray[np.float32]:
    """Features of every row, shape (n, len(names)), float32, columns in the order of ``names``.

    What was computed is kept in the table, so that asking for several devices computes what depends on the layer once.

    Raises:
        UnknownNameError: a name is not a feature.
    """
    if len(table) > CHUNK_ROWS:
        starts = range(0, len(table), CHUNK_ROWS)
        return np.concatenate([feature_matrix(table[start : start + CHUNK_ROWS], device, names) for start in starts])
    out = np.empty((len(names), len(table)), dtype=np.float32)
    for chosen in _plan(tuple(names)):
        out[chosen.columns] = _filled(table, device, chosen)[chosen.rows]
    return np.ascontiguousarray(out.T)


def _filled(table: ConfigTable, device: Device, chosen: _Selection) -> npt.NDArray[np.float32]:
    """The section's array, shape (features, n), float32, with the parts wanted filled; kept in the table."""
    cache = table.own_cache if chosen.section == "algorithm" else table.cache
    key = ("features", chosen.section, device if chosen.section == "device" else None)
    if key not in cache:
        cache[key] = np.empty((_HEIGHTS[chosen.section], len(table)), dtype=np.float32), set()
    kept: tuple[npt.NDArray[np.float32], set[int]] = cache[key]
    values, done = kept
    for part in chosen.parts:
        if part.rows.start not in done:
            values[part.rows] = part.group.rows(table, device)
            done.add(part.rows.start)
    return values
