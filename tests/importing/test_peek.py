"""Telling predictors from networks by a few bytes of an ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from cnnpredict_gui.importing.peek import takes_matrix
from tests.artefacts import linear_model, tree_model


def image_model() -> bytes:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 224, 224])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", inputs, outputs)
    return bytes(helper.make_model(graph).SerializeToString())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (linear_model().SerializeToString(), True),
        (tree_model(trees=20, depth=8).SerializeToString(), True),
        (image_model(), False),
        (linear_model().SerializeToString()[:40], False),
        (b"", False),
        (b"\x80" * 4000, False),
        (b"{}", False),
    ],
)
def test_a_matrix_is_told_from_an_image(content: bytes, expected: bool, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert takes_matrix(path) is expected


def test_no_bytes_make_it_fail(tmp_path: Path) -> None:
    rng, sound = np.random.default_rng(0), linear_model().SerializeToString()
    path = tmp_path / "model.onnx"
    for _ in range(300):
        content = bytearray(sound)
        for at in rng.integers(0, len(content), 6):
            content[at] = rng.integers(256)
        path.write_bytes(bytes(content))
        assert takes_matrix(path) in (True, False)
    assert takes_matrix(tmp_path) is False
    assert takes_matrix(tmp_path / "nothing.onnx") is False
