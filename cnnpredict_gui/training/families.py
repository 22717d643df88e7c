"""The four families of predictors: what is fitted, with which hyperparameters, and how they are searched.

All of them learn the natural log of the ratio between the measured time and a physical estimate (the offset feature),
from the same feature matrix. Each fitted object has ``predict(features) -> (n,)``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import optuna
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from xgboost import XGBRegressor

from cnnpredict_gui.training.network_regressor import NetworkRegressor

Matrix = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float64]
Parameters = dict[str, Any]
#: Most rows the polynomial is fitted on (its columns are many, its coefficients few), and the forest (its leaves are capped).
LASSO_ROWS, FOREST_ROWS = 40_000, 60_000
#: Rows of a target from which on start values and validation are those of medium, large and very large data.
MEDIUM_ROWS, LARGE_ROWS, LARGEST_ROWS = 12_000, 40_000, 100_000


class Regressor(Protocol):
    """Anything fitted: predicts the log ratio, shape (n,), for features of shape (n, f)."""

    def predict(self, features: Matrix, /) -> Any:
        """Predict the log ratio of each row."""


@dataclass(frozen=True)
class Task:
    """Rows to fit on: features (n, f), log ratio (n,), weights (n,); threads to use and the seed."""

    features: Matrix
    log_ratio: Vector
    weight: Vector
    seed: int
    threads: int = 1


def fit_xgb(task: Task, parameters: Parameters) -> XGBRegressor:
    """Gradient-boosted trees grown by leaf (Chen and Guestrin 2016); of absolute error if no objective is given."""
    model = XGBRegressor(
        grow_policy="lossguide",
        max_depth=0,
        tree_method="hist",
        random_state=task.seed,
        n_jobs=task.threads,
        **({"objective": "reg:absoluteerror"} | parameters),
    )
    return model.fit(task.features, task.log_ratio, sample_weight=task.weight)


def fit_rf(task: Task, parameters: Parameters) -> ExtraTreesRegressor:
    """A forest of extremely randomised trees (Geurts 2006), its leaves capped to keep the file small."""
    rows = np.random.default_rng(task.seed).permutation(len(task.features))[:FOREST_ROWS]
    model = ExtraTreesRegressor(random_state=task.seed, n_jobs=task.threads, **parameters)
    return model.fit(task.features[rows], task.log_ratio[rows], sample_weight=task.weight[rows])


def fit_lasso(task: Task, parameters: Parameters) -> Pipeline:
    """A polynomial of degree 2 in standardised features with an L1 penalty (Tibshirani 1996)."""
    rows = np.random.default_rng(task.seed).permutation(len(task.features))[:LASSO_ROWS]
    model = make_pipeline(
        StandardScaler(),
        PolynomialFeatures(2, include_bias=False),
        Lasso(precompute=True, max_iter=200, tol=1e-3, **parameters),
    )
    features = task.features[rows].astype(np.float64)
    with warnings.catch_warnings():  # the last digits of the coefficients do not matter
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features, task.log_ratio[rows], lasso__sample_weight=task.weight[rows])
    model[-1].intercept_ += _shift_for_relative_error(model.predict(features) - task.log_ratio[rows])
    return model


def _shift_for_relative_error(error: Vector) -> float:
    """Constant to add to predictions of the log ratio, shape (n,) errors given, for the least mean absolute percentage error.

    Squared error of logs aims at the mean, which is too high for relative errors of a wide distribution.
    """
    shifts = np.arange(-0.3, 0.11, 0.01)
    return float(shifts[np.argmin([np.abs(np.expm1(error + shift)).mean() for shift in shifts])])


def fit_nn(task: Task, parameters: Parameters) -> NetworkRegressor:
    """A residual multilayer perceptron on standardised features."""
    return NetworkRegressor.fit(task.features, task.log_ratio, task.weight, seed=task.seed, threads=task.threads, **parameters)


@dataclass(frozen=True)
class FamilyRecipe:
    """How one family is trained: its fit, its starting hyperparameters and the space Optuna searches."""

    fit: Callable[[Task, Parameters], Regressor]
    start: Callable[[int], Parameters]
    space: Callable[[optuna.trial.BaseTrial, int], Parameters]
    trials: int


_XGB_FEW: Parameters = {
    "objective": "reg:absoluteerror",
    "n_estimators": 350,
    "max_leaves": 64,
    "learning_rate": 0.08,
    "subsample": 0.8,
    "colsample_bytree": 0.3,
    "min_child_weight": 2.0,
}
_XGB_MEDIUM = _XGB_FEW | {
    "objective": "reg:squarederror",
    "n_estimators": 250,
    "max_leaves": 256,
    "learning_rate": 0.05,
    "colsample_bytree": 0.5,
    "min_child_weight": 1.0,
}
_XGB_MANY = _XGB_FEW | {"n_estimators": 300, "max_leaves": 512, "colsample_bytree": 0.4}
_XGB_MOST = _XGB_MEDIUM | {"max_leaves": 512, "learning_rate": 0.08}


def _xgb_start(rows: int) -> Parameters:
    if rows < MEDIUM_ROWS:
        return _XGB_FEW
    if rows < LARGE_ROWS:
        return _XGB_MEDIUM
    return _XGB_MANY if rows < LARGEST_ROWS else _XGB_MOST


def _xgb_space(trial: optuna.trial.BaseTrial, rows: int) -> Parameters:
    return _xgb_start(rows) | {
        "objective": trial.suggest_categorical("objective", ["reg:absoluteerror", "reg:squarederror"]),
        "max_leaves": trial.suggest_int("max_leaves", 32, 512, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.1, log=True),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.15, 0.6),
        "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 8.0, log=True),
    }


def _rf_start(rows: int) -> Parameters:
    few_deep = {"n_estimators": 16, "max_leaf_nodes": 3000, "max_features": 1.0}
    many = {"n_estimators": 24, "max_leaf_nodes": 1800, "max_features": 0.6}
    return (few_deep if MEDIUM_ROWS <= rows < LARGE_ROWS else many) | {"min_samples_leaf": 1}


def _rf_space(trial: optuna.trial.BaseTrial, rows: int) -> Parameters:
    return _rf_start(rows) | {
        "max_features": trial.suggest_float("max_features", 0.3, 1.0),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 3),
    }


def _lasso_start(rows: int) -> Parameters:
    return {"alpha": 1e-4}


def _lasso_space(trial: optuna.trial.BaseTrial, rows: int) -> Parameters:
    return {"alpha": trial.suggest_float("alpha", 5e-5, 1e-3, log=True)}


_NN_FEW: Parameters = {
    "width": 128,
    "blocks": 3,
    "learning_rate": 3e-3,
    "weight_decay": 0.1,
    "steps": 2800,
    "batch_size": 256,
}


def _nn_start(rows: int) -> Parameters:
    if rows < MEDIUM_ROWS:
        return _NN_FEW
    return _NN_FEW | ({"steps": 6000, "weight_decay": 0.02} if rows < LARGE_ROWS else {"steps": 2500, "batch_size": 1024})


def _nn_space(trial: optuna.trial.BaseTrial, rows: int) -> Parameters:
    return _nn_start(rows) | {
        "learning_rate": trial.suggest_float("learning_rate", 1e-3, 6e-3, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 0.02, 0.5, log=True),
    }


RECIPES: dict[str, FamilyRecipe] = {
    "nn": FamilyRecipe(fit_nn, _nn_start, _nn_space, trials=2),
    "xgb": FamilyRecipe(fit_xgb, _xgb_start, _xgb_space, trials=4),
    "rf": FamilyRecipe(fit_rf, _rf_start, _rf_space, trials=2),
    "lasso": FamilyRecipe(fit_lasso, _lasso_start, _lasso_space, trials=2),
}
