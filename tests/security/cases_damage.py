"""Files that are cut off, swollen, forged inside, of another shape than said, or no files at all."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.artefacts import linear_model
from tests.security.cases_code import archive
from tests.security.workshop import FEATURES, SOUND, Forged, Workshop, case, needs_posix, pickled_forest, spoiled_json

# -- cut off ----------------------------------------------------------------------------------------------------------

#: Where to cut, in percent, and how much of the message is sure.
for _file in (
    "forest.joblib",
    "histogram.joblib",
    "boosted.json",
    "boosted.ubj",
    "network.pth",
    "network.safetensors",
    "trees.onnx",
):
    for _percent in (0, 1, 50, 99):
        _says = "is empty" if _percent == 0 else ""

        @case(f"{_file} cut off at {_percent} %", _says, **SOUND[_file])
        def _cut(shop: Workshop, file: str = _file, percent: int = _percent) -> Path:
            content = shop.read(file)
            return shop.write(file, content[: len(content) * percent // 100])


@case("a compressed forest cut off at 99 %", "is cut off")
def _cut_compressed(shop: Workshop) -> Path:
    content = gzip.compress(shop.read("forest.joblib"))
    return shop.write("model.joblib", content[: len(content) * 99 // 100])


@case("a compressed forest with a wrong checksum", "is damaged")
def _wrong_checksum(shop: Workshop) -> Path:
    content = bytearray(gzip.compress(shop.read("forest.joblib")))
    content[-8] ^= 0xFF
    return shop.write("model.joblib", bytes(content))


@case("noise", "is damaged or no pickle")
def _noise(shop: Workshop) -> Path:
    return shop.write("model.joblib", b"\x80\x04" + np.random.default_rng(1).bytes(5000))


@case("a text", "is damaged or no pickle")
def _text(shop: Workshop) -> Path:
    return shop.write("model.pkl", b"this is a readme, not a model\n")


# -- bombs ------------------------------------------------------------------------------------------------------------

_MANY = 240_000_000
_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": lambda data: zlib.compress(data, 9),
    "gzip": lambda data: gzip.compress(data, 9),
    "bz2": bz2.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
}
for _name, _pack in _PACKERS.items():

    @case(f"bomb: {_name} of 240 MB", "looks like a decompression bomb")
    def _bomb(shop: Workshop, pack: Callable[[bytes], bytes] = _pack, name: str = _name) -> Path:
        path = shop.sound / f"bomb.{name}"
        if not path.exists():
            path.write_bytes(pack(bytes(_MANY)))
        assert path.stat().st_size < 300_000
        return shop.write("model.joblib", path.read_bytes())


@case("bomb: gzip inside gzip", "is compressed more than once")
def _bomb_in_bomb(shop: Workshop) -> Path:
    return shop.write("model.joblib", gzip.compress(gzip.compress(bytes(_MANY // 8))))


@case("bomb: a zip of 240 MB as torch's", "looks like a zip bomb")
def _zip_bomb(shop: Workshop) -> Path:
    path = shop.sound / "bomb.zip"
    if not path.exists():
        path.write_bytes(archive({"m/data.pkl": b"N.", "m/data/0": bytes(_MANY)}, zipfile.ZIP_DEFLATED))
    assert path.stat().st_size < 300_000
    return shop.write("model.pth", path.read_bytes())


@case("bomb: a small zip, but compressed", "compressed or encrypted")
def _compressed_zip(shop: Workshop) -> Path:
    return shop.write("model.pth", archive({"m/data.pkl": b"N." + bytes(1000)}, zipfile.ZIP_DEFLATED))


@case("bomb: a zip that names sizes it does not have", "")
def _lying_zip(shop: Workshop) -> Path:
    content = bytearray(archive({"m/data.pkl": b"N.", "m/data/0": bytes(64)}))
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 3_000_000_000)
    return shop.write("model.pth", bytes(content))


@case("bomb: lists in lists", "is damaged or no pickle")
def _deep(shop: Workshop) -> Path:
    return shop.write("model.pkl", b"\x80\x02" + b"]" * 50 + b"a" * 60 + b".")


@case("bomb: XGBoost nested without end", "")
def _deep_json(shop: Workshop) -> Path:
    return shop.write("model.json", b'{"a":' * 100_000)


@case("bomb: UBJSON nested without end", "nested too deeply")
def _deep_ubj(shop: Workshop) -> Path:
    return shop.write("model.ubj", b"{i\x01a" * 5_000)


# -- forged trees -----------------------------------------------------------------------------------------------------


def _set(field: str, value: float, node: int = 0) -> Callable[[Any, Any], None]:
    def spoil(nodes: Any, state: Any) -> None:
        nodes[field][node] = value

    return spoil


_FORGED: dict[str, tuple[Callable[[Any, Any], object], str]] = {
    "left child far away": (_set("left_child", 1_000_000), "left child 1000000, outside 0 to"),
    "right child before the first": (_set("right_child", -7), "right child -7, outside 0 to"),
    "a circle": (_set("left_child", 0), "form a circle"),
    "a node with two parents": (lambda nodes, _: nodes["left_child"].__setitem__(0, nodes["right_child"][0]), "form a circle"),
    "a feature that is not there": (_set("feature", 99), "feature 99, outside 0 to 2"),
    "a feature before the first": (_set("feature", -5), "feature -5, outside 0 to 2"),
    "a threshold that is no number": (_set("threshold", np.nan), "not finite"),
    "more nodes said than there are": (lambda _, state: state.update(node_count=10_000), "do not fit each other"),
    "values for fewer nodes": (lambda _, state: state.update(values=state["values"][:2]), "do not fit each other"),
    "values of several outputs": (lambda _, state: state.update(values=np.zeros((9, 2, 1))), "do not fit each other"),
    "nodes of another form": (lambda nodes, state: state.update(nodes=nodes["feature"].copy()), "a tree of an unknown form"),
}
for _title, (_spoil, _says) in _FORGED.items():

    @case(f"forest: {_title}", _says)
    def _forged(shop: Workshop, spoil: Callable[[Any, Any], object] = _spoil) -> Path:
        return pickled_forest(shop, spoil)


@case("gradient boosting: a tree forged among the others", "left child 55555, outside 0 to")
def _forged_boosting(shop: Workshop) -> Path:
    from sklearn.ensemble import GradientBoostingRegressor

    rows = np.random.default_rng(0).random((40, 3))
    model = GradientBoostingRegressor(n_estimators=2).fit(rows, rows[:, 0])
    tree = model.estimators_[1, 0].tree_
    state = tree.__getstate__()
    state["nodes"] = state["nodes"].copy()
    state["nodes"]["left_child"][0] = 55_555
    model.estimators_[1, 0].tree_ = Forged(tree.__reduce__()[1], state)
    path = shop.folder / "model.joblib"
    joblib.dump(model, path)
    return path


@case("histogram: a child far away", "right child 4000000000, outside 0 to")
def _forged_histogram(shop: Workshop) -> Path:
    model = joblib.load(shop.sound / "histogram.joblib")
    model._predictors[0][0].nodes["right"][0] = 4_000_000_000
    path = shop.folder / "model.joblib"
    joblib.dump(model, path)
    return path


@case("histogram: a question about categories", "asks for categories")
def _categories(shop: Workshop) -> Path:
    model = joblib.load(shop.sound / "histogram.joblib")
    model._predictors[0][0].nodes["is_categorical"][0] = 1
    path = shop.folder / "model.joblib"
    joblib.dump(model, path)
    return path


def _tree(learner: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = learner["gradient_booster"]["model"]["trees"][0]
    return tree


_BOOSTED: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a child far away": (lambda one: _tree(one)["left_children"].__setitem__(0, 123_456), "left child 123456, outside 0 to"),
    "a circle": (lambda one: _tree(one)["right_children"].__setitem__(1, 0), "form a circle"),
    "a feature that is not there": (lambda one: _tree(one)["split_indices"].__setitem__(0, 44), "feature 44, outside 0 to 2"),
    "arrays of different lengths": (lambda one: _tree(one)["default_left"].pop(), "do not fit each other"),
    "a node with one child": (lambda one: _tree(one)["left_children"].__setitem__(0, -1), "a node with one child"),
    "fewer trees than said": (lambda one: one["gradient_booster"]["model"]["trees"].pop(), "another number of trees"),
    "a base score that is no number": (lambda one: one["learner_model_param"].update(base_score="NaN"), "not finite"),
    "several classes": (lambda one: one["learner_model_param"].update(num_class="3"), "more than one number per row"),
    "an objective of its own": (lambda one: one["objective"].update(name="rank:pairwise"), "'rank:pairwise' has no conversion"),
    "a number of features that cannot be": (
        lambda one: one["learner_model_param"].update(num_feature="999999999"),
        "takes 9999",
    ),
    "no booster": (lambda one: one.pop("gradient_booster"), "no model of XGBoost, or is damaged"),
}
for _title, (_change, _says) in _BOOSTED.items():

    @case(f"XGBoost: {_title}", _says, family="xgb")
    def _boosted(shop: Workshop, change: Callable[[dict[str, Any]], object] = _change) -> Path:
        return spoiled_json(shop, "model.json", change)


@case("XGBoost: forged inside a pickle", "outside 0 to", family="xgb")
def _boosted_pickle(shop: Workshop) -> Path:
    content = shop.read("boosted.joblib")
    key = b"left_children[$l#L"
    at = content.rindex(key) + len(key) + 8
    return shop.write("model.joblib", content[:at] + struct.pack(">i", 77_777) + content[at + 4 :])


@case("a JSON that is something else", "no model of XGBoost")
def _other_json(shop: Workshop) -> Path:
    return shop.write("model.json", b'{"name": "package", "version": "1.0.0"}')


# -- ONNX -------------------------------------------------------------------------------------------------------------


def _onnx(shop: Workshop, change: Callable[[onnx.ModelProto], object], sound: str = "linear.onnx") -> Path:
    model = onnx.load_model_from_string(shop.read(sound))
    change(model)
    return shop.write("model.onnx", model.SerializeToString())


def _external(location: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", location

    return change


def _attribute(name: str, place: int, value: int) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        (found,) = [item for item in model.graph.node[0].attribute if item.name == name]
        found.ints[place] = value

    return change


_ONNX: dict[str, tuple[Callable[[onnx.ModelProto], object], str]] = {
    "data from above its folder": (_external("../../etc/passwd"), "outside of its folder"),
    "data from the root": (_external("/etc/passwd"), "outside of its folder"),
    "data from a drive": (_external("C:\\secret"), "outside of its folder"),
    "data from its folder itself": (_external("."), "outside of its folder"),
    "data that is not there": (_external("weights.bin"), "weights.bin does not exist"),
    "an operator of somebody": (lambda one: setattr(one.graph.node[0], "domain", "com.evil"), "custom operator com.evil.Gemm"),
    "functions of its own": (lambda one: one.functions.add(), "defines operators of its own"),
    "two outputs": (lambda one: one.graph.output.append(one.graph.output[0]), "1 inputs and 2 outputs"),
    "an image as its input": (lambda one: one.graph.input[0].type.tensor_type.shape.dim.add(), "does not take a float matrix"),
    "an unknown width": (lambda one: one.graph.input[0].type.tensor_type.shape.dim[1].Clear(), "known number of columns"),
    "an old operator set": (lambda one: setattr(one.opset_import[0], "version", 3), "older than 9"),
    "a missing value": (lambda one: one.graph.node[0].input.__setitem__(0, "nowhere"), "no valid ONNX model"),
}
for _title, (_edit, _says) in _ONNX.items():

    @case(f"ONNX: {_title}", _says, family="lasso")
    def _spoiled_onnx(shop: Workshop, edit: Callable[[onnx.ModelProto], object] = _edit) -> Path:
        return _onnx(shop, edit)


for _title, (_edit, _says) in {
    "a feature that is not there": (_attribute("nodes_featureids", 0, 1_000), "feature 1000, outside 0 to 2"),
    "a child far away": (_attribute("nodes_truenodeids", 0, 1_000), "left child -2, outside"),
    "a circle": (_attribute("nodes_falsenodeids", 0, 0), "form a circle"),
    "a root that is not there": (_attribute("tree_roots", 0, 5_000), "a root or target that is not there"),
}.items():

    @case(f"ONNX trees: {_title}", _says)
    def _spoiled_trees(shop: Workshop, edit: Callable[[onnx.ModelProto], object] = _edit) -> Path:
        return _onnx(shop, edit, "trees.onnx")


def _old_trees(**changes: list[int]) -> onnx.ModelProto:
    """One tree of one question, in the older form of the operator."""
    lists: dict[str, Any] = {
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_featureids": [0, 0, 0],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
        "target_treeids": [0, 0],
        "target_nodeids": [1, 2],
        "target_ids": [0, 0],
    } | changes
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["features"],
        ["time"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_values=[20.0, 0.0, 0.0],
        target_weights=[-1.0, 1.0],
        **lists,
    )
    model = linear_model(FEATURES)
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.append(node)
    del model.opset_import[:]
    model.opset_import.extend([helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)])
    return model


for _title, (_lists, _says) in {
    "a feature that is not there": ({"nodes_featureids": [700, 0, 0]}, "feature 700, outside 0 to 2"),
    "a child that is not there": ({"nodes_falsenodeids": [9, 0, 0]}, "right child -2, outside"),
    "a circle": ({"nodes_truenodeids": [0, 0, 0]}, "form a circle"),
    "a node twice": ({"nodes_nodeids": [0, 1, 1]}, "a node is there twice"),
}.items():

    @case(f"ONNX trees of the older operator: {_title}", _says)
    def _spoiled_old_trees(shop: Workshop, lists: dict[str, list[int]] = _lists) -> Path:
        return shop.write("model.onnx", _old_trees(**lists).SerializeToString())


@case("ONNX: data behind a link out of its folder", "outside of its folder")
def _linked_data(shop: Workshop) -> Path:
    needs_posix()
    secret = shop.sound / "secret.bin"
    secret.write_bytes(bytes(12))
    (shop.folder / "weights.bin").symlink_to(secret)
    return _onnx(shop, _external("weights.bin"))


@case("ONNX: a loop", "which may run for ever")
def _loop(shop: Workshop) -> Path:
    def change(model: onnx.ModelProto) -> None:
        node = helper.make_node("Loop", ["", ""], ["x"], body=helper.make_graph([], "body", [], []))
        model.graph.node.insert(0, node)
        model.graph.initializer.append(numpy_helper.from_array(np.zeros(1, dtype=np.float32), "unused"))

    return _onnx(shop, change)


# -- not what was said ------------------------------------------------------------------------------------------------

for _file, _changes in SOUND.items():

    @case(f"{_file} with a feature too few", "", **(_changes | {"features": FEATURES[:2]}))
    def _few(shop: Workshop, file: str = _file) -> Path:
        return shop.write(file, shop.read(file))


@case("features in another order than the model names them", "calls itself 'kernel_size' and the mapping says 'log_bytes'")
def _permuted(shop: Workshop) -> Path:
    model = joblib.load(shop.sound / "forest.joblib")
    model.feature_names_in_ = np.array(["log_macs", "kernel_size", "log_bytes"], dtype=object)
    path = shop.folder / "model.joblib"
    joblib.dump(model, path)
    return path


@case("XGBoost features in another order", "calls itself 'kernel_size' and the mapping says 'log_macs'", family="xgb")
def _permuted_boosted(shop: Workshop) -> Path:
    return spoiled_json(shop, "model.json", lambda one: one.update(feature_names=["kernel_size", "log_bytes", "log_macs"]))


@case("weights without a word on the activation", "do not tell the activation", family="nn", activation=None)
def _no_activation(shop: Workshop) -> Path:
    return shop.write("model.safetensors", shop.read("network.safetensors"))


@case("layers that do not fit each other", "takes 8 numbers and is given 4", family="nn")
def _misfit(shop: Workshop) -> Path:
    import torch

    weights = {"0.weight": torch.zeros(4, 3), "0.bias": torch.zeros(4), "1.weight": torch.zeros(1, 8), "1.bias": torch.zeros(1)}
    path = shop.folder / "model.pth"
    torch.save(weights, path)
    return path


@case("a checkpoint of ours that names sizes it does not have", "names larger layers than it holds", family="nn")
def _large_checkpoint(shop: Workshop) -> Path:
    import torch

    path = shop.folder / "model.pth"
    torch.save({"format": 1, "shape": {"features": 3, "width": 90_000, "blocks": 9}, "state_dict": {"a": torch.zeros(1)}}, path)
    return path


@case("times that are not finite", "gives no finite time", family="lasso", output="log_s")
def _not_finite(shop: Workshop) -> Path:
    return _onnx(
        shop, lambda one: one.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.array([1e30], np.float32), "b"))
    )


# -- no files ---------------------------------------------------------------------------------------------------------


@case("a folder named like a model", "is a folder")
def _folder(shop: Workshop) -> Path:
    path = shop.folder / "model.joblib"
    path.mkdir()
    return path


@case("a pipe", "is no plain file but a pipe")
def _fifo(shop: Workshop) -> Path:
    needs_posix()
    path = shop.folder / "model.joblib"
    os.mkfifo(path)
    return path


@case("a socket", "is no plain file but a pipe")
def _socket(shop: Workshop) -> Path:
    needs_posix()
    path = shop.folder / "s.pth"
    with socket.socket(socket.AF_UNIX) as made:
        before = Path.cwd()
        os.chdir(shop.folder)  # the names of sockets are short
        try:
            made.bind(path.name)
        finally:
            os.chdir(before)
    return path


@case("a device that never ends", "is no plain file but a pipe")
def _device(shop: Workshop) -> Path:
    needs_posix()
    path = shop.folder / "model.joblib"
    path.symlink_to("/dev/zero")
    return path


@case("a link to itself", "cannot be read")
def _link_loop(shop: Workshop) -> Path:
    needs_posix()
    path = shop.folder / "model.joblib"
    path.symlink_to(path)
    return path


@case("nothing there", "does not exist")
def _missing(shop: Workshop) -> Path:
    return shop.folder / "model.joblib"


@case("a path that is too long", "cannot be read")
def _long(shop: Workshop) -> Path:
    return shop.folder / ("m" * 5000 + ".joblib")


@case("a path with a zero in it", "")
def _zero(shop: Workshop) -> Path:
    return shop.folder / "mo\0del.joblib"


@case("a name with a line break and a bell in it", "is damaged or no pickle")
def _bell(shop: Workshop) -> Path:
    needs_posix()
    return shop.write("mo\ndel\a.joblib", b"\x80\x04N")


@case("a damaged file with a name in many scripts", "模型-модель-نموذج-🧪.joblib is damaged")
def _scripts(shop: Workshop) -> Path:
    return shop.write("模型-модель-نموذج-🧪.joblib", b"\x80\x04N")
