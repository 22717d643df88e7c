"""Models of XGBoost (``.json``, ``.ubj``, pickled): read, checked and converted here.

The library is asked for the check only, and by a document that is written anew from what was checked: its own reader trusts a
file (some changed bytes make it crash).
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.importing.graphs import GraphBuilder
from cnnpredict_gui.importing.limits import AGAIN, MAX_FEATURES, MAX_NODES
from cnnpredict_gui.importing.pickle_parts import XgboostState
from cnnpredict_gui.importing.trees import Trees, joined
from cnnpredict_gui.importing.ubjson import read_ubjson

#: Objective to what makes the sum of the leaves a prediction.
_LINKS = {
    **dict.fromkeys(("reg:squarederror", "reg:linear", "reg:absoluteerror", "reg:pseudohubererror"), ""),
    **dict.fromkeys(("reg:squaredlogerror", "reg:quantileerror"), ""),
    **dict.fromkeys(("reg:gamma", "reg:tweedie", "count:poisson"), "exp"),
}
_MAX_JSON_BYTES = 300_000_000
_NO_PARENT = 2**31 - 1
_EXPORT = "export ONNX yourself"


@dataclass(frozen=True)
class XgboostModel:
    """A checked model: the trees (their weights in their leaves), or the weights of a linear booster.

    ``base`` is the base score as the library knows it, ``link`` the function that makes a prediction of the sum.
    """

    kind: str
    features: int
    names: tuple[str, ...]
    version: str
    link: str
    base: float
    trees: tuple[Trees, ...]
    weights: npt.NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()

    def convert(self, builder: GraphBuilder) -> str:
        """Add the model to the graph; returns the name of its answer."""
        margin = math.log(self.base) if self.link else self.base
        if self.weights is None:
            answer = builder.shifted(builder.trees(builder.start, joined(list(self.trees))), margin)
        else:
            answer = builder.linear(builder.start, self.weights[:-1], self.weights[-1] + margin)
        return builder.function(answer, self.link) if self.link else answer

    def predict(self, matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """What xgboost itself answers, shape (n,)."""
        import xgboost

        return np.asarray(self.booster().predict(xgboost.DMatrix(matrix, nthread=1)), dtype=np.float64).reshape(-1)

    def booster(self) -> Any:
        """An ``xgboost.Booster`` of what was checked, for one thread."""
        import xgboost

        return xgboost.Booster({"nthread": 1}, model_file=bytearray(json.dumps(self.document(xgboost.__version__)).encode()))

    def document(self, version: str) -> dict[str, Any]:
        """The model in XGBoost's own schema, of nothing but numbers that were checked."""
        sizes = {"num_class": "0", "num_feature": str(self.features), "num_target": "1"}
        learner = {
            "attributes": {},
            "feature_names": [],
            "feature_types": [],
            "gradient_booster": self._booster(),
            "learner_model_param": {"base_score": f"[{self.base!r}]", "boost_from_average": "1"} | sizes,
            "objective": {
                "name": "reg:gamma" if self.link else "reg:squarederror",
                "reg_loss_param": {"scale_pos_weight": "1"},
            },
        }
        return {"learner": learner, "version": [int(part) for part in version.split(".")[:3]]}

    def _booster(self) -> dict[str, Any]:
        if self.weights is not None:
            return {"model": {"boosted_rounds": 1, "weights": self.weights.reshape(-1).tolist()}, "name": "gblinear"}
        count = len(self.trees)
        model = {
            "cats": {"enc": [], "feature_segments": [], "sorted_idx": []},
            "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(count)},
            "iteration_indptr": list(range(count + 1)),
            "tree_info": [0] * count,
            "trees": [_written(tree, number, self.features) for number, tree in enumerate(self.trees)],
        }
        return {"model": model, "name": "gbtree"}


def of_pickle(state: XgboostState, name: str) -> XgboostModel:
    """The model in a pickled ``Booster`` or ``XGBRegressor``.

    Raises:
        ModelFileError: there is none in it, or it is wrong.
    """
    booster = state.values.get("_Booster") if state.kind != "Booster" else state
    content = booster.values.get("handle") if isinstance(booster, XgboostState) else None
    if not isinstance(content, bytes | bytearray):
        raise ModelFileError(f"the {state.kind} in {name} was never fitted", "fit it before saving")
    document = read_ubjson(bytes(content), name)
    model = document.get("Model", document) if isinstance(document, dict) else document
    return checked(model, name, state.kind)


def of_file(data: bytes, name: str) -> XgboostModel:
    """The model in the content of a ``.json`` or ``.ubj`` file.

    Raises:
        ModelFileError: it is no model of XGBoost, or it is wrong.
    """
    if data[:1] == b"{" and data[1:2] in b'" \n\r\t}':
        if len(data) > _MAX_JSON_BYTES:
            raise ModelFileError(f"{name} is larger than {_MAX_JSON_BYTES // 1_000_000} MB", "save it as .ubj")
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ModelFileError(f"{name} is cut off or no valid JSON: {error}", AGAIN) from None
    else:
        document = read_ubjson(data, name)
    return checked(document, name, "Booster")


def checked(document: Any, name: str, kind: str) -> XgboostModel:
    """A document of XGBoost's model schema, checked.

    Raises:
        ModelFileError: it is of another kind, has no conversion, or its parts contradict each other.
    """
    try:
        return _checked(document, name, kind)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        text = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        raise ModelFileError(f"{name} is no model of XGBoost, or is damaged ({text})", AGAIN) from None


def _checked(document: Any, name: str, kind: str) -> XgboostModel:
    learner = document["learner"]
    parameters = learner["learner_model_param"]
    features = int(parameters["num_feature"])
    if not 0 < features <= MAX_FEATURES:
        raise ModelFileError(f"{name} takes {features} features", AGAIN)
    if int(parameters.get("num_class", 0)) > 1 or int(parameters.get("num_target", 1)) > 1:
        raise ModelFileError(f"{name} gives more than one number per row", "train it for one time per layer")
    objective = str(learner["objective"]["name"])
    if objective not in _LINKS:
        raise ModelFileError(f"the objective {objective[:60]!r} has no conversion", _EXPORT)
    names = tuple(str(one) for one in learner.get("feature_names", ()))
    link, version = _LINKS[objective], ".".join(str(int(part)) for part in document.get("version", ()))
    base = _number(parameters["base_score"])
    if not math.isfinite(base) or (link and base <= 0):
        raise ModelFileError(f"{name} has a base score that is not finite", AGAIN)
    booster = learner["gradient_booster"]
    if booster["name"] == "gblinear":
        weights = np.asarray(booster["model"]["weights"], dtype=np.float64).reshape(-1, 1)
        if len(weights) != features + 1 or not np.isfinite(weights).all():
            raise ModelFileError(f"the weights in {name} do not fit its features", AGAIN)
        return XgboostModel(kind, features, names, version, link, base, (), weights)
    trees, notes = _trees(booster, learner, features, name)
    return XgboostModel(kind, features, names, version, link, base, trees, None, notes)


def _number(text: Any) -> float:
    """A base score: a number, or since XGBoost 3 a list of one in a text."""
    return float(str(text).strip("[] "))


def _trees(booster: Any, learner: Any, features: int, name: str) -> tuple[tuple[Trees, ...], tuple[str, ...]]:
    """The trees that predictions use, and what to say of it."""
    dart = booster["name"] == "dart"
    if booster["name"] not in ("gbtree", "dart"):
        raise ModelFileError(f"a booster {str(booster['name'])[:40]!r} has no conversion", _EXPORT)
    model = booster["gbtree"]["model"] if dart else booster["model"]
    listed = model["trees"]
    if not listed or int(model["gbtree_model_param"]["num_trees"]) != len(listed):
        raise ModelFileError(f"{name} names another number of trees than it has", AGAIN)
    weights = np.asarray(booster["weight_drop"], dtype=np.float64) if dart else np.ones(len(listed))
    if weights.shape != (len(listed),):
        raise ModelFileError(f"{name} names another number of weights than it has trees", AGAIN)
    pointers = [int(one) for one in model.get("iteration_indptr", ())]
    if any(int(one) for one in model.get("tree_info", ())) or (pointers and not _ascending(pointers, len(listed))):
        raise ModelFileError(f"{name} has trees of several groups", AGAIN)
    if not pointers:
        parallel = max(1, int(model["gbtree_model_param"].get("num_parallel_tree", 1)))
        pointers = list(range(0, len(listed) + 1, parallel))
    rounds = len(pointers) - 1
    notes: tuple[str, ...] = ()
    best = learner.get("attributes", {}).get("best_iteration")
    if best is not None and 0 <= int(best) < rounds - 1:
        notes = (f"stopped early: the first {int(best) + 1} of {rounds} rounds are used",)
        rounds = int(best) + 1
    trees = (_tree(tree, weights[at], features, f"{name}, tree {at}") for at, tree in enumerate(listed[: pointers[rounds]]))
    return _not_too_many(trees, name), notes


def _not_too_many(trees: Iterable[Trees], name: str) -> tuple[Trees, ...]:
    found: list[Trees] = []
    nodes = 0
    for tree in trees:
        found.append(tree)
        nodes += len(tree.left)
        if nodes > MAX_NODES:
            raise ModelFileError(f"{name} has more than {MAX_NODES:,} tree nodes", "cap the number of trees or leaves")
    if not found:
        raise ModelFileError(f"{name} has no trees", "fit it before saving")
    return tuple(found)


def _ascending(pointers: list[int], trees: int) -> bool:
    return pointers[0] == 0 and pointers[-1] == trees and all(a <= b for a, b in itertools.pairwise(pointers))


def _tree(tree: Any, weight: float, features: int, name: str) -> Trees:
    """One tree, checked; nodes that pruning left behind are gone."""
    if int(tree.get("tree_param", {}).get("size_leaf_vector", 1)) > 1 or np.any(np.asarray(tree.get("split_type", ()))):
        raise ModelFileError(f"{name} asks for categories or gives several numbers", "train it on numbers, for one time")
    lists = ("left_children", "right_children", "split_indices")
    left, right, feature = (np.asarray(tree[key], dtype=np.int64) for key in lists)
    conditions = np.asarray(tree["split_conditions"], dtype=np.float32).astype(np.float64)
    sizes = {len(left), len(right), len(feature), len(conditions), len(tree["default_left"])}
    if sizes != {int(tree["tree_param"]["num_nodes"])} or not len(left):
        raise ModelFileError(f"{name}: its arrays do not fit each other", AGAIN)
    leaf = left == -1
    if (leaf != (right == -1)).any():
        raise ModelFileError(f"{name} has a node with one child", AGAIN)
    if not (np.isfinite(conditions).all() and math.isfinite(weight)):
        raise ModelFileError(f"{name} has a number that is not finite", AGAIN)
    root = np.zeros(1, dtype=np.int64)
    return Trees(left, right, feature, conditions, conditions * weight, leaf, root, "<").checked(features, name)


def _written(tree: Trees, number: int, features: int) -> dict[str, Any]:
    """One tree in XGBoost's own schema."""
    count, inner = len(tree.left), np.flatnonzero(~tree.leaf)
    parents = np.full(count, _NO_PARENT)
    parents[tree.left[inner]] = parents[tree.right[inner]] = inner
    conditions = np.where(tree.leaf, tree.value, tree.threshold).astype(np.float32).astype(np.float64)
    return {
        "base_weights": conditions.tolist(),
        **{key: [] for key in ("categories", "categories_nodes", "categories_segments", "categories_sizes")},
        **{key: [0] * count for key in ("default_left", "split_type")},
        **{key: [1.0] * count for key in ("loss_changes", "sum_hessian")},
        "id": number,
        "left_children": tree.left.tolist(),
        "right_children": tree.right.tolist(),
        "parents": parents.tolist(),
        "split_conditions": conditions.tolist(),
        "split_indices": np.where(tree.leaf, 0, tree.feature).tolist(),
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(features),
            "num_nodes": str(count),
            "size_leaf_vector": "1",
        },
    }
