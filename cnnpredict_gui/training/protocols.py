"""How accuracy is measured: which rows are left out together, and what is predicted for them.

Three protocols: ``random_5_fold`` splits rows (the one published figures use; equal shapes fall on both sides),
``grouped_by_shape`` keeps all rows of a shape together, and the third asks for more: ``leave_one_network_out`` where the
data names networks, else ``unseen_combinations`` of input channels, output channels and kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.features import feature_matrix
from cnnpredict_gui.core.table import Floats
from cnnpredict_gui.training.datasets import Measurements, hash_columns
from cnnpredict_gui.training.families import Matrix, Parameters, Regressor, Task

FOLDS = 5
COMBINATION = ("input_channels", "output_channels", "kernel_height", "kernel_width")
#: Weight of a row of another device in pooled training.
POOL_WEIGHT = 0.25
#: Most rows of other devices taken into the pool.
POOL_ROWS = 24_000


@dataclass(frozen=True, eq=False)
class Samples:
    """Rows ready to fit: features (n, f), offset and log time (n,), weights (n,), and their measurements."""

    rows: Measurements
    features: Matrix
    offset: Floats
    log_time: Floats
    weight: Floats

    def task(self, keep: npt.NDArray[np.bool_], seed: int, threads: int) -> Task:
        """The kept rows as something to fit."""
        return Task(self.features[keep], (self.log_time - self.offset)[keep], self.weight[keep], seed, threads)


@dataclass(frozen=True)
class Pool:
    """The rows of the target first, then those of other devices."""

    own: Samples
    others: tuple[Samples, ...]

    def task(self, keep: Callable[[Samples], npt.NDArray[np.bool_]], seed: int, threads: int) -> Task:
        """All rows of all devices that ``keep`` allows, as one task."""
        parts = [part.task(keep(part), seed, threads) for part in (self.own, *self.others)]
        return Task(
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.log_ratio for part in parts]),
            np.concatenate([part.weight for part in parts]),
            seed,
            threads,
        )


def make_pool(
    own: Measurements, other_devices: Sequence[Measurements], features: Sequence[str], offset: str, seed: int
) -> Pool:
    """Feature matrices of the target and of a sample of the other devices."""
    total = sum(len(part) for part in other_devices)
    share = min(1.0, POOL_ROWS / total) if total else 0.0
    generator = np.random.default_rng(seed)
    sampled = [part.take(generator.random(len(part)) < share) for part in other_devices]
    return Pool(
        _samples(own, features, offset, 1.0),
        tuple(_samples(part, features, offset, POOL_WEIGHT) for part in sampled if len(part)),
    )


def _samples(rows: Measurements, features: Sequence[str], offset: str, weight: float) -> Samples:
    matrix = feature_matrix(rows.table, rows.device, (*features, offset))
    return Samples(
        rows, np.ascontiguousarray(matrix[:, :-1]), matrix[:, -1].astype(np.float64), np.log(rows.time_ms), weight * rows.weight
    )


@dataclass(frozen=True)
class Split:
    """One held-out part: the target's rows to predict, and which rows of any device may be fitted on."""

    test: npt.NDArray[np.bool_]
    keep: Callable[[Samples], npt.NDArray[np.bool_]]


def random_splits(pool: Pool, seed: int, folds: int) -> list[Split]:
    """Rows at random, ``folds`` of five."""
    keys = {id(part): np.random.default_rng(seed + 1).integers(0, FOLDS, len(part.rows)) for part in (pool.own, *pool.others)}
    return [
        Split(keys[id(pool.own)] == fold, lambda part, fold=fold: keys[id(part)] != fold)  # type: ignore[misc]
        for fold in range(folds)
    ]


def shape_splits(pool: Pool, seed: int, folds: int) -> list[Split]:
    """All rows of a shape together, on every device, ``folds`` of five."""
    return [_hash_split(pool, lambda part: part.rows.shape_id, fold, seed) for fold in range(folds)]


def hard_splits(pool: Pool, seed: int, folds: int) -> tuple[str, list[Split]]:
    """Name and splits of the third protocol."""
    names = sorted({name for text in np.unique(pool.own.rows.networks) for name in text.split("|") if name})
    if 2 <= len(names) <= 2 * FOLDS:
        return "leave_one_network_out", [_network_split(pool, name) for name in names[: 2 * folds]]

    def combination(part: Samples) -> npt.NDArray[np.uint64]:
        return hash_columns(part.rows.table, COMBINATION)

    return "unseen_combinations", [_hash_split(pool, combination, fold, seed) for fold in range(folds)]


def _hash_split(pool: Pool, key: Callable[[Samples], npt.NDArray[np.uint64]], fold: int, seed: int) -> Split:
    salt = np.uint64(seed * 2_654_435_761 % 2**32)

    def folds_of(part: Samples) -> npt.NDArray[np.uint64]:
        return ((key(part) ^ salt) >> np.uint64(13)) % np.uint64(FOLDS)

    return Split(folds_of(pool.own) == fold, lambda part: folds_of(part) != fold)


def _network_split(pool: Pool, name: str) -> Split:
    def occurs(part: Samples) -> npt.NDArray[np.bool_]:
        return np.array([name in text.split("|") for text in part.rows.networks])

    return Split(occurs(pool.own), lambda part: ~occurs(part))


Fit = Callable[[Task, Parameters], Regressor]


def held_out_predictions(
    pool: Pool, splits: Sequence[Split], fit: Fit, parameters: Parameters, seed: int, threads: int, tick: Callable[[], None]
) -> Floats:
    """Log times of the target's held-out rows, shape (n,), NaN for rows that no split holds out; the mean where several do."""
    total, count = np.zeros(len(pool.own.rows)), np.zeros(len(pool.own.rows))
    for split in splits:
        if split.test.any():
            model = fit(pool.task(split.keep, seed, threads), parameters)
            total[split.test] += model.predict(pool.own.features[split.test]) + pool.own.offset[split.test]
            count[split.test] += 1
        tick()
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)
