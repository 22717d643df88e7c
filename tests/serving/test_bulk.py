"""Tree models taken over by worker processes, and what happens when that goes wrong."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cnnpredict_gui.core.errors import WorkerError
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.infra.children import CHILD_FLAG, CHILD_MODULES, child_command, run_requested_child
from cnnpredict_gui.serving import bulk, frames, models, predictor
from cnnpredict_gui.serving.bulk import LEAST_ROWS, START_ROWS, BulkEngine, Worker
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.serving.models import Memo, TrainedModel
from tests.artefacts import write_training_folder

pytest.importorskip("xgboost")


def layers(rows: int) -> ConfigTable:
    rng = np.random.default_rng(0)
    columns = {name: rng.integers(1, 500, rows) for name in ("input_channels", "input_height", "output_channels")}
    table, valid, _ = ConfigTable.from_columns(columns | {"input_width": columns["input_height"], "kernel_size": [1] * rows})
    assert valid.all()
    return table


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ModelLibrary:
    folder = tmp_path_factory.mktemp("bulk")
    write_training_folder(folder, "cpu", families=("xgb", "nn"))
    found = ModelLibrary([folder])
    found.load_all()
    return found


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[BulkEngine]:
    engine = BulkEngine(workers=1, must_be_faster=False)
    monkeypatch.setattr(predictor, "BULK", engine)
    monkeypatch.setattr(models, "BULK", engine)
    yield engine
    engine.close()


def wait_for(condition: object, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def model_of(library: ModelLibrary, family: str = "xgb") -> TrainedModel:
    model = library.get(f"{family}_prediction-training-cpu").model
    assert isinstance(model, TrainedModel)
    return model


def take_over(library: ModelLibrary, engine: BulkEngine) -> TrainedModel:
    model = model_of(library)
    engine.note(model, layers(START_ROWS))
    wait_for(lambda: engine.is_ready(model))
    return model


def test_a_worker_takes_over_and_answers_alike(library: ModelLibrary, engine: BulkEngine) -> None:
    table = layers(LEAST_ROWS)
    here = library.get("xgb_prediction-training-cpu").predict(table)
    model = take_over(library, engine)
    with engine.worker(len(table)) as worker:
        assert worker is not None
        there = engine.log_time(worker, model, table)
    assert there is not None
    np.testing.assert_allclose(np.exp(there), here.time_ms, rtol=1e-5)
    through = library.get("xgb_prediction-training-cpu").predict(ConfigTable(table.columns))
    np.testing.assert_allclose(through.time_ms, here.time_ms, rtol=1e-5)


def test_a_killed_worker_is_replaced_by_the_engine_at_hand(library: ModelLibrary, engine: BulkEngine) -> None:
    table = layers(LEAST_ROWS)
    expected = library.get("xgb_prediction-training-cpu").predict(table).time_ms
    take_over(library, engine)
    engine._workers[0]._process.kill()
    answer = library.get("xgb_prediction-training-cpu").predict(ConfigTable(table.columns))
    np.testing.assert_array_equal(answer.time_ms, expected)
    assert not engine.enabled


def test_a_changed_file_is_not_loaded(library: ModelLibrary, engine: BulkEngine, tmp_path: Path) -> None:
    model = model_of(library)
    copy = tmp_path / "best_xgb_model.onnx"
    assert model.path is not None
    copy.write_bytes(model.path.read_bytes() + b" ")
    changed = TrainedModel(model.card, model._engine, copy)
    worker = Worker()
    try:
        with pytest.raises(WorkerError, match="changed since it was loaded"):
            worker.load(changed)
        worker.load(model)  # an error does not end the worker
    finally:
        worker.close()


def test_a_model_that_is_no_tree_ensemble_stays_where_it_is(library: ModelLibrary) -> None:
    worker = Worker()
    try:
        with pytest.raises(WorkerError, match="not one tree ensemble"):
            worker.load(model_of(library, "nn"))
    finally:
        worker.close()


def test_few_rows_start_nothing(library: ModelLibrary, engine: BulkEngine) -> None:
    model = model_of(library)
    engine.note(model, layers(START_ROWS - 1))
    engine.note(model, layers(LEAST_ROWS - 1))
    engine.note(model_of(library, "nn"), layers(START_ROWS))
    assert not engine._starting
    assert engine._workers == []
    with engine.worker(START_ROWS) as worker:
        assert worker is None


def test_a_pause_starts_the_count_again(library: ModelLibrary, engine: BulkEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.note(model_of(library), layers(START_ROWS - 1))
    monkeypatch.setattr(bulk, "PAUSE_S", 0.0)
    engine.note(model_of(library), layers(START_ROWS - 1))
    assert not engine._starting


def test_engines_that_differ_are_not_exchanged(library: ModelLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = BulkEngine(workers=1, must_be_faster=False)
    monkeypatch.setattr(Worker, "log_time", lambda self, model, table: model.log_time(table, Memo()) + 0.01)
    try:
        with pytest.raises(WorkerError, match=r"differ by 0\.01"):
            engine._load(model_of(library), layers(10))
        assert not engine.is_ready(model_of(library))
    finally:
        engine.close()


def test_workers_end_when_idle(library: ModelLibrary, engine: BulkEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    take_over(library, engine)
    process = engine._workers[0]._process
    monkeypatch.setattr(bulk, "IDLE_S", 0.0)
    wait_for(lambda: process.poll() is not None)
    assert not engine.is_ready(model_of(library))


def test_frames_carry_tables_and_notice_a_broken_pipe() -> None:
    table = layers(5)
    stream = io.BytesIO()
    frames.send(stream, *frames.pack(table))
    data = stream.getvalue()
    back = frames.unpack(*frames.receive(io.BytesIO(data)))
    assert {name: values.tolist() for name, values in back.columns.items()} == {
        name: values.tolist() for name, values in table.columns.items()
    }
    for end in (0, 10, len(data) - 1):
        with pytest.raises(EOFError):
            frames.receive(io.BytesIO(data[:end]))


def test_a_frozen_program_runs_its_children_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    module = CHILD_MODULES[0]
    assert child_command(module)[1:] == ["-m", module]
    monkeypatch.setattr("sys.frozen", True, raising=False)
    assert child_command(module)[1:] == [CHILD_FLAG, module]
    assert not run_requested_child([])
    assert not run_requested_child([CHILD_FLAG, "os"])
