"""``cnnpredict evaluate`` and ``benchmark``."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cnnpredict_gui.bench.history import BenchmarkHistory
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.studies import evaluation
from tests import artefacts
from tests.cli.conftest import Run

SIZES = [7, 14, 28, 56, 112]
KEYS = ["n", "mape", "median_ape", "within_10", "within_20", "rmse", "r2_log", "coverage_90", "interval_width"]


@pytest.fixture
def measured(models_folder: Path, tmp_path: Path) -> Path:
    """Times 5 % above what the xgb predictor of gpul40s says; rows of an unknown target and a wrong time among them."""
    layer = {"input_channels": 64, "output_channels": 64, "kernel_height": 3, "kernel_width": 3}
    columns: dict[str, list[object]] = {name: [value] * 5 for name, value in layer.items()}
    columns |= {"input_height": list(SIZES), "input_width": list(SIZES)}
    table = ConfigTable.from_columns(columns)[0]
    times = ModelLibrary([models_folder]).get("xgb_prediction-training-gpul40s").predict(table).time_ms * 1.05
    rows = pa.table(columns | {"target": ["gpul40s"] * 5, "time_kind": ["call_with_host_copies"] * 5, "time_ms": times})
    other = rows.slice(0, 2).set_column(6, "target", pa.array(["gpuunknown"] * 2))
    kernel = rows.slice(0, 1).set_column(7, "time_kind", pa.array(["kernel"]))
    wrong = rows.slice(0, 1).set_column(8, "time_ms", pa.array([-1.0]))
    path = tmp_path / "measured.parquet"
    pq.write_table(pa.concat_tables([rows, other, kernel, wrong]), path)
    return path


def test_metrics_per_target_and_family(run: Run, measured: Path) -> None:
    result = run("evaluate", measured, "--json")
    assert result.code == 0
    entries = {entry["family"]: entry for entry in result.json}
    assert set(entries) == {"nn", "xgb", "rf", "lasso", "consensus"}
    xgb = entries["xgb"]
    assert xgb["target"] == "gpul40s"
    assert all(key in xgb for key in KEYS)
    assert xgb["n"] == 5
    assert xgb["mape"] == pytest.approx(100 * 0.05 / 1.05, rel=1e-4)
    assert (xgb["within_10"], xgb["coverage_90"]) == (100, 100)


def test_rows_that_cannot_be_judged_are_told(run: Run, measured: Path) -> None:
    lines = run("evaluate", measured, "--json").err
    assert "2 rows not judged: there is no predictor for gpuunknown" in lines
    assert "1 rows not judged: their time kind is not call_with_host_copies" in lines
    assert "1 rows not judged: time_ms is not a positive number" in lines


def test_choice_of_target_and_family(run: Run, measured: Path) -> None:
    result = run("evaluate", measured, "--target", "gpul40s", "--family", "rf", "--json").json
    assert [entry["family"] for entry in result] == ["rf"]
    run("evaluate", measured, "--target", "gpul40").assert_error("did you mean gpul40s?")
    run("evaluate", measured, "--family", "rff").assert_error("did you mean rf?")


def test_values_of_a_parameter_told_apart(run: Run, measured: Path) -> None:
    result = run("evaluate", measured, "--family", "xgb", "--by", "input_height", "--json").json
    assert [(entry["group"], entry["n"]) for entry in result] == [("", 5), *((f"input_height={size}", 1) for size in SIZES)]
    assert run("evaluate", measured, "--family", "xgb", "--by", "dtype", "--json").json[1]["group"] == "dtype=fp32"
    head, whole, *groups = run("evaluate", measured, "--family", "xgb", "--by", "kernel_size").out.splitlines()
    place = head.index("GROUP")
    assert [line[place:].split()[0] for line in (whole, groups[0])] == ["all", "kernel_height=3"]
    assert whole[head.index("TIME KIND") :].split()[0] == groups[0][head.index("TIME KIND") :].split()[0]
    run("evaluate", measured, "--by", "algoritm").assert_error("did you mean algorithm?")


def test_rows_of_a_processor_are_judged_by_the_predictors_of_the_one_most_like_their_device(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    for target, device in (("cpu", "AMD EPYC, 1 thread"), ("cpu-xeon", "Intel Xeon (AVX-512), 1 thread")):
        monkeypatch.setitem(artefacts.DEVICES, target, (device, "PyTorch", "framework_wall_clock", 1, 0.1, 20.0))
        artefacts.write_training_folder(models, target)
    columns: dict[str, list[object]] = {"input_channels": [64] * 4, "output_channels": [64] * 4, "kernel_size": [3] * 4}
    columns |= {"input_height": [28] * 4, "input_width": [28] * 4, "target": ["cpu"] * 4, "time_ms": [1.0] * 4}
    path = tmp_path / "measured.parquet"

    def judged(**more: list[object]) -> list[tuple[str, int, str]]:
        pq.write_table(pa.table(columns | more), path)
        entries = run("evaluate", path, "--models-dir", models, "--family", "xgb", "--json").json
        return [(entry["target"], entry["n"], entry["model_name"].replace("xgb_prediction-training-", "")) for entry in entries]

    assert judged(device=["Intel(R) Xeon(R) Processor @ 2.60GHz"] * 4) == [("cpu", 4, "cpu-xeon")]
    assert judged(device=["AMD EPYC 9R14 96-Core Processor"] * 4) == [("cpu", 4, "cpu")]
    assert judged(device=["Apple M1"] * 4) == [("cpu", 4, "cpu")]
    mixed: list[object] = ["Intel Xeon", "AMD EPYC", "Intel Xeon", "Intel Xeon"]
    assert judged(device=mixed) == [("cpu", 4, "cpu, cpu-xeon")]
    monkeypatch.setattr(evaluation, "processor_name", lambda: "Intel(R) Xeon(R) CPU")
    assert judged() == [("cpu", 4, "cpu-xeon")]


def test_text(run: Run, measured: Path) -> None:
    out = run("evaluate", measured).out
    assert "MAPE" in out
    assert "call_with_host_copies" in out


def test_a_csv_without_target_needs_the_option(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "measured.csv"
    path.write_text(
        "input_channels,input_height,input_width,output_channels,kernel_size,time_ms\n64,56,56,64,3,1.5\n64,28,28,64,3,x\n"
    )
    run("evaluate", path).assert_error("no column target")
    result = run("evaluate", path, "--target", "cpu", "--json")
    assert [entry["n"] for entry in result.json] == [1] * 5
    assert result.json[0]["r2_log"] is None


def test_files_that_cannot_be_judged(run: Run, tmp_path: Path) -> None:
    run("evaluate", tmp_path / "none.parquet").assert_error("does not exist")
    path = tmp_path / "measured.csv"
    path.write_text("input_channels,input_height,input_width,output_channels,kernel_size,target\n64,56,56,64,3,cpu\n")
    run("evaluate", path).assert_error("no column time_ms")
    path.write_text(
        "input_channels,input_height,input_width,output_channels,kernel_size,target,time_ms\n64,56,56,64,3,gpuz,1\n"
    )
    run("evaluate", path).assert_error("no row of measured.csv can be judged")


def test_benchmark_in_a_child_process(run: Run) -> None:
    result = run("benchmark", "xgb_prediction-training-cpu", "--iterations", 20, "--rows", 3, "--json")
    assert result.code == 0
    answer = result.json
    assert (answer["model_name"], answer["rows"], answer["iterations"]) == ("xgb_prediction-training-cpu", 3, 20)
    assert 0 < answer["min_ms"] <= answer["p50_ms"] <= answer["p95_ms"] <= answer["p99_ms"] <= answer["max_ms"]
    assert answer["throughput_per_s"] == pytest.approx(3e3 / answer["mean_ms"])
    assert answer["load_ms"] > 0
    assert answer["rss_mb"] > 10
    names = "model_name rows iterations mean_ms p50_ms p95_ms p99_ms min_ms max_ms std_ms throughput_per_s load_ms rss_mb"
    assert list(answer) == names.split(), "scripts rely on this shape"


def test_benchmark_is_kept_when_asked(run: Run) -> None:
    name = "lasso_prediction-training-cpu"
    shown = run("benchmark", name, "--iterations", 5, "--warm-up", 0, "--keep")
    assert shown.code == 0
    assert "5 calls of 1 rows" in shown.out
    assert "ONNX Runtime" in shown.out
    (kept,) = BenchmarkHistory().runs()
    assert (kept.rows, kept.iterations, kept.warm_up, kept.predictors, kept.failed) == (1, 5, 0, 1, 0)
    assert BenchmarkHistory().load(kept.number).outcomes[0].name == name


def test_native_benchmark_of_a_file_that_holds_no_model(run: Run) -> None:
    pytest.importorskip("sklearn")
    result = run("benchmark", "rf_prediction-training-cpu", "--engine", "native")
    assert result.code == 1
    assert "best_rf_model.joblib" in result.err
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["xgb_prediction-training-cpuu"], "did you mean xgb_prediction-training-cpu?"),
        (["xgb_prediction-training-cpu", "--rows", "0"], "rows is 0"),
        (["xgb_prediction-training-cpu", "--iterations", "-5"], "iterations is -5"),
        (["xgb_prediction-training-cpu", "--iterations", "many"], "not a whole number"),
        ([], "NAME"),
    ],
)
def test_bad_benchmarks(run: Run, arguments: list[str], fragment: str) -> None:
    run("benchmark", *arguments).assert_error(fragment)
