"""Predictors timed in child processes: sizes, outcomes, the native libraries, distributions."""

from __future__ import annotations

import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnnpredict_gui.bench.benchmark import Outcome, Plan, jobs_for, run_benchmark
from cnnpredict_gui.bench.distribution import Distribution
from cnnpredict_gui.bench.machine import machine_name
from cnnpredict_gui.bench.native import NativeModel, native_file, why_not
from cnnpredict_gui.bench.predictor_latency import measure_latency, sample_layers
from cnnpredict_gui.bench.use import UseMeter
from cnnpredict_gui.core.errors import CancelledByUserError, ConfigError, ModelFileError, WorkerError
from cnnpredict_gui.infra.files import sha256_of
from cnnpredict_gui.infra.paths import bundled_models_dir
from cnnpredict_gui.serving.library import ModelEntry, ModelLibrary
from tests.artefacts import make_card, write_training_folder


@pytest.mark.parametrize(("iterations", "rows"), [(0, 1), (1, 0), (1, 10**9)])
def test_latency_refuses_absurd_sizes(tmp_path: Path, iterations: int, rows: int) -> None:
    with pytest.raises(ConfigError, match="outside 1 to"):
        measure_latency("any", [tmp_path], iterations, rows)


def test_latency_of_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="no predictor 'any'"):
        measure_latency("any", [tmp_path])


def test_sample_layers_lie_in_the_ranges_of_the_card() -> None:
    card = make_card("xgb", "prediction-training-gpul40s", "gpul40s")
    table = sample_layers(card, 500)
    assert len(table) == 500
    assert set(table.columns["batch_size"].tolist()) == {1}
    assert set(table.columns["kernel_height"].tolist()) <= {1, 3, 7}
    assert table.columns["input_channels"].min() >= 1
    assert table.columns["input_channels"].max() <= 2048
    assert len(set(table.columns["input_channels"].tolist())) > 100
    assert (sample_layers(card, 500).columns["input_height"] == table.columns["input_height"]).all()


def test_a_negative_warm_up_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="warm-up is -1"):
        measure_latency("any", [tmp_path], warm_up=-1)


def test_nothing_chosen_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no predictor is chosen"):
        run_benchmark(Plan(()), [tmp_path])


def test_the_failure_of_one_does_not_stop_the_rest(tmp_path: Path) -> None:
    folder = write_training_folder(tmp_path, "cpu", ("xgb", "lasso"))
    (folder / "xgboost" / "best_xgb_model.onnx").write_bytes(b"tampered")
    names = ("xgb_prediction-training-cpu", "lasso_prediction-training-cpu")
    arrived: list[Outcome] = []
    progress: list[tuple[int, int]] = []
    plan = Plan(tuple((name, "onnxruntime") for name in names), rows=4, iterations=7, warm_up=1)
    run = run_benchmark(plan, [tmp_path], lambda done, total: progress.append((done, total)), None, arrived.append)
    assert run.outcomes == tuple(arrived)
    bad, good = run.outcomes
    assert (bad.name, bad.timed) == (names[0], None)
    assert "sha256 differs" in bad.error
    assert good.timed is not None
    latency = good.timed.latency
    assert (latency.model_name, latency.rows, latency.iterations) == (names[1], 4, 7)
    assert sum(good.timed.distribution.bins.values()) == 7
    assert good.timed.distribution.quantiles_ms[0] == latency.min_ms
    assert good.timed.distribution.quantiles_ms[-1] == latency.max_ms
    use = good.timed.use
    assert use.seconds > 0
    assert use.cpu_max_percent >= use.cpu_mean_percent > 0
    assert use.rss_peak_mb >= latency.rss_mb * 0.99
    assert good.timed.library.startswith("ONNX Runtime ")
    assert progress[0] == (0, 14)
    assert progress[-1] == (14, 14)
    assert progress == sorted(progress)


def test_cancel_ends_the_run(tmp_path: Path) -> None:
    write_training_folder(tmp_path, "cpu", ("xgb",))
    plan = Plan((("xgb_prediction-training-cpu", "onnxruntime"),), rows=1, iterations=1_000_000)
    seen: list[int] = []
    with pytest.raises(CancelledByUserError):
        run_benchmark(plan, [tmp_path], lambda done, _total: seen.append(done), lambda: max(seen, default=0) > 0)


def test_jobs_put_the_native_library_beside_where_it_may_be(tmp_path: Path) -> None:
    write_training_folder(tmp_path, "cpu", ("nn", "rf", "consensus"))
    entries = ModelLibrary([tmp_path]).scan()
    names = [entry.name for entry in entries]
    assert jobs_for(entries, native=False) == tuple((name, "onnxruntime") for name in names)
    consensus = "consensus_prediction-training-cpu"
    assert jobs_for(entries, native=True) == tuple(
        job for name in names for job in ((name, "onnxruntime"), *(((name, "native"),) if name != consensus else ()))
    )


def entry_of(folder: Path, family: str) -> ModelEntry:
    return next(entry for entry in ModelLibrary([folder]).scan() if entry.family == family)


def test_native_files_are_loaded_only_when_they_are_safe(tmp_path: Path) -> None:
    folder = write_training_folder(tmp_path, "cpu", ("nn", "rf", "consensus"))
    nn, rf = entry_of(tmp_path, "nn"), entry_of(tmp_path, "rf")
    assert why_not(nn) == why_not(rf) == ""
    assert "no file of its own" in why_not(entry_of(tmp_path, "consensus"))
    assert rf.card is not None
    imported = replace(rf, card=rf.card.model_copy(update={"imported_from": "theirs.joblib"}))
    assert "imported" in why_not(imported)
    with pytest.raises(ModelFileError, match="imported"):
        NativeModel(imported)
    assert nn.card is not None
    native = native_file(nn.path, nn.card)
    assert native == folder / "nn" / "output" / "best_model.pth"
    native.write_bytes(b"something else")
    with pytest.raises(ModelFileError, match="sha256 differs"):
        NativeModel(nn)
    native.unlink()
    assert "not there" in why_not(nn)


def test_a_native_file_the_card_does_not_know_is_not_looked_at(tmp_path: Path) -> None:
    folder = write_training_folder(tmp_path, "cpu", ("nn",))
    shutil.copy(folder / "nn/output/best_model.pth", folder / "nn/output/best_model.pt")
    (folder / "nn/output/best_model.pth").unlink()
    assert "not there" in why_not(entry_of(tmp_path, "nn"))


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("name", "library"), [("nn", "PyTorch "), ("lasso", "scikit-learn ")])
def test_native_libraries_of_shipped_models_agree_with_what_is_served(name: str, library: str) -> None:
    pytest.importorskip("torch")
    full = f"{name}_prediction-training-gpul40s"
    timed = measure_latency(full, [bundled_models_dir()], iterations=5, rows=3, warm_up=1, engine="native")
    assert timed.engine == "native"
    assert timed.library.startswith(library)
    assert timed.latency.iterations == 5
    assert timed.difference is not None
    assert timed.difference < 2e-3


class Evil:
    """Would run code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("ran",)


def test_files_of_others_cannot_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    folder = write_training_folder(tmp_path / "models", "cpu", ("rf",))
    native = folder / "rdf" / "best_rf_model.joblib"
    native.write_bytes(pickle.dumps(Evil()))
    entry = entry_of(tmp_path / "models", "rf")
    assert entry.card is not None
    vouching = replace(entry, card=entry.card.model_copy(update={"files": {native.name: sha256_of(native)}}))
    with pytest.raises(ModelFileError, match="mkdir"):
        NativeModel(vouching)
    assert not (tmp_path / "ran").exists()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("family", ["xgb", "lasso"])
def test_predictors_trained_by_the_user_have_their_native_library_too(family: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    name = "prediction-training-cpu"
    shutil.copytree(bundled_models_dir() / name, tmp_path / name)
    timed = measure_latency(f"{family}_{name}", [tmp_path], iterations=3, rows=2, warm_up=1, engine="native")
    assert timed.difference is not None
    assert timed.difference < 2e-3


def test_an_unknown_predictor_is_the_workers_error(tmp_path: Path) -> None:
    with pytest.raises(WorkerError):
        measure_latency("nobody", [tmp_path], engine="native")


def test_distributions_count_every_call_and_survive_json() -> None:
    times = np.random.default_rng(0).lognormal(0, 0.5, 1_000)
    made = Distribution.of(times)
    edges, share = made.histogram()
    assert len(edges) == len(share) + 1
    assert edges[0] <= times.min()
    assert edges[-1] >= times.max()
    assert share.sum() == pytest.approx(100)
    middle = (times >= edges[3]) & (times < edges[4])
    assert share[3] == pytest.approx(100 * middle.mean())
    values, percent = made.cumulative()
    assert values[100] == pytest.approx(np.median(times))
    assert (percent[0], percent[-1]) == (0, 100)
    assert Distribution.from_json(made.to_json()) == made
    with pytest.raises((ValueError, KeyError)):
        Distribution.from_json({"quantiles_ms": [], "bins": {}})


def test_distribution_of_a_single_call() -> None:
    made = Distribution.of(np.array([2.0]))
    edges, share = made.histogram()
    assert share.tolist() == [100]
    assert edges[0] <= 2.0 < edges[1]


def test_use_counts_the_processor_time_of_this_process() -> None:
    meter = UseMeter()
    while sum(range(10_000)) and meter.result().seconds < 0.3:
        meter.tick()
    use = meter.result()
    assert 0 < use.cpu_mean_percent <= use.cpu_max_percent
    assert use.rss_peak_mb > 10
    assert use.machine_cpu_percent is not None
    assert UseMeter().result().machine_cpu_percent is None


def test_machine_has_a_name() -> None:
    assert "cores" in machine_name() and "GB" in machine_name()
