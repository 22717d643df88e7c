"""A small correction of log times, learnt from a few dozen measured layers of a device like the one a model was trained on.

A Gaussian process (Rasmussen and Williams 2006) of the log ratio between measured and predicted time: a constant (the scale
of the device), a linear part and a smooth one over few physical features. Its hyperparameters have the greatest marginal
likelihood on a grid, so that few or noisy layers are trusted less. Features are cut off at the range of the measured layers:
beyond it the correction stays what it is at the edge, and the smooth part fades to the device's scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.card import Device
from cnnpredict_gui.core.features import feature_matrix
from cnnpredict_gui.core.table import ConfigTable, Floats

#: What processors differ in: work against data, sizes against caches, how channels fill vectors, and special kinds of layers.
CORRECTION_FEATURES = (
    *("compute_to_memory", "log_bytes", "log_macs", "log_batch_size", "log_cg", "cg_waste_16"),
    *("log_groups", "is_depthwise", "is_pointwise", "is_strided"),
)
#: Standard deviations of the log ratio: of a linear feature's effect, of the smooth part, of the noise; and smooth lengths.
LINEAR, SMOOTH, NOISE, LENGTHS = (0.0, 0.08), (0.15, 0.25, 0.4, 0.6), (0.05, 0.1, 0.15, 0.2, 0.3), (0.5, 0.7, 1.0, 1.5, 2.5)
FOLDS = 6
#: Constants tried for the least mean absolute percentage error; half of the best is added, since few layers choose it.
SHIFTS = np.arange(-0.2, 0.11, 0.01)
#: A simpler correction is taken if its error is at most this multiple of that of the best.
_GAIN = 1.03
_WHOLE = 2
#: A feature that varies less than this over the layers says nothing.
_LEAST_SPREAD = 1e-6


@dataclass(frozen=True, eq=False)
class Scaling:
    """Means and spreads of the features over many layers of the domain, shape (f,)."""

    mean: Floats
    spread: Floats

    @classmethod
    def of(cls, features: Floats) -> Scaling:
        """Scaling of features of shape (n, f); one that is constant gets the spread 1."""
        spread = features.std(axis=0)
        return cls(features.mean(axis=0), np.where(spread > _LEAST_SPREAD, spread, 1.0))

    def __call__(self, features: Floats) -> Floats:
        """Standardised features, shape (n, f)."""
        return (features - self.mean) / self.spread


@dataclass(frozen=True, eq=False)
class Correction:
    """What is added to a predicted log time, for standardised features ``z`` cut off at ``low`` and ``high``.

    ``constant + z · linear + Σ weights_i exp(-|z - centres_i|² / (2 f length²))``; centres (n, f), weights (n,), linear (f,).
    """

    scaling: Scaling
    low: Floats
    high: Floats
    centres: Floats
    weights: Floats
    linear: Floats
    constant: float
    length: float
    noise: float

    def __call__(self, features: Floats) -> Floats:
        """Corrections of shape (n,) for features of shape (n, f)."""
        z = np.clip(self.scaling(features), self.low, self.high)
        smooth = np.exp(-_distances(z, self.centres) / (2 * self.length**2)) @ self.weights
        corrections: Floats = self.constant + z @ self.linear + smooth
        return corrections


def correction_features(table: ConfigTable, device: Device) -> Floats:
    """The features of :data:`CORRECTION_FEATURES`, shape (n, f), float64."""
    return feature_matrix(table, device, CORRECTION_FEATURES).astype(np.float64)


def fit_correction(features: Floats, log_ratio: Floats, scaling: Scaling) -> Correction:
    """Fit to measured layers: the whole correction, or only a scale, or none, whichever errs least on layers left out.

    Args:
        features: Shape (n, f).
        log_ratio: Natural log of measured over predicted time, shape (n,).
        scaling: Of the features over the domain.
    """
    z = scaling(features)
    products, distances = z @ z.T, _distances(z, z)
    best, chosen = -np.inf, (0.0, SMOOTH[0], NOISE[0], LENGTHS[0])
    for values in product(LINEAR, SMOOTH, NOISE, LENGTHS):
        likelihood = _log_likelihood(_kernel(products, distances, *values), log_ratio)
        if likelihood > best:
            best, chosen = likelihood, values
    linear, smooth, noise, length = chosen
    inverse = np.linalg.inv(_kernel(products, distances, *chosen))
    weights = inverse @ log_ratio
    left_out = weights / np.diag(inverse)  # errors of leaving each layer out
    shift = SHIFTS[np.argmin([_relative_error(left_out - shift) for shift in SHIFTS])] / 2
    scale = float(np.median(log_ratio))
    constants = (0.0, scale, float(weights.sum() + shift))
    kind = _simplest_of((log_ratio, log_ratio - scale, left_out - shift))
    share = float(kind == _WHOLE)
    return Correction(
        scaling,
        z.min(axis=0),
        z.max(axis=0),
        z,
        share * smooth**2 * weights,
        share * linear**2 * (z.T @ weights),
        constants[kind],
        length,
        noise,
    )


def _relative_error(log_error: Floats) -> float:
    """Mean absolute error of the times, relative to the true ones, for errors ``true - predicted`` of their logs."""
    return float(np.abs(np.expm1(-log_error)).mean())


def _simplest_of(errors: Sequence[Floats]) -> int:
    """Place of the first (simplest) correction that errs at most a little more than the best."""
    relative = [_relative_error(one) for one in errors]
    return next(place for place, error in enumerate(relative) if error <= _GAIN * min(relative))


def held_out_corrections(features: Floats, log_ratio: Floats, scaling: Scaling) -> Floats:
    """Corrections of each layer by a fit without its sixth of the layers, shape (n,)."""
    found = np.empty_like(log_ratio)
    folds = np.random.default_rng(0).permutation(len(log_ratio)) % FOLDS
    for fold in range(min(FOLDS, len(log_ratio))):
        rows = folds == fold
        found[rows] = fit_correction(features[~rows], log_ratio[~rows], scaling)(features[rows])
    return found


def space_filling(points: Floats, count: int) -> npt.NDArray[np.intp]:
    """Places of ``count`` points that represent all of them, ascending: those nearest to the centres of k-means.

    The centres begin at points far from each other (each the farthest from those before it), so that the choice is the same
    each time.

    Args:
        points: Shape (n, f), standardised.
        count: How many; all of them if there are not more.
    """
    if count >= len(points):
        return np.arange(len(points))
    centres = points[_farthest_first(points, count)]
    for _ in range(20):
        nearest = _squares(points, centres).argmin(axis=1)
        sizes = np.bincount(nearest, minlength=count)
        sums = np.stack([np.bincount(nearest, weights=column, minlength=count) for column in points.T], axis=1)
        centres = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres)
    distances, chosen = _squares(points, centres), list[int]()
    for centre in range(count):
        distances[chosen, centre] = np.inf
        chosen.append(int(distances[:, centre].argmin()))
    return np.array(sorted(chosen))


def _farthest_first(points: Floats, count: int) -> list[int]:
    first = int(((points - points.mean(axis=0)) ** 2).sum(axis=1).argmin())
    chosen, distance = [first], _squares(points, points[[first]])[:, 0]
    while len(chosen) < count:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, _squares(points, points[chosen[-1:]])[:, 0])
    return chosen


def _squares(points: Floats, centres: Floats) -> Floats:
    """Squared distances, shape (n, m)."""
    squares = (points**2).sum(axis=1)[:, None] - 2 * points @ centres.T + (centres**2).sum(axis=1)
    positive: Floats = np.maximum(squares, 0.0)
    return positive


def _distances(z: Floats, centres: Floats) -> Floats:
    """Mean squared distance over the features, shape (n, m)."""
    distances: Floats = _squares(z, centres) / z.shape[1]
    return distances


def _kernel(products: Floats, distances: Floats, linear: float, smooth: float, noise: float, length: float) -> Floats:
    """Covariance of the layers' log ratios; the scale of the device has a standard deviation of 1."""
    kernel: Floats = 1.0 + linear**2 * products + smooth**2 * np.exp(-distances / (2 * length**2))
    kernel[np.diag_indices_from(kernel)] += noise**2
    return kernel


def _log_likelihood(kernel: Floats, values: Floats) -> float:
    """Log marginal likelihood, without its constant."""
    lower = np.linalg.cholesky(kernel)
    whitened = np.linalg.solve(lower, values)
    return float(-0.5 * whitened @ whitened - np.log(np.diag(lower)).sum())


def blend(parts: Sequence[tuple[float, Floats]]) -> Floats:
    """Weighted sum of log times."""
    total: Floats = np.sum([weight * values for weight, values in parts], axis=0)
    return total
