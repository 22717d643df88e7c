"""``cnnpredict calibrate``: a new target for this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.mark.timeout(300)
def test_new_target_is_found_by_other_commands(run: Run) -> None:
    small = ["--layers", "12", "--checks", "2", "--rounds", "1", "--name", "bench 1"]
    document = run("calibrate", *small, "--json").json
    assert document["source"] == "cpu"
    assert {one["family"] for one in document["families"]} == {"nn", "xgb", "rf", "lasso", "consensus"}
    assert document["families"][0]["check_after"]["n"] == 2
    layer = ["--input-channels", "8", "--input-height", "14", "--input-width", "14", "--output-channels", "8"]
    answers = run("predict", "--target", "cpu-bench-1", *layer, "--kernel-size", "3", "--json").json
    assert [answer["status"] for answer in answers] == ["success"] * 5
    assert Path(document["folder"]).name == "prediction-training-cpu-bench-1"


def test_bad_input(run: Run) -> None:
    run("calibrate", "--layers", "5").assert_error("layers is 5, less than 12")
    run("calibrate", "--checks", "x").assert_error("--checks is 'x'")
    result = run("calibrate", "--target", "cpx")
    assert result.code == 1
    assert "there is no target 'cpx' (did you mean cpu?)" in result.err
