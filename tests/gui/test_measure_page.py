"""The Measure page: real layers timed row by row, kept, shown beside predictions, and their errors."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from cnnpredict_gui.bench.measurements import MeasurementStore
from cnnpredict_gui.core.measurement import Measurement, Setting
from cnnpredict_gui.gui import measure_page
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import save
from cnnpredict_gui.gui.measure_page import MeasurePage
from cnnpredict_gui.gui.measurement_hub import MeasurementHub
from cnnpredict_gui.gui.scatter_chart import ScatterChart, ScatterPoint, ScatterSeries
from cnnpredict_gui.gui.theme import LIGHT
from tests.gui.conftest import Reports
from tests.gui.contract import WidgetContract
from tests.measured import SETTING, layer, measured

CPU = [f"{family}_prediction-training-cpu" for family in ("nn", "xgb")]


@pytest.fixture
def no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks PyTorch in a child process what it can compute on."""
    monkeypatch.setattr(measure_page, "find_devices", lambda *_: [("cpu", "Chip"), ("cuda:0", "A GPU")])


def settled(qtbot: QtBot, page: MeasurePage) -> None:
    qtbot.waitUntil(lambda: not page.busy(), timeout=20_000)


def made(qtbot: QtBot, context: AppContext) -> MeasurePage:
    page = MeasurePage(context)
    qtbot.addWidget(page)
    page.show()
    settled(qtbot, page)
    return page


def kept(qtbot: QtBot, context: AppContext, count: int = 4) -> list[Measurement]:
    """Measurements of an earlier run."""
    found = [measured(layer(output_channels=8 * number), 0.01 * number) for number in range(1, count + 1)]
    MeasurementStore().keep(found)
    return found


@pytest.mark.usefixtures("no_devices")
class TestMeasurePage(WidgetContract):
    channel = measure_page.CHANNEL

    def make(self, context: AppContext) -> MeasurePage:
        MeasurementStore().keep([measured(layer(), 0.02), measured(layer(kernel_size=1), 0.01)])
        context.state.select(CPU)
        return MeasurePage(context)

    def shown(self, qtbot: QtBot, context: AppContext) -> MeasurePage:
        page = super().shown(qtbot, context)
        assert isinstance(page, MeasurePage)
        settled(qtbot, page)
        return page


@pytest.mark.usefixtures("no_devices")
def test_a_hidden_page_compares_when_it_is_shown(qtbot: QtBot, context: AppContext) -> None:
    kept(qtbot, context)
    context.state.select(CPU)
    page = MeasurePage(context)
    qtbot.addWidget(page)
    settled(qtbot, page)
    assert len(page.table.rows_model.rows) == 4 and not page.errors.rows_model.rows
    page.show()
    settled(qtbot, page)
    assert [one.predictor for one in page.errors.rows_model.rows] == CPU
    page.hide()
    context.state.select(CPU[:1])
    settled(qtbot, page)
    assert len(page.errors.rows_model.rows) == len(CPU)
    page.show()
    settled(qtbot, page)
    assert [one.predictor for one in page.errors.rows_model.rows] == CPU[:1]


@pytest.mark.timeout(180)
def test_the_current_layer_is_timed_kept_and_compared(qtbot: QtBot, context: AppContext) -> None:
    context.state.select(CPU)
    context.state.set_config(layer())
    page = made(qtbot, context)
    assert page.scatter.is_empty
    qtbot.mouseClick(page.work.start, Qt.MouseButton.LeftButton)
    assert page.work.cancel.isVisible() and not page.work.start.isEnabled()
    qtbot.waitUntil(lambda: page.result is not None, timeout=60_000)
    settled(qtbot, page)
    (row,) = page.table.rows_model.rows
    assert row.config == layer()
    assert row.median_ms > 0
    assert [error.predictor for error in page.errors.rows_model.rows] == CPU
    assert all(error.metrics.n == 1 for error in page.errors.rows_model.rows)
    assert not page.scatter.is_empty
    assert context.measurements.find(layer(algorithm="gemm")) == row
    qtbot.waitUntil(lambda: [one.median_ms for one in MeasurementStore().all()] == [row.median_ms])
    # it is there after a restart
    hub = MeasurementHub()
    hub.load(context.predictions)
    qtbot.waitUntil(lambda: hub.find(layer()) is not None)
    assert hub.setting == row.setting


@pytest.mark.timeout(180)
def test_layers_of_a_network_arrive_one_by_one_and_cancel_keeps_them(qtbot: QtBot, context: AppContext) -> None:
    page = made(qtbot, context)
    page.what.setCurrentIndex(page.what.findData("resnet18"))
    page.what.activated.emit(page.what.currentIndex())
    assert page.resolution.isVisible() and page.resolution.value() == 224
    page.resolution.setValue(64)
    assert len(page.chosen_layers()()) == 11
    qtbot.mouseClick(page.work.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(page.table.rows_model.rows) >= 2, timeout=60_000)
    assert page.work.progress.maximum() == 11
    qtbot.mouseClick(page.work.cancel, Qt.MouseButton.LeftButton)
    arrived = len(page.table.rows_model.rows)
    settled(qtbot, page)
    assert 2 <= arrived < 11
    assert len(context.measurements.shown) == arrived
    assert page.work.start.isEnabled()


@pytest.mark.usefixtures("no_devices")
def test_what_cannot_be_measured_is_told(qtbot: QtBot, context: AppContext) -> None:
    context.state.set_config(layer(dtype="int8"))
    page = made(qtbot, context)
    assert [page.device.itemData(place) for place in range(page.device.count())] == ["cpu", "cuda:0"]
    page.measure()
    settled(qtbot, page)
    assert "no convolution of int8" in page.work.message.text()
    page.device.setCurrentIndex(1)
    page.device.activated.emit(1)
    assert page.tf32.isVisible() and not page.threads.isEnabled()
    page.measure()
    settled(qtbot, page)
    assert "no device 'cuda:0' here" in page.work.message.text()
    assert context.measurements.all == []


@pytest.mark.usefixtures("no_devices")
def test_settings_are_never_mixed_and_measurements_can_be_forgotten(qtbot: QtBot, context: AppContext) -> None:
    first = kept(qtbot, context)
    other = Setting("pc", "cpu", "Chip", 4, "PyTorch 9 / oneDNN")
    MeasurementStore().keep([measured(layer(output_channels=8), 0.5, other, "2027-01-01")])
    page = made(qtbot, context)
    assert page.setting.count() == 2
    assert [one.setting for one in page.table.rows_model.rows] == [other]
    page.setting.setCurrentIndex(1)
    page.setting.activated.emit(1)
    assert {one.config for one in page.table.rows_model.rows} == {one.config for one in first}
    found = context.measurements.find(layer(output_channels=8))
    assert found is not None and found.setting == SETTING
    page.table.selectRow(0)
    qtbot.mouseClick(page.forget_button, Qt.MouseButton.LeftButton)
    assert len(page.table.rows_model.rows) == 3
    qtbot.waitUntil(lambda: len(MeasurementStore().all()) == 4)
    page.table.selectRow(0)
    chosen = page.table.selected_rows()[0].config
    page.table.activated.emit(page.table.currentIndex())
    assert context.state.config == chosen


@pytest.mark.usefixtures("no_devices")
def test_exported_table_and_session(qtbot: QtBot, context: AppContext, tmp_path: Path) -> None:
    kept(qtbot, context)
    page = made(qtbot, context)
    save(page.table, tmp_path / "m.csv", LIGHT)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "m.csv").read_text(encoding="utf-8"))))
    assert {(row["time_kind"], row["threads"], row["input_channels"]) for row in rows} == {("framework_wall_clock", "1", "8")}
    assert sorted(float(row["time_ms"]) for row in rows) == [0.01, 0.02, 0.03, 0.04]
    page.restore({"what": "resnet50", "resolution": 96, "batch_size": 2, "threads": 1, "rounds": 3, "device": "cuda:0"})
    again = made(qtbot, context)
    again.restore(page.save())
    assert again.save() == page.save() | {"columns": again.table.save_columns()}
    assert (again.what.currentData(), again.resolution.value(), again.rounds.value()) == ("resnet50", 96, 3)


def test_scatter_has_equal_axes_and_bands(qtbot: QtBot, bare_context: AppContext, reports: Reports) -> None:
    chart = ScatterChart(bare_context, "Predicted against measured", "nothing")
    qtbot.addWidget(chart)
    assert chart.is_empty
    points = (ScatterPoint("a", 1.0, 1.1), ScatterPoint("b", 10.0, 8.0, True), ScatterPoint("c", 1.0, float("nan")))
    chart.show_series([ScatterSeries("one", "#0072b2", "o", points)])
    assert not chart.is_empty
    assert len(chart.points.points()) == 2
    box = chart.plot.getViewBox()
    assert np.allclose(box.viewRange()[0], box.viewRange()[1])
    (low, high), (inner_low, inner_high) = [[edge.getData() for edge in edges] for edges in chart._edges]
    for (x, y), factor in ((low, 0.8), (high, 1.2), (inner_low, 0.9), (inner_high, 1.1)):
        assert np.allclose(y - x, np.log10(factor))
    assert "+10.0 %" in chart._tip(0.0, float(np.log10(1.1)), "a")
    assert [entry[0] for entry in chart.legend.entries] == ["one", "equal", "± 10 and 20 %"]
    many = tuple(ScatterPoint(str(number), 1.0, 1.0 + number / 100, number % 2 == 0) for number in range(100))
    for _ in range(2):
        chart.show_series([ScatterSeries("one", "#0072b2", "o", many)])
    assert len(chart.points.fragmentAtlas) == 2, "one picture of a symbol for the filled ones, one for the hollow"
