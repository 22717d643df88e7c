"""``cnnpredict models`` and ``doctor``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.artefacts import write_training_folder
from tests.cli.conftest import Run

XGB = "xgb_prediction-training-gpul40s"


def test_list_has_every_promised_key(run: Run) -> None:
    result = run("models", "--json")
    assert result.code == 0
    entries = {entry["name"]: entry for entry in result.json}
    assert len(entries) == 15
    entry = entries[XGB]
    assert entry["family"] == "xgb"
    assert entry["target"] == "gpul40s"
    assert entry["time_kind"] == "call_with_host_copies"
    assert entry["version"] == "1.0.0"
    assert Path(entry["path"]).is_file()
    assert (entry["status"], entry["reason"]) == ("loaded", "")
    assert entry["metrics"]["grouped_by_shape"]["mape"] == 5.0


def test_failures_are_listed_with_their_reason(run: Run, tmp_path: Path) -> None:
    folder = write_training_folder(tmp_path / "more", "broken", ("xgb", "rf", "lasso"))
    (folder / "xgboost" / "best_xgb_model.onnx").write_bytes(b"tampered")
    (folder / "rdf" / "best_rf_model.card.json").write_text("{")
    (folder / "polynomial-regression" / "best_lasso_model.card.json").unlink()
    result = run("models", "--json", "--models-dir", tmp_path / "more")
    assert result.code == 0
    failed = {entry["family"]: entry for entry in result.json if entry["status"] == "failed"}
    assert "sha256" in failed["xgb"]["reason"]
    assert "not valid JSON" in failed["rf"]["reason"]
    assert "no card" in failed["lasso"]["reason"]
    text = run("models", "--models-dir", tmp_path / "more").out
    assert "15 predictors ready, 3 models cannot be loaded" in text


def test_models_dir_of_the_environment(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_training_folder(tmp_path / "more", "own", ("nn",))
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "more"))
    assert "nn_prediction-training-own" in {entry["name"] for entry in run("models", "--json").json}


def test_one_in_full(run: Run) -> None:
    document = run("models", XGB, "--json").json
    assert document["status"] == "loaded"
    assert document["card"]["provenance"]["licence"] == "MIT"
    text = run("models", XGB).out
    assert "grouped_by_shape" in text
    assert "call_with_host_copies" in text
    run("models", "xgb_gpul40s").assert_error("there is no predictor 'xgb_gpul40s'")


def test_doctor_of_a_sound_installation(run: Run) -> None:
    result = run("doctor", "--json")
    assert result.code == 0
    report = result.json
    assert report["problems"] == []
    assert report["models_loaded"] == 15
    assert report["packages"]["numpy"]
    assert "nothing is wrong" in run("doctor").out


def test_doctor_tells_what_is_wrong(run: Run, tmp_path: Path) -> None:
    folder = write_training_folder(tmp_path / "more", "broken", ("xgb",))
    (folder / "xgboost" / "best_xgb_model.onnx").write_bytes(b"tampered")
    result = run("doctor", "--json", "--models-dir", tmp_path / "more")
    assert result.code == 1
    assert ["sha256" in problem for problem in result.json["problems"]] == [True]
    assert "what is wrong" in run("doctor", "--models-dir", tmp_path / "more").out


def test_doctor_without_any_model(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cnnpredict_gui.infra import paths

    monkeypatch.setattr(paths, "bundled_models_dir", lambda: tmp_path / "none")
    result = run("doctor", "--json")
    assert result.code == 1
    assert any("--models-dir" in problem for problem in result.json["problems"])
