"""Configurations as text: what is copied gives the same configuration, and the same answers, when pasted."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnpredict_gui.cli.main import build_parser, main
from cnnpredict_gui.cli.usage import layer
from cnnpredict_gui.core.config import ALGORITHMS, DIRECTIONS, DTYPES, ConvConfig
from cnnpredict_gui.core.format import sig3
from cnnpredict_gui.infra.paths import HOME_VARIABLE, MODELS_VARIABLE
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.studies.codegen import as_command, as_json, as_python
from tests.artefacts import write_training_folder

small = st.integers(1, 7)


@st.composite
def configs(draw: st.DrawFn) -> ConvConfig:
    groups = draw(st.integers(1, 4))
    values = {
        "batch_size": draw(small),
        "input_channels": groups * draw(small),
        "input_height": draw(st.integers(30, 64)),
        "input_width": draw(st.integers(30, 64)),
        "output_channels": groups * draw(small),
        "kernel_size": (draw(small), draw(small)),
        "stride": (draw(small), draw(small)),
        "dilation": (draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        "groups": groups,
        "dtype": draw(st.sampled_from(DTYPES)),
        "direction": draw(st.sampled_from(DIRECTIONS)),
        "algorithm": draw(st.sampled_from(ALGORITHMS)),
    }
    if draw(st.booleans()):
        values["padding"] = (draw(st.integers(0, 4)), draw(st.integers(0, 4)))
    return ConvConfig.parse(values)


@given(configs())
def test_json_comes_back(config: ConvConfig) -> None:
    assert ConvConfig.parse(json.loads(as_json(config))) == config


@given(configs())
def test_the_command_describes_the_same_layer(config: ConvConfig) -> None:
    program, *arguments = shlex.split(as_command(config))
    options = build_parser().parse(arguments)
    assert (program, options.command, options.all) == ("cnnpredict", "predict", True)
    assert layer(options) == config


@given(configs())
def test_the_program_holds_the_same_layer(config: ConvConfig) -> None:
    text = as_python(config)
    compile(text, "pasted", "exec")
    literal = text.split("parse(", 1)[1].split("})", 1)[0] + "}"
    assert ConvConfig.parse(json.loads(literal)) == config


CONFIG = ConvConfig.parse(
    {"input_channels": 64, "input_height": 56, "input_width": 28, "output_channels": 64, "kernel_size": (1, 3), "stride": 2}
)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models of mine"
    write_training_folder(folder, "cpu", ("nn", "xgb"), folder="trial")
    monkeypatch.setenv(MODELS_VARIABLE, str(folder))
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    return folder


def test_the_command_runs(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = shlex.split(as_command(CONFIG, ["nn_trial", "xgb_trial"]))[1:]
    assert main([*arguments, "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert [answer["model_name"] for answer in answers] == ["nn_trial", "xgb_trial"]
    assert answers[0]["execution_time_ms"] == pytest.approx(_expected(models, "nn_trial"))


def test_the_program_runs(models: Path, tmp_path: Path) -> None:
    script = tmp_path / "pasted.py"
    script.write_text(as_python(CONFIG, ["nn_trial"]), encoding="utf-8")
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, encoding="utf-8", env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("nn_trial: ")
    assert sig3(_expected(models, "nn_trial")) in done.stdout


def test_folders_that_others_do_not_search_are_named(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(MODELS_VARIABLE)
    arguments = shlex.split(as_command(CONFIG, ["nn_trial"], [models]))[1:]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model_name"] == "nn_trial"
    exec(compile(as_python(CONFIG, ["nn_trial"], [models]), "pasted", "exec"), {})
    assert sig3(_expected(models, "nn_trial")) in capsys.readouterr().out


def test_the_program_for_all_predictors_runs(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cnnpredict_gui.infra.paths.bundled_models_dir", lambda: models)
    exec(compile(as_python(CONFIG), "pasted", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.split(":")[0] for line in lines) == ["nn_trial", "xgb_trial"]


def _expected(models: Path, name: str) -> float:
    return ModelLibrary([models]).get(name).predict_one(CONFIG).time_ms
