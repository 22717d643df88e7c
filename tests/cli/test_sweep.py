"""``cnnpredict sweep``."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.cli.conftest import LAYER, Run

XGB = "xgb_prediction-training-gpul40s"


def test_points_of_every_predictor(run: Run) -> None:
    result = run("sweep", "--vary", "batch_size=1,2,4,...,16", "--target", "cpu", *LAYER, "--json")
    assert result.code == 0
    document = result.json
    assert document["parameters"] == ["batch_size"]
    assert len(document["results"]) == 5
    for each in document["results"]:
        assert each["time_kind"] == "framework_wall_clock"
        assert [point["batch_size"] for point in each["points"]] == [1, 2, 4, 8, 16]
        times = [point["execution_time_ms"] for point in each["points"]]
        assert times == sorted(times)
        assert each["points"][0]["verdict"] == "in range"
        assert each["points"][1]["verdict"].startswith("extrapolating: batch_size 2")


def test_a_point_agrees_with_predict(run: Run) -> None:
    swept = run("sweep", "--vary", "kernel_size=1,3", "--model", XGB, *LAYER, "--json").json["results"][0]["points"][1]
    asked = run("predict", "--model", XGB, *LAYER, "--json").json
    assert swept["execution_time_ms"] == pytest.approx(asked["execution_time_ms"], rel=1e-6)


def test_the_varied_parameter_need_not_be_given(run: Run) -> None:
    sizes = ["--input-channels", "64", "--output-channels", "64", "--kernel-size", "3"]
    points = run("sweep", "--vary", "input_size=14:56:14", "--model", XGB, *sizes, "--json").json["results"][0]["points"]
    assert [point["input_size"] for point in points] == [14, 28, 42, 56]


def test_two_parameters_make_a_grid(run: Run) -> None:
    result = run("sweep", "--vary", "input_channels=16,32", "--vary", "kernel-size=1,3,5", "--model", XGB, *LAYER, "--json")
    points = [(point["input_channels"], point["kernel_size"]) for point in result.json["results"][0]["points"]]
    assert points == [(16, 1), (16, 3), (16, 5), (32, 1), (32, 3), (32, 5)]


def test_impossible_points_say_why_and_keep_the_others(run: Run) -> None:
    result = run("sweep", "--vary", "groups=1,3,4", "--model", XGB, *LAYER, "--json")
    statuses = [point["status"] for point in result.json["results"][0]["points"]]
    assert statuses == ["success", "refused", "success"]
    assert "divide" in result.json["results"][0]["points"][1]["verdict"]
    run("sweep", "--vary", "groups=3,5", "--model", XGB, *LAYER).assert_error("divide")


def test_text_and_csv(run: Run, tmp_path: Path) -> None:
    text = run("sweep", "--vary", "batch_size=1,2", "--model", XGB, *LAYER)
    assert "call_with_host_copies" in text.out
    assert "TIME (ms)" in text.out
    file = tmp_path / "sweep.csv"
    assert run("sweep", "--vary", "batch_size=1,2", "--target", "cpu", *LAYER, "--csv", file).code == 0
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 10
    assert {row["time_kind"] for row in rows} == {"framework_wall_clock"}
    assert all(float(row["interval_low_ms"]) < float(row["execution_time_ms"]) < float(row["interval_high_ms"]) for row in rows)
    assert rows[0]["layer_input_channels"] == "64"


@pytest.mark.parametrize(
    ("vary", "fragment"),
    [
        ([], "give --vary once or twice"),
        (["batch_size"], "has no values"),
        (["batch_size="], "has no values"),
        (["bach_size=1"], "did you mean batch_size?"),
        (["batch_size=0,1"], "outside 1 to 65,536"),
        (["batch_size=x"], "no value of batch_size"),
        (["batch_size=1,...,8"], "cannot be filled in"),
        (["batch_size=1,2,..."], "cannot be filled in"),
        (["batch_size=8:1"], "no range"),
        (["batch_size=1:65536:1"], "points"),
        (["batch_size=1", "batch_size=2"], "varied twice"),
        (["kernel_size=1,3", "kernel_height=1,3"], "overlap"),
        (["batch_size=1", "groups=1", "stride=1"], "give --vary once or twice"),
    ],
)
def test_bad_values(run: Run, vary: list[str], fragment: str) -> None:
    options = [part for text in vary for part in ("--vary", text)]
    run("sweep", *options, "--model", XGB, *LAYER).assert_error(fragment)


def test_unwritable_csv_leaves_nothing(run: Run, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    run("sweep", "--vary", "batch_size=1", "--model", XGB, *LAYER, "--csv", blocker / "out.csv").assert_error("cannot write")
    assert blocker.read_text() == "not a folder"
