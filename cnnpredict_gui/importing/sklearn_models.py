"""Estimators of scikit-learn as ONNX graphs, written from their numbers; the estimator itself is asked only for the check."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.importing.graphs import ACTIVATIONS, GraphBuilder
from cnnpredict_gui.importing.limits import AGAIN, MAX_WEIGHTS
from cnnpredict_gui.importing.trees import Trees, joined, of_hist, of_sklearn

_FORESTS = ("RandomForestRegressor", "ExtraTreesRegressor")
_SINGLE_TREES = ("DecisionTreeRegressor", "ExtraTreeRegressor")
_RESTORE = "train and save it again, or export ONNX yourself"


def width_of(model: Any) -> int:
    """Number of features the estimator takes.

    Raises:
        ModelFileError: it does not say so: it was never fitted.
    """
    first = getattr(model, "regressor_", model) if _kind(model) == "TransformedTargetRegressor" else model
    steps = steps_of(first)
    width = getattr(steps[0] if steps else first, "n_features_in_", None)
    if type(width) is not int:
        raise ModelFileError(f"the {_kind(model)} in it was never fitted", "fit it before saving")
    return width


def own_names(model: Any) -> tuple[str, ...]:
    """Names of the columns that the estimator was fitted with; empty where it had none."""
    names = getattr(model, "feature_names_in_", None)
    steps = steps_of(model)
    if names is None and steps:
        names = getattr(steps[0], "feature_names_in_", None)
    return tuple(map(str, names)) if isinstance(names, np.ndarray) else ()


def steps_of(model: Any) -> list[Any]:
    """The steps of a pipeline; empty for others.

    Raises:
        ModelFileError: it has none, or they are something else.
    """
    if _kind(model) != "Pipeline":
        return []
    steps = getattr(model, "steps", None)
    if not isinstance(steps, list) or not steps or not all(isinstance(step, tuple) and len(step) == 2 for step in steps):
        raise ModelFileError("the Pipeline in it has no steps", AGAIN)
    return [step for _, step in steps]


def describe(model: Any) -> str:
    """The estimator's kind for people, e.g. ``Pipeline (StandardScaler, PolynomialFeatures, Lasso)``."""
    if _kind(model) == "Pipeline":
        return f"Pipeline ({', '.join(map(_kind, steps_of(model)))})"
    return _kind(model)


def predict(model: Any, matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The estimator's own answers, shape (n,), one thread."""
    for part in [model, *steps_of(model)]:
        if hasattr(part, "n_jobs"):
            part.n_jobs = 1
        if hasattr(part, "verbose"):
            part.verbose = 0
    return np.asarray(model.predict(matrix.astype(np.float64)), dtype=np.float64).reshape(-1)


def convert(model: Any, builder: GraphBuilder) -> str:
    """Add the estimator to the graph; returns the name of its answer, (n, 1).

    Raises:
        ModelFileError: it has no conversion, or its parts contradict each other.
    """
    return _any(model, builder, builder.start)


def _any(model: Any, builder: GraphBuilder, value: str) -> str:
    kind = _kind(model)
    try:
        if kind == "Pipeline":
            return _pipeline(steps_of(model), builder, value)
        if kind == "TransformedTargetRegressor":
            return _transformed_target(model, builder, value)
        if kind in (*_FORESTS, *_SINGLE_TREES):
            return builder.trees(value, _forest(model))
        if kind == "HistGradientBoostingRegressor":
            return _hist(model, builder, value)
        if kind == "GradientBoostingRegressor":
            return _boosting(model, builder, value)
        if kind == "MLPRegressor":
            return _layers(model, builder, value)
        if hasattr(model, "coef_"):
            weights, bias = _linear(model)
            return builder.linear(value, weights, bias)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelFileError(f"the {kind} in it is incomplete: {str(error).splitlines()[0][:120]}", AGAIN) from None
    raise ModelFileError(f"a {kind} has no conversion to ONNX", _RESTORE)


def _kind(model: Any) -> str:
    return type(model).__name__


def _pipeline(steps: list[Any], builder: GraphBuilder, value: str) -> str:
    """Steps in order; a polynomial right before a linear model keeps only the terms that count."""
    while steps:
        step, *rest = steps
        if _kind(step) == "PolynomialFeatures" and len(rest) == 1 and hasattr(rest[0], "coef_"):
            weights, bias = _linear(rest[0])
            used = np.flatnonzero(weights[:, 0])
            if len(weights) != len(step.powers_):
                raise ValueError("the linear model does not fit the polynomial")
            if not len(used):
                used = np.arange(1)
            return builder.linear(builder.products(value, step.powers_[used]), weights[used], bias)
        value = _step(step, builder, value) if rest else _any(step, builder, value)
        steps = rest
    return value


def _step(step: Any, builder: GraphBuilder, value: str) -> str:
    if step is None or step == "passthrough":
        return value
    kind = _kind(step)
    if kind == "StandardScaler":
        shifted = builder.shifted(value, -np.asarray(step.mean_)) if step.with_mean else value
        return builder.scaled(shifted, 1 / np.asarray(step.scale_)) if step.with_std else shifted
    if kind == "RobustScaler":
        shifted = builder.shifted(value, -np.asarray(step.center_)) if step.with_centering else value
        return builder.scaled(shifted, 1 / np.asarray(step.scale_)) if step.with_scaling else shifted
    if kind == "MinMaxScaler" and not step.clip:
        return builder.shifted(builder.scaled(value, np.asarray(step.scale_)), np.asarray(step.min_))
    if kind == "MaxAbsScaler":
        return builder.scaled(value, 1 / np.asarray(step.scale_))
    if kind == "PolynomialFeatures":
        return builder.products(value, step.powers_)
    if kind == "FunctionTransformer":
        return value if step.func is None else builder.function(value, step.func.__name__)
    raise ModelFileError(f"the step {kind} has no conversion to ONNX", _RESTORE)


def _transformed_target(model: Any, builder: GraphBuilder, value: str) -> str:
    """The target was transformed for the fit: its transformer is undone."""
    answer, undo = _any(model.regressor_, builder, value), model.transformer_
    kind = _kind(undo)
    if kind == "FunctionTransformer":
        return answer if undo.inverse_func is None else builder.function(answer, undo.inverse_func.__name__)
    if kind == "StandardScaler":
        scaled = builder.scaled(answer, np.asarray(undo.scale_)) if undo.with_std else answer
        return builder.shifted(scaled, np.asarray(undo.mean_)) if undo.with_mean else scaled
    if kind == "MinMaxScaler":
        return builder.scaled(builder.shifted(answer, -np.asarray(undo.min_)), 1 / np.asarray(undo.scale_))
    raise ModelFileError(f"a target transformed by {kind} has no conversion to ONNX", _RESTORE)


def _linear(model: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    weights = np.asarray(model.coef_, dtype=np.float64).reshape(-1, 1)
    bias = np.asarray(model.intercept_, dtype=np.float64).reshape(-1)
    if len(weights) != width_of(model) or len(bias) != 1 or not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise ValueError("its coefficients do not fit its features, or are not finite")
    return weights, bias


def _forest(model: Any) -> Trees:
    trees = model.estimators_ if _kind(model) in _FORESTS else [model]
    if not trees or any(_kind(tree) not in _SINGLE_TREES or tree.tree_.n_features != width_of(model) for tree in trees):
        raise ValueError("its trees are of different kinds or take different features")
    every = joined([of_sklearn(tree.tree_.__getstate__(), 1 / len(trees)) for tree in trees])
    return every.checked(width_of(model), f"the {_kind(model)}")


def _boosting(model: Any, builder: GraphBuilder, value: str) -> str:
    """Trees that correct a constant, or nothing."""
    trees = [tree for (tree,) in model.estimators_]
    if not trees or any(_kind(tree) != "DecisionTreeRegressor" or tree.tree_.n_features != width_of(model) for tree in trees):
        raise ValueError("its trees are of different kinds or take different features")
    if model.init_ != "zero" and _kind(model.init_) != "DummyRegressor":
        raise ModelFileError(f"boosting that begins with a {_kind(model.init_)} has no conversion to ONNX", _RESTORE)
    begin = 0.0 if model.init_ == "zero" else float(np.asarray(model.init_.constant_).reshape(-1)[0])
    every = joined([of_sklearn(tree.tree_.__getstate__(), float(model.learning_rate)) for tree in trees])
    return builder.shifted(builder.trees(value, every.checked(width_of(model), f"the {_kind(model)}")), begin)


def _hist(model: Any, builder: GraphBuilder, value: str) -> str:
    predictors = [one for (one,) in model._predictors]
    every = joined([of_hist(one.nodes) for one in predictors]).checked(width_of(model), f"the {_kind(model)}")
    answer = builder.shifted(builder.trees(value, every), float(np.asarray(model._baseline_prediction).reshape(-1)[0]))
    link = _kind(model._loss.link)
    if link not in ("IdentityLink", "LogLink"):
        raise ModelFileError(f"the link {link} has no conversion to ONNX", _RESTORE)
    return builder.function(answer, "exp") if link == "LogLink" else answer


def _layers(model: Any, builder: GraphBuilder, value: str) -> str:
    weights, biases = list(model.coefs_), list(model.intercepts_)
    sizes = [width_of(model), *(len(bias) for bias in biases)]
    fitting = [layer.shape for layer in weights] == list(pairwise(sizes))
    if not fitting or sizes[-1] != 1 or sum(layer.size for layer in weights) > MAX_WEIGHTS:
        raise ValueError("its layers do not fit each other")
    if model.activation not in ACTIVATIONS or model.out_activation_ not in ("identity", "exp"):
        raise ValueError(f"its activation {model.activation!r} is unknown")
    for number, (layer, bias) in enumerate(zip(weights, biases, strict=True)):
        value = builder.linear(value, layer, bias)
        if number < len(weights) - 1:
            value = builder.activation(value, model.activation)
    return builder.function(value, "exp") if model.out_activation_ == "exp" else value
