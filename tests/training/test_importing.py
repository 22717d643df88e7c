"""Own measurements of any device: columns found, checks told, written for training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from cnnpredict_gui.core.card import Device
from cnnpredict_gui.core.errors import DataFileError, UnknownNameError
from cnnpredict_gui.training.datasets import known_devices, load_measurements
from cnnpredict_gui.training.importing import (
    ImportRequest,
    check,
    import_measurements,
    read_device,
    suggest_time,
)
from tests.training.conftest import measured_rows

OWN = Device(
    name="Lab GPU",
    vendor="Lab",
    architecture="One",
    compute_units=64,
    boost_clock_mhz=1500,
    fp32_tflops=1000,
    fp16_tflops=2000,
    memory_bandwidth_gbs=500,
    l2_mb=8,
)
HEADER = "cin,cout,h,w,k,stride,latency_us"
MAPPING = {"cin": "input_channels", "cout": "output_channels", "h": "input_height", "w": "input_width", "k": "kernel_size"}


def write(path: Path, count: int = 60, extra: str = "") -> Path:
    """A CSV in another's words, times in microseconds."""
    rows = measured_rows(count)
    lines = [HEADER]
    for place in range(count):
        values = [rows[name][place] for name in ("input_channels", "output_channels", "input_height", "input_width")]
        cells = [*values, rows["kernel_height"][place], rows["stride_height"][place], 1e3 * float(str(rows["time_ms"][place]))]
        lines.append(",".join(map(str, cells)))
    path.write_text("\n".join(lines) + "\n" + extra, encoding="utf-8")
    return path


def request(path: Path, **changes: Any) -> ImportRequest:
    values: dict[str, Any] = {
        "target": "lab-gpu",
        "device": OWN,
        "time_column": "latency_us",
        "time_unit": "us",
        "mapping": MAPPING,
    }
    return ImportRequest(path, **(values | {"framework": "Own 1.0", "time_kind": "kernel"} | changes))


def test_file_becomes_a_target_that_training_reads(tmp_path: Path) -> None:
    path = write(tmp_path / "lab.csv")
    out = tmp_path / "lab.parquet"
    report = import_measurements(request(path), out)
    assert (report.rows, report.usable, report.problems) == (60, 60, ())
    rows, others = load_measurements([out], "lab-gpu")
    assert others == []
    assert rows.device == OWN
    assert (rows.target.title, rows.target.time_kind) == ("Lab GPU · Own 1.0", "kernel")
    assert rows.source == "measurements in lab.csv"
    wanted = sorted(float(str(time)) for time in measured_rows(60)["time_ms"])
    np.testing.assert_allclose(sorted(rows.time_ms), wanted, rtol=1e-9)
    assert pq.read_table(out)["algorithm"][0].as_py() == "any"


def test_rows_that_cannot_be_used_are_counted_and_told(tmp_path: Path) -> None:
    bad = "3,4,0,5,3,1,7\n3,4,8,8,3,1,-7\n3,4,8,8,3,1,\n3,4,8,8,3,1,100\n3,4,8,8,3,1,900\n"
    report = check(request(write(tmp_path / "lab.csv", extra=bad)))
    assert (report.rows, report.usable, report.invalid, report.without_time, report.repeats) == (65, 62, 1, 2, 1)
    told = " | ".join(report.warnings)
    assert "1 rows are no layer and are left out (line 62: input_height is 0" in told
    assert "2 rows have no positive time" in told
    assert "1 layers occur repeatedly with times that differ by more than half" in told
    assert "61 different layers are few" in told


def test_wrong_unit_or_figures_are_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "lab.csv")
    assert any("are the times really in seconds" in one for one in check(request(path, time_unit="s")).warnings)
    assert any("faster than the device's peak" in one for one in check(request(path, time_unit="ns")).warnings)
    assert not any("peak" in one for one in check(request(path)).warnings)


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    few = write(tmp_path / "few.csv", 12)
    assert "only 12 different layers" in check(request(few)).problems[0]
    with pytest.raises(DataFileError, match="only 12 different layers"):
        import_measurements(request(few), tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"time_column": "time"}, "no column 'time'"),
        ({"time_unit": "h"}, "time unit 'h' is unknown"),
        ({"time_kind": "wall"}, "time_kind 'wall' is unknown"),
        ({"target": "My GPU"}, "no name of a target"),
        ({"mapping": {}}, "no column input_channels"),
    ],
)
def test_wrong_words_are_refused(changes: dict[str, Any], text: str, tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=text):
        check(request(write(tmp_path / "lab.csv"), **changes))


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (["n", "time_ms", "latency_us"], ("time_ms", "ms")),
        (["Latency (x)", "latency_us"], ("latency_us", "us")),
        (["c", "Execution-Time"], ("Execution-Time", "ms")),
        (["c", "µs"], ("µs", "us")),
        (["c", "k"], ("", "ms")),
    ],
)
def test_column_of_times_is_suggested(columns: list[str], found: tuple[str, str]) -> None:
    assert suggest_time(columns) == found


def test_device_from_a_file_or_by_its_key(tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    path.write_text(OWN.model_dump_json(), encoding="utf-8")
    assert read_device(str(path)) == OWN
    key = next(iter(known_devices()))
    assert read_device(key) == known_devices()[key]
    path.write_text(json.dumps({"name": "x", "compute_units": 0}), encoding="utf-8")
    with pytest.raises(DataFileError, match=r"gpu.json: .*compute_units"):
        read_device(str(path))
    path.write_text("[", encoding="utf-8")
    with pytest.raises(DataFileError, match="cannot be read"):
        read_device(str(path))
    with pytest.raises(UnknownNameError, match="neither a file nor a known device"):
        read_device("v100_sxm")
