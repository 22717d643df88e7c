"""Import of ONNX files: shapes, paddings, open extents, what is not predicted, and damaged files."""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import DataFileError, OpenShapeError
from cnnpredict_gui.studies import onnx_import
from cnnpredict_gui.studies.layers import totals
from cnnpredict_gui.studies.onnx_import import import_onnx
from cnnpredict_gui.studies.presets import preset
from tests.studies.onnx_models import Extent, weight, write, write_conv, write_preset


def _only(path: Path, dimensions: dict[str, int] | None = None) -> Any:
    (layer,) = import_onnx(path, dimensions)
    return layer


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "mobilenet_v3_small", "densenet121"])
@pytest.mark.parametrize(("resolution", "batch"), [(224, 1), (160, 4)])
def test_a_preset_survives_the_way_through_onnx(tmp_path: Path, name: str, resolution: int, batch: int) -> None:
    wanted = preset(name).layers(resolution, batch)
    found = import_onnx(write_preset(tmp_path / "net.onnx", preset(name), resolution, "N"), {"N": batch})
    assert len(found) == len(wanted)
    for ours, theirs in zip(wanted, found, strict=True):
        assert (ours.config, ours.kind, ours.output_shape) == (theirs.config, theirs.kind, theirs.output_shape)
        assert (ours.macs, ours.parameters) == (theirs.macs, theirs.parameters)
        if ours.kind == "conv":
            assert ours.name == theirs.name


def test_torch_export_gives_the_same_layers(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    nn = torch.nn
    network = nn.Sequential(
        nn.Conv2d(3, 8, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(8, 8, (1, 5), padding=(0, 2), groups=8),
        nn.Hardswish(),
        nn.Conv2d(8, 16, 3, padding=2, dilation=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    ).eval()
    network[1].running_mean.fill_(0.5)
    path = tmp_path / "exported.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sizes = ({0: torch.export.Dim("batch"), 2: torch.export.Dim("rows", min=32)},)
        torch.onnx.export(network, (torch.zeros(2, 3, 64, 64),), path, dynamo=True, dynamic_shapes=sizes, verbose=False)
    with pytest.raises(OpenShapeError) as caught:
        import_onnx(path)
    assert {(one.name, one.meaning) for one in caught.value.dimensions} == {("batch", "batch"), ("rows", "height")}
    layers = import_onnx(path, {"batch": 5, "rows": 96})
    configs = [layer.config for layer in layers if layer.config]
    sizes_in = {"batch_size": 5, "input_width": 64}
    assert configs == [
        _config(**sizes_in, input_channels=3, input_height=96, output_channels=8, kernel_size=7, stride=2),
        _config(
            batch_size=5, input_channels=8, input_height=24, input_width=16, output_channels=8, kernel_size=(1, 5), groups=8
        ),
        _config(batch_size=5, input_channels=8, input_height=24, input_width=16, output_channels=16, kernel_size=3, dilation=2),
    ]
    # Exporters fold batch normalisation into the convolution before it, which then has a bias.
    assert totals(layers).parameters == 8 * 3 * 49 + 8 + 8 * 5 + 8 + 16 * 8 * 9 + 16 + 160 + 10


@pytest.mark.parametrize(
    ("attributes", "padding", "output", "note"),
    [
        ({"pads": [1, 1, 1, 1]}, (1, 1), (32, 32), ""),
        ({"pads": [1, 0, 1, 0]}, (1, 0), (32, 30), ""),
        ({"auto_pad": "VALID"}, (0, 0), (30, 30), ""),
        ({"auto_pad": "SAME_UPPER"}, (1, 1), (32, 32), ""),
        ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, (1, 1), (16, 16), "height padding 0/1 taken as 1/1"),
        ({"auto_pad": "SAME_LOWER", "strides": [2, 2]}, (1, 1), (16, 16), "height padding 1/0 taken as 1/1"),
        ({"pads": [0, 1, 1, 1], "strides": [2, 1]}, (1, 1), (16, 32), "height padding 0/1 taken as 1/1"),
        ({"pads": [0, 1, 1, 1]}, (1, 1), (32, 32), "height padding 0/1 taken as 1/1, output height 32 instead of 31"),
        ({"pads": [1, 1, 2, 1]}, (2, 1), (34, 32), "taken as 2/2, output height 34 instead of 33"),
        ({}, (0, 0), (30, 30), ""),
    ],
)
def test_paddings(
    tmp_path: Path, attributes: dict[str, Any], padding: tuple[int, int], output: tuple[int, int], note: str
) -> None:
    layer = _only(write_conv(tmp_path / "a.onnx", (4, 8, 3, 3), **attributes))
    assert (layer.config.padding_height, layer.config.padding_width) == padding
    assert (layer.config.output_height, layer.config.output_width) == output
    assert note in layer.note
    assert bool(note) == bool(layer.note)


def test_groups_dilations_and_rectangles(tmp_path: Path) -> None:
    path = write_conv(tmp_path / "a.onnx", (16, 2, 1, 5), (3, 8, 20, 40), group=4, dilations=[1, 2], pads=[0, 4, 0, 4])
    expected = _config(
        batch_size=3,
        input_channels=8,
        input_height=20,
        input_width=40,
        output_channels=16,
        kernel_size=(1, 5),
        dilation=(1, 2),
        groups=4,
    )
    assert _only(path).config == expected


def test_bias_counts_as_parameters(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "stem.weight", "stem.bias"], ["y"])
    layer = _only(write(tmp_path / "a.onnx", [node], [weight("stem.weight", (4, 8, 3, 3)), weight("stem.bias", (4,))]))
    assert (layer.name, layer.parameters) == ("stem", 4 * 8 * 9 + 4)


def test_shared_weights_count_once(tmp_path: Path) -> None:
    nodes = [helper.make_node("Conv", [source, "w"], [goal]) for source, goal in (("x", "t"), ("t", "y"))]
    layers = import_onnx(write(tmp_path / "a.onnx", nodes, [weight("w", (8, 8, 1, 1))]))
    assert [layer.parameters for layer in layers] == [64, 0]
    assert layers[0].config == layers[1].config


@pytest.mark.parametrize(("element_type", "dtype"), [(TensorProto.FLOAT16, "fp16"), (TensorProto.BFLOAT16, "bf16")])
def test_element_types(tmp_path: Path, element_type: int, dtype: str) -> None:
    assert _only(write_conv(tmp_path / "a.onnx", (4, 8, 3, 3), element_type=element_type)).config.dtype == dtype


def test_double_precision_is_not_predicted(tmp_path: Path) -> None:
    layer = _only(write_conv(tmp_path / "a.onnx", (4, 8, 3, 3), element_type=TensorProto.DOUBLE))
    assert layer.config is None
    assert "element type 11" in layer.reason


@pytest.mark.parametrize(
    ("shape", "weight_shape", "operator", "kind"),
    [
        ((1, 8, 32), (4, 8, 3), "Conv", "conv 1d"),
        ((1, 8, 9, 9, 9), (4, 8, 3, 3, 3), "Conv", "conv 3d"),
        ((1, 8, 32, 32), (8, 4, 3, 3), "ConvTranspose", "transposed conv"),
    ],
)
def test_other_convolutions_are_listed(
    tmp_path: Path, shape: Sequence[int], weight_shape: Sequence[int], operator: str, kind: str
) -> None:
    layer = _only(write_conv(tmp_path / "a.onnx", weight_shape, shape, operator))
    assert (layer.kind, layer.config) == (kind, None)
    assert layer.reason
    assert layer.parameters > 0


def test_macs_of_a_transposed_convolution(tmp_path: Path) -> None:
    layer = _only(write_conv(tmp_path / "a.onnx", (8, 4, 3, 3), operator="ConvTranspose"))
    assert layer.macs == 8 * 32 * 32 * 4 * 9


@pytest.mark.parametrize(
    ("shape", "dimensions"),
    [
        (("N", 8, "H", "W"), [("N", "batch"), ("H", "height"), ("W", "width")]),
        ((None, 8, 32, None), [("x:0", "batch"), ("x:3", "width")]),
        ((-1, 8, 32, 32), [("x:0", "batch")]),
        (("S", 8, "S", "S"), [("S", "batch")]),
    ],
)
def test_open_extents_are_asked_for(tmp_path: Path, shape: Sequence[Extent], dimensions: list[tuple[str, str]]) -> None:
    path = write_conv(tmp_path / "a.onnx", (4, 8, 3, 3), shape)
    with pytest.raises(OpenShapeError) as caught:
        import_onnx(path)
    assert [(one.name, one.meaning) for one in caught.value.dimensions] == dimensions
    assert dimensions[0][0] in str(caught.value)
    config = _only(path, {name: 12 for name, _ in dimensions}).config
    assert (config.batch_size, config.input_width) == (12, 12 if shape[3] != 32 else 32)


def test_some_extents_given_are_not_asked_again(tmp_path: Path) -> None:
    path = write_conv(tmp_path / "a.onnx", (4, 8, 3, 3), ("N", 8, "H", 32))
    with pytest.raises(OpenShapeError) as caught:
        import_onnx(path, {"N": 2})
    assert [one.name for one in caught.value.dimensions] == ["H"]
    with pytest.raises(DataFileError, match="at least 1"):
        import_onnx(path, {"N": 0, "H": 3})


def test_kinds_of_other_operators(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("Sigmoid", ["a"], ["b"]),
        helper.make_node("Mul", ["a", "b"], ["c"]),
        helper.make_node("Identity", ["c"], ["c1"]),
        helper.make_node("Shape", ["c1"], ["s"]),
        helper.make_node("Constant", [], ["axes"], value=numpy_helper.from_array(numpy.array([0]))),
        helper.make_node("Gather", ["s", "axes"], ["n"]),
        helper.make_node("Constant", [], ["rest"], value=numpy_helper.from_array(numpy.array([-1]))),
        helper.make_node("Concat", ["n", "rest"], ["goal"], axis=0),
        helper.make_node("Reshape", ["c1", "goal"], ["flat"]),
        helper.make_node("MatMul", ["flat", "fc"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["p"]),
        helper.make_node("Special", ["p"], ["y"], domain="vendor.example"),
    ]
    path = write(tmp_path / "a.onnx", nodes, [weight("w", (4, 8, 3, 3)), weight("fc", (3600, 10))], domains=["vendor.example"])
    layers = import_onnx(path)
    assert Counter(layer.kind for layer in layers) == Counter(
        {"conv": 1, "activation": 1, "multiply": 1, "shape arithmetic": 3, "reshape": 1, "linear": 1, "softmax": 1, "other": 1}
    )
    linear = next(layer for layer in layers if layer.kind == "linear")
    assert (linear.output_shape, linear.macs, linear.parameters) == ((1, 10), 36_000, 36_000)
    assert "vendor.example.Special" in layers[-1].reason


def shuffle_nodes(end: str) -> list[onnx.NodeProto]:
    """A channel shuffle of ``x`` as older exporters write it, with sizes computed from the input."""

    def constant(name: str, value: Any) -> onnx.NodeProto:
        return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(numpy.array(value)))

    return [
        constant("zero", [0]),
        constant("one", 1),
        constant("two", [2]),
        constant("three", [3]),
        constant("rest", [-1]),
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "one"], ["channels"]),
        helper.make_node("Unsqueeze", ["channels", "zero"], ["channels1"]),
        helper.make_node("Div", ["channels1", "two"], ["half"]),
        helper.make_node("Gather", ["s", "two"], ["height"]),
        helper.make_node("Gather", ["s", "three"], ["width"]),
        helper.make_node("Gather", ["s", "zero"], ["batch"]),
        helper.make_node("Concat", ["batch", "two", "half", "height", "width"], ["split"], axis=0),
        helper.make_node("Reshape", ["x", "split"], ["five"]),
        helper.make_node("Transpose", ["five"], ["turned"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Concat", ["batch", "rest", "height", "width"], ["back"], axis=0),
        helper.make_node("Reshape", ["turned", "back"], [end]),
    ]


def test_sizes_computed_by_division_are_followed(tmp_path: Path) -> None:
    nodes = [*shuffle_nodes("t"), helper.make_node("Conv", ["t", "w"], ["y"])]
    path = write(tmp_path / "a.onnx", nodes, [weight("w", (4, 8, 3, 3))], ("N", 8, 30, 40))
    layers = import_onnx(path, {"N": 3})
    expected = {"batch_size": 3, "input_channels": 8, "input_height": 30, "input_width": 40, "output_channels": 4}
    assert layers[-1].config == _config(**expected, kernel_size=3, padding=0)
    kinds = Counter(layer.kind for layer in layers)
    assert kinds == Counter({"shape arithmetic": 9, "reshape": 3, "conv": 1})


def test_sizes_that_depend_on_data_stay_unknown(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("NonZero", ["x"], ["found"]),
        helper.make_node("Shape", ["found"], ["s"]),
        helper.make_node("Expand", ["x", "s"], ["t"]),
        helper.make_node("Conv", ["t", "w"], ["y"]),
    ]
    layer = import_onnx(write(tmp_path / "a.onnx", nodes, [weight("w", (4, 8, 3, 3))]))[-1]
    assert (layer.kind, layer.config) == ("conv", None)


def test_a_convolution_after_an_unknown_operator_says_so(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Special", ["x"], ["t"], domain="vendor.example"),
        helper.make_node("Conv", ["t", "w"], ["y"]),
    ]
    layer = import_onnx(write(tmp_path / "a.onnx", nodes, [weight("w", (4, 8, 3, 3))], domains=["vendor.example"]))[1]
    assert (layer.kind, layer.config) == ("conv", None)
    assert "cannot be inferred" in layer.reason


def test_convolutions_in_branches_are_counted(tmp_path: Path) -> None:
    inside = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["z"])],
        "branch",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
    )
    nodes = [
        helper.make_node("Constant", [], ["truth"], value=helper.make_tensor("t", TensorProto.BOOL, [], [True])),
        helper.make_node("If", ["truth"], ["y"], then_branch=inside, else_branch=inside),
    ]
    layer = _only(write(tmp_path / "a.onnx", nodes, [weight("w", (4, 8, 3, 3))]))
    assert layer.kind == "control flow"
    assert "2 convolutions" in layer.reason


def test_local_functions_are_resolved(tmp_path: Path) -> None:
    body = [helper.make_node("Conv", ["a", "b"], ["t"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["t"], ["c"])]
    function = helper.make_function("local", "Block", ["a", "b"], ["c"], body, [helper.make_opsetid("", 20)])
    nodes = [helper.make_node("Block", ["x", "w"], ["y"], domain="local")]
    path = write(tmp_path / "a.onnx", nodes, [weight("w", (4, 8, 3, 3))], domains=["local"], functions=[function])
    assert [layer.kind for layer in import_onnx(path)] == ["conv", "activation"]


def test_quantised_layers(tmp_path: Path) -> None:
    scale = [numpy_helper.from_array(numpy.array(0.1, "float32"), "scale")]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale"], ["d"]),
        helper.make_node("Conv", ["d", "w"], ["y"]),
    ]
    layers = import_onnx(write(tmp_path / "a.onnx", nodes, [weight("w", (4, 8, 3, 3)), *scale]))
    assert layers[-1].config is not None
    assert "quantised in the file" in layers[-1].note


def test_names_are_unique_and_short(tmp_path: Path) -> None:
    names = ["/layer1/layer1.0/conv1/Conv", "/stem/conv1/Conv_1", "plain", "plain", ""]
    tensors = ["x", "a", "b", "c", "d", "y"]
    nodes = [helper.make_node("Conv", [tensors[i], "w"], [tensors[i + 1]], name=name) for i, name in enumerate(names)]
    layers = import_onnx(write(tmp_path / "a.onnx", nodes, [weight("w", (8, 8, 1, 1))]))
    assert [layer.name for layer in layers] == ["layer1.0.conv1", "stem.conv1", "plain", "plain #2", "y"]


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x00" * 100, b"\x08\x07\x12\x04test"])
def test_files_that_are_no_models(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(DataFileError, match=r"bad\.onnx"):
        import_onnx(tmp_path / "bad.onnx")


def test_truncated_files(tmp_path: Path) -> None:
    path = write_conv(tmp_path / "net.onnx", (4, 8, 3, 3))
    content = path.read_bytes()
    for length in range(1, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(DataFileError):
            import_onnx(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="cannot read"):
        import_onnx(tmp_path / "absent.onnx")


def test_too_large_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_conv(tmp_path / "a.onnx", (4, 8, 3, 3))
    monkeypatch.setattr(onnx_import, "MAX_FILE_BYTES", 10)
    with pytest.raises(DataFileError, match="larger"):
        import_onnx(path)


def test_too_many_operators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_conv(tmp_path / "a.onnx", (4, 8, 3, 3))
    monkeypatch.setattr(onnx_import, "MAX_NODES", 0)
    with pytest.raises(DataFileError, match="operators"):
        import_onnx(path)


def test_weights_that_contradict_the_input(tmp_path: Path) -> None:
    layer = _only(write_conv(tmp_path / "a.onnx", (4, 8, 3, 3), (1, 9, 32, 32)))
    assert layer.config is None
    assert "do not fit" in layer.reason


def test_a_kernel_larger_than_its_input(tmp_path: Path) -> None:
    layer = _only(write_conv(tmp_path / "a.onnx", (4, 8, 7, 7), (1, 8, 3, 3)))
    assert layer.config is None
    assert layer.reason


def test_inline_weights_are_read_as_well(tmp_path: Path) -> None:
    tensor = numpy_helper.from_array(numpy.zeros((32, 8, 5, 5), "float32"), "w")
    path = write(tmp_path / "a.onnx", [helper.make_node("Conv", ["x", "w"], ["y"])], [tensor])
    assert _only(path).config.kernel_height == 5


def test_altered_bytes_never_escape_as_other_exceptions(tmp_path: Path) -> None:
    path = write_preset(tmp_path / "net.onnx", preset("squeezenet1_1"), 64, 2)
    original, generator, outcomes = path.read_bytes(), random.Random(3), Counter[str]()
    for _ in range(150):
        content = bytearray(original)
        content[generator.randrange(len(content))] = generator.randrange(256)
        path.write_bytes(content)
        try:
            import_onnx(path)
            outcomes["read"] += 1
        except DataFileError:
            outcomes["refused"] += 1
    assert min(outcomes["read"], outcomes["refused"]) > 10


def _config(**values: Any) -> ConvConfig:
    return ConvConfig.parse(values)
