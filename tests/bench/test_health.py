"""Health of the program: what each status means, as JSON, as metrics and on the command line."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest

from cnnpredict_gui.bench.health import MEANINGS, Health, SystemFigures, health, probe, prometheus
from cnnpredict_gui.cli.main import build_parser
from cnnpredict_gui.infra import paths
from cnnpredict_gui.serving.library import ModelEntry, ModelLibrary
from cnnpredict_gui.serving.statistics import STATISTICS
from tests.artefacts import write_training_folder
from tests.cli.conftest import Run, bundled, run

__all__ = ["bundled", "run"]
SYSTEM = SystemFigures("a processor", 2, 50.0, 1.0, 16_000.0, 8_000.0, 100.0, 5_000.0, ())


@pytest.fixture(autouse=True)
def fresh_statistics() -> None:
    STATISTICS.reset()


@pytest.fixture
def entries(models_folder: Path) -> list[ModelEntry]:
    return ModelLibrary([models_folder]).load_all()


def test_all_well(entries: list[ModelEntry]) -> None:
    STATISTICS.record(12, 0.004)
    state = health(entries, SYSTEM)
    assert (state.status, state.reasons) == ("healthy", ())
    assert (state.models_loaded, state.models_failed, state.predictions, state.errors) == (15, 0, 12, 0)
    assert state.median_ms == pytest.approx(4.0)
    assert state.uptime_s > 0


def test_degraded_says_why(entries: list[ModelEntry]) -> None:
    failed = replace(entries[0], status="failed", reason="it is broken")
    assert health([failed, *entries[1:]], SYSTEM).reasons == (f"{failed.full_name}: it is broken",)
    STATISTICS.record(1, 0.001)
    STATISTICS.record_error()
    short = replace(SYSTEM, memory_available_mb=150.0, disk_free_mb=10.0)
    state = health(entries, short)
    assert state.status == "degraded"
    assert state.reasons == (
        "1 call failed; the log says why",
        "only 150 MB of memory are available",
        "only 10 MB are free for the program's own files",
    )


def test_unhealthy_when_nothing_answers(entries: list[ModelEntry]) -> None:
    assert health([], SYSTEM).status == "unhealthy"
    assert health([], SYSTEM).reasons == ("no model is loaded",)
    STATISTICS.record_error()
    assert health(entries, SYSTEM).reasons == ("all of 1 calls failed",)


def test_probing_asks_every_model_and_survives_those_that_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_training_folder(tmp_path, "cpu", ("xgb", "rf", "lasso"))
    (folder / "rdf" / "best_rf_model.onnx").write_bytes(b"tampered")
    library = ModelLibrary([tmp_path])
    library.load_all()
    broken = library.predictors["lasso_prediction-training-cpu"]

    def fail(*_arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(broken.model, "log_time", fail)
    state = probe(library)
    assert (state.models_loaded, state.models_failed, state.predictions, state.errors) == (2, 1, 1, 1)
    assert state.status == "degraded"


def test_json_has_a_stable_shape(run: Run) -> None:
    result = run("health", "--json")
    assert result.code == 0
    answer = result.json
    assert list(answer) == [
        "status",
        "reasons",
        "models_loaded",
        "models_failed",
        "uptime_s",
        "predictions",
        "errors",
        "median_ms",
        "system",
    ]
    assert set(answer["system"]) == {
        "processor",
        "cores",
        "cpu_percent",
        "load_1m",
        "memory_total_mb",
        "memory_available_mb",
        "rss_mb",
        "disk_free_mb",
        "gpus",
    }
    assert (answer["status"] in MEANINGS, answer["models_loaded"], answer["predictions"]) == (True, 15, 15)


def test_unknown_figures_are_null() -> None:
    state = Health("healthy", (), 1, 0, 1.0, 0, 0, None, replace(SYSTEM, disk_free_mb=float("nan")))
    assert json.loads(json.dumps(state.to_json(), allow_nan=False))["system"]["disk_free_mb"] is None


def test_exit_code_and_text(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("health").out.splitlines()[0] in MEANINGS
    monkeypatch.setattr(paths, "bundled_models_dir", lambda: tmp_path / "none")
    result = run("health")
    assert (result.code, result.out.splitlines()[:2]) == (1, ["unhealthy", "  no model is loaded"])
    run("health", "--json", "--prometheus").assert_error("exclude each other")


def test_metrics_are_in_the_exposition_format(run: Run) -> None:
    lines = run("health", "--prometheus").out.splitlines()
    values = {}
    for head, kind, value in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        name, number = value.split(" ")
        assert head.startswith(f"# HELP {name} ")
        assert kind in (f"# TYPE {name} gauge", f"# TYPE {name} counter")
        values[name] = float(number)
    assert (values["cnnpredict_up"], values["cnnpredict_models_loaded"], values["cnnpredict_predictions_total"]) == (1, 15, 15)
    assert values["cnnpredict_machine_memory_bytes"] > 1e8


def test_metrics_leave_out_what_is_not_known() -> None:
    state = Health("unhealthy", ("no model is loaded",), 0, 0, 1.0, 0, 0, None, replace(SYSTEM, cpu_percent=float("nan")))
    text = prometheus(state)
    assert "cnnpredict_up 0\n" in text and "median" not in text and "nan" not in text.lower()


def test_the_help_of_the_command_says_what_each_status_means() -> None:
    parser = build_parser()
    action = next(one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    text = " ".join(action.choices["health"].format_help().split())
    assert all(meaning in text for meaning in MEANINGS.values())
    assert "1 if unhealthy" in text
