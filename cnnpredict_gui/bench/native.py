"""Native model files, answered by the library that trained them. Only ever used in child processes.

Nothing is loaded that its card does not vouch for by sha256. Of joblib files, which can run code when they are read, only
those that came with the program are loaded as joblib does; others go through the reader of :mod:`cnnpredict_gui.importing`,
which makes objects of listed classes only.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.card import ModelCard
from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.core.table import Floats
from cnnpredict_gui.serving.library import ModelEntry
from cnnpredict_gui.serving.verification import verified_bytes

#: Library of each family: name for people, module to import, packages that may hold it.
LIBRARIES = {
    "nn": ("PyTorch", "torch", ("torch",)),
    "xgb": ("XGBoost", "xgboost", ("xgboost-cpu", "xgboost")),
    "rf": ("scikit-learn", "sklearn", ("scikit-learn",)),
    "lasso": ("scikit-learn", "sklearn", ("scikit-learn",)),
}
_TORCH_SUFFIXES, _JOBLIB_SUFFIX = (".pth", ".pt"), ".joblib"


def native_file(path: Path, card: ModelCard) -> Path | None:
    """The native file beside a served one, if it is there and the card knows it."""
    for suffix in (*_TORCH_SUFFIXES, _JOBLIB_SUFFIX):
        beside = path.with_suffix(suffix)
        if beside.name in card.files and beside.is_file():
            return beside
    return None


def why_not(entry: ModelEntry) -> str:
    """Why the native file of an entry cannot be timed; empty if it can."""
    if entry.card is None or entry.family not in LIBRARIES:
        return "a consensus has no file of its own" if entry.family == "consensus" else "it has no card"
    if entry.card.imported_from:
        return "it was imported, and its file answers in units of its own"
    return "" if native_file(entry.path, entry.card) else "its native file is not there"


class NativeModel:
    """The native file of a model, on one thread per call, as ONNX Runtime is served.

    Args:
        entry: The model.

    Raises:
        ModelFileError: there is no native file that may be loaded, its library is missing, or it is not what it should be.
    """

    def __init__(self, entry: ModelEntry) -> None:
        reason = why_not(entry)
        native = native_file(entry.path, entry.card) if entry.card else None
        if reason or native is None or entry.card is None:
            raise ModelFileError(f"{entry.name}: {reason}", "time it with ONNX Runtime")
        title, module, packages = LIBRARIES[entry.family]
        try:
            import_module(module)
        except ImportError:
            raise ModelFileError(f"{title} is not installed", "install cnnpredict-gui[train]") from None
        self.library = f"{title} {_version(packages)}"
        begin = perf_counter()
        data = verified_bytes(native, entry.card)
        self._model: Any = (
            _network(data) if native.suffix in _TORCH_SUFFIXES else _one_thread(self._read(data, entry, native.name))
        )
        #: Time to verify and load the file, without importing the library.
        self.load_ms = (perf_counter() - begin) * 1e3

    @staticmethod
    def _read(data: bytes, entry: ModelEntry, name: str) -> Any:
        return _estimator(data) if entry.origin == "bundled" else _strange_estimator(data, name)

    def run(self, matrix: npt.NDArray[np.float32], /) -> Floats:
        """Answers of shape (n,), float64, for features of shape (n, F)."""
        return np.asarray(self._model.predict(matrix), dtype=np.float64).reshape(-1)


def _network(data: bytes) -> Any:
    import torch

    from cnnpredict_gui.training.network_regressor import NetworkRegressor

    torch.set_num_threads(1)
    return NetworkRegressor.from_checkpoint(torch.load(BytesIO(data), map_location="cpu", weights_only=True))


def _estimator(data: bytes) -> Any:
    import joblib

    return joblib.load(BytesIO(data))


def _strange_estimator(data: bytes, name: str) -> Any:
    """What a file of unknown origin holds.

    Raises:
        ModelFileError: it holds anything but a model of listed classes.
    """
    from cnnpredict_gui.importing.pickle_parts import XgboostState
    from cnnpredict_gui.importing.worker import unpickled
    from cnnpredict_gui.importing.xgboost_files import of_pickle

    model, _ = unpickled(data, name)
    return _Booster(of_pickle(model, name).booster()) if isinstance(model, XgboostState) else model


class _Booster:
    """XGBoost's own trees, as the safe reader has checked them."""

    def __init__(self, booster: Any) -> None:
        self._booster = booster

    def predict(self, matrix: npt.NDArray[np.float32]) -> Any:
        return self._booster.inplace_predict(matrix)


def _one_thread(model: Any) -> Any:
    """The model, told to use one thread.

    Raises:
        ModelFileError: it is no model.
    """
    if not callable(getattr(model, "predict", None)):
        raise ModelFileError(f"the native file holds a {type(model).__name__}, not a model", "train it again")
    for part in (model, *(step for _, step in getattr(model, "steps", ()))):
        if hasattr(part, "n_jobs"):
            part.n_jobs = 1
    if hasattr(model, "get_booster"):
        model.get_booster().set_param({"nthread": 1})
    return model


def _version(packages: tuple[str, ...]) -> str:
    for package in packages:
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return ""
