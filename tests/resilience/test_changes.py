"""Things that change under the program: the clock, and the files of models while they are read."""

from __future__ import annotations

import ast
import random
import shutil
import threading
import time
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from cnnpredict_gui.cli.progress import Progress
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import ModelError
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.infra.crash import KEPT, crash_reports, write_crash_report
from cnnpredict_gui.infra.paths import log_dir
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.studies.batch import run_batch
from tests.resilience.conftest import ROOT

SIZES = {"input_channels": 16, "input_height": 28, "input_width": 28, "output_channels": 32, "kernel_size": 3}
#: Where ages are reckoned by the time of day, because files and processes are dated by it.
AGES = {
    "gui/batch_data.py": "of what crashed runs left",
    "gui/offscreen.py": "of this process",
    "infra/files.py": "of what killed processes left",
}


def _reckons_with_the_time_of_day(path: Path) -> bool:
    """Whether the time of day is used for more than being written down (``.isoformat()`` and the like)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    written = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and id(node) not in written]
    return any(ast.unparse(call.func) in ("time.time", "datetime.now", "dt.datetime.now") for call in calls)


def test_durations_are_not_taken_from_the_time_of_day() -> None:
    package = ROOT / "cnnpredict_gui"
    found = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if _reckons_with_the_time_of_day(path)}
    assert found == set(AGES)


@pytest.fixture
def clock_that_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the time of day is an hour before the last one."""
    now = [2e9]

    def earlier() -> float:
        now[0] -= 3600
        return now[0]

    monkeypatch.setattr(time, "time", earlier)


@pytest.mark.usefixtures("clock_that_goes_back")
def test_a_clock_that_goes_back_disturbs_no_measure(context: AppContext, qtbot: QtBot, tmp_path: Path) -> None:
    with qtbot.waitSignal(context.predictions.finished, timeout=10_000) as blocker:
        context.predictions.submit("x", lambda _cancelled: 1, lambda _result: None, lambda _error: None)
    assert blocker.args is not None and blocker.args[1] >= 0
    rows = "16,28,28,32,3\n" * 50
    (tmp_path / "rows.csv").write_text(f"input_channels,input_height,input_width,output_channels,kernel_size\n{rows}")
    predictors = list(context.models.predictors.values())[:1]
    assert run_batch(tmp_path / "rows.csv", tmp_path / "out.csv", predictors).seconds >= 0
    progress = Progress("rows")
    progress(1, 2)
    progress(2, 2)


def test_a_fresh_crash_report_outlives_those_of_the_future(own_home: Path) -> None:
    log_dir().mkdir(parents=True)
    for number in range(KEPT + 5):
        (log_dir() / f"crash-29990101-0000{number:02}-000000.txt").write_text("from a clock that was wrong")
    path = write_crash_report(RuntimeError("now"))
    assert path is not None and path.exists() and len(crash_reports()) == KEPT


@pytest.fixture
def models(models_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(models_folder, tmp_path / "models"))


def test_models_replaced_while_they_are_read_are_whole_or_refused(models: Path) -> None:
    """Somebody copies into the folder, byte by byte and again and again; what is loaded answers as one of the true files."""
    files = sorted(models.rglob("*.onnx"))
    contents = {path: path.read_bytes() for path in files}
    library = ModelLibrary([models])
    library.load_all()
    config = ConvConfig.parse(SIZES)
    true = {name: predictor.predict_one(config).time_ms for name, predictor in library.predictors.items()}
    stop, chance = threading.Event(), random.Random(3)

    def copy() -> None:
        while not stop.is_set():
            path = chance.choice(files)
            with path.open("r+b") as file:
                file.truncate(chance.randrange(len(contents[path])))
            time.sleep(0.002)
            path.write_bytes(contents[path])

    copier = threading.Thread(target=copy)
    copier.start()
    refused = 0
    try:
        for _ in range(25):
            fresh = ModelLibrary([models])
            entries = fresh.load_all()
            assert len(entries) == len(library.entries) and all(entry.status in ("loaded", "failed") for entry in entries)
            assert all(entry.reason for entry in entries if entry.status == "failed")
            refused += sum(entry.status == "failed" for entry in entries)
            for name, predictor in fresh.predictors.items():
                assert (
                    predictor.predict_one(config).time_ms == pytest.approx(true[name]) or predictor.card.family == "consensus"
                )
    finally:
        stop.set()
        copier.join()
    assert refused > 0  # or nothing was ever in between
    library.scan()
    assert {entry.status for entry in library.load_all()} == {"loaded"}


def test_a_folder_that_vanishes_while_it_is_read(models: Path) -> None:
    library = ModelLibrary([models])
    library.scan()
    shutil.rmtree(models)
    entries = library.load_all()
    assert len(entries) > 0 and {entry.status for entry in entries} == {"failed"}
    assert all("missing" in entry.reason or "cannot" in entry.reason or entry.family == "consensus" for entry in entries)
    assert library.scan() == [] and library.predictors == {}
    with pytest.raises(ModelError, match="no predictor"):
        library.get("nn_prediction-training-cpu")


def test_what_is_loaded_goes_on_without_its_file(models: Path) -> None:
    library = ModelLibrary([models])
    library.load_all()
    predictors = library.predictors
    before = {name: predictor.predict_one(ConvConfig.parse(SIZES)).time_ms for name, predictor in predictors.items()}
    shutil.rmtree(models)
    assert {name: one.predict_one(ConvConfig.parse(SIZES)).time_ms for name, one in predictors.items()} == before
