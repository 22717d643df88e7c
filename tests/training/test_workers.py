"""Work on processes of this machine and on a real Dask cluster: the same results as in one process, and clear errors."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from distributed import LocalCluster

from cnnpredict_gui.cli.main import main
from cnnpredict_gui.core.card import ModelCard
from cnnpredict_gui.core.errors import CancelledByUserError, ConfigError, DataFileError, WorkerError
from cnnpredict_gui.infra.parallel import Mapper
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.studies.batch import run_batch
from cnnpredict_gui.training import workers as module
from cnnpredict_gui.training.collect import CollectRequest, collect
from cnnpredict_gui.training.pipeline import TrainRequest, train
from cnnpredict_gui.training.plan import layer_plan
from cnnpredict_gui.training.workers import open_workers
from tests.training.pieces import add, complain, end_process, mark_late

pytestmark = [
    pytest.mark.usefixtures("small_recipes"),
    pytest.mark.timeout(600),
    # Sockets and loops of Dask at the end of a cluster; loky's own thread where its processes are killed on purpose.
    pytest.mark.filterwarnings(
        "default::ResourceWarning",
        "default::pytest.PytestUnraisableExceptionWarning",
        "default::pytest.PytestUnhandledThreadExceptionWarning",
    ),
]


def start_cluster(workers: int) -> LocalCluster:
    """A scheduler and workers as processes that listen on loopback only."""
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        protocol="tcp",
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
    )


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with start_cluster(2) as cluster:
        assert cluster.scheduler_address.startswith("tcp://127.0.0.1:")
        yield str(cluster.scheduler_address)


def opened(kind: str, address: str) -> AbstractContextManager[Mapper | None]:
    """A mapper of a kind."""
    if kind == "alone":
        return nullcontext()
    return open_workers(2) if kind == "local" else open_workers(dask=address)


@pytest.fixture(scope="module", params=["local", "dask"])
def mapper(request: pytest.FixtureRequest, address: str) -> Iterator[Mapper]:
    with opened(request.param, address) as found:
        assert found is not None
        yield found


def test_results_come_in_order_from_other_processes(mapper: Mapper) -> None:
    found = list(mapper.map(add, 100, range(50)))
    assert [total for total, _ in found] == list(range(100, 150))
    assert os.getpid() not in {process for _, process in found}


def test_errors_of_pieces_keep_their_kind_and_the_workers_live_on(mapper: Mapper) -> None:
    with pytest.raises(DataFileError, match=r"row 2 is wrong \(leave it out\)"):
        list(mapper.map(complain, "row", range(4)))
    assert len(list(mapper.map(add, 1, range(3)))) == 3


def test_cancel_is_heard_while_pieces_run(mapper: Mapper, tmp_path: Path) -> None:
    with pytest.raises(CancelledByUserError):
        list(mapper.map(mark_late, str(tmp_path), range(3), lambda: True))
    assert not list(tmp_path.iterdir())  # no piece was waited for


def test_who_stops_early_may_go_on_with_other_work(mapper: Mapper) -> None:
    results = mapper.map(add, 0, range(100))
    assert next(results)[0] == 0
    results.close()  # type: ignore[attr-defined]
    assert next(mapper.map(add, 5, range(1)))[0] == 5


def test_items_are_taken_a_few_at_a_time(mapper: Mapper) -> None:
    taken: list[int] = []
    results = mapper.map(add, 0, (taken.append(item) or item for item in range(10_000)))  # type: ignore[func-returns-value]
    next(results)
    assert len(taken) < 100
    results.close()  # type: ignore[attr-defined]


def cards_and_answers(folder: Path) -> tuple[list[dict[str, object]], dict[str, list[float]]]:
    """All cards without the moment of training, and what the predictors say to layers they have not seen."""
    library = ModelLibrary([folder])
    library.load_all()
    layers = [config for config, _ in layer_plan(40, seed=9)]
    answers = {
        name: [predictor.predict_one(layer).time_ms for layer in layers] for name, predictor in library.predictors.items()
    }
    cards = [ModelCard.model_validate_json(path.read_bytes()) for path in sorted(folder.rglob("*.card.json"))]
    return [card.model_dump(exclude={"created"}) for card in cards], answers


def train_small(data: Path, out: Path, mapper: Mapper | None = None) -> list[tuple[int, int]]:
    """A forest with a search, network and boosted trees without (their trials take long); all progress told."""
    ticks: list[tuple[int, int]] = []
    for families, trials in ((("rf",), 3), (("nn", "xgb"), 0)):
        request = TrainRequest([data], "gputest", out / "prediction-training-gputest", families, trials=trials)
        train(request, lambda _, done, total: ticks.append((done, total)), mapper=mapper)
    return ticks


@pytest.fixture(scope="module")
def trained_alone(
    data_file: Path, tmp_path_factory: pytest.TempPathFactory, small_recipes: None
) -> tuple[Path, list[tuple[int, int]]]:
    out = tmp_path_factory.mktemp("alone")
    return out, train_small(data_file, out)


def test_training_gives_the_same_models_and_cards(
    mapper: Mapper, data_file: Path, trained_alone: tuple[Path, list[tuple[int, int]]], tmp_path: Path
) -> None:
    alone, expected_ticks = trained_alone
    ticks = train_small(data_file, tmp_path, mapper)
    totals = dict.fromkeys(total for _, total in ticks)
    assert ticks == expected_ticks == [(done, total) for total in totals for done in range(1, total + 1)]
    cards, answers = cards_and_answers(tmp_path)
    expected_cards, expected_answers = cards_and_answers(alone)
    assert len(cards) == 4
    assert answers == expected_answers
    for card in (*cards, *expected_cards):  # a network's .pth holds no time, but other files may
        card.pop("files")
    assert cards == expected_cards


def test_collecting_gives_the_same_journal_and_file(mapper: Mapper, tmp_path: Path) -> None:
    journals: list[bytes] = []
    for name, how in (("alone", None), ("spread", mapper)):
        out = tmp_path / name / "mine.parquet"
        request = CollectRequest(out, layers=30, rounds=2, stopwatch="tests.training.pieces:FakeStopwatch")
        journal = out.with_name("mine.parquet.journal.jsonl")
        seen: list[bytes] = []
        collect(request, lambda done, total, journal=journal, seen=seen: seen.append(journal.read_bytes()), mapper=how)  # type: ignore[misc]
        journals.append(seen[-1])
    assert journals[0] == journals[1]
    assert journals[0].count(b"\n") >= 60
    one, two = (pq.read_table(tmp_path / name / "mine.parquet") for name in ("alone", "spread"))
    assert one.equals(two, check_metadata=True)


def test_workers_on_one_machine_are_warned_about(mapper: Mapper, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    request = CollectRequest(tmp_path / "a.parquet", layers=200, rounds=2, stopwatch="tests.training.pieces:FakeStopwatch")
    collect(request, mapper=mapper)
    assert "disturb each other's times" in caplog.text


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_batches_are_the_same_to_the_byte(mapper: Mapper, models_folder: Path, tmp_path: Path, suffix: str) -> None:
    source = tmp_path / "in.csv"
    names = "input_channels,input_height,input_width,output_channels,kernel_size,stride"
    rng = np.random.default_rng(0)
    rows = [",".join(map(str, (*rng.integers(1, 300, 4), rng.choice([0, 1, 3, 7]), 1))) for _ in range(30_000)]
    source.write_text("\n".join([names, *rows]) + "\n", encoding="utf-8")
    library = ModelLibrary([models_folder])
    predictors = [library.get("consensus_prediction-training-gpul40s"), library.get("nn_prediction-training-cpu")]
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    alone = run_batch(source, one, predictors)
    spread = run_batch(source, two, predictors, mapper=mapper)
    assert one.read_bytes() == two.read_bytes()
    assert alone.rows_in_error == spread.rows_in_error > 1000
    assert alone.errors == spread.errors
    assert [model.total_ms for model in alone.models] == [model.total_ms for model in spread.models]


def test_a_lost_process_is_an_error_that_tells_so() -> None:
    with open_workers(2) as mapper:
        with pytest.raises(WorkerError, match="killed or crashed"):
            list(mapper.map(end_process, 1, range(2)))
        assert next(mapper.map(add, 1, range(1)))[0] == 1


def test_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with (
            pytest.raises(WorkerError, match=r"no Dask scheduler answers at 127\.0\.0\.1") as caught,
            open_workers(dask=f"127.0.0.1:{silent.getsockname()[1]}"),
        ):
            pass
    assert "dask scheduler" in caught.value.hint


@pytest.mark.parametrize("text", ["nonsense", "tcp://", "udp://127.0.0.1:1"])
def test_an_address_that_is_none(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.5)
    with pytest.raises(WorkerError, match="no Dask scheduler answers"), open_workers(dask=text):
        pass


def test_workers_of_other_versions_are_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "__version__", "0.9.9")
    with pytest.raises(WorkerError, match=r"cnnpredict-gui \S+ \(here 0\.9\.9\)"), open_workers(dask=address):
        pass


def test_one_worker_and_its_loss() -> None:
    with start_cluster(1) as cluster, open_workers(dask=cluster.scheduler_address) as mapper:
        assert os.getpid() not in {process for _, process in mapper.map(add, 1, range(4))}
        with pytest.raises(WorkerError, match=r"workers at .* were lost"):
            list(mapper.map(end_process, 1, range(2)))


def test_a_scheduler_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_WORKER_SECONDS", 0.5)
    with (
        start_cluster(0) as cluster,
        pytest.raises(WorkerError, match="has no worker"),
        open_workers(dask=cluster.scheduler_address),
    ):
        pass


def test_a_scheduler_that_goes_away() -> None:
    cluster = start_cluster(1)
    with open_workers(dask=cluster.scheduler_address) as mapper:
        results = mapper.map(add, 0, range(1000))
        next(results)
        cluster.close()
        with pytest.raises(WorkerError, match=r"went away|were lost"):
            list(results)


def test_numbers_of_workers_are_checked() -> None:
    with pytest.raises(ConfigError, match="cannot be 0 workers"), open_workers(0):
        pass


def test_the_packaged_program_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.frozen", True, raising=False)
    with (
        pytest.raises(WorkerError, match=r"cannot start worker processes \(leave --workers out, or install .* with pip\)"),
        open_workers(2),
    ):
        pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(WorkerError, match=r"comes without Dask \(install the package with it: pip install"),
        open_workers(dask="tcp://a:1"),
    ):
        pass


def test_the_command_line_spreads_too(
    address: str, models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.csv"
    source.write_text("input_channels,input_height,input_width,output_channels,kernel_size\n64,56,56,64,3\n", encoding="utf-8")
    command = ["batch", str(source), "--models-dir", str(models_folder), "--model", "nn_prediction-training-cpu", "-o"]
    outputs = [tmp_path / f"{name}.csv" for name in ("alone", "local", "dask")]
    ways: list[list[str]] = [[], ["--workers", "2"], ["--dask", address]]
    for out, way in zip(outputs, ways, strict=True):
        assert main([*command, str(out), *way]) == 0
    assert outputs[0].read_bytes() == outputs[1].read_bytes() == outputs[2].read_bytes()
    assert main([*command, str(outputs[0]), "--workers", "2", "--dask", address]) == 2
    assert "exclude each other" in capsys.readouterr().err
