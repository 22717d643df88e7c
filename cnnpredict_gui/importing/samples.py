"""Layers on which a converted model is compared with the native one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.config import ALGORITHMS, DTYPES
from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.core.features import feature_matrix
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.importing.mapping import LOG_OUTPUTS, FeatureMapping

ROWS = 512
#: Largest relative difference of times allowed between a native model and its ONNX graph, as in training.
TOLERANCE = 2e-3
#: Times are compared relative to themselves, but at least to this share of their median: sums that cancel are not relative.
_LEAST_SHARE = 1e-2
_UNUSABLE = "are features, their order and the unit of the output right?"


@dataclass(frozen=True)
class Comparison:
    """Largest relative difference of the times, and their range over the sample layers in ms."""

    difference: float
    rows: int
    low_ms: float
    median_ms: float
    high_ms: float


def sample_matrix(mapping: FeatureMapping, seed: int = 0) -> npt.NDArray[np.float32]:
    """Features of :data:`ROWS` layers as they occur in networks, sizes log-uniform; shape (rows, features)."""
    rng = np.random.default_rng(seed)
    sides = np.exp2(rng.uniform(np.log2(7), np.log2(224), ROWS)).round().astype(np.int64)
    columns: dict[str, object] = {
        "batch_size": np.exp2(rng.integers(0, 6, ROWS)).astype(np.int64),
        "input_channels": np.exp2(rng.uniform(0, 11, ROWS)).round().astype(np.int64),
        "output_channels": np.exp2(rng.uniform(3, 11, ROWS)).round().astype(np.int64),
        "input_height": sides,
        "input_width": sides,
        "kernel_size": np.minimum(rng.choice([1, 3, 5, 7], ROWS), sides),
        "stride": rng.choice([1, 2], ROWS),
    }
    for name, words, known in (("algorithm", mapping.algorithms, ALGORITHMS), ("dtype", mapping.dtypes, DTYPES)):
        usable = [word for word in words if word in known] or [mapping.default_algorithm if name == "algorithm" else "fp32"]
        columns[name] = rng.choice(usable, ROWS).tolist()
    columns["direction"] = [mapping.directions[0]] * ROWS
    table = ConfigTable.from_columns(columns)[0]
    names = (*mapping.features, *([mapping.offset_feature] if mapping.offset_feature else []))
    return feature_matrix(table, mapping.device, names)


def compare(
    native: npt.NDArray[np.float64], served: npt.NDArray[np.float64], mapping: FeatureMapping, offset: npt.NDArray[np.float64]
) -> Comparison:
    """Compare answers for the same rows.

    Args:
        native: What the native model says, shape (n,), in the unit of ``mapping.output``.
        served: What the graph says, shape (n,), in the unit that is served.
        mapping: What the output means.
        offset: What is added to an output that is a log, shape (n,) (zeros if nothing is).

    Raises:
        ModelFileError: they differ by more than :data:`TOLERANCE`, or the native model gives no times.
    """
    wanted = mapping.final(native)
    logs = mapping.output in LOG_OUTPUTS
    with np.errstate(over="ignore", invalid="ignore"):
        ours, theirs = (np.exp(values + offset) if logs else values for values in (served, wanted))
    usable = np.isfinite(theirs) & (theirs < np.finfo(np.float32).max)
    if usable.sum() < len(usable) / 2:
        text = f"the model gives no finite time for {len(usable) - int(usable.sum())} of {len(usable)} sample layers"
        raise ModelFileError(text, _UNUSABLE)
    scale = np.abs(theirs[usable])
    if not logs:
        scale = np.maximum(scale, max(_LEAST_SHARE * float(np.median(scale)), 1e-30))
    with np.errstate(invalid="ignore", divide="ignore"):
        differences = np.abs(ours[usable] - theirs[usable]) / scale
    differences[ours[usable] == theirs[usable]] = 0.0
    difference = float(np.nan_to_num(differences, nan=np.inf).max())
    if not difference <= TOLERANCE:
        text = f"the converted model differs from the native one by {100 * difference:.3g} %"
        hint = f"at most {100 * TOLERANCE:.3g} % is allowed: export ONNX yourself, and please report the kind of model"
        raise ModelFileError(text, hint)
    low, median, high = np.percentile(theirs[usable], (0, 50, 100)).tolist()
    return Comparison(difference, len(usable), low, median, high)
