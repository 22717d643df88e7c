"""Measuring for real on this machine, interrupted and resumed; and the plan of layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cnnpredict_gui.core.errors import CancelledByUserError, ConfigError, DataFileError
from cnnpredict_gui.training import collect as module
from cnnpredict_gui.training.collect import CollectRequest, collect
from cnnpredict_gui.training.datasets import load_measurements
from cnnpredict_gui.training.plan import layer_plan


def test_plan_is_reproducible_and_spans_the_space() -> None:
    plan = layer_plan(1500, seed=0)
    assert plan == layer_plan(1500, seed=0)
    assert len({config for config, _ in plan}) == 1500
    configs = [config for config, _ in plan]
    assert {config.kernel_height for config in configs} >= {1, 2, 3, 5, 7, 9, 11}
    assert {config.stride_height for config in configs} == {1, 2, 3, 4}
    assert max(config.batch_size for config in configs) > 32
    assert sum(config.groups == config.input_channels > 1 for config in configs) > 100
    assert sum("resnet50" in networks.split("|") for _, networks in plan) > 5


def test_interrupted_measuring_goes_on_and_keeps_what_repeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPEATABLE", 10.0)  # a busy machine must not fail the test
    request = CollectRequest(tmp_path / "mine.parquet", layers=8, rounds=2, budget_ms=1.0)
    seen: list[int] = []
    with pytest.raises(CancelledByUserError):
        collect(request, lambda done, total: seen.append(done), lambda: len(seen) >= 5)
    assert not request.out.exists()
    before = len((tmp_path / "mine.parquet.journal.jsonl").read_text(encoding="utf-8").splitlines()) - 1
    assert before >= 5
    again: list[int] = []
    summary = collect(request, lambda done, total: again.append(done))
    assert again == list(range(before + 1, 17))
    assert (summary.measured, summary.kept) == (8, 8)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.parquet"]
    rows, _ = load_measurements([request.out], "cpu")
    assert len(rows) == 8
    assert (rows.time_ms > 0).all()
    assert rows.target.time_kind == "framework_wall_clock"
    assert b"cpu_model" in pq.read_schema(request.out).metadata


def test_layers_of_a_file_are_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPEATABLE", 10.0)
    first = CollectRequest(tmp_path / "a.parquet", layers=4, rounds=2, budget_ms=1.0)
    collect(first)
    collect(CollectRequest(tmp_path / "b.parquet", rounds=2, budget_ms=1.0, plan=first.out))
    one, two = (load_measurements([tmp_path / name], "cpu")[0] for name in ("a.parquet", "b.parquet"))
    assert set(one.shape_id) == set(two.shape_id)


def test_a_journal_of_other_layers_is_not_mixed_in(tmp_path: Path) -> None:
    (tmp_path / "a.parquet.journal.jsonl").write_text('{"layers": 3}\n', encoding="utf-8")
    with pytest.raises(DataFileError, match="belongs to other layers"):
        collect(CollectRequest(tmp_path / "a.parquet", layers=4, rounds=2))


@pytest.mark.parametrize("field", ["layers", "rounds", "threads"])
def test_senseless_numbers_are_refused(tmp_path: Path, field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        collect(CollectRequest(tmp_path / "a.parquet", **{field: 0}))  # type: ignore[arg-type]


def test_a_plan_with_an_impossible_layer_is_refused(tmp_path: Path) -> None:
    sizes = {name: [8] for name in ("input_channels", "input_height", "input_width", "output_channels")}
    pq.write_table(pa.table(sizes | {"kernel_size": [np.int64(-1)]}), tmp_path / "plan.parquet")
    with pytest.raises(DataFileError, match="kernel"):
        collect(CollectRequest(tmp_path / "a.parquet", plan=tmp_path / "plan.parquet"))
