"""``cnnpredict network`` as a user runs it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from cnnpredict_gui.cli.main import main
from cnnpredict_gui.infra.paths import HOME_VARIABLE
from cnnpredict_gui.studies.own_presets import OwnPresets
from cnnpredict_gui.studies.presets import preset
from tests.artefacts import write_models
from tests.studies.onnx_models import write_conv


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: Path) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    # Only the models made for this test, whatever comes with the program.
    monkeypatch.setattr("cnnpredict_gui.infra.paths.bundled_models_dir", lambda: models)


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["network", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def _error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["network", *arguments]) == 2
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_the_list_of_presets(capsys: pytest.CaptureFixture[str]) -> None:
    OwnPresets().save("mine", preset("alexnet").layers())
    found = {one["name"]: one for one in _json(capsys, "--list")}
    assert found["resnet50"]["parameters"] == 25_557_032
    assert "mine" in found
    assert main(["network", "--list"]) == 0
    text = capsys.readouterr().out
    assert "ResNet-50" in text
    assert text.index("ResNet-18 ") < text.index("ResNet-101 ")


def test_sums_of_a_preset(capsys: pytest.CaptureFixture[str]) -> None:
    found = _json(capsys, "resnet50", "--target", "gpul40s", "--batch-size", "1", "--resolution", "224")
    assert found["status"] == "success"
    assert found["network"]["convolutions"] == 53
    assert found["network"]["parameters"] == 25_557_032
    assert len(found["results"]) == 5
    for result in found["results"]:
        low, high = result["interval_ms"]
        assert 0 < low < result["execution_time_ms"] < high
        assert result["interval_dependent_ms"][0] < low < result["interval_independent_ms"][0]
        assert (result["target"], result["time_kind"]) == ("gpul40s", "call_with_host_copies")
        assert result["verdicts"] == {"in range": 53, "extrapolating": 0, "refused": 0}
        assert result["is_lower_bound"] is False
        assert "layers" not in result
    assert {one["kind"]: one["count"] for one in found["not_predicted"]}["normalisation"] == 53


def test_layers_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    found = _json(capsys, "mobilenet_v2", "--model", "xgb_prediction-training-cpu", "--per-layer", "--resolution", "160x192")
    (result,) = found["results"]
    times = [layer["execution_time_ms"] for layer in result["layers"]]
    assert sum(filter(None, times)) == pytest.approx(result["execution_time_ms"])
    assert times.count(None) == sum(one["count"] for one in found["not_predicted"])
    first = found["network"]["layer_list"][0]["config"]
    assert (first["input_height"], first["input_width"]) == (160, 192)


def test_text_tells_time_kinds_bounds_and_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["network", "resnet18", "--all", "--family", "nn", "--per-layer"]) == 0
    text = capsys.readouterr().out
    for kind in ("kernel:", "call_with_host_copies:", "framework_wall_clock:"):
        assert kind in text
    assert "20 in range" in text
    assert "20 normalisation, 17 activation, 8 add, 2 pooling, 1 reshape, 1 linear" in text
    assert "correlated by 0.5" in text
    assert "layer4.1.conv2" in text


def test_layers_without_predictors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["network", "alexnet"]) == 0
    text = capsys.readouterr().out
    assert "61.1 M parameters" in text
    assert "not predicted" in text
    assert len(_json(capsys, "alexnet")["network"]["layer_list"]) == len(preset("alexnet").layers())


def test_csv_of_layers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["network", "alexnet", "--target", "cpu", "--csv", str(tmp_path / "out.csv")]) == 0
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 * len(preset("alexnet").layers())
    assert "wrote" in capsys.readouterr().err


def test_onnx_files_ask_for_what_they_leave_open(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = str(write_conv(tmp_path / "net.onnx", (4, 8, 3, 3), ("N", 8, "H", "W")))
    message = _error(capsys, path, "--target", "cpu")
    assert "N (batch), H (height), W (width)" in message
    assert "give --batch-size N, --resolution HxW" in message
    for options in (
        ["--batch-size", "1", "--resolution", "40x48"],
        ["--dimension", "N=1", "--dimension", "H=40", "--dimension", "W=48"],
    ):
        found = _json(capsys, path, "--target", "cpu", *options)
        config = found["network"]["layer_list"][0]["config"]
        assert (config["batch_size"], config["input_height"], config["input_width"]) == (1, 40, 48)


def test_tables_of_layers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "net.csv"
    path.write_text("name,count,cin,input_height,input_width,output_channels,kernel_size\na,3,8,10,10,8,3\n", encoding="utf-8")
    found = _json(capsys, str(path), "--map", "cin=input_channels", "--model", "nn_prediction-training-cpu")
    assert found["results"][0]["verdicts"]["in range"] == 3


def test_rho_narrows_or_widens(capsys: pytest.CaptureFixture[str]) -> None:
    low, high = (
        _json(capsys, "alexnet", "--model", "nn_prediction-training-cpu", "--rho", rho)["results"][0] for rho in ("0", "1")
    )
    assert low["interval_ms"] == low["interval_independent_ms"]
    assert high["interval_ms"] == high["interval_dependent_ms"]


def test_nothing_predicted_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["network", "alexnet", "--dtype", "int8", "--model", "nn_prediction-training-cpu", "--json"]) == 2
    captured = capsys.readouterr()
    result = json.loads(captured.out)["results"][0]
    assert (result["status"], result["execution_time_ms"]) == ("refused", None)
    assert "int8" in captured.err
    assert main(["network", "alexnet", "--dtype", "int8", "--model", "nn_prediction-training-cpu"]) == 2
    assert "it has no sum" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no network was given"),
        (["resnet5"], "did you mean resnet50"),
        (["absent.onnx"], "cannot read"),
        (["unet", "--resolution", "100"], "at least 188"),
        (["resnet18", "--resolution", "big"], "--resolution is 'big'"),
        (["resnet18", "--batch-size", "0"], "batch_size is 0"),
        (["resnet18", "--batch-size", "two"], "not a whole number"),
        (["resnet18", "--csv", "out.csv"], "--csv needs predictors"),
        (["resnet18", "--target", "cpu", "--csv", "out.txt"], ".csv or .parquet"),
        (["resnet18", "--target", "cpu", "--rho", "2"], "rho is 2"),
        (["resnet18", "--target", "cpu", "--rho", "x"], "--rho is 'x'"),
        (["resnet18", "--target", "gpu"], "there is no target 'gpu'"),
        (["resnet18", "--dimension", "N"], "write --dimension NAME=VALUE"),
    ],
)
def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert message in _error(capsys, *arguments)
