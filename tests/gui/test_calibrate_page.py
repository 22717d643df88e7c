"""The Calibrate page: for real with few layers, into the open window; and what it shows of a result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from cnnpredict_gui.bench.conditions import Conditions
from cnnpredict_gui.core.metrics import metrics
from cnnpredict_gui.core.names import Target
from cnnpredict_gui.gui.calibrate_page import CalibratePage
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.training.quick_calibration import CalibrationPoint, CalibrationResult, FamilyCalibration
from tests.gui.contract import WidgetContract
from tests.measured import SETTING, layer


def result(conditions: Conditions | None = None) -> CalibrationResult:
    """A calibration that halves the error."""
    true = np.array([1.0, 2.0, 4.0])
    scores = [metrics(true, true * factor) for factor in (1.4, 1.1, 1.5, 1.2)]
    points = [CalibrationPoint(f"layer {time}", time, 1.4 * time, 1.1 * time, time > 3) for time in true.tolist()]
    target = Target(
        name="cpu-pc", title="CPU: pc · PyTorch 9", device="CPU: pc", framework="PyTorch 9", time_kind="framework_wall_clock"
    )
    families = tuple(FamilyCalibration(family, *scores) for family in ("nn", "consensus"))
    return CalibrationResult(Path("x"), target, "cpu", families, tuple(points), SETTING, conditions or Conditions())


class TestCalibratePage(WidgetContract):
    def make(self, context: AppContext) -> CalibratePage:
        page = CalibratePage(context)
        page.show_result(result())
        return page


def test_result_is_told_and_doubts_are_too(qtbot: QtBot, context: AppContext) -> None:
    page = CalibratePage(context)
    qtbot.addWidget(page)
    assert page.scatter.is_empty
    page.show_result(result())
    assert "50.0 % → 20.0 % on layers drawn at random, 40.0 % → 10.0 % on the layers measured" in page.verdict.text()
    assert page.verdict.property("role") == ""
    assert [series.name for series in page.scatter.series] == ["before", "after, held out", "after, drawn at random"]
    assert [len(series.points) for series in page.scatter.series] == [3, 2, 1]
    assert page.table.export_data().columns[:3] == ("family", "mape_before", "mape_after")
    page.show_result(result(Conditions(on_battery=True)))
    assert "battery" in page.verdict.text() and page.verdict.property("role") == "warning"


def test_only_targets_of_processors_are_offered(qtbot: QtBot, context: AppContext, bare_context: AppContext) -> None:
    page = CalibratePage(context)
    qtbot.addWidget(page)
    assert [page.source.itemData(place) for place in range(page.source.count())] == ["", "cpu"]
    page.restore({"source": "cpu", "layers": 40, "rounds": 2, "threads": 1, "name": "Lab"})
    again = CalibratePage(context)
    qtbot.addWidget(again)
    again.restore(page.save())
    assert again.save() == page.save() == {"layers": 40, "rounds": 2, "threads": 1, "name": "Lab", "source": "cpu"}
    empty = CalibratePage(bare_context)
    qtbot.addWidget(empty)
    assert not empty.work.start.isEnabled()


@pytest.mark.timeout(300)
def test_calibrated_predictors_appear_and_answer_and_cancel_leaves_nothing(
    qtbot: QtBot, context: AppContext, own_home: Path
) -> None:
    from cnnpredict_gui.infra.paths import user_models_dir

    library = context.models.library
    assert library is not None
    context.models.set_folders([*library.folders, user_models_dir()])
    qtbot.waitSignal(context.models.finished, timeout=20_000).wait()
    page = CalibratePage(context)
    qtbot.addWidget(page)
    page.show()
    page.layers.setValue(12)
    page.rounds.setValue(1)
    page.name.setText("Bench 7")
    qtbot.mouseClick(page.work.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.work.progress.value() > 1, timeout=60_000)
    qtbot.mouseClick(page.work.cancel, Qt.MouseButton.LeftButton)
    assert not page.busy() and page.result is None
    qtbot.waitUntil(lambda: not context.tasks.running)
    assert not user_models_dir().exists()
    with qtbot.waitSignal(context.models.finished, timeout=120_000):
        qtbot.mouseClick(page.work.start, Qt.MouseButton.LeftButton)
    assert page.result is not None
    names = [name for name in context.models.predictors if name.endswith("cpu-bench-7")]
    assert len(names) == 5
    answer = context.models.predictors[names[0]].predict_one(layer())
    assert answer.time_ms > 0
    assert page.source.currentData() == ""
    assert page.source.findData("cpu-bench-7") < 0  # what is calibrated is no start for another
