"""``cnnpredict batch``."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.cli.conftest import LAYER, Run

XGB = "xgb_prediction-training-gpul40s"
HEADER = "input_channels,input_height,input_width,output_channels,kernel_size"
ROW = "64,56,56,64,3"


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_times_agree_with_predict_and_rows_in_error_stay(run: Run, tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(f"{HEADER}\n{ROW}\n64,56,56,64,0\n{ROW}\n64,x,56,64,3\n")
    result = run("batch", source, "-o", out, "--model", XGB)
    assert result.code == 0
    assert "line 3: kernel_height is 0, outside 1 to 1,024" in result.err
    assert "line 5: input_height is x, not a whole number" in result.err
    rows = _read(out)
    assert [row["verdict"] for row in rows] == ["in range", "error", "in range", "error"]
    assert rows[1]["execution_time_ms"] == ""
    assert rows[1]["kernel_size"] == "0"
    assert "kernel_height is 0" in rows[1]["error"]
    asked = run("predict", "--model", XGB, *LAYER, "--json").json
    assert float(rows[0]["execution_time_ms"]) == pytest.approx(asked["execution_time_ms"], rel=1e-5)
    assert float(rows[0]["interval_high_ms"]) == pytest.approx(asked["interval_ms"][1], rel=1e-5)
    assert (rows[0]["model_name"], rows[0]["time_kind"]) == (XGB, "call_with_host_copies")


def test_summary_as_json(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(f"{HEADER},batch_size,dtype\n{ROW},1,fp32\n{ROW},2,fp32\n{ROW},1,int8\n{ROW},-3,fp32\n")
    document = run("batch", source, "-o", tmp_path / "out.parquet", "--model", XGB, "--json").json
    assert (document["rows"], document["rows_in_error"]) == (4, 1)
    assert document["errors"] == [{"line": 5, "error": "batch_size is -3, outside 1 to 65,536"}]
    counts = document["models"][0]
    assert (counts["in_range"], counts["extrapolating"], counts["refused"]) == (1, 1, 1)


def test_columns_of_others_are_mapped(run: Run, tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("c_in,H,W,c_out,ks\n64,56,56,64,3\n")
    result = run("batch", source, "-o", out, "--model", XGB)
    result.assert_error("has no column input_channels, input_height, input_width, output_channels, kernel_size")
    assert "c_in=input_channels" in result.err
    assert not out.exists()
    pairs = {"c_in": "input_channels", "H": "input_height", "W": "input_width", "c_out": "output_channels", "ks": "kernel_size"}
    options = [part for theirs, ours in pairs.items() for part in ("--map", f"{theirs}={ours}")]
    assert run("batch", source, "-o", out, "--model", XGB, *options).code == 0
    assert _read(out)[0]["c_in"] == "64"


@pytest.mark.parametrize(
    ("mapping", "fragment"),
    [
        ("kernel", "is incomplete"),
        ("kernl=kernel_size", "has no column 'kernl'"),
        ("kernel_size=kernel_siez", "did you mean kernel_size?"),
    ],
)
def test_bad_mappings(run: Run, tmp_path: Path, mapping: str, fragment: str) -> None:
    source = tmp_path / "in.csv"
    source.write_text(f"{HEADER}\n{ROW}\n")
    run("batch", source, "-o", tmp_path / "out.csv", "--model", XGB, "--map", mapping).assert_error(fragment)


@pytest.mark.parametrize(
    ("name", "content", "fragment"),
    [
        ("in.csv", b"", "is empty"),
        ("in.csv", b"\n\n  \n", "is empty"),
        ("in.csv", f"{HEADER}\n".encode(), "no rows below its header"),
        ("in.csv", f"{HEADER}\n\n\n".encode(), "no rows below its header"),
        ("in.csv", f"{ROW}\n{ROW}\n".encode(), "has no header line"),
        ("in.csv", f"{HEADER}\n{ROW}\n64,56\n".encode(), "line 3 of in.csv has 2 cells, the header has 5"),
        ("in.csv", f"{HEADER}\n{ROW},9\n".encode(), "line 2 of in.csv has 6 cells, the header has 5"),
        ("in.csv", f"{HEADER},note\n{ROW},caf\xe9\n".encode("latin-1"), "not UTF-8 text (line 2)"),
        ("in.csv", f"{HEADER}\n{ROW}\n".encode("utf-16"), "not UTF-8 text (line 1)"),
        ("in.csv", f"{HEADER},kernel_size\n{ROW},3\n".encode(), "two columns named 'kernel_size'"),
        ("in.csv", b"input_channels\n3\n", "has no column input_height, input_width"),
        ("in.csv", b"PK\x03\x04 a workbook", "workbook"),
        ("in.csv", b"PAR1 and then nonsense", "Parquet"),
        ("in.parquet", b"nonsense", "not a Parquet file"),
        ("in.csv", f'{HEADER}\n{ROW}\n"64,{"x" * 200_000}'.encode(), "quote"),
    ],
)
def test_bad_files_are_one_line_and_nothing_is_written(
    run: Run, tmp_path: Path, name: str, content: bytes, fragment: str
) -> None:
    source, out = tmp_path / name, tmp_path / "out" / "out.csv"
    source.write_bytes(content)
    run("batch", source, "-o", out, "--model", XGB).assert_error(fragment)
    assert not out.exists()
    assert not out.parent.exists() or list(out.parent.iterdir()) == []


def test_a_file_of_nothing_but_errors_is_no_success(run: Run, tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(f"{HEADER}\n64,56,56,64,0\n")
    result = run("batch", source, "-o", out, "--model", XGB)
    assert result.code == 2
    assert _read(out)[0]["verdict"] == "error"


def test_missing_input_and_bad_outputs(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    run("batch", source, "-o", tmp_path / "out.csv", "--model", XGB).assert_error("does not exist")
    source.write_text(f"{HEADER}\n{ROW}\n")
    run("batch", source, "-o", tmp_path / "out.xlsx", "--model", XGB).assert_error("end it in .csv or .parquet")
    run("batch", source, "-o", source / "out.csv", "--model", XGB).assert_error("cannot write")
    run("batch", source, "--model", XGB).assert_error("-o/--output")
    run("batch", source, "-o", tmp_path / "out.csv").assert_error("no predictor was chosen")
