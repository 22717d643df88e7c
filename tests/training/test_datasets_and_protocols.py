"""Reading and merging measurements, and splits that do not leak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cnnpredict_gui.core.config import ALGORITHMS, INTEGER_FIELDS
from cnnpredict_gui.core.features import feature_matrix
from cnnpredict_gui.core.interval import interval_bounds
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.training.calibration import consensus_weights, fit_interval, score
from cnnpredict_gui.training.datasets import COLLECTED, default_algorithm, find_device, load_measurements
from cnnpredict_gui.training.features import offset_feature, usable_features
from cnnpredict_gui.training.plan import layer_plan
from cnnpredict_gui.training.protocols import hard_splits, make_pool, random_splits, shape_splits
from tests.training.conftest import measured_rows


def write(path: Path, rows: Mapping[str, Sequence[object]]) -> Path:
    pq.write_table(pa.table(rows), path)
    return path


def test_repeats_are_merged_to_their_median(tmp_path: Path) -> None:
    rows = measured_rows(30)
    tripled = {name: [value for value in values for _ in range(3)] for name, values in rows.items()}
    tripled["time_ms"] = [time * factor for time in rows["time_ms"] for factor in (1.0, 5.0, 1.1)]  # type: ignore[operator]
    merged, _ = load_measurements([write(tmp_path / "d.parquet", tripled)], "gputest")
    assert len(merged) == 30
    assert sorted(merged.time_ms) == pytest.approx(sorted(1.1 * time for time in rows["time_ms"]))  # type: ignore[operator]


def test_any_is_the_fastest_listed_algorithm(tmp_path: Path) -> None:
    path = write(tmp_path / "d.parquet", measured_rows(40, algorithms=("gemm", "winograd")))
    rows, _ = load_measurements([path], "gputest")
    any_code, gemm, winograd = (ALGORITHMS.index(name) for name in ("any", "gemm", "winograd"))
    codes = rows.table.columns["algorithm"]
    times = {
        code: dict(zip(rows.shape_id[codes == code], rows.time_ms[codes == code], strict=True))
        for code in (any_code, gemm, winograd)
    }
    assert len(times[any_code]) == 40
    assert all(times[any_code][shape] == min(times[gemm][shape], times[winograd][shape]) for shape in times[any_code])
    assert default_algorithm(rows.table) == "any"


def test_only_the_same_campaign_is_pooled(tmp_path: Path) -> None:
    own = measured_rows(40)
    sister = measured_rows(40, seed=1) | {"target": ["gpusister"] * 40, "device": ["v100_sxm2"] * 40}
    stranger = measured_rows(40, seed=2) | {"target": ["gpustranger"] * 40, "time_kind": ["framework_wall_clock"] * 40}
    joined = {name: own[name] + sister[name] + stranger[name] for name in own}
    rows, others = load_measurements([write(tmp_path / "d.parquet", joined)], "gputest")
    assert rows.target.name == "gputest"
    assert [part.target.name for part in others] == ["gpusister"]


def test_scattering_rows_count_less(tmp_path: Path) -> None:
    rows = measured_rows(40) | {"relative_std": [0.0] * 20 + [2.0] * 20}
    found, _ = load_measurements([write(tmp_path / "d.parquet", rows)], "gputest")
    assert sorted(set(found.weight.round(3))) == [round(1 / 17, 3), 1.0]


def test_no_shape_is_on_both_sides_on_any_device(tmp_path: Path) -> None:
    own = measured_rows(60, algorithms=("gemm", "winograd"))
    sister = own | {"target": ["gpusister"] * 120}
    path = write(tmp_path / "d.parquet", {name: own[name] + sister[name] for name in own})
    rows, others = load_measurements([path], "gputest")
    pool = make_pool(rows, others, ("log_macs", "log_bytes"), "ln_roofline_sum", seed=0)
    assert len(pool.others) == 1
    held = np.zeros(len(rows), dtype=int)
    for split in shape_splits(pool, 0, 5):
        held += split.test
        for part in (pool.own, *pool.others):
            assert not set(part.rows.shape_id[split.keep(part)]) & set(rows.shape_id[split.test])
    assert (held == 1).all()
    name, splits = hard_splits(pool, 0, 5)
    assert name == "unseen_combinations"
    columns = rows.table.columns
    combos = list(zip(columns["input_channels"], columns["output_channels"], columns["kernel_height"], strict=True))
    for split in splits:
        tested = {combo for combo, test in zip(combos, split.test, strict=True) if test}
        assert not tested & {combo for combo, kept in zip(combos, split.keep(pool.own), strict=True) if kept}


def test_a_network_left_out_is_left_out_everywhere(tmp_path: Path) -> None:
    names = ["one", "two", "one|two", "three"] * 15
    rows, _ = load_measurements([write(tmp_path / "d.parquet", measured_rows(60) | {"networks": names})], "gputest")
    pool = make_pool(rows, (), ("log_macs",), "ln_roofline_sum", seed=0)
    name, splits = hard_splits(pool, 0, 5)
    assert name == "leave_one_network_out"
    assert len(splits) == 3
    for split in splits:
        assert (split.test ^ split.keep(pool.own)).all()
    assert sum(split.test.sum() for split in splits) == 75


def test_random_folds_cover_every_row_once(tmp_path: Path) -> None:
    rows, _ = load_measurements([write(tmp_path / "d.parquet", measured_rows(50))], "gputest")
    pool = make_pool(rows, (), ("log_macs",), "ln_roofline_sum", seed=0)
    assert (np.sum([split.test for split in random_splits(pool, 0, 5)], axis=0) == 1).all()


def test_interval_covers_nine_tenths_where_errors_grow_with_size() -> None:
    rng = np.random.default_rng(0)
    table = ConfigTable.from_configs([config for config, _ in layer_plan(1200, seed=3)])
    predicted = rng.uniform(-3, 3, 1200)
    true = predicted + rng.normal(0, 0.02 + 0.05 * (predicted + 3), 1200)
    fitted, scored = np.arange(1200) < 800, np.arange(1200) >= 800
    interval = fit_interval(table[fitted], predicted[fitted], true[fitted])
    low, high = interval_bounds(interval, table[scored], predicted[scored])
    inside = (low <= true[scored]) & (true[scored] <= high)
    assert 0.85 < inside.mean() < 0.95
    width = high - low
    assert width[predicted[scored] > 2].mean() > 3 * width[predicted[scored] < -2].mean()


def test_scores_tell_algorithms_and_element_types_apart() -> None:
    rng = np.random.default_rng(0)
    count = 2_000
    table = ConfigTable.from_columns(
        {
            **{name: [8] * count for name in ("input_channels", "output_channels", "input_height", "input_width")},
            "kernel_size": [1] * count,
            "algorithm": np.where(np.arange(count) % 2 == 0, "gemm", "direct"),
            "dtype": np.where(np.arange(count) < 40, "fp16", "fp32"),
        }
    )[0]
    error = rng.normal(0, np.where(np.arange(count) % 2 == 0, 0.02, 0.2))
    whole, groups = score(table, error, np.zeros(count), rng.integers(0, 2**63, count).astype(np.uint64))
    assert set(groups) == {"gemm/fp32", "direct/fp32"}  # too few rows of fp16 to tell
    assert groups["gemm/fp32"].mape < 2 < 12 < groups["direct/fp32"].mape
    assert groups["gemm/fp32"].mape < whole.mape < groups["direct/fp32"].mape
    assert all(80 < (found.coverage_90 or 0) < 97 for found in groups.values())


def test_one_algorithm_needs_no_groups() -> None:
    sizes = {name: [8] * 400 for name in ("input_channels", "output_channels", "input_height", "input_width", "kernel_size")}
    table = ConfigTable.from_columns(sizes)[0]
    assert score(table, np.zeros(400), np.zeros(400), np.arange(400, dtype=np.uint64))[1] == {}


def test_consensus_prefers_the_better_family() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(size=500)
    predicted = {"xgb": true + rng.normal(0, 0.05, 500), "lasso": true + rng.normal(0, 0.5, 500)}
    weights = consensus_weights(predicted, true)
    assert weights["xgb"] >= 0.9
    assert sum(weights.values()) == pytest.approx(1)


@pytest.mark.parametrize("lanes", [8, 16])
def test_the_vector_width_of_an_unknown_processor_is_that_whose_paths_explain_its_times(tmp_path: Path, lanes: int) -> None:
    rows = measured_rows(400) | {"target": ["cpu"] * 400, "device": ["Some processor"] * 400, "source": [COLLECTED] * 400}
    rows["time_kind"] = ["framework_wall_clock"] * 400
    columns = {name: np.array(rows[name]) for name in INTEGER_FIELDS}
    known = find_device("epyc_1_thread").model_copy(update={"vector_lanes": lanes})
    estimate = feature_matrix(ConfigTable.from_columns(columns)[0], known, ["cpu_ln_estimate"])[:, 0]
    noise = np.random.default_rng(0).normal(0, 0.05, len(estimate))
    own, _ = load_measurements([write(tmp_path / "data.parquet", rows | {"time_ms": list(np.exp(estimate + noise))})], "cpu")
    assert own.device.vector_lanes == lanes
    assert offset_feature(own) == "cpu_ln_estimate"


def test_features_of_processors_are_for_processors_only(tmp_path: Path) -> None:
    own, _ = load_measurements([write(tmp_path / "data.parquet", measured_rows(60))], "gputest")
    assert not [name for name in usable_features("xgb", [own]) if name.startswith("cpu_")]


@pytest.mark.parametrize(("kind", "given"), [("kernel", set()), ("call_with_host_copies", {"gemm", "winograd"})])
def test_heights_by_algorithm_are_for_boosted_trees_of_calls_with_host_copies(
    tmp_path: Path, kind: str, given: set[str]
) -> None:
    rows = measured_rows(60, algorithms=("gemm", "winograd"))
    own, _ = load_measurements([write(tmp_path / "data.parquet", rows | {"time_kind": [kind] * 120})], "gputest")
    names = {family: usable_features(family, [own]) for family in ("xgb", "rf", "nn", "lasso")}
    found = {
        family: {name.removeprefix("height_if_") for name in names[family] if name.startswith("height_if_")} - {"any"}
        for family in names
    }
    assert found == {"xgb": given, "rf": set(), "nn": set(), "lasso": set()}
