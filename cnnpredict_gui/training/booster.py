"""Tree ensembles of served ONNX files as XGBoost boosters: the same trees in the engine that is fastest on many rows.

Nothing is unpickled: the trees are read from the ONNX graph and written in XGBoost's own JSON model format.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from cnnpredict_gui.core.errors import ModelFileError

Array = npt.NDArray[Any]
_LESS_OR_EQUAL, _LESS = 0, 1
_SUM = 1


def booster_json(model: onnx.ModelProto) -> bytes:
    """XGBoost model of a graph that is one ``TreeEnsemble`` and the addition of a constant.

    Raises:
        ModelFileError: the graph is something else.
    """
    ensemble, base = _parts(model)
    left, right, is_inner, condition, feature = _nodes(ensemble)
    trees = _trees(np.asarray(ensemble["tree_roots"]), left, right, is_inner)
    width = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    told = [_tree(number, nodes, left, right, is_inner, condition, feature, width) for number, nodes in enumerate(trees)]
    return json.dumps(_model(told, base, width)).encode()


def _parts(model: onnx.ModelProto) -> tuple[dict[str, Any], float]:
    """Attributes of the ensemble, and the constant."""
    nodes = list(model.graph.node)
    if [node.op_type for node in nodes] != ["TreeEnsemble", "Add"] or len(model.graph.initializer) != 1:
        raise ModelFileError("the graph is not one tree ensemble and a constant")
    ensemble: dict[str, Any] = {item.name: helper.get_attribute_value(item) for item in nodes[0].attribute}
    if ensemble.get("aggregate_function", _SUM) != _SUM or ensemble.get("post_transform", 0) != 0:
        raise ModelFileError("the trees are not summed")
    return ensemble, float(numpy_helper.to_array(model.graph.initializer[0]).reshape(()))


def _nodes(ensemble: dict[str, Any]) -> tuple[Array, Array, Array, Array, Array]:
    """Arrays over inner nodes, then leaves: children, whether inner, split value or leaf weight, and feature."""
    modes = numpy_helper.to_array(ensemble["nodes_modes"])
    if not np.isin(modes, (_LESS_OR_EQUAL, _LESS)).all():
        raise ModelFileError("the trees split by other relations than < and <=")
    splits = numpy_helper.to_array(ensemble["nodes_splits"]).astype(np.float32)
    splits = np.where(modes == _LESS_OR_EQUAL, np.nextafter(splits, np.float32(np.inf)), splits)
    weights = numpy_helper.to_array(ensemble["leaf_weights"]).astype(np.float32)
    inner, leaves = len(splits), len(weights)

    def children(side: str) -> Array:
        ids, leaf = (np.asarray(ensemble[f"nodes_{side}{what}"]) for what in ("nodeids", "leafs"))
        return np.concatenate([ids + inner * leaf, np.full(leaves, -1)])

    is_inner = np.arange(inner + leaves) < inner
    feature = np.concatenate([np.asarray(ensemble["nodes_featureids"]), np.zeros(leaves, dtype=np.int64)])
    return children("true"), children("false"), is_inner, np.concatenate([splits, weights]), feature


def _trees(roots: Array, left: Array, right: Array, is_inner: Array) -> list[Array]:
    """Nodes of each tree, level by level, its root first; XGBoost needs each right child just after the left one."""
    frontier, tree = roots, np.arange(len(roots))
    levels, owners = [frontier], [tree]
    while len(frontier):
        below = is_inner[frontier]
        frontier = np.stack([left[frontier[below]], right[frontier[below]]], axis=1).reshape(-1)
        tree = np.repeat(tree[below], 2)
        levels.append(frontier)
        owners.append(tree)
    nodes, owner = np.concatenate(levels), np.concatenate(owners)
    if len(nodes) > len(left):
        raise ModelFileError("the trees share nodes")
    order = np.argsort(owner, kind="stable")
    return np.split(nodes[order], np.cumsum(np.bincount(owner))[:-1])


def _tree(
    number: int, nodes: Array, left: Array, right: Array, is_inner: Array, condition: Array, feature: Array, width: int
) -> dict[str, Any]:
    count = len(nodes)
    place = dict(zip(nodes.tolist(), range(count), strict=True)) | {-1: -1}
    lefts, rights = ([place[child] for child in side[nodes].tolist()] for side in (left, right))
    parents = [2**31 - 1] * count
    for parent, pair in enumerate(zip(lefts, rights, strict=True)):
        if pair[0] >= 0:
            parents[pair[0]] = parents[pair[1]] = parent
    conditions, zeros = condition[nodes].astype(float).tolist(), [0] * count
    return {
        "base_weights": [0.0] * count,
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
        "default_left": zeros,
        "id": number,
        "left_children": lefts,
        "loss_changes": [0.0] * count,
        "parents": parents,
        "right_children": rights,
        "split_conditions": conditions,
        "split_indices": np.where(is_inner, feature, 0)[nodes].tolist(),
        "split_type": zeros,
        "sum_hessian": [0.0] * count,
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(width),
            "num_nodes": str(count),
            "size_leaf_vector": "1",
        },
    }


def _model(trees: list[dict[str, Any]], base: float, width: int) -> dict[str, Any]:
    count = len(trees)
    return {
        "version": [3, 0, 0],
        "learner": {
            "attributes": {},
            "feature_names": [],
            "feature_types": [],
            "gradient_booster": {
                "name": "gbtree",
                "model": {
                    "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(count)},
                    "iteration_indptr": list(range(count + 1)),
                    "tree_info": [0] * count,
                    "trees": trees,
                },
            },
            "learner_model_param": {
                "base_score": repr(base),
                "boost_from_average": "1",
                "num_class": "0",
                "num_feature": str(width),
                "num_target": "1",
            },
            "objective": {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}},
        },
    }
