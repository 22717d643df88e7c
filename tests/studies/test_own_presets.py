"""The user's own presets: kept, renamed, exported, imported, and damaged files set aside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import ConfigError, DataFileError, OutputError, UnknownNameError
from cnnpredict_gui.infra.json_store import MAX_BYTES
from cnnpredict_gui.studies.layers import conv_layer, other_layer
from cnnpredict_gui.studies.own_presets import OwnPresets, read_preset_file
from cnnpredict_gui.studies.presets import preset


@pytest.fixture
def own(tmp_path: Path) -> OwnPresets:
    return OwnPresets(tmp_path / "presets")


def _layer() -> ConvConfig:
    sizes = {"batch_size": 2, "input_channels": 8, "input_height": 14, "input_width": 30, "output_channels": 4}
    return ConvConfig.parse({**sizes, "kernel_size": (1, 3)})


def test_saved_layers_come_back_whole(own: OwnPresets) -> None:
    layers = preset("mobilenet_v3_small").layers(200, 3, "fp16")
    own.save("Mine", layers, "MobileNet V3 small at 200 px")
    again = OwnPresets(own.folder).get("Mine")
    assert list(again.layers) == layers
    assert again.source == "MobileNet V3 small at 200 px"


def test_counts_and_notes_are_kept(own: OwnPresets) -> None:
    layers = [conv_layer("a", _layer(), count=3, note="padding approximated", bias=True), other_layer("b", "softmax", (2, 4))]
    own.save("x", layers)
    assert list(own.get("x").layers) == layers


def test_names_that_differ_only_in_odd_characters_live_side_by_side(own: OwnPresets) -> None:
    for name in ("a b", "a-b", "ä/b", "日本", "中国"):
        own.save(name, [conv_layer(name, _layer())])
    assert {one.name: one.layers[0].name for one in own.list()} == {
        name: name for name in ("a b", "a-b", "ä/b", "日本", "中国")
    }
    assert len(list(own.folder.iterdir())) == 5


def test_a_taken_name_is_refused_unless_overwritten(own: OwnPresets) -> None:
    own.save("x", [conv_layer("one", _layer())])
    with pytest.raises(ConfigError, match="already"):
        own.save("x", [conv_layer("two", _layer())])
    own.save(" x ", [conv_layer("two", _layer())], overwrite=True)
    assert [one.layers[0].name for one in own.list()] == ["two"]


@pytest.mark.parametrize("name", ["", "   ", "a" * 81, "tab\x00"])
def test_impossible_names(own: OwnPresets, name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        own.save(name, [conv_layer("a", _layer())])


def test_no_layers_is_no_preset(own: OwnPresets) -> None:
    with pytest.raises(ConfigError, match="layers"):
        own.save("empty", [])


def test_rename_and_delete(own: OwnPresets) -> None:
    own.save("x", [conv_layer("a", _layer())])
    own.save("y", [conv_layer("b", _layer())])
    with pytest.raises(ConfigError, match="already"):
        own.rename("x", "y")
    own.rename("x", "z")
    assert [one.name for one in own.list()] == ["y", "z"]
    own.delete("y")
    assert [one.name for one in own.list()] == ["z"]
    for action in (lambda: own.delete("y"), lambda: own.rename("y", "q"), lambda: own.get("zz")):
        with pytest.raises(UnknownNameError):
            action()


def test_export_and_import(own: OwnPresets, tmp_path: Path) -> None:
    own.save("x", preset("resnet18").layers())
    own.export("x", tmp_path / "x.json")
    assert own.import_file(tmp_path / "x.json").name == "x (2)"
    assert own.import_file(tmp_path / "x.json").name == "x (3)"
    assert own.get("x (3)").layers == own.get("x").layers
    with pytest.raises(OutputError):
        own.export("x", tmp_path)


def test_damaged_files_are_set_aside_and_the_rest_stays(own: OwnPresets) -> None:
    own.save("good", [conv_layer("a", _layer())])
    (own.folder / "bad.json").write_text("{", encoding="utf-8")
    (own.folder / "other.json").write_text('{"format": 1, "kind": "something else"}', encoding="utf-8")
    assert [one.name for one in own.list()] == ["good"]
    assert len(own.set_aside) == 2
    kept = sorted(path.name for path in own.folder.glob("*.damaged-*"))
    assert [name.partition(".")[0] for name in kept] == ["bad", "other"] and kept[0] in own.set_aside[0]
    assert [one.name for one in own.list()] == ["good"]
    assert len(own.set_aside) == 2


def test_a_preset_of_a_newer_version_stays_and_is_told(own: OwnPresets) -> None:
    own.save("good", [conv_layer("a", _layer())])
    text = '{"format": 2, "kind": "cnnpredict preset", "name": "later"}'
    (own.folder / "later.json").write_text(text, encoding="utf-8")
    assert [one.name for one in own.list()] == ["good"]
    assert "later.json is of format 2" in own.set_aside[0]
    assert (own.folder / "later.json").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 9}, "format"),
        ({"layers": []}, "layers"),
        ({"surprise": 1}, "surprise"),
        ({"layers": [{"name": "a", "kind": "conv", "config": {"input_channels": 3}}]}, "missing|required"),
        ({"layers": [{"name": "a", "kind": "conv", "count": 0}]}, "count"),
        ({"layers": [{"name": "a", "kind": "conv", "config": {**_layer().compact(), "groups": 3}}]}, "groups"),
    ],
)
def test_files_that_are_no_presets(own: OwnPresets, tmp_path: Path, change: dict[str, object], message: str) -> None:
    own.save("x", [conv_layer("a", _layer())])
    data = json.loads(next(own.folder.iterdir()).read_text(encoding="utf-8"))
    (tmp_path / "changed.json").write_text(json.dumps(data | change), encoding="utf-8")
    with pytest.raises(DataFileError, match=message):
        own.import_file(tmp_path / "changed.json")


def test_unreadable_files(tmp_path: Path) -> None:
    binary, large = tmp_path / "binary.json", tmp_path / "large.json"
    binary.write_bytes(b"\xff\xfe\x00\x80")
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    for path, message in ((binary, "is damaged"), (large, "far too large"), (tmp_path / "absent.json", "cannot read")):
        with pytest.raises(DataFileError, match=message):
            read_preset_file(path)


def test_what_follows_from_a_config_is_not_believed(own: OwnPresets, tmp_path: Path) -> None:
    own.save("x", [conv_layer("a", _layer())])
    data = json.loads(next(own.folder.iterdir()).read_text(encoding="utf-8"))
    data["layers"][0] |= {"macs": 1, "output_shape": [9, 9], "kind": "linear"}
    (tmp_path / "changed.json").write_text(json.dumps(data), encoding="utf-8")
    assert read_preset_file(tmp_path / "changed.json").layers == (conv_layer("a", _layer()),)
