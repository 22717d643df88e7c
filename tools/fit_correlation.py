"""Fits the correlation of the layers' errors that gives sums over whole networks intervals that hold.

    python tools/fit_correlation.py --data ai3_cudnn.parquet [--targets gpul40s,gpuh100,gpuv100] [--step 32]

XGBoost in its starting parameters predicts rows it has not seen, by two protocols: all rows of a shape held out (what a
card's interval is made of), and all rows of a network held out. Layers of the networks in the data are summed as measured
and as predicted, at input sizes 224 to 512 px, with the interval of :func:`sum_intervals` at several correlations. The
fitted one is the least at which 90 % of the sums lie in their interval. Needs the training libraries and the measurements
(``training/datasets.py`` says where they are from); prints a table.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.interval import interval_bounds
from cnnpredict_gui.core.table import VOCABULARY, ConfigTable, Floats, Integers
from cnnpredict_gui.studies.network import sum_intervals
from cnnpredict_gui.studies.presets import preset
from cnnpredict_gui.training.calibration import fit_interval
from cnnpredict_gui.training.datasets import Measurements, load_measurements, shape_ids
from cnnpredict_gui.training.families import RECIPES
from cnnpredict_gui.training.features import offset_feature, usable_features
from cnnpredict_gui.training.protocols import (
    FitWork,
    Split,
    fold_piece,
    make_pool,
    mean_of_folds,
    network_split,
    run_piece,
    shape_splits,
)

NETWORKS = ("densenet121", "googlenet", "resnet152", "vgg16")
RHOS = np.linspace(0.0, 1.0, 21)
#: Part of a network's convolutions that must have been measured, else its sum says little.
LEAST_PART = 0.6


@dataclass(frozen=True)
class Sum:
    """One network at one size with one algorithm: measured sum, predicted one, its bounds at each of RHOS; all in ms."""

    network: str
    true: float
    predicted: float
    low: Floats
    high: Floats

    def inside(self) -> npt.NDArray[np.bool_]:
        """Whether the measured sum is in the interval, for each of RHOS."""
        return (self.low <= self.true) & (self.true <= self.high)


def sums_of(own: Measurements, network: str, predicted: Floats, bounds: tuple[Floats, Floats], step: int) -> Iterator[Sum]:
    """Sums of a network's measured layers at sizes from 224 to 512 px, for each algorithm that was measured for them."""
    codes = own.table.columns["algorithm"]
    for algorithm in np.unique(codes):
        rows = {int(own.shape_id[row]): row for row in np.flatnonzero((codes == algorithm) & np.isfinite(predicted))}
        for resolution in range(224, 513, step):
            configs = [layer.config for layer in preset(network).layers(resolution, 1) if layer.config is not None]
            found = [rows.get(int(one), -1) for one in shape_ids(ConfigTable.from_configs(configs))]
            chosen, counts = np.unique([row for row in found if row >= 0], return_counts=True)
            if counts.sum() >= LEAST_PART * len(configs) and VOCABULARY["algorithm"][algorithm] != "any":
                yield _sum(network, own.time_ms[chosen], np.exp(predicted[chosen]), bounds, chosen, counts)


def _sum(network: str, true: Floats, predicted: Floats, bounds: tuple[Floats, Floats], rows: Integers, counts: Integers) -> Sum:
    low, high = (np.exp(bound[rows]) for bound in bounds)
    totals = [sum_intervals(predicted, low, high, counts, float(rho)) for rho in RHOS]
    ends = np.array([[total.low_ms, total.high_ms] for total in totals])
    return Sum(network, float((true * counts).sum()), totals[0].time_ms, ends[:, 0], ends[:, 1])


def study(files: list[Path], target: str, step: int, threads: int) -> dict[str, list[Sum]]:
    """Sums of one target by protocol."""
    own, others = load_measurements(files, target)
    offset = offset_feature(own)
    pool = make_pool(own, others, usable_features("xgb", [own, *others]), offset, 0)
    recipe = RECIPES["xgb"]
    work, log_true = FitWork.of(pool, recipe.fit, recipe.start(len(own)), 0, threads), np.log(own.time_ms)

    def predict(splits: list[Split]) -> Floats:
        return mean_of_folds(len(own), ((split.test, run_piece(work, fold_piece(pool, split))) for split in splits))

    by_shape = predict(shape_splits(pool, 0, 5))
    interval = fit_interval(own.table, by_shape, log_true)
    found: dict[str, list[Sum]] = {"by shape": [], "by network": []}
    for network in NETWORKS:
        by_network = predict([network_split(pool, network)])
        for protocol, log_time in (("by shape", by_shape), ("by network", by_network)):
            bounds = interval_bounds(interval, own.table, log_time)
            found[protocol] += sums_of(own, network, log_time, bounds, step)
    return found


def report(title: str, sums: list[Sum]) -> None:
    """One line: how many sums lie in their interval at some correlations, and the least correlation for 90 %."""
    coverage = np.mean([one.inside() for one in sums], axis=0)
    enough = np.flatnonzero(coverage >= 0.9)
    fitted = f"{RHOS[enough[0]]:.2f}" if len(enough) else "none"
    error = 100 * np.median([abs(one.predicted / one.true - 1) for one in sums])
    shown = "  ".join(f"{100 * coverage[np.searchsorted(RHOS, rho - 1e-9)]:3.0f} %" for rho in (0, 0.25, 0.5, 0.75, 1))
    print(f"{title:34} {len(sums):4}  {error:5.1f} %   {shown}   {fitted}", flush=True)


def main() -> None:
    """Print coverage by target and protocol, and over all targets."""
    parser = argparse.ArgumentParser(description="Fits the correlation of the errors of a network's layers.")
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--targets", default="gpul40s,gpuh100,gpuv100")
    parser.add_argument("--step", type=int, default=32, help="step of the input sizes in px")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{'':34} sums  median   coverage at a correlation of 0, 0.25, 0.5, 0.75, 1; least for 90 %")
    pooled: dict[str, list[Sum]] = {}
    for target in arguments.targets.split(","):
        for protocol, sums in study(arguments.data, target, arguments.step, arguments.threads).items():
            report(f"{target}, {protocol}", sums)
            for network in NETWORKS:
                report(f"    {network}", [one for one in sums if one.network == network])
            pooled.setdefault(protocol, []).extend(sums)
    for protocol, sums in pooled.items():
        report(f"all, {protocol}", sums)


if __name__ == "__main__":
    main()
