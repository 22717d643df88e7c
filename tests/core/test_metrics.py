"""Accuracy figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnnpredict_gui.core.metrics import metrics


def test_formulas_by_hand() -> None:
    true, predicted = np.array([1.0, 2.0, 4.0, 10.0]), np.array([1.1, 1.8, 5.0, 10.0])
    found = metrics(true, predicted, np.array([1.0, 1.9, 4.5, 9.0]), np.array([1.2, 2.0, 5.5, 9.5]))
    assert found.n == 4
    assert found.mape == pytest.approx((10 + 10 + 25 + 0) / 4)
    assert found.median_ape == pytest.approx(10)
    assert found.within_20 == 75
    assert found.rmse == pytest.approx(math.sqrt((0.01 + 0.04 + 1) / 4))
    logs = np.log(true)
    r2 = 1 - np.sum((logs - np.log(predicted)) ** 2) / np.sum((logs - logs.mean()) ** 2)
    assert found.r2_log == pytest.approx(r2)
    assert found.coverage_90 == 50
    assert found.interval_width == pytest.approx(25 * (0.2 / 1.1 + 0.1 / 1.8 + 1 / 5 + 0.5 / 10))


def test_perfect_predictions() -> None:
    times = np.array([0.5, 3.0])
    found = metrics(times, times)
    assert (found.mape, found.within_10, found.rmse, found.r2_log) == (0, 100, 0, 1)
    assert found.coverage_90 is None
    assert found.interval_width is None


def test_one_row_has_no_r2() -> None:
    assert math.isnan(metrics(np.array([1.0]), np.array([2.0])).r2_log)


@pytest.mark.parametrize("bad", [[], [0.0], [-1.0], [math.nan], [math.inf]])
def test_times_that_are_none(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        metrics(np.array(bad), np.ones(len(bad)))
    with pytest.raises(ValueError, match="must be positive"):
        metrics(np.ones(len(bad)), np.array(bad))
