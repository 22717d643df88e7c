"""Where hostile files are made: small sound models to spoil, and a canary that shows whether any code of a file ran."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnpredict_gui.importing.mapping import FeatureMapping
from cnnpredict_gui.importing.samples import sample_matrix
from tests.artefacts import linear_model, make_device, make_target, tree_model

FEATURES = ("log_macs", "log_bytes", "kernel_size")


def mapping(**changes: Any) -> FeatureMapping:
    """A mapping that fits the models of the workshop."""
    values: dict[str, Any] = {
        "target": make_target("gpul40s"),
        "device": make_device("gpul40s"),
        "family": "rf",
        "features": FEATURES,
        "output": "log_ms",
        "activation": "relu",
        "algorithms": ("gemm",),
    }
    return FeatureMapping(**(values | changes))


@dataclass(frozen=True)
class Workshop:
    """``folder`` for the file of one case, ``sound`` with the models to spoil, ``canary`` that no file may bring to life."""

    folder: Path
    sound: Path
    canary: Path

    def write(self, name: str, content: bytes) -> Path:
        """A file of the case."""
        path = self.folder / name
        path.write_bytes(content)
        return path

    def read(self, name: str) -> bytes:
        """Content of a sound model."""
        return (self.sound / name).read_bytes()


Build = Callable[[Workshop], Path]


@dataclass(frozen=True)
class Case:
    """One file, what its refusal says, and what differs in the mapping."""

    name: str
    build: Build
    says: str
    changes: dict[str, Any]


CASES: dict[str, Case] = {}


def case(name: str, says: str, **changes: Any) -> Callable[[Build], Build]:
    """Add a case to the corpus."""

    def add(build: Build) -> Build:
        assert name not in CASES, name
        CASES[name] = Case(name, build, says, changes)
        return build

    return add


def needs_posix() -> None:
    """Skip where files of this kind cannot be made."""
    if os.name != "posix":
        pytest.skip("this system has no such files")


class Call:
    """Pickles as a call of ``function``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.arguments


def touch(canary: Path) -> Call:
    """Pickles as a shell command that makes the canary."""
    return Call(os.system, f"touch '{canary}'")


def named_call(module: str, name: str, *arguments: Any) -> bytes:
    """A pickle that calls something by its name, which need not be there."""
    inner = pickle.dumps(arguments, 2)[2:-1]
    return b"\x80\x02" + f"c{module}\n{name}\n".encode() + inner + b"R."


def text_object(module: str, name: str) -> bytes:
    """STACK_GLOBAL: a name by two texts, which may hold dots."""
    parts = [b"\x8c" + struct.pack("B", len(text)) + text.encode() for text in (module, name)]
    return b"\x80\x04" + b"".join(parts) + b"\x93"


def make_sound_models(folder: Path) -> Path:
    """A small model of every kind of file, fitted to times that grow with the work."""
    import joblib
    import torch
    import xgboost
    from safetensors.torch import save_file
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
    from torch import nn

    matrix = sample_matrix(mapping())
    times = 0.4 * matrix[:, 0] - 9.0 + 0.01 * matrix[:, 2]
    forest = RandomForestRegressor(3, max_depth=4, random_state=0).fit(matrix, times)
    joblib.dump(forest, folder / "forest.joblib")
    (folder / "forest.pkl").write_bytes(pickle.dumps(forest, 2))
    histogram = HistGradientBoostingRegressor(max_iter=3, max_leaf_nodes=8).fit(matrix, times)
    joblib.dump(histogram, folder / "histogram.joblib")
    boosted = xgboost.XGBRegressor(n_estimators=3, max_depth=3, n_jobs=1).fit(matrix, times)
    joblib.dump(boosted, folder / "boosted.joblib")
    for suffix in ("json", "ubj"):
        boosted.save_model(folder / f"boosted.{suffix}")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
    torch.save(network.state_dict(), folder / "network.pth")
    save_file(network.state_dict(), folder / "network.safetensors")
    (folder / "linear.onnx").write_bytes(linear_model(FEATURES).SerializeToString())
    (folder / "trees.onnx").write_bytes(tree_model(FEATURES).SerializeToString())
    return folder


#: The sound models and what differs in the mapping of each.
SOUND: dict[str, dict[str, Any]] = {
    "forest.joblib": {},
    "forest.pkl": {},
    "histogram.joblib": {},
    "boosted.joblib": {"family": "xgb"},
    "boosted.json": {"family": "xgb"},
    "boosted.ubj": {"family": "xgb"},
    "network.pth": {"family": "nn"},
    "network.safetensors": {"family": "nn"},
    "linear.onnx": {"family": "lasso"},
    "trees.onnx": {},
}


def spoiled_json(shop: Workshop, name: str, spoil: Callable[[dict[str, Any]], object]) -> Path:
    """The boosted model with something changed in it."""
    document = json.loads(shop.read("boosted.json"))
    spoil(document["learner"])
    return shop.write(name, json.dumps(document).encode())


def pickled_forest(shop: Workshop, spoil: Callable[[np.ndarray, dict[str, Any]], object]) -> Path:
    """The forest with the state of its first tree changed, as scikit-learn itself would write it."""
    import joblib

    forest = joblib.load(shop.sound / "forest.joblib")
    tree = forest.estimators_[0].tree_
    state = tree.__getstate__()
    state["nodes"] = state["nodes"].copy()
    spoil(state["nodes"], state)
    forest.estimators_[0].tree_ = Forged(tree.__reduce__()[1], state)
    path = shop.folder / "forged.joblib"
    joblib.dump(forest, path)
    return path


class Forged:
    """Pickles as a tree of scikit-learn with a state of our making."""

    def __init__(self, arguments: tuple[Any, ...], state: dict[str, Any]) -> None:
        self.arguments, self.state = arguments, state

    def __reduce__(self) -> tuple[Any, ...]:
        from sklearn.tree._tree import Tree

        return Tree, self.arguments, self.state
