"""``cnnpredict predict``."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.artefacts import write_training_folder
from tests.cli.conftest import LAYER, Run

XGB = "xgb_prediction-training-gpul40s"


def test_one_model_gives_an_object_with_every_promised_key(run: Run) -> None:
    result = run("predict", "--model", XGB, *LAYER, "--json")
    assert result.code == 0
    answer = result.json
    low, high = answer["interval_ms"]
    assert 0 < low < answer["execution_time_ms"] < high
    assert answer["model_name"] == XGB
    assert answer["model_type"] == "xgb"
    assert answer["target"] == "gpul40s"
    assert answer["time_kind"] == "call_with_host_copies"
    assert answer["verdict"] == "in range"
    assert answer["status"] == "success"
    stamp = datetime.fromisoformat(answer["prediction_timestamp"])
    assert stamp.utcoffset() is not None
    assert abs((datetime.now(UTC) - stamp).total_seconds()) < 600


def test_the_choice_of_predictors(run: Run) -> None:
    assert len(run("predict", "--all", *LAYER, "--json").json) == 15
    assert {answer["target"] for answer in run("predict", "--target", "cpu", *LAYER, "--json").json} == {"cpu"}
    two = run("predict", "--target", "cpu", "--target", "gpul40s", "--family", "rf", *LAYER, "--json").json
    assert [answer["model_name"] for answer in two] == ["rf_prediction-training-cpu", "rf_prediction-training-gpul40s"]
    same = run("predict", "--model", XGB, "--model", XGB, *LAYER, "--json").json
    assert [answer["model_name"] for answer in same] == [XGB]


def test_text_names_the_kind_of_time_beside_the_numbers(run: Run) -> None:
    result = run("predict", "--all", *LAYER)
    assert result.code == 0
    assert result.err == ""
    for kind in ("kernel:", "call_with_host_copies:", "framework_wall_clock:"):
        assert kind in result.out
    assert "116 M MACs" in result.out
    assert "TIME (ms)" in result.out


def test_layer_from_a_file_with_an_option_over_it(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "layer.json"
    file.write_text(
        json.dumps(
            {
                "input_channels": 64,
                "input_height": 56,
                "input_width": 56,
                "output_channels": 64,
                "kernel_height": 1,
                "kernel_width": 1,
            }
        )
    )
    answer = run("predict", "--model", XGB, "--config", file, "--kernel-size", 3, "--json").json
    assert answer == run("predict", "--model", XGB, *LAYER, "--json").json | {
        "prediction_timestamp": answer["prediction_timestamp"]
    }


def test_layer_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        '{"input_channels": 3, "input_height": 224, "input_width": 224, "output_channels": 64, "kernel_size": 7, "stride": 2}'
    )
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    config = run("predict", "--model", XGB, "--config", "-", "--json").json["config"]
    assert (config["kernel_height"], config["stride_width"], config["padding_height"]) == (7, 2, 3)


def test_extrapolation_is_said(run: Run) -> None:
    answer = run("predict", "--model", XGB, *LAYER, "--batch-size", 32, "--json").json
    assert answer["verdict"] == "extrapolating: batch_size 32 > 1 measured"


def test_refusal_is_no_success(run: Run) -> None:
    result = run("predict", "--model", XGB, *LAYER, "--dtype", "int8", "--json")
    assert result.code == 2
    assert result.json["status"] == "refused"
    assert result.json["execution_time_ms"] is None
    assert "int8" in result.json["verdict"]
    run("predict", "--target", "cpu", *LAYER, "--algorithm", "winograd").assert_error(
        "algorithm winograd is unknown to this target"
    )


def test_some_refusals_among_answers_are_a_success(run: Run) -> None:
    result = run("predict", "--all", *LAYER, "--algorithm", "winograd", "--json")
    assert result.code == 0
    assert {answer["status"] for answer in result.json} == {"success", "refused"}


def test_further_folders_and_versions(run: Run, tmp_path: Path) -> None:
    write_training_folder(tmp_path / "more" / "v2.0.0", "gpul40s", ("xgb",), version="2.0.0")
    more = ("--models-dir", tmp_path / "more")
    assert run("predict", "--model", XGB, *LAYER, "--json", *more).json["model_version"] == "2.0.0"
    assert run("predict", "--model", f"{XGB}@1.0.0", *LAYER, "--json", *more).json["model_version"] == "1.0.0"
    names = [answer["model_name"] for answer in run("predict", "--all", *LAYER, "--json", *more).json]
    assert len(names) == len(set(names)) == 15


def test_a_broken_model_is_told_and_stops_no_other(run: Run, tmp_path: Path) -> None:
    folder = write_training_folder(tmp_path / "more", "broken", ("xgb", "rf"))
    (folder / "xgboost" / "best_xgb_model.onnx").write_bytes(b"tampered")
    result = run("predict", "--target", "broken", *LAYER, "--json", "--models-dir", tmp_path / "more")
    assert result.code == 0
    assert [answer["model_type"] for answer in result.json] == ["rf"]
    assert "left out xgb_prediction-training-broken" in result.err
    run("predict", "--model", "xgb_prediction-training-broken", *LAYER, "--models-dir", tmp_path / "more").assert_error(
        "sha256"
    )


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["--batch-size", "0"], "batch_size is 0, outside 1 to 65,536"),
        (["--batch-size", "-1"], "batch_size is -1"),
        (["--batch-size", "nan"], "not a whole number"),
        (["--batch-size", "inf"], "not a whole number"),
        (["--batch-size", "1.5"], "batch_size is 1.5, not a whole number"),
        (["--batch-size", "many"], "batch_size is 'many', not a number"),
        (["--batch-size", ""], "not a number"),
        (["--input-height", "1" + "0" * 30], "input_height is 1"),
        (["--input-height", "999999999"], "outside 1 to 65,536"),
        (["--kernel-size", "99", "--padding", "0"], "more than the padded input_height"),
        (["--groups", "3"], "groups 3 does not divide input_channels 64"),
        (["--dtype", "fp23"], "dtype 'fp23' is unknown"),
        (["--algorithm", "winogard"], "algorithm 'winogard' is unknown"),
        (["--padding", "-1"], "padding"),
        (["--batch-size", "65536", "--input-height", "65536", "--input-width", "65536"], "2^40 elements"),
        (["--bach-size", "3"], "did you mean --batch-size?"),
        (["--family", "xbg"], "did you mean xgb?"),
    ],
)
def test_bad_layers_are_refused_in_one_line(run: Run, arguments: list[str], fragment: str) -> None:
    result = run("predict", "--target", "cpu", *LAYER, *arguments)
    result.assert_error(fragment)
    assert result.out == ""
    with_json = run("predict", "--target", "cpu", *LAYER, *arguments, "--json")
    assert with_json.code == 2
    assert with_json.json["status"] == "error"
    assert with_json.json["hint"]


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["--model", "xbg_prediction-training-gpul40s"], f"did you mean {XGB}?"),
        (["--model", f"{XGB}@9.9"], f"did you mean {XGB}"),
        (["--target", "gpul40"], "did you mean gpul40s?"),
        ([], "give --model NAME, --target T or --all"),
        (["--all", "--models-dir", "/does/not/exist"], "/does/not/exist is not a folder"),
    ],
)
def test_unknown_names_carry_the_nearest(run: Run, arguments: list[str], fragment: str) -> None:
    run("predict", *arguments, *LAYER).assert_error(fragment)


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[]", "holds no JSON object"),
        (b"3", "holds no JSON object"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"[" * 100_000, "not valid JSON"),
        (b"{}", "input_channels is missing (give --input-channels"),
        (b'{"kernel_siez": 3}', "did you mean kernel_size?"),
        (b'{"input_channels": true}', "not a number"),
        (b'{"input_channels": NaN}', "not a whole number"),
        (b'{"input_channels": {}}', "not a number"),
        (b" " * 2_000_000, "larger than 1 MB"),
    ],
)
def test_bad_config_files(run: Run, tmp_path: Path, content: bytes, fragment: str) -> None:
    file = tmp_path / "layer.json"
    file.write_bytes(content)
    run("predict", "--target", "cpu", "--config", file).assert_error(fragment)


def test_missing_config_file(run: Run, tmp_path: Path) -> None:
    run("predict", "--target", "cpu", "--config", tmp_path / "none.json").assert_error("cannot be read: No such file")
    run("predict", "--target", "cpu", "--config", tmp_path).assert_error("cannot be read")
