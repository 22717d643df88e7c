"""Reading tables of any make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cnnpredict_gui.core.errors import DataFileError
from cnnpredict_gui.studies.tabular import config_columns, find_mapping, open_table, read_table, suggest_mapping

NAMES = ["input_channels", "input_height", "input_width", "output_channels", "kernel_size"]
HEADER = ",".join(NAMES)


def _file(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "in.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_separators_line_ends_and_byte_order_mark(tmp_path: Path, separator: str, line_end: str, encoding: str) -> None:
    lines = [NAMES, ["64", "56", "56", "64", "3"], ["3", "224", "224", "64", "7"]]
    preview = open_table(_file(tmp_path, line_end.join(separator.join(line) for line in lines), encoding))
    assert preview.columns == tuple(NAMES)
    assert preview.separator == separator
    assert preview.rows == 2
    assert preview.sample[1] == ("3", "224", "224", "64", "7")


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    text = f'\n{HEADER},note\n64,56,56,64,3,"a\nb, ""c"""\n\n64,56,56,64,3,d\n'
    piece = next(read_table(_file(tmp_path, text), 10))
    assert piece.lines.tolist() == [3, 6]
    assert piece.columns["note"].to_pylist() == ['a\nb, "c"', "d"]


def test_blank_cells_behind_the_last_column_are_no_fault(tmp_path: Path) -> None:
    piece = next(read_table(_file(tmp_path, f"{HEADER},,\n64,56,56,64,3,,\n"), 10))
    assert list(piece.columns) == NAMES


def test_a_column_without_name_gets_one(tmp_path: Path) -> None:
    assert open_table(_file(tmp_path, f",{HEADER}\n0,64,56,56,64,3\n")).columns[0] == "unnamed_1"


def test_pieces(tmp_path: Path) -> None:
    path = _file(tmp_path, f"{HEADER}\n" + "64,56,56,64,3\n" * 25)
    assert [len(piece) for piece in read_table(path, 10)] == [10, 10, 5]
    assert [piece.lines[0] for piece in read_table(path, 10)] == [2, 12, 22]


def test_parquet_of_any_name(tmp_path: Path) -> None:
    path = tmp_path / "layers.data"
    pq.write_table(pa.table({name: np.arange(1, 6) for name in NAMES}), path)
    preview = open_table(path)
    assert (preview.kind, preview.rows, preview.columns) == ("parquet", 5, tuple(NAMES))
    piece = next(read_table(path, 3, ["input_height", "none"]))
    assert list(piece.columns) == ["input_height"]
    assert piece.lines.tolist() == [1, 2, 3]


def test_truncated_parquet(tmp_path: Path) -> None:
    path = tmp_path / "layers.parquet"
    pq.write_table(pa.table({name: np.arange(1, 6) for name in NAMES}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataFileError, match="damaged"):
        open_table(path)


def test_empty_parquet(tmp_path: Path) -> None:
    path = tmp_path / "layers.parquet"
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), path)
    with pytest.raises(DataFileError, match="no rows"):
        open_table(path)


def test_numbers_come_as_arrays_and_doubtful_cells_as_they_are(tmp_path: Path) -> None:
    path = _file(tmp_path, f"{HEADER},dtype\n64, 56 ,56,64,3,fp16\n64,56.0,x,64,,\n")
    piece = next(read_table(path, 10))
    columns = config_columns(piece, find_mapping(list(piece.columns)))
    assert columns["input_height"].tolist() == [56, 56]
    assert columns["input_width"] == ["56", "x"]
    assert columns["kernel_size"] == ["3", ""]
    assert columns["dtype"] == ["fp16", ""]


def test_mapping_ignores_capitals_blanks_and_dashes() -> None:
    mapping = find_mapping(["Input Channels", "input-height", "INPUT_WIDTH", "output_channels", "Kernel_Size", "other"])
    assert mapping["input_channels"] == "Input Channels"
    assert mapping["kernel_size"] == "Kernel_Size"
    assert "other" not in mapping.values()


def test_given_mapping_wins() -> None:
    mapping = find_mapping([*NAMES, "k"], {"k": "kernel_size"})
    assert mapping["kernel_size"] == "k"
    with pytest.raises(DataFileError, match="both 'k' and 'kernel_size'"):
        find_mapping([*NAMES, "k"], {"k": "kernel_size", "kernel_size": "kernel_size"})


def test_suggestions() -> None:
    assert suggest_mapping(["Cin", "H", "W", "Cout", "kernel", "unrelated", "batch_size"]) == {
        "Cin": "input_channels",
        "H": "input_height",
        "W": "input_width",
        "Cout": "output_channels",
        "kernel": "kernel_size",
    }


def test_suggestions_go_by_words_before_letters() -> None:
    assert suggest_mapping(["N", "C_in", "C_out", "k"]) == {
        "N": "batch_size",
        "C_in": "input_channels",
        "C_out": "output_channels",
        "k": "kernel_size",
    }
    assert suggest_mapping(["K", "R", "S"]) == {"K": "output_channels", "R": "kernel_height", "S": "kernel_width"}


def test_parquet_texts_that_are_no_text(tmp_path: Path) -> None:
    """Found by fuzzing: such cells used to be told by Python's decoder, not by us."""
    path = tmp_path / "layers.parquet"
    broken = pa.StringArray.from_buffers(1, pa.array([0, 2], pa.int32()).buffers()[1], pa.py_buffer(b"\xc4x"))
    pq.write_table(pa.table({"name": broken, "stride": [1]}), path)
    with pytest.raises(DataFileError, match="damaged"):
        open_table(path)
