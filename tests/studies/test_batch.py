"""Files of configurations through predictors."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cnnpredict_gui.core.errors import CancelledByUserError, DataFileError
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.serving.predictor import Predictor
from cnnpredict_gui.studies import batch
from cnnpredict_gui.studies.batch import OUTPUT_COLUMNS, run_batch

HEADER = "input_channels,input_height,input_width,output_channels,kernel_size"


@pytest.fixture(scope="module")
def predictors(models_folder: Path) -> list[Predictor]:
    library = ModelLibrary([models_folder])
    return [library.get("xgb_prediction-training-gpul40s"), library.get("nn_prediction-training-cpu")]


def _csv(folder: Path, text: str) -> Path:
    path = folder / "in.csv"
    path.write_text(text, encoding="utf-8")
    return path


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_per_row_and_predictor(tmp_path: Path, predictors: list[Predictor]) -> None:
    source = _csv(tmp_path, f"{HEADER}\n64,56,56,64,3\n0,56,56,64,3\n3,224,224,64,7\n")
    summary = run_batch(source, tmp_path / "out.csv", predictors)
    rows = _read(tmp_path / "out.csv")
    assert tuple(rows[0])[5:] == OUTPUT_COLUMNS
    assert [row["model_name"] for row in rows] == [predictor.name for predictor in predictors] * 3
    assert [row["verdict"] for row in rows] == ["in range", "in range", "error", "error", "in range", "in range"]
    table = ConfigTable.from_columns(
        {
            "input_channels": [64, 3],
            "input_height": [56, 224],
            "input_width": [56, 224],
            "output_channels": [64, 64],
            "kernel_size": [3, 7],
        }
    )[0]
    for place, predictor in enumerate(predictors):
        expected = predictor.predict(table).time_ms
        assert [float(rows[row + place]["execution_time_ms"]) for row in (0, 4)] == pytest.approx(expected.tolist(), rel=1e-6)
    assert [model.predicted for model in summary.models] == [2, 2]
    assert summary.models[0].histogram.sum() == 2
    assert (summary.rows, summary.rows_in_error) == (3, 1)


def test_parquet_keeps_types_and_order(tmp_path: Path, predictors: list[Predictor]) -> None:
    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    layers = {
        name: pa.array(np.full(40_000, value)) for name, value in zip(HEADER.split(","), (64, 56, 56, 64, 3), strict=True)
    }
    pq.write_table(pa.table(layers | {"id": pa.array(range(40_000)), "tags": pa.array([["a"]] * 40_000)}), source)
    seen: list[tuple[int, int]] = []
    run_batch(source, out, predictors[:1], progress=lambda done, total: seen.append((done, total)))
    table = pq.read_table(out)
    assert table["id"].to_pylist() == list(range(40_000))
    assert table["tags"][39_999].as_py() == ["a"]
    assert table["execution_time_ms"].null_count == 0
    assert seen[-1] == (40_000, 40_000)
    assert len(seen) > 1
    text = tmp_path / "out.csv"
    run_batch(source, text, predictors[:1])
    assert _read(text)[5]["tags"] == "['a']"


def test_columns_named_like_results_are_kept_apart(tmp_path: Path, predictors: list[Predictor]) -> None:
    source = _csv(tmp_path, f"{HEADER},target,error,input_error\n64,56,56,64,3,theirs,none,x\n")
    run_batch(source, tmp_path / "out.csv", predictors[:1])
    row = _read(tmp_path / "out.csv")[0]
    assert (row["input_target"], row["target"]) == ("theirs", "gpul40s")
    assert (row["input_input_error"], row["input_error"], row["error"]) == ("none", "x", "")


def test_output_of_a_batch_is_input_of_the_next(tmp_path: Path, predictors: list[Predictor]) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    run_batch(_csv(tmp_path, f"{HEADER}\n64,56,56,64,3\n"), first, predictors[:1])
    run_batch(first, second, predictors[:1])
    row = _read(second)[0]
    assert row["input_execution_time_ms"] == row["execution_time_ms"]


@pytest.mark.parametrize("danger", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\tx"])
def test_formulas_are_disarmed_and_numbers_are_not(tmp_path: Path, predictors: list[Predictor], danger: str) -> None:
    source = tmp_path / "in.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[*HEADER.split(","), "note", "offset", danger], [64, 56, 56, 64, 3, danger, -1.5, 1]])
    run_batch(source, tmp_path / "out.csv", predictors[:1])
    row = _read(tmp_path / "out.csv")[0]
    assert row["note"] == f"'{danger}"
    assert row["offset"] == "-1.5"
    header = danger.strip()
    assert (f"'{header}" if header[0] in "=+-@" else header) in row


def test_quotes_separators_and_line_breaks_survive(tmp_path: Path, predictors: list[Predictor]) -> None:
    source = _csv(tmp_path, HEADER.replace(",", ";") + ';note\n64;56;56;64;3;"a;b ""c""\nd"\n')
    run_batch(source, tmp_path / "out.csv", predictors[:1])
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file, delimiter=";"))
    assert row["note"] == 'a;b "c"\nd'


def test_cancel_leaves_nothing(tmp_path: Path, predictors: list[Predictor]) -> None:
    source, out = _csv(tmp_path, f"{HEADER}\n" + "64,56,56,64,3\n" * 50_000), tmp_path / "out.csv"
    out.write_text("what was there before")
    done: list[int] = []
    with pytest.raises(CancelledByUserError):
        run_batch(source, out, predictors, progress=lambda rows, _: done.append(rows), cancelled=lambda: True)
    assert len(done) == 1
    assert done[0] < 50_000
    assert out.read_text() == "what was there before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_errors_late_in_the_file_leave_nothing(tmp_path: Path, predictors: list[Predictor]) -> None:
    source = _csv(tmp_path, f"{HEADER}\n" + "64,56,56,64,3\n" * 20_000 + "64,56\n")
    with pytest.raises(DataFileError, match=r"line 20002 of in\.csv has 2 cells"):
        run_batch(source, tmp_path / "out.csv", predictors[:1])
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_only_so_many_errors_are_kept(tmp_path: Path, predictors: list[Predictor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "ERRORS_KEPT", 3)
    summary = run_batch(_csv(tmp_path, f"{HEADER}\n" + "64,56,56,64,0\n" * 10), tmp_path / "out.csv", predictors)
    assert summary.rows_in_error == 10
    assert [error.line for error in summary.errors] == [2, 3, 4]
    assert summary.predicted == 0
    assert len(_read(tmp_path / "out.csv")) == 20


def test_no_predictor(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="no predictor"):
        run_batch(_csv(tmp_path, HEADER), tmp_path / "out.csv", [])
