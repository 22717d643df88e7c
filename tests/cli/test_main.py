"""The program as a whole: help, unknown commands, interruption, and the real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import sleep

import pytest

from cnnpredict_gui import __version__
from cnnpredict_gui.cli import main as program
from cnnpredict_gui.core.errors import CancelledByUserError, WorkerError
from cnnpredict_gui.studies import sweep
from tests.cli.conftest import LAYER, Run

HEAVY = ("torch", "sklearn", "xgboost", "pandas", "matplotlib", "scipy", "PySide6", "optuna")


def _process(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cnnpredict_gui.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("command", program.COMMANDS)
def test_every_command_has_help_with_examples_and_json(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit) as ended:
        program.main([command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "--json" in text
    assert f"cnnpredict {command}" in text.split("examples:")[1]


def test_version_and_no_command(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["--version"])
    assert ended.value.code == 0
    assert __version__ in capsys.readouterr().out
    nothing = run()
    assert nothing.code == 2
    assert "usage:" in nothing.err


def test_unknown_command_and_option(run: Run) -> None:
    run("predikt").assert_error("did you mean predict?")
    run("models", "--jason").assert_error("did you mean --json?")
    run("models", "one", "two").assert_error("unexpected argument 'two'")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (CancelledByUserError("stop"), 130),
        (WorkerError("the child died", "try again"), 1),
        (MemoryError(), 1),
        (ZeroDivisionError("oops"), 1),
    ],
)
def test_every_failure_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(sweep, "sweep", fail)
    result = run("sweep", "--vary", "batch_size=1", "--target", "cpu", *LAYER)
    assert result.code == code
    assert len(result.err.splitlines()) == 1
    assert "Traceback" not in result.err


def test_the_real_process(models_folder: Path) -> None:
    arguments = (
        "predict",
        "--model",
        "xgb_prediction-training-gpuv100-cudnn",
        *LAYER,
        "--models-dir",
        str(models_folder),
        "--json",
    )
    done = _process(*arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "success"
    wrong = _process(*arguments, "--stride", "0")
    assert wrong.returncode == 2
    assert len(wrong.stderr.splitlines()) == 1
    assert json.loads(wrong.stdout)["status"] == "error"


def test_a_reader_that_leaves_is_no_traceback(models_folder: Path) -> None:
    command = [sys.executable, "-m", "cnnpredict_gui.cli", "models", "--json", "--models-dir", str(models_folder)]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == ""


def test_narrow_encodings_do_not_fail(models_folder: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    arguments = ("predict", "--model", "rf_prediction-training-cpu", *LAYER, "--models-dir", str(models_folder))
    done = _process(*arguments, env=environment)
    assert done.returncode == 0, done.stderr
    assert "TIME (ms)" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT between processes")
def test_interrupted_batch_leaves_nothing(models_folder: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    header = "input_channels,input_height,input_width,output_channels,kernel_size\n"
    source.write_text(header + "64,56,56,64,3\n" * 400_000)
    models = ("--target", "cpu", "--target", "gpuv100-cudnn", "--models-dir", str(models_folder))
    command = [sys.executable, "-m", "cnnpredict_gui.cli", "batch", str(source), "-o", str(out), *models]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # where it is ignored, so would it be in the child
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    while process.poll() is None and len(list(tmp_path.iterdir())) < 3:  # in.csv, home and the temporary file
        sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "cnnpredict: interrupted, nothing was left half-written"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "home") == ["in.csv"]


@pytest.mark.skipif(os.name == "nt", reason="a shell closes the streams")
def test_works_with_its_output_closed(tmp_path: Path) -> None:
    model = Path(__file__).parents[2] / "models/prediction-training-cpu/polynomial-regression/best_lasso_model.joblib"
    command = [sys.executable, "-m", "cnnpredict_gui.cli", "import", str(model), "--target", "cpu", "--out", str(tmp_path)]
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    assert subprocess.run([*closed, *command], timeout=100, check=False).returncode == 0
    assert len(list(tmp_path.rglob("*.onnx"))) == 1


def test_predicting_needs_no_training_library() -> None:
    code = (
        "import sys, cnnpredict_gui.serving.library, cnnpredict_gui.studies.batch, cnnpredict_gui.cli.main as m;"
        "m.build_parser();"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
