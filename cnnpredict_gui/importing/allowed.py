"""What a pickle may name: everything else is refused. Extend it only by classes whose making and state do nothing but store.

Functions of the standard library and of numpy that pickles call are not taken from there; the unpickler has its own,
narrower ones (:mod:`cnnpredict_gui.importing.unpickler`).
"""

from __future__ import annotations

_LINEAR = {
    "sklearn.linear_model._base": ("LinearRegression",),
    "sklearn.linear_model._ridge": ("Ridge", "RidgeCV"),
    "sklearn.linear_model._coordinate_descent": ("Lasso", "LassoCV", "ElasticNet", "ElasticNetCV"),
    "sklearn.linear_model._least_angle": ("Lars", "LassoLars", "LassoLarsCV", "LassoLarsIC"),
    "sklearn.linear_model._bayes": ("BayesianRidge",),
    "sklearn.linear_model._huber": ("HuberRegressor",),
    "sklearn.linear_model._stochastic_gradient": ("SGDRegressor",),
}
_TREES = {
    "sklearn.tree._classes": ("DecisionTreeRegressor", "ExtraTreeRegressor"),
    "sklearn.ensemble._gb": ("GradientBoostingRegressor",),
    "sklearn.dummy": ("DummyRegressor",),
    "sklearn.ensemble._forest": ("RandomForestRegressor", "ExtraTreesRegressor"),
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": ("HistGradientBoostingRegressor",),
    "sklearn.ensemble._hist_gradient_boosting.predictor": ("TreePredictor",),
    "sklearn.ensemble._hist_gradient_boosting.binning": ("_BinMapper",),
}
_LOSSES = {
    "sklearn._loss.link": ("IdentityLink", "LogLink", "Interval"),
    "sklearn._loss.loss": ("HalfSquaredError", "AbsoluteError", "PinballLoss", "HalfPoissonLoss", "HalfGammaLoss"),
}
_STEPS = {
    "sklearn.pipeline": ("Pipeline",),
    "sklearn.compose._target": ("TransformedTargetRegressor",),
    "sklearn.neural_network._multilayer_perceptron": ("MLPRegressor",),
    "sklearn.preprocessing._data": ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"),
    "sklearn.preprocessing._polynomial": ("PolynomialFeatures",),
    "sklearn.preprocessing._function_transformer": ("FunctionTransformer",),
}
#: Module to the classes that may be made, with their state set.
CLASSES: dict[str, tuple[str, ...]] = _LINEAR | _TREES | _LOSSES | _STEPS
#: Losses written in Cython, which are made by a call (with numbers only).
CALLED: dict[str, tuple[str, ...]] = {
    "sklearn._loss._loss": ("CyHalfSquaredError", "CyAbsoluteError", "CyPinballLoss", "CyHalfPoissonLoss", "CyHalfGammaLoss"),
}
#: numpy functions that may be mentioned (as the function of a transformer), never called by the pickle.
MENTIONED: dict[str, tuple[str, ...]] = {
    "numpy": ("log", "log2", "log10", "log1p", "exp", "exp2", "expm1", "sqrt", "square", "absolute"),
}
#: What predicting does not need: replaced by an object that holds nothing. Generators of random numbers and optimisers.
FORGOTTEN: dict[str, tuple[str, ...]] = {
    "numpy.random._mt19937": ("MT19937",),
    "numpy.random._pcg64": ("PCG64",),
    "numpy.random._pickle": ("__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor"),
    "numpy.random.bit_generator": ("SeedSequence", "__pyx_unpickle_SeedSequence"),
    "numpy.random._bit_generator": ("SeedSequence", "__pyx_unpickle_SeedSequence"),
    "sklearn.neural_network._stochastic_optimizers": ("AdamOptimizer", "SGDOptimizer"),
}
#: xgboost's classes: their state is kept as data, and the model in it is read by our own reader.
XGBOOST: dict[str, tuple[str, ...]] = {
    "xgboost.core": ("Booster",),
    "xgboost.sklearn": ("XGBRegressor", "XGBRFRegressor"),
}
#: Old name of a module, and names that differ by system, to the usual one.
USUAL = {"__builtin__": "builtins", "copy_reg": "copyreg", "posix": "os", "nt": "os", "numpy.core": "numpy._core"}


def usual_module(module: str) -> str:
    """The module under its usual name: ``posix`` is ``os``, ``numpy.core.multiarray`` is ``numpy._core.multiarray``."""
    for old, new in USUAL.items():
        if module == old or module.startswith(f"{old}."):
            return new + module.removeprefix(old)
    return module
