"""What PyTorch does with a convolution on a processor: the code path it takes, and the work of that path.

PyTorch (2.x, fp32, one thread, NCHW) multiplies matrices itself or calls oneDNN (``ConvParams::use_mkldnn`` of
ATen/native/Convolution.cpp). oneDNN wants channels in blocks of the vector width: it reorders input, weights and output on
every call, pads channels that fill no block, and falls back to im2col and a product per image and group where groups cannot be
blocked or the padding is wide (rules of oneDNN 3.12, checked with ONEDNN_VERBOSE=1 on AVX2 and AVX-512).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.card import Device
from cnnpredict_gui.core.table import Floats

Quantities = dict[str, Floats]

#: Code paths: PyTorch's own (a plain product, im2col, group by group, dilated) and those of oneDNN.
PATHS = ("native_1x1", "native_im2col", "native_grouped", "native_dilated", "gemm", "depthwise", "flat", "pointwise", "direct")
#: Elements of an image up to which PyTorch keeps a single one to itself, and least batch that always goes to oneDNN.
_NATIVE_ELEMENTS, _ALWAYS_BATCH = 20_480, 16
#: Lanes assumed where a device does not state its vector width.
_TYPICAL_LANES = 8
#: By path: share of the peak rate; microseconds per call, per product of an image and group, and per group; nanoseconds per
#: element read, written, of the columns (strided), of the columns (else); nanoseconds per row and per pixel of a block of
#: outputs. By non-negative regression on times measured on two processors.
_COSTS = {
    "native_1x1": (0.90, 3.5, 0.1, 0.0, 0.06, 0.12, 0.0, 0.0, 0.0, 0.0),
    "native_im2col": (0.85, 4.0, 0.0, 0.0, 0.00, 0.13, 1.0, 0.14, 0.0, 0.0),
    "native_grouped": (0.75, 2.0, 0.2, 2.5, 0.20, 0.35, 0.0, 0.0, 0.0, 0.0),
    "native_dilated": (0.75, 6.0, 0.0, 0.0, 0.10, 0.35, 1.0, 0.50, 0.0, 0.0),
    "gemm": (0.80, 33.0, 0.35, 0.0, 0.05, 0.30, 0.73, 0.55, 0.0, 0.0),
    "depthwise": (0.70, 39.0, 0.0, 0.0, 0.20, 0.15, 0.0, 0.0, 2.0, 0.5),
    "flat": (0.90, 35.0, 0.0, 0.0, 0.05, 0.25, 0.0, 0.0, 1.0, 0.5),
    "pointwise": (0.85, 39.0, 0.0, 0.0, 0.18, 0.13, 0.0, 0.0, 5.0, 1.0),
    "direct": (0.85, 35.0, 0.0, 0.0, 0.20, 0.05, 0.0, 0.0, 10.0, 3.0),
}
#: Nanoseconds per element moved into or out of blocks that are full, of those that are padded, of the weights; and per row of
#: an image's columns.
_FULL, _PADDED, _WEIGHTS, _COLUMN_ROW = 0.08, 0.15, 0.35, 4.0
#: Elements from which on the C library takes a buffer from the system on every call (32 MiB); nanoseconds per element for that.
_FRESH_ELEMENTS, _PAGE = 2**23, 1.7
#: Taps of a kernel that are looked at one by one to see how many fall on padding; of larger kernels as many samples.
_TAPS = 24

NAMES = (
    *(f"cpu_{path}" for path in PATHS),
    *("cpu_block", "cpu_input_padded", "cpu_output_padded"),
    *("cpu_log_padded_macs", "cpu_log_padding", "cpu_valid_taps", "cpu_log_full_moves", "cpu_log_padded_moves"),
    *("cpu_log_columns", "cpu_log_paged", "cpu_log_buffers", "cpu_log_products"),
    *("cpu_log_pixels", "cpu_log_product_k", "cpu_log_product_n", "cpu_log_weight_blocks", "cpu_log_read"),
    *("cpu_rows_to_core_cache", "cpu_weights_to_core_cache", "cpu_image_to_core_cache"),
    *("cpu_ln_compute", "cpu_ln_calls", "cpu_ln_moves", "cpu_ln_estimate", "cpu_compute_share"),
)


def path_codes(q: Quantities, lanes: int) -> npt.NDArray[np.int64]:
    """Index into :data:`PATHS` of each row, shape (n,), for a processor whose vectors have ``lanes`` fp32 elements."""
    one_tap, grouped = q["taps"] == 1, q["groups"] > 1
    plain_step = (q["stride_height"] == 1) & (q["stride_width"] == 1)
    dilated = (q["dilation_height"] > 1) | (q["dilation_width"] > 1)
    unpadded = (q["padding_height"] == 0) & (q["padding_width"] == 0)
    wants = ~plain_step | dilated | (q["batch_size"] >= _ALWAYS_BATCH) | ~one_tap
    large = (q["kernel_height"] > 3) & (q["kernel_width"] > 3)
    image = q["input_channels"] * q["input_height"] * q["input_width"]
    native = ~(wants & (grouped | large | (q["batch_size"] > 1) | (image > _NATIVE_ELEMENTS)))
    depthwise = grouped & (q["cg"] == 1) & (q["kg"] == 1)
    blocked = (_group_block(q, lanes) > 0) | ((q["cg"] == 1) & _whole(q["kg"] / 32))
    reach = np.where(depthwise, 6, 28) if lanes > 8 else np.where(depthwise, 4, 3)
    far = q["padding_width"] > np.minimum(reach, q["ow"])
    whole = (q["input_height"] == q["oh"] * q["stride_height"]) & (q["input_width"] == q["ow"] * q["stride_width"])
    choices = {
        "native_dilated": native & dilated,
        "native_grouped": native & grouped,
        "native_1x1": native & one_tap & unpadded & plain_step,
        "native_im2col": native,
        "gemm": far | (grouped & ~blocked & ~depthwise),
        "depthwise": depthwise,
        "pointwise": one_tap & whole & unpadded,
        "flat": np.where(grouped, q["cg"] == 1, q["input_channels"] < lanes),
    }
    return np.select(list(choices.values()), [PATHS.index(name) for name in choices], PATHS.index("direct"))


def _group_block(q: Quantities, lanes: int) -> Floats:
    """The largest block of channels, at most the vector width, that fills a group's inputs and outputs; 0 if there is none."""
    block = np.zeros(len(q["cg"]))
    for size in (4, 8, 16):
        if size <= lanes and (size >= 8 or lanes > 8):
            block = np.where(_whole(q["cg"] / size) & _whole(q["kg"] / size), size, block)
    return block


def _whole(values: Floats) -> npt.NDArray[np.bool_]:
    """Whether each value is a whole number: of a quotient much faster than the remainder."""
    whole: npt.NDArray[np.bool_] = values == np.floor(values)
    return whole


def _valid_share(q: Quantities, axis: str) -> Floats:
    """Share of a kernel's taps along an axis that fall on the input, not on padding, over all outputs; shape (n,)."""
    size, kernel, out = q[f"input_{axis}"], q[f"kernel_{axis}"], q["oh" if axis == "height" else "ow"]
    stride, padding, dilation = q[f"stride_{axis}"], q[f"padding_{axis}"], q[f"dilation_{axis}"]
    count, total = np.minimum(kernel, _TAPS), np.zeros(len(kernel))
    for number in range(int(count.max(initial=0))):
        tap = np.floor((number + 0.5) * kernel / count) * dilation
        first = np.maximum(np.ceil((padding - tap) / stride), 0)
        last = np.minimum(np.floor((size - 1 + padding - tap) / stride), out - 1)
        total += np.where(number < count, np.maximum(last - first + 1, 0), 0)
    share: Floats = np.maximum(total, 1) / (count * out)
    return share


@dataclass(frozen=True)
class _Work:
    """What a path has to do, per row: float64 of shape (n,), counts of elements unless said otherwise.

    ``inside`` and ``outside`` are channels with their padding: those a product sums over, and all of the output. ``full`` and
    ``padded`` are moved into or out of blocks, ``paged`` is in buffers taken from the system on every call.
    """

    codes: npt.NDArray[np.int64]
    block: Floats
    ragged_in: npt.NDArray[np.bool_]
    ragged_out: npt.NDArray[np.bool_]
    inside: Floats
    outside: Floats
    valid: Floats
    weights: Floats
    macs: Floats
    full: Floats
    padded: Floats
    reordered: Floats
    columns: Floats
    calls: Floats
    buffers: Floats
    paged: Floats


def _work(q: Quantities, lanes: int) -> _Work:
    codes = path_codes(q, lanes)
    gemm, depthwise, flat, im2col = (codes == PATHS.index(name) for name in ("gemm", "depthwise", "flat", "native_im2col"))
    native = codes < PATHS.index("gemm")
    products, pixels = native | gemm, q["oh"] * q["ow"]
    block = np.where((q["groups"] > 1) & ~depthwise, np.maximum(_group_block(q, lanes), 8), lanes)
    block = np.where(products, 1.0, block)
    inside = np.where(flat | depthwise, q["cg"], np.ceil(q["cg"] / block) * block)
    outside = np.where(depthwise, q["output_channels"], q["kg"])
    outside = np.ceil(outside / block) * block * np.where(depthwise, 1, q["groups"])
    valid = np.where(products, 1.0, _valid_share(q, "height") * _valid_share(q, "width"))
    weights = q["taps"] * inside * outside
    blocked_input = ~products & ~flat
    moved_in = np.where(blocked_input, np.ceil(q["input_channels"] / block) * block, 0) * q["input"] / q["input_channels"]
    moved_out = np.where(native, 0.0, q["batch_size"] * pixels * outside)
    ragged_in = blocked_input & ~_whole(q["input_channels"] / block)
    ragged_out = ~products & ~_whole(q["output_channels"] / block)
    padded = np.where(ragged_in, moved_in, 0) + np.where(ragged_out, moved_out, 0)
    as_it_is = (weights == q["weight"]) & (pixels * q["taps"] == q["input_height"] * q["input_width"])
    columns = np.where(products & ~as_it_is, q["gemm_m"] * q["gemm_k"] * q["groups"], 0.0)
    reordered = np.where(products, 0.0, weights)
    buffers = np.stack([q["output"], moved_in, moved_out, reordered, np.where(im2col, columns, 0.0)])
    return _Work(
        codes,
        block,
        ragged_in,
        ragged_out,
        inside,
        outside,
        valid,
        weights,
        macs=q["batch_size"] * pixels * weights * valid,
        full=np.where(blocked_input, moved_in, 0) + np.where(products, 0, moved_out) - padded,
        padded=padded,
        reordered=reordered,
        columns=columns,
        calls=np.where(products, q["batch_size"] * q["groups"], 1.0),
        buffers=buffers.sum(axis=0),
        paged=np.where(buffers >= _FRESH_ELEMENTS, buffers, 0.0).sum(axis=0),
    )


def _milliseconds(q: Quantities, work: _Work, lanes: int, device: Device) -> tuple[Floats, Floats, Floats]:
    """Estimates of the time to compute, of calls and loops, and of moving data, shape (n,) each."""
    costs = np.array([_COSTS[name] for name in PATHS]).T[:, work.codes]
    share, call, product, group, read, write, strided, unstrided, row, pixel = costs
    compute = work.macs / (share * device.fp32_tflops * 0.5e9)
    loops = q["batch_size"] * work.outside / lanes * (q["oh"] * q["kernel_height"] * row + q["oh"] * q["ow"] * pixel)
    overhead = (call + product * work.calls + group * q["groups"]) * 1e-3 + loops * 1e-6
    moves = work.full * _FULL + work.padded * _PADDED + work.reordered * _WEIGHTS + work.paged * _PAGE
    moves += q["input"] * read + q["output"] * write + work.columns * np.where(q["stride_width"] > 1, strided, unstrided)
    moves += np.where((work.codes < PATHS.index("gemm")) & (work.columns > 0), q["gemm_k"] * q["oh"] * _COLUMN_ROW, 0.0)
    return compute, overhead, moves * 1e-6


def path_features(q: Quantities, device: Device) -> Sequence[npt.NDArray[Any]]:
    """The features :data:`NAMES` of every row; logs to base 2 except those named ``ln_`` (natural, of ms)."""
    lanes = device.vector_lanes or _TYPICAL_LANES
    work = _work(q, lanes)
    compute, overhead, moves = _milliseconds(q, work, lanes, device)
    estimate = compute + overhead + moves
    cache = device.core_cache_mb * 1e6 / 4
    read_rows = np.minimum(q["oh"] * np.minimum(q["kernel_height"], q["stride_height"]), q["input_height"])
    return [
        *(work.codes == index for index in range(len(PATHS))),
        *(work.block, work.ragged_in, work.ragged_out),
        *(np.log2(work.macs), np.log2(work.weights / q["weight"]), work.valid),
        *(np.log2(amount + 1) for amount in (work.full, work.padded, work.columns, work.paged)),
        *(np.log2(amount) for amount in (work.buffers, work.calls, q["oh"] * q["ow"], q["gemm_k"], q["kg"], work.weights)),
        np.log2(q["batch_size"] * q["input_channels"] * read_rows * q["input_width"]),
        np.log2(work.inside * q["kernel_height"] * q["input_width"] / cache),
        np.log2(work.weights / q["groups"] / cache),
        np.log2(q["cg"] * q["input_height"] * q["input_width"] / cache),
        *(np.log(time) for time in (compute, overhead, moves, estimate)),
        compute / estimate,
    ]
