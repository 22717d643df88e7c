"""Import of a network as a table of layers."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cnnpredict_gui.core.config import INTEGER_FIELDS
from cnnpredict_gui.core.errors import DataFileError
from cnnpredict_gui.studies import layers_csv
from cnnpredict_gui.studies.layers import totals
from cnnpredict_gui.studies.layers_csv import import_layers
from cnnpredict_gui.studies.presets import preset

HEADER = "name,count,input_channels,input_height,input_width,output_channels,kernel_size,stride"


def _write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_names_counts_and_defaults(tmp_path: Path) -> None:
    path = _write(tmp_path / "net.csv", HEADER, "stem,1,3,224,224,64,7,2", ",3,64,56,56,64,3,", "last,,64,56,56,256,1,1")
    layers = import_layers(path)
    assert [(layer.name, layer.count) for layer in layers] == [("stem", 1), ("layer 2", 3), ("last", 1)]
    first, second = layers[0].config, layers[1].config
    assert first is not None
    assert second is not None
    assert (first.output_height, first.padding_height, first.batch_size) == (112, 3, 1)
    assert second.stride_height == 1
    assert layers[0].output_shape == (1, 64, 112, 112)


def test_a_whole_network_comes_back(tmp_path: Path) -> None:
    wanted = [layer for layer in preset("inception_v3").layers(299, 2, "fp16") if layer.config]
    lines = [";".join(["Name", *INTEGER_FIELDS, "dtype"])]
    for layer in wanted:
        cells = [str(getattr(layer.config, name)) for name in INTEGER_FIELDS]
        lines += [";".join([layer.name, *cells, "fp16"])]
    found = import_layers(_write(tmp_path / "net.csv", *lines))
    assert [(layer.name, layer.config) for layer in found] == [(layer.name, layer.config) for layer in wanted]
    assert totals(found).convolution_macs == totals(wanted).convolution_macs


def test_other_column_names_by_mapping_and_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "net.csv"
    path.write_text("Cin,H,W,Cout,K\n8,10,12,16,3\n", encoding="utf-8-sig")
    with pytest.raises(DataFileError, match="no column input_channels"):
        import_layers(path)
    mapping = {"Cin": "input_channels", "H": "input_height", "W": "input_width", "Cout": "output_channels", "K": "kernel_size"}
    assert import_layers(path, mapping)[0].output_shape == (1, 16, 10, 12)


def test_parquet(tmp_path: Path) -> None:
    columns = {"name": ["a"], "count": [4], "input_channels": [3], "input_height": [8], "input_width": [8]}
    pq.write_table(pa.table(columns | {"output_channels": [5], "kernel_size": [3]}), tmp_path / "net.parquet")
    (layer,) = import_layers(tmp_path / "net.parquet")
    assert (layer.name, layer.count, layer.output_shape) == ("a", 4, (1, 5, 8, 8))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bad,1,3,224,224,64,7.5,2,0", "line 3: kernel"),
        ("bad,1,3,0,224,64,7,2,0", "line 3: input_height is 0"),
        ("bad,0,3,224,224,64,7,2,0", "line 3: count is 0"),
        ("bad,1.5,3,224,224,64,7,2,0", "line 3: count is 1.5"),
        ("bad,many,3,224,224,64,7,2,0", "line 3: count is many"),
        ("bad,1,3,nan,224,64,7,2,0", "line 3: input_height"),
        ("bad,1,3,224,224,64,7", "line 3"),
        ("bad,1,3,2,2,64,11,2,0", "line 3: kernel_height reaches"),
    ],
)
def test_wrong_rows_are_named_by_line(tmp_path: Path, line: str, message: str) -> None:
    path = _write(tmp_path / "net.csv", f"{HEADER},padding", "good,1,3,224,224,64,7,2,same", line)
    with pytest.raises(DataFileError, match=message):
        import_layers(path)


def test_several_wrong_rows_are_counted(tmp_path: Path) -> None:
    path = _write(tmp_path / "net.csv", HEADER, *["x,1,3,-1,224,64,7,2"] * 3)
    with pytest.raises(DataFileError, match=r"line 2: .* 2 more"):
        import_layers(path)


def test_misspelt_columns_are_not_ignored(tmp_path: Path) -> None:
    path = _write(tmp_path / "net.csv", HEADER.replace("stride", "strid"), "a,1,3,224,224,64,7,2")
    with pytest.raises(DataFileError, match="did you mean stride"):
        import_layers(path)


def test_unrelated_columns_are_ignored(tmp_path: Path) -> None:
    path = _write(tmp_path / "net.csv", HEADER + ",comment", "a,1,3,224,224,64,7,2,the first one")
    assert import_layers(path)[0].name == "a"


def test_empty_missing_and_too_long_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (_write(tmp_path / "empty.csv", HEADER), tmp_path / "absent.csv"):
        with pytest.raises(DataFileError):
            import_layers(path)
    monkeypatch.setattr(layers_csv, "MAX_LAYERS", 2)
    with pytest.raises(DataFileError, match="at most 2"):
        import_layers(_write(tmp_path / "long.csv", HEADER, *["a,1,3,224,224,64,7,2"] * 3))
