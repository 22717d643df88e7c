"""The Train page: files looked at and checked, what is missing told, and the whole way from measuring to predicting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch  # noqa: F401  (in the main thread: training runs in a thread of this process here)
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from cnnpredict_gui.core.card import Device
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.train_data import TrainPlan, run
from cnnpredict_gui.gui.train_page import TrainPage
from cnnpredict_gui.infra.paths import user_models_dir
from cnnpredict_gui.training import collect as collect_module
from cnnpredict_gui.training import in_child
from cnnpredict_gui.training.plan import layer_plan
from tests.artefacts import make_card
from tests.gui.contract import WidgetContract
from tests.training.conftest import measured_rows, small_recipes  # noqa: F401

HEADER = "cin,output_channels,input_height,input_width,kernel_size,stride,latency_us,time_kind,framework,device"


def write(path: Path, count: int = 60) -> Path:
    rows = measured_rows(count)
    shown = ("input_channels", "output_channels", "input_height", "input_width", "kernel_height", "stride_height")
    lines = [HEADER]
    for place, time in enumerate(rows["time_ms"]):
        cells = [*(rows[name][place] for name in shown), 1e3 * float(str(time)), "kernel", "Own 1.0", "t4"]
        lines.append(",".join(map(str, cells)))
    path.write_text("\n".join([*lines, "3,4,0,5,3,1,7,kernel,Own 1.0,t4"]) + "\n", encoding="utf-8")
    return path


def settled(qtbot: QtBot, page: TrainPage) -> None:
    qtbot.waitUntil(lambda: not page.busy() and not page.context.tasks.running, timeout=60_000)


def made(qtbot: QtBot, context: AppContext) -> TrainPage:
    page = TrainPage(context)
    qtbot.addWidget(page)
    page.resize(900, 700)
    page.show()
    settled(qtbot, page)
    return page


class TestTrainPage(WidgetContract):
    def make(self, context: AppContext) -> TrainPage:
        page = TrainPage(context)
        page.table.set_rows([make_card(family, "prediction-training-x", "cpu") for family in ("nn", "xgb")])
        page.tabs.setCurrentIndex(1)
        return page


def test_a_file_is_mapped_and_checked(qtbot: QtBot, context: AppContext, tmp_path: Path) -> None:
    page = made(qtbot, context)
    page.open_path(str(write(tmp_path / "My GPU.csv")))
    qtbot.waitUntil(lambda: page.report is not None, timeout=60_000)
    assert page.form.from_file.isChecked()
    assert (page.time_column.currentData(), page.time_unit.currentData()) == ("latency_us", "us")
    assert page.mapping.mapping() == {"cin": "input_channels"}  # suggested by its name
    assert (page.form.target.text(), page.form.framework.text(), page.form.kind.currentData()) == (
        "my-gpu",
        "Own 1.0",
        "kernel",
    )
    assert page.form.device.name.text() == "Tesla T4" and page.form.device.boxes["compute_units"].value() == 40
    assert "60 of 61 rows" in page.checks.text() and "1 rows are no layer" in page.checks.text()
    page.time_unit.setCurrentIndex(page.time_unit.findData("s"))
    page.time_unit.activated.emit(page.time_unit.currentIndex())
    qtbot.waitUntil(lambda: page.report is not None and "are the times really in seconds" in page.checks.text(), timeout=60_000)
    box = page.mapping.boxes["cin"]
    box.setCurrentIndex(0)
    qtbot.waitUntil(lambda: "no column input_channels" in page.checks.text(), timeout=60_000)
    settled(qtbot, page)
    assert page.plan().file is not None


def test_what_is_missing_is_told_before_anything_starts(qtbot: QtBot, context: AppContext) -> None:
    page = made(qtbot, context)
    assert page.form.device.name.text()  # this machine's processor, with typical figures
    page.train()
    assert "no usable name" in page.work.message.text()
    page.form.target.setText("own-1")
    page.form.from_file.setChecked(True)
    page.train()
    assert "no file is open" in page.work.message.text()
    page.form.here.setChecked(True)
    page.form.device.boxes["l2_mb"].setValue(0)
    page.train()
    assert "figures of the device are missing: last-level cache" in page.work.message.text()
    assert not page.busy()
    place = next(
        place for place in range(page.form.device.choice.count()) if page.form.device.choice.itemText(place) == "Tesla T4"
    )
    page.form.device.choice.setCurrentIndex(place)
    page.form.device.choice.activated.emit(place)
    assert page.plan().device == page.form.device.known["t4"]
    again = made(qtbot, context)
    again.restore(page.save())
    assert again.save() == page.save()


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("small_recipes")
def test_from_measuring_to_predicting(
    qtbot: QtBot, context: AppContext, monkeypatch: pytest.MonkeyPatch, own_home: Path
) -> None:
    """The whole way: 40 layers timed for real, four families and their consensus trained, found by the open window, asked."""
    monkeypatch.setattr(collect_module, "REPEATABLE", 10.0)  # a busy machine must not fail the test
    monkeypatch.setattr(in_child, "run_in_child", _in_this_process)  # small recipes hold in this process only
    library = context.models.library
    assert library is not None
    with qtbot.waitSignal(context.models.finished, timeout=20_000):
        context.models.set_folders([*library.folders, user_models_dir()])
    page = made(qtbot, context)
    page.form.layers.setValue(40)
    page.form.rounds.setValue(2)
    page.form.target.setText("cpu-here")
    page.form.effort.setCurrentIndex(1)
    plan = page.plan
    monkeypatch.setattr(page, "plan", lambda: _quick(plan()))
    stages: list[str] = []
    page.staged.connect(lambda stage, _done, _total: stages.append(stage))
    with qtbot.waitSignal(context.models.finished, timeout=240_000):
        qtbot.mouseClick(page.work.start, Qt.MouseButton.LeftButton)
        assert page.busy() and not page.form.isEnabled()
    assert "measuring layers" in stages and any("xgb, grouped_by_shape" in stage for stage in stages)
    assert [card.family for card in page.table.rows_model.rows] == ["nn", "xgb", "rf", "lasso", "consensus"]
    assert all(card.provenance.rows == 40 for card in page.cards)
    names = [name for name in context.models.predictors if name.endswith("cpu-here")]
    assert len(names) == 5
    for name in names:
        predictor = context.models.predictors[name]
        assert predictor.target.time_kind == "framework_wall_clock"
        answer = predictor.predict_one(layer_plan(40, 0)[0][0])
        if predictor.family == "lasso" and answer.status == Status.REFUSED:
            continue  # products of sixty features from 40 layers: held-out errors, and so the interval, may be beyond any time
        assert answer.low_ms <= answer.time_ms <= answer.high_ms and answer.time_ms > 0
    assert plan().collected.exists()  # training it again needs no measuring


@pytest.mark.timeout(200)
def test_interrupted_measuring_goes_on(qtbot: QtBot, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cnnpredict_gui.core.errors import CancelledByUserError

    monkeypatch.setattr(collect_module, "REPEATABLE", 10.0)
    monkeypatch.setattr(in_child, "run_in_child", lambda *_arguments: {"cards": []})
    device = Device(**make_card("nn", "prediction-training-x", "cpu").device.model_dump())
    plan = TrainPlan("here", device, layers=10, rounds=2, budget_ms=1.0)
    seen: list[int] = []
    with pytest.raises(CancelledByUserError):
        run(plan, lambda _stage, done, _total: seen.append(done), lambda: max(seen, default=0) >= 4)
    assert not plan.collected.exists()
    begin: list[int] = []

    def note(stage: str, done: int, _total: int) -> None:
        if stage.startswith("measuring"):
            begin.append(done)

    assert run(plan, note, lambda: False) == []
    assert begin[0] > 4
    from cnnpredict_gui.training.datasets import load_measurements

    assert load_measurements([plan.collected], "here")[0].device == device


def test_a_file_is_imported_with_its_device(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cnnpredict_gui.training.datasets import load_measurements
    from cnnpredict_gui.training.importing import ImportRequest

    asked: list[Any] = []

    def note(_work: str, request: Any, *_rest: Any) -> dict[str, Any]:
        asked.append(request)
        return {"cards": []}

    monkeypatch.setattr(in_child, "run_in_child", note)
    device = make_card("nn", "prediction-training-x", "cpu").device
    path = write(tmp_path / "gpu.csv")
    file = ImportRequest(path, "other", device, "latency_us", "us", "kernel", "Own 1.0", {"cin": "input_channels"})
    plan = TrainPlan("lab-gpu", device, file)
    assert run(plan, lambda *_stage: None, lambda: False) == []
    assert (asked[0]["data"], asked[0]["target"]) == ([str(plan.imported)], "lab-gpu")
    rows, _ = load_measurements([plan.imported], "lab-gpu")
    assert (len(rows), rows.device, rows.target.time_kind) == (60, device, "kernel")


def _quick(plan: TrainPlan) -> TrainPlan:
    from dataclasses import replace

    return replace(plan, budget_ms=2.0)


def _in_this_process(work: str, request: Any, listen: Any, cancelled: Any) -> Any:
    return in_child.train_in_this_process(request, listen)
