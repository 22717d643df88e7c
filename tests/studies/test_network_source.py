"""Opening a network from a preset, an own preset or a file, with batch size, resolution and element type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cnnpredict_gui.core.errors import ConfigError, DataFileError, OpenShapeError, UnknownNameError
from cnnpredict_gui.infra.paths import HOME_VARIABLE
from cnnpredict_gui.studies.layers import NetworkLayer
from cnnpredict_gui.studies.network_source import Wanted, open_network
from cnnpredict_gui.studies.own_presets import OwnPresets
from cnnpredict_gui.studies.presets import preset
from tests.studies.onnx_models import write_conv


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))


def _input(layers: Sequence[NetworkLayer]) -> tuple[int, int, int, str]:
    config = next(layer.config for layer in layers if layer.config)
    return config.batch_size, config.input_height, config.input_width, config.dtype


def test_presets() -> None:
    found = open_network("ResNet-18")
    assert list(found.layers) == preset("resnet18").layers()
    assert found.title == "ResNet-18"
    assert "torchvision" in found.source
    assert _input(open_network("resnet18", Wanted((256, 320), 4, "fp16")).layers) == (4, 256, 320, "fp16")


def test_own_presets_and_exported_ones(tmp_path: Path) -> None:
    OwnPresets().save("my net", preset("alexnet").layers(200))
    OwnPresets().export("my net", tmp_path / "exported.json")
    for source in ("my net", str(tmp_path / "exported.json")):
        assert _input(open_network(source).layers) == (1, 200, 200, "fp32")
        assert _input(open_network(source, Wanted(batch_size=3, dtype="bf16")).layers) == (3, 200, 200, "bf16")
        with pytest.raises(ConfigError, match="fixes the size"):
            open_network(source, Wanted(300))


def test_unknown_names_and_files(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean resnet50"):
        open_network("resnet-50x")
    with pytest.raises(DataFileError, match="cannot read"):
        open_network(str(tmp_path / "absent.onnx"))
    (tmp_path / "net.txt").write_text("x", encoding="utf-8")
    with pytest.raises(DataFileError, match="no known kind"):
        open_network(str(tmp_path / "net.txt"))


def test_tables(tmp_path: Path) -> None:
    path = tmp_path / "net.csv"
    path.write_text("cin,input_height,input_width,output_channels,kernel_size\n3,10,12,8,3\n", encoding="utf-8")
    found = open_network(str(path), Wanted(batch_size=5, mapping={"cin": "input_channels"}))
    assert (found.title, _input(found.layers)) == ("net", (5, 10, 12, "fp32"))


def test_onnx_with_fixed_and_open_extents(tmp_path: Path) -> None:
    fixed = str(write_conv(tmp_path / "fixed.onnx", (4, 8, 3, 3)))
    assert _input(open_network(fixed).layers) == (1, 32, 32, "fp32")
    assert _input(open_network(fixed, Wanted(batch_size=6)).layers) == (6, 32, 32, "fp32")
    with pytest.raises(ConfigError, match="fixes the size"):
        open_network(fixed, Wanted(64))
    loose = str(write_conv(tmp_path / "open.onnx", (4, 8, 3, 3), ("N", 8, "H", "W")))
    with pytest.raises(OpenShapeError, match="N"):
        open_network(loose)
    with pytest.raises(OpenShapeError) as caught:
        open_network(loose, Wanted(batch_size=2))
    assert [one.name for one in caught.value.dimensions] == ["H", "W"]
    assert _input(open_network(loose, Wanted((40, 50), 2)).layers) == (2, 40, 50, "fp32")
    assert _input(open_network(loose, Wanted(40, dimensions={"N": 7})).layers) == (7, 40, 40, "fp32")


@pytest.mark.parametrize("source", ["resnet18", "own"])
def test_values_are_checked(source: str) -> None:
    OwnPresets().save("own", preset("alexnet").layers())
    for wanted in (Wanted(batch_size=0), Wanted(dtype="fp8")):
        with pytest.raises(ConfigError):
            open_network(source, wanted)
