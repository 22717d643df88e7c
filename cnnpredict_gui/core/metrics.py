"""Accuracy of predicted times against measured ones; the one place where its formulas stand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.card import Metrics

Floats = npt.NDArray[np.float64]


def metrics(true_ms: Floats, predicted_ms: Floats, low_ms: Floats | None = None, high_ms: Floats | None = None) -> Metrics:
    """Accuracy over n rows; errors and shares in percent.

    The absolute percentage error of a row is ``100 |predicted - true| / true``; ``mape`` is its mean, ``median_ape`` its
    median, ``within_10`` and ``within_20`` the shares of rows where it is at most 10 and 20. ``rmse`` is in ms. ``r2_log`` is
    the coefficient of determination of the natural log of the time (NaN if all true times are equal). With an interval,
    ``coverage_90`` is the share of true times inside it, bounds included, and ``interval_width`` the mean of
    ``100 (high - low) / predicted``.

    Args:
        true_ms: Measured times, shape (n,), positive and finite.
        predicted_ms: Predicted times, shape (n,), positive and finite.
        low_ms: Lower bounds of the intervals, shape (n,), or none.
        high_ms: Upper bounds, shape (n,); given exactly if ``low_ms`` is.

    Raises:
        ValueError: n is 0, or a time is not positive and finite.
    """
    for name, values in (("true", true_ms), ("predicted", predicted_ms)):
        if len(values) == 0 or not (np.isfinite(values) & (values > 0)).all():
            raise ValueError(f"{name} times must be positive and finite, and at least one")
    ape = 100 * np.abs(predicted_ms - true_ms) / true_ms
    coverage = width = None
    if low_ms is not None and high_ms is not None:
        coverage = float(100 * np.mean((true_ms >= low_ms) & (true_ms <= high_ms)))
        width = float(100 * np.mean((high_ms - low_ms) / predicted_ms))
    return Metrics(
        n=len(true_ms),
        mape=float(ape.mean()),
        median_ape=float(np.median(ape)),
        within_10=float(100 * np.mean(ape <= 10)),
        within_20=float(100 * np.mean(ape <= 20)),
        rmse=float(np.sqrt(np.mean((predicted_ms - true_ms) ** 2))),
        r2_log=_r2(np.log(true_ms), np.log(predicted_ms)),
        coverage_90=coverage,
        interval_width=width,
    )


def _r2(true: Floats, predicted: Floats) -> float:
    total = float(np.sum((true - true.mean()) ** 2))
    return 1 - float(np.sum((true - predicted) ** 2)) / total if total > 0 else float("nan")
