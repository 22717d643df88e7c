"""Measurements made up by a known law, and recipes small enough for tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cnnpredict_gui.core.config import INTEGER_FIELDS, ConvConfig
from cnnpredict_gui.training import families
from cnnpredict_gui.training.plan import layer_plan

NOISE = 0.05


def measured_rows(count: int, seed: int = 0, algorithms: tuple[str, ...] = ("any",)) -> dict[str, list[object]]:
    """Rows in the schema of the data: time grows with MACs and bytes, with 5 % noise; the second algorithm takes twice."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[object]] = {name: [] for name in (*INTEGER_FIELDS, "algorithm", "time_ms")}
    for config, _ in layer_plan(count, seed):
        for factor, algorithm in enumerate(algorithms, start=1):
            for name in INTEGER_FIELDS:
                rows[name].append(getattr(config, name))
            rows["algorithm"].append(algorithm)
            rows["time_ms"].append(law(config) * factor * float(np.exp(rng.normal(0, NOISE))))
    same = {"target": "gputest", "device": "t4", "framework": "test", "time_kind": "kernel", "source": "tests"}
    same |= {"dtype": "fp32", "direction": "forward", "layout": "nchw"}
    return rows | {name: [value] * len(rows["time_ms"]) for name, value in same.items()}


def law(config: ConvConfig) -> float:
    """The true time of a layer in ms."""
    return 0.01 + config.macs / 2e9 + config.bytes_moved / 3e8


@pytest.fixture(scope="package")
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A parquet of 260 layers of one target."""
    path = tmp_path_factory.mktemp("data") / "data.parquet"
    pq.write_table(pa.table(measured_rows(260)), path)
    return path


@pytest.fixture(scope="package")
def small_recipes() -> Iterator[None]:
    """The same recipes with fewer trees and steps."""
    monkeypatch = pytest.MonkeyPatch()
    small = {"nn": {"steps": 80, "width": 32}, "xgb": {"n_estimators": 40}, "rf": {"n_estimators": 8}, "lasso": {}}
    for name, recipe in list(families.RECIPES.items()):

        def start(rows: int, recipe: families.FamilyRecipe = recipe, name: str = name) -> families.Parameters:
            return recipe.start(rows) | small[name]

        monkeypatch.setitem(families.RECIPES, name, replace(recipe, start=start))
    yield
    monkeypatch.undo()
