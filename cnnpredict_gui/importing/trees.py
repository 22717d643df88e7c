"""Decision trees as arrays: checked node by node before anything walks them, and written as one ONNX operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.importing.limits import AGAIN, MAX_NODES

Integers = npt.NDArray[np.int64]
_LEAF = -1
_MAX_DEPTH = 10_000
_SKLEARN_FIELDS = ("left_child", "right_child", "feature", "threshold")
_HIST_FIELDS = ("left", "right", "feature_idx", "num_threshold", "is_leaf", "is_categorical", "value")


@dataclass(frozen=True)
class Trees:
    """All trees of an ensemble one after the other; arrays of shape (nodes,), children as places in these arrays.

    A row goes to ``left`` where its feature is ``<=`` (or ``<``, see ``test``) the threshold. Leaves have ``value``; the
    answer is the sum of the leaves reached.
    """

    left: Integers
    right: Integers
    feature: Integers
    threshold: npt.NDArray[np.float64]
    value: npt.NDArray[np.float64]
    leaf: npt.NDArray[np.bool_]
    roots: Integers
    test: Literal["<=", "<"] = "<="

    def checked(self, features: int, name: str) -> Trees:
        """The same trees after a look at every node that can be reached.

        Raises:
            ModelFileError: a child or feature is out of range, a node has two parents, or a number is not finite.
        """
        if len(self.left) > MAX_NODES:
            hint = "cap the number of trees or leaves and train it again"
            raise ModelFileError(f"{name} has {len(self.left):,} tree nodes, more than {MAX_NODES:,}", hint)
        inner = ~self.leaf
        for what, values, high in (
            ("left child", self.left, len(self.left)),
            ("right child", self.right, len(self.left)),
            ("feature", self.feature, features),
        ):
            wrong = np.flatnonzero(inner & ((values < 0) | (values >= high)))
            if len(wrong):
                node, value = int(wrong[0]), int(values[wrong[0]])
                raise ModelFileError(
                    f"{name} has a tree node with {what} {value}, outside 0 to {high - 1} (node {node})", AGAIN
                )
        reached = self._reached(name)
        if not np.isfinite(self.value[reached & self.leaf]).all() or np.isnan(self.threshold[reached & inner]).any():
            raise ModelFileError(f"{name} has a tree node with a number that is not finite", AGAIN)
        return self if reached.all() else self._kept(reached)

    def _kept(self, wanted: npt.NDArray[np.bool_]) -> Trees:
        """Only these nodes: trees that were pruned leave nodes behind that belong to nothing."""
        place = np.cumsum(wanted) - 1
        left, right = (np.where(self.leaf, _LEAF, place[np.maximum(side, 0)])[wanted] for side in (self.left, self.right))
        rest = (self.feature[wanted], self.threshold[wanted], self.value[wanted], self.leaf[wanted])
        return Trees(left, right, *rest, place[self.roots], self.test)

    def _reached(self, name: str) -> npt.NDArray[np.bool_]:
        """Which nodes a row can come to; each must have one parent, so that every walk ends."""
        seen = np.zeros(len(self.left), dtype=bool)
        level = self.roots
        for _ in range(_MAX_DEPTH):
            if not len(level):
                return seen
            if len(np.unique(level)) != len(level) or seen[level].any():
                raise ModelFileError(f"{name} has tree nodes that form a circle", AGAIN)
            seen[level] = True
            inner = level[~self.leaf[level]]
            level = np.concatenate([self.left[inner], self.right[inner]])
        raise ModelFileError(f"{name} has a tree deeper than {_MAX_DEPTH:,} levels", "cap the depth and train it again")

    def attributes(self) -> dict[str, Any]:
        """Attributes of the operator ``TreeEnsemble`` of ai.onnx.ml 5: numbers, arrays of integers, tensors."""
        from onnx import numpy_helper

        trees = self._without_lone_leaves()
        inner, leaves = np.flatnonzero(~trees.leaf), np.flatnonzero(trees.leaf)
        place = np.empty(len(trees.left), dtype=np.int64)
        place[inner], place[leaves] = np.arange(len(inner)), np.arange(len(leaves))
        left, right = trees.left[inner], trees.right[inner]
        lists = {
            "tree_roots": place[trees.roots],
            "nodes_featureids": trees.feature[inner],
            "nodes_truenodeids": place[left],
            "nodes_falsenodeids": place[right],
            "nodes_trueleafs": trees.leaf[left].astype(np.int64),
            "nodes_falseleafs": trees.leaf[right].astype(np.int64),
            "leaf_targetids": np.zeros(len(leaves), dtype=np.int64),
        }
        tensors: dict[str, npt.NDArray[Any]] = {
            "nodes_modes": np.full(len(inner), 0 if self.test == "<=" else 1, dtype=np.uint8),
            "nodes_splits": _as_float32(trees.threshold[inner], self.test),
            "leaf_weights": trees.value[leaves].astype(np.float32),
        }
        numbers = {"n_targets": 1, "aggregate_function": 1, "post_transform": 0}
        return numbers | lists | {key: numpy_helper.from_array(values) for key, values in tensors.items()}

    def _without_lone_leaves(self) -> Trees:
        """A root that is a leaf has no place in the format: it becomes a question with the same answer on both sides."""
        lone = self.roots[self.leaf[self.roots]]
        if not len(lone):
            return self
        places = len(self.left) + np.arange(len(lone))
        roots = self.roots.copy()
        roots[self.leaf[self.roots]] = places
        twins = places + len(lone)  # each leaf needs a place of its own

        def grown(values: Any, of_roots: Any, of_twins: Any) -> Any:
            return np.concatenate([values, of_roots, of_twins])

        none = np.full(len(lone), _LEAF)
        return Trees(
            grown(self.left, lone, none),
            grown(self.right, twins, none),
            grown(self.feature, np.zeros(len(lone), dtype=np.int64), none),
            grown(self.threshold, np.zeros(len(lone)), np.zeros(len(lone))),
            grown(self.value, np.zeros(len(lone)), self.value[lone]),
            grown(self.leaf, np.zeros(len(lone), dtype=bool), np.ones(len(lone), dtype=bool)),
            roots,
            self.test,
        )


def _as_float32(threshold: npt.NDArray[np.float64], test: str) -> npt.NDArray[np.float32]:
    """Thresholds that part float32 features exactly as the float64 ones do."""
    with np.errstate(over="ignore"):
        rounded = threshold.astype(np.float32)
    if test == "<=":  # the largest float32 that is not above the threshold
        too_high = rounded.astype(np.float64) > threshold
        rounded[too_high] = np.nextafter(rounded[too_high], np.float32(-np.inf))
    else:  # the smallest float32 that is not below it
        too_low = rounded.astype(np.float64) < threshold
        rounded[too_low] = np.nextafter(rounded[too_low], np.float32(np.inf))
    return rounded


def joined(parts: list[Trees]) -> Trees:
    """Several ensembles as one."""
    offsets = np.cumsum([0, *(len(part.left) for part in parts[:-1])])

    def shifted(name: str) -> Any:
        arrays = [getattr(part, name) for part in parts]
        if name == "roots":
            return np.concatenate([array + offset for array, offset in zip(arrays, offsets, strict=True)])
        if name in ("left", "right"):
            pairs = zip(arrays, offsets, strict=True)
            return np.concatenate([np.where(array == _LEAF, _LEAF, array + offset) for array, offset in pairs])
        return np.concatenate(arrays)

    names = ("left", "right", "feature", "threshold", "value", "leaf", "roots")
    return Trees(**{name: shifted(name) for name in names}, test=parts[0].test)


def of_sklearn(state: dict[str, Any], weight: float = 1.0) -> Trees:
    """One tree of scikit-learn, from the state of its ``Tree`` (checked before); leaf values times ``weight``."""
    nodes, values = state["nodes"], state["values"]
    left, right = (nodes[field].astype(np.int64) for field in ("left_child", "right_child"))
    return Trees(
        left,
        right,
        nodes["feature"].astype(np.int64),
        nodes["threshold"].astype(np.float64),
        values.reshape(-1).astype(np.float64) * weight,
        left == _LEAF,
        np.zeros(1, dtype=np.int64),
    )


def check_sklearn_state(state: dict[str, Any], features: int, name: str) -> None:
    """Check the state of a ``Tree`` before scikit-learn, which trusts it, takes it over.

    Raises:
        ModelFileError: sizes that do not fit each other, nodes out of range, circles.
    """
    nodes, values, count, depth = (state.get(field) for field in ("nodes", "values", "node_count", "max_depth"))
    if not _has_fields(nodes, _SKLEARN_FIELDS) or not isinstance(values, np.ndarray) or not isinstance(nodes, np.ndarray):
        raise ModelFileError(f"{name} holds a tree of an unknown form", "save it again with a newer scikit-learn")
    size = len(nodes)
    if count != size or values.shape != (size, 1, 1) or values.dtype.kind != "f" or size == 0 or type(depth) is not int:
        raise ModelFileError(f"{name} holds a tree whose arrays do not fit each other", AGAIN)
    of_sklearn(state).checked(features, name)


def with_missing_field(state: dict[str, Any]) -> dict[str, Any]:
    """The state of a ``Tree`` in today's form: scikit-learn before 1.3 did not say where missing values go."""
    nodes = state["nodes"]
    if "missing_go_to_left" in nodes.dtype.names:
        return state
    from sklearn.tree._tree import NODE_DTYPE

    wider = np.zeros(len(nodes), dtype=NODE_DTYPE)
    for name in nodes.dtype.names:
        if name in NODE_DTYPE.names:
            wider[name] = nodes[name]
    return state | {"nodes": wider}


def of_hist(nodes: npt.NDArray[Any]) -> Trees:
    """One tree of scikit-learn's histogram gradient boosting, from its nodes (checked before)."""
    leaf = nodes["is_leaf"].astype(bool)
    left, right = (np.where(leaf, _LEAF, nodes[field].astype(np.int64)) for field in ("left", "right"))
    feature = nodes["feature_idx"].astype(np.int64)
    root = np.zeros(1, dtype=np.int64)
    return Trees(left, right, feature, nodes["num_threshold"].astype(np.float64), nodes["value"].astype(float), leaf, root)


def check_hist_nodes(state: dict[str, Any], name: str) -> None:
    """Check the nodes of a ``TreePredictor`` before scikit-learn takes them over.

    Raises:
        ModelFileError: nodes out of range, circles, or questions about categories (which have no conversion).
    """
    nodes = state.get("nodes")
    if not _has_fields(nodes, _HIST_FIELDS) or not isinstance(nodes, np.ndarray) or nodes.ndim != 1 or not len(nodes):
        raise ModelFileError(f"{name} holds a tree of an unknown form", "save it again with a newer scikit-learn")
    if nodes["is_categorical"].any():
        raise ModelFileError(f"{name} asks for categories, which have no conversion", "train it on numbers only")
    of_hist(nodes).checked(2**31, name)


def _has_fields(nodes: Any, fields: tuple[str, ...]) -> bool:
    names = nodes.dtype.names if isinstance(nodes, np.ndarray) else None
    return names is not None and set(fields) <= set(names)
