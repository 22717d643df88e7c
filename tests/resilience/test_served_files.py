"""What ONNX Runtime does in the window's own process with files of strangers: it reads no other file and no forged tree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.serving.engine import OnnxModel

TREES: dict[str, Any] = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [0, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_values": [0.5, 0.0, 0.0],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
    "target_treeids": [0, 0],
    "target_nodeids": [1, 2],
    "target_ids": [0, 0],
    "target_weights": [1.0, 2.0],
    "n_targets": 1,
}


def _model(node: NodeProto, *weights: TensorProto) -> bytes:
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 4])]
    outputs = [helper.make_tensor_value_info("time", TensorProto.FLOAT, ["n", 1])]
    graph = helper.make_graph([node], "graph", inputs, outputs, list(weights))
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("evil", 1)]
    model: ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    return bytes(model.SerializeToString())


def _trees(**changes: Any) -> bytes:
    node = helper.make_node("TreeEnsembleRegressor", ["features"], ["time"], domain="ai.onnx.ml", **(TREES | changes))
    return _model(node)


def _answers(data: bytes) -> list[float]:
    return list(OnnxModel(data, 4).run(np.zeros((2, 4), np.float32)))


@pytest.mark.parametrize("place", ["secret.bin", "./secret.bin", "../secret.bin", "{folder}/secret.bin", "/etc/hostname"])
def test_files_beside_a_served_model_are_out_of_reach(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    for folder in (tmp_path, tmp_path / "below"):
        (folder / "secret.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    monkeypatch.chdir(tmp_path / "below")
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 1], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", place.format(folder=tmp_path)), ("offset", "0"), ("length", "16")):
        entry = weights.external_data.add()
        entry.key, entry.value = key, value
    with pytest.raises(ModelFileError):
        _answers(_model(helper.make_node("MatMul", ["features", "w"], ["time"]), weights))


def test_a_true_tree_is_served() -> None:
    assert _answers(_trees()) == [1.0, 1.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"nodes_featureids": [1_000_000, 0, 0]},
        {"nodes_featureids": [-1, 0, 0]},
        {"nodes_truenodeids": [77, 0, 0]},
        {"nodes_truenodeids": [0, 0, 0]},
        {"nodes_truenodeids": [-5, 0, 0]},
        {"target_ids": [5_000_000, 0]},
        {"target_ids": [-1, 0]},
        {"target_nodeids": [9, 2]},
        {"n_targets": 0},
        {"nodes_values": [0.5]},
    ],
    ids=str,
)
def test_forged_trees_are_refused(changes: dict[str, Any]) -> None:
    """In a process of its own first: what would crash it must not take the tests along."""
    import subprocess
    import sys

    from tests.resilience.conftest import ROOT

    code = (
        "import sys\nfrom cnnpredict_gui.core.errors import ModelFileError\n"
        "from tests.resilience.test_served_files import _answers\n"
        "try: _answers(sys.stdin.buffer.read())\nexcept ModelFileError: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], input=_trees(**changes), capture_output=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, b"refused"), done.stderr[-300:]


def test_a_model_that_gives_one_number_for_all_rows_is_refused() -> None:
    node = helper.make_node("ReduceSum", ["features"], ["time"], keepdims=1)
    with pytest.raises(ModelFileError, match="gives 1 numbers for 3 rows"):
        _answers(_model(node))


def test_a_model_that_fails_on_some_rows_gives_no_time_there(caplog: pytest.LogCaptureFixture) -> None:
    """It must not stop the other predictors: the rows are refused, and the log says why, once."""
    pick = [
        helper.make_node("Cast", ["features"], ["numbers"], to=TensorProto.INT64),
        helper.make_node("GatherElements", ["features", "numbers"], ["picked"], axis=1),
        helper.make_node("ReduceSum", ["picked", "axis"], ["time"], keepdims=1),
    ]
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 4])]
    outputs = [helper.make_tensor_value_info("time", TensorProto.FLOAT, ["n", 1])]
    graph = helper.make_graph(pick, "graph", inputs, outputs, [axis])
    model = OnnxModel(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString(), 4
    )
    assert list(model.run(np.ones((2, 4), np.float32))) == [4.0, 4.0]
    for _ in range(2):
        assert np.isnan(model.run(np.full((2, 4), 99, np.float32))).all()
    assert len(caplog.records) == 1 and "gives no times" in caplog.text


def test_operators_of_others_are_unknown() -> None:
    with pytest.raises(ModelFileError):
        _answers(_model(helper.make_node("RunThis", ["features"], ["time"], domain="evil")))
