"""What ``train`` and ``collect`` refuse before they begin."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.training.conftest import measured_rows


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["train", "--target", "cpu"], "--data"),
        (["train", "--target", "cpu", "--data", "none.parquet", "--family", "xbg"], "did you mean xgb?"),
        (["train", "--target", "cpu", "--data", "none.parquet", "--seed", "x"], "--seed is 'x', not a whole number"),
        (["train", "--target", "cpu", "--data", "none.parquet"], "none.parquet"),
        (["collect", "--layers", "5"], "--out"),
        (["collect", "--out", "out.parquet", "--layers", "0"], "layers is 0"),
    ],
)
def test_refusals(run: Run, arguments: list[str], fragment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(*arguments).assert_error(fragment)
    assert not (tmp_path / "out.parquet").exists()


def test_an_unwritable_folder_is_told_before_the_training(run: Run, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    run("train", "--target", "cpu", "--data", blocker, "--out", blocker / "models").assert_error("cannot make")


@pytest.mark.timeout(300)
def test_own_gpu_from_a_csv_and_a_file_of_figures(run: Run, tmp_path: Path) -> None:
    rows = measured_rows(60)
    shown = ("input_channels", "output_channels", "input_height", "input_width", "kernel_height", "stride_height", "groups")
    lines = ["cin,output_channels,input_height,input_width,kernel_size,stride,groups,latency_us"]
    for place, time in enumerate(rows["time_ms"]):
        lines.append(",".join(str(value) for value in (*(rows[name][place] for name in shown), 1e3 * float(str(time)))))
    (tmp_path / "gpu.csv").write_text("\n".join([*lines, "3,4,0,5,3,1,1,7"]) + "\n", encoding="utf-8")
    figures = {"name": "Lab GPU", "compute_units": 64, "boost_clock_mhz": 1500, "fp32_tflops": 10, "fp16_tflops": 20}
    (tmp_path / "gpu.json").write_text(json.dumps(figures | {"memory_bandwidth_gbs": 500, "l2_mb": 8}), encoding="utf-8")
    own = ["--data", tmp_path / "gpu.csv", "--target", "lab-gpu", "--out", tmp_path / "models", "--trials", "0"]
    run("train", *own, "--device", tmp_path / "gpu.json", "--family", "lasso").assert_error("has no column input_channels")
    told = ["--device", tmp_path / "gpu.json", "--map", "cin=input_channels", "--time-kind", "kernel", "--framework", "Own 1"]
    result = run("train", *own, *told, "--family", "lasso", "--family", "xgb", "--json")
    assert result.code == 0
    assert "1 rows are no layer and are left out (line 62" in result.err
    cards = result.json
    assert [card["family"] for card in cards] == ["lasso", "xgb", "consensus"]
    assert cards[0]["device"]["name"] == "Lab GPU"
    assert cards[0]["target"]["title"] == "Lab GPU · Own 1"
    layer = ["--input-channels", "64", "--input-height", "28", "--input-width", "28", "--output-channels", "64"]
    answer = run(
        "predict", "--models-dir", tmp_path / "models", "--target", "lab-gpu", *layer, "--kernel-size", "3", "--json"
    ).json
    assert {one["time_kind"] for one in answer} == {"kernel"}
    assert all(one["execution_time_ms"] > 0 for one in answer)
