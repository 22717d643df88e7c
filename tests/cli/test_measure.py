"""``cnnpredict measure``: real times of small layers."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cnnpredict_gui.bench.measurements import MeasurementStore
from tests.cli.conftest import Run

SMALL = ["--input-channels", "8", "--input-height", "14", "--input-width", "14", "--output-channels", "8", "--kernel-size", "3"]


def test_a_layer_is_timed_kept_and_held_against_predictors(run: Run, tmp_path: Path) -> None:
    result = run("measure", *SMALL, "--budget", "5", "--target", "cpu", "--csv", tmp_path / "out.csv")
    assert result.code == 0
    assert "framework_wall_clock, host clock around one framework call" in result.out
    rows = [line.split() for line in result.out.splitlines() if line.startswith("xgb_prediction-training-cpu")]
    assert rows[0][1:3] == ["framework_wall_clock", "1"]
    kept = MeasurementStore().all()
    assert [one.config.label() for one in kept] == ["1×8×14×14 → 8, 3×3"]
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["time_ms"]) == kept[0].median_ms


def test_json_has_time_kind_conditions_and_no_error_for_other_kinds(run: Run) -> None:
    result = run("measure", *SMALL, "--budget", "5", "--all", "--family", "xgb", "--json", "--no-keep")
    document = result.json
    (measured,) = document["measurements"]
    assert measured["status"] == "success"
    assert measured["median_ms"] > 0
    assert document["time_kind"] == "framework_wall_clock"
    assert {"repeatability", "other_cores", "warnings"} <= document["conditions"].keys()
    scores = {one["model_name"]: one["metrics"] for one in document["predictors"]}
    assert scores["xgb_prediction-training-cpu"]["n"] == 1
    assert scores["xgb_prediction-training-gpul40s"] is None  # a call with host copies was not measured
    assert MeasurementStore().all() == []


def test_each_distinct_layer_of_a_network_once_and_the_sum_over_all(run: Run) -> None:
    result = run("measure", "--network", "resnet18", "--resolution", "33", "--budget", "1", "--json")
    document = result.json
    rows = document["measurements"]
    assert len(rows) == len({str(row["config"]) for row in rows}) == 11
    assert sum(row["count"] for row in rows) == 20
    assert document["total_ms"] == pytest.approx(sum(row["count"] * row["median_ms"] for row in rows))


def test_bad_input(run: Run) -> None:
    run("measure").assert_error("input_channels is missing")
    run("measure", "--network", "resnet19").assert_error("no preset is called 'resnet19'")
    run("measure", *SMALL, "--threads", "two").assert_error("--threads is 'two'")
    result = run("measure", *SMALL, "--device", "cuda:3")
    assert result.code == 1
    assert "PyTorch has no device 'cuda:3' here" in result.err
    refused = run("measure", *SMALL, "--dtype", "int8")
    assert refused.code == 1
    assert "PyTorch has no convolution of int8" in refused.err
