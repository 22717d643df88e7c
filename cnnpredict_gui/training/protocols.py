"""How accuracy is measured: which rows are left out together, and what is predicted for them.

Three protocols: ``random_5_fold`` splits rows (the one published figures use; equal shapes fall on both sides),
``grouped_by_shape`` keeps all rows of a shape together, and the third asks for more: ``leave_one_network_out`` where the
data names networks, else ``unseen_combinations`` of input channels, output channels and kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

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

    @property
    def log_ratio(self) -> Floats:
        """What models learn, shape (n,): log time above the offset."""
        return self.log_time - self.offset


@dataclass(frozen=True)
class Pool:
    """The rows of the target first, then those of other devices."""

    own: Samples
    others: tuple[Samples, ...]


def _joined(parts: Sequence[Task]) -> Task:
    return Task(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.log_ratio for part in parts]),
        np.concatenate([part.weight for part in parts]),
        parts[0].seed,
        parts[0].threads,
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
        return "leave_one_network_out", [network_split(pool, name) for name in names[: 2 * folds]]

    def combination(part: Samples) -> npt.NDArray[np.uint64]:
        return hash_columns(part.rows.table, COMBINATION)

    return "unseen_combinations", [_hash_split(pool, combination, fold, seed) for fold in range(folds)]


def _hash_split(pool: Pool, key: Callable[[Samples], npt.NDArray[np.uint64]], fold: int, seed: int) -> Split:
    salt = np.uint64(seed * 2_654_435_761 % 2**32)

    def folds_of(part: Samples) -> npt.NDArray[np.uint64]:
        return ((key(part) ^ salt) >> np.uint64(13)) % np.uint64(FOLDS)

    return Split(folds_of(pool.own) == fold, lambda part: folds_of(part) != fold)


def network_split(pool: Pool, name: str) -> Split:
    """All rows of a network's layers held out, on every device."""

    def occurs(part: Samples) -> npt.NDArray[np.bool_]:
        return np.array([name in text.split("|") for text in part.rows.networks])

    return Split(occurs(pool.own), lambda part: ~occurs(part))


Fit = Callable[[Task, Parameters], Regressor]


@dataclass(frozen=True, eq=False)
class FitWork:
    """What all fits of a family share: its fit and hyperparameters, and every row that any of them needs.

    ``parts`` are all rows of the target, then of each other device; ``offset`` (n,) is that of the target's rows.
    """

    fit: Fit
    parameters: Parameters
    parts: tuple[Task, ...]
    offset: Floats

    @classmethod
    def of(cls, pool: Pool, fit: Fit, parameters: Parameters, seed: int, threads: int) -> FitWork:
        """The work on a pool."""
        samples = (pool.own, *pool.others)
        tasks = tuple(Task(part.features, part.log_ratio, part.weight, seed, threads) for part in samples)
        return cls(fit, parameters, tasks, pool.own.offset)


@dataclass(frozen=True, eq=False)
class FitPiece:
    """One fit: masks of the rows to fit on, by part, and a mask of the target's rows to predict; None to give the model."""

    keep: tuple[npt.NDArray[np.bool_], ...]
    test: npt.NDArray[np.bool_] | None = None


def fold_piece(pool: Pool, split: Split) -> FitPiece:
    """The fit that a split asks for."""
    return FitPiece(tuple(split.keep(part) for part in (pool.own, *pool.others)), split.test)


def final_piece(pool: Pool) -> FitPiece:
    """The fit on everything."""
    return FitPiece(tuple(np.ones(len(part.rows), dtype=np.bool_) for part in (pool.own, *pool.others)))


def run_piece(work: FitWork, piece: FitPiece) -> Any:
    """Fit; log times of the rows to predict, float64 (none fitted if there are none), or the model. Runs in a worker too."""
    if piece.test is not None and not piece.test.any():
        return np.empty(0)
    with threadpool_limits(limits=work.parts[0].threads):
        kept = [
            Task(part.features[rows], part.log_ratio[rows], part.weight[rows], part.seed, part.threads)
            for part, rows in zip(work.parts, piece.keep, strict=True)
        ]
        model = work.fit(_joined(kept), work.parameters)
        if piece.test is None:
            return model
        return model.predict(work.parts[0].features[piece.test]) + work.offset[piece.test]


def mean_of_folds(rows: int, folds: Iterable[tuple[npt.NDArray[np.bool_], Floats]]) -> Floats:
    """Held-out predictions as one array, shape (rows,): NaN for rows that no fold holds out, the mean where several do."""
    total, count = np.zeros(rows), np.zeros(rows)
    for test, predicted in folds:
        total[test] += predicted
        count[test] += 1
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)
