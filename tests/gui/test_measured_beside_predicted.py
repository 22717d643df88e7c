"""Measured times beside the predicted ones: in Compare, and in Network per layer and in all."""

from __future__ import annotations

import math

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnpredict_gui.core.measurement import Setting
from cnnpredict_gui.gui.compare import CompareView
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.network_view import NetworkView
from cnnpredict_gui.studies.layers import distinct_layers
from cnnpredict_gui.studies.presets import preset
from tests.gui.contract import picture
from tests.measured import SETTING, layer, measured

ALL_KINDS = [f"xgb_prediction-training-{target}" for target in ("cpu", "gpuv100-cudnn", "gpul40s")]
GPU = Setting("pc", "cuda:0", "GPU", 1, "PyTorch 9 / cuDNN 9")


def compared(qtbot: QtBot, context: AppContext) -> CompareView:
    context.state.set_config(layer())
    context.state.select(ALL_KINDS)
    view = CompareView(context)
    qtbot.addWidget(view)
    view.resize(900, 700)
    view.show()
    qtbot.waitUntil(lambda: not view.busy() and view.result is not None and len(view.result.rows) == 3, timeout=20_000)
    return view


def test_compare_marks_the_measured_time_in_its_own_kind_only(qtbot: QtBot, context: AppContext) -> None:
    view = compared(qtbot, context)
    assert all(math.isnan(panel.measured_ms) for panel in view.times.panels)
    assert view.table.isColumnHidden([column.key for column in view.table.rows_model.columns].index("error_percent"))
    before = picture(view.times.graphics)
    assert view.result is not None
    predicted = view.result.row(ALL_KINDS[0])
    assert predicted is not None
    context.measurements.keep([measured(layer(), predicted.prediction.time_ms / 1.25)], context.tasks)
    qtbot.waitUntil(lambda: view.result is not None and view.result.measured is not None and not view.busy())
    marked = {panel.title.split(" ", 1)[0]: panel.measured_ms for panel in view.times.panels}
    assert marked["Wall-clock"] == predicted.prediction.time_ms / 1.25
    assert math.isnan(marked["Kernel"]) and math.isnan(marked["Call"])
    assert "measured on this machine" in [entry[0] for entry in view.times.legend.entries]
    QApplication.processEvents()
    assert picture(view.times.graphics) != before
    errors = {row.predictor: row.error_percent for row in view.table.rows_model.rows}
    assert errors[ALL_KINDS[0]] == pytest.approx(25.0)
    assert math.isnan(errors[ALL_KINDS[1]]) and math.isnan(errors[ALL_KINDS[2]])
    assert not view.table.isColumnHidden([column.key for column in view.table.rows_model.columns].index("error_percent"))
    rows = {row[0]: row for row in view.times.export_data().rows}
    assert rows[ALL_KINDS[0]][-1] == pytest.approx(25.0)
    # another layer was not measured
    context.state.set_config(layer(output_channels=24))
    qtbot.waitUntil(lambda: view.result is not None and view.result.measured is None and not view.busy())
    assert all(math.isnan(panel.measured_ms) for panel in view.times.panels)


def test_times_of_a_gpu_are_not_held_against_a_processors_predictors(qtbot: QtBot, context: AppContext) -> None:
    from dataclasses import replace

    context.measurements.keep([replace(measured(layer(), 0.5, GPU), device_ms=0.25)], context.tasks)
    view = compared(qtbot, context)
    marked = {panel.title.split(" ", 1)[0]: panel.measured_ms for panel in view.times.panels}
    assert marked["Kernel"] == 0.25
    assert math.isnan(marked["Wall-clock"])


def test_network_shows_measured_layers_and_their_sum(qtbot: QtBot, context: AppContext) -> None:
    counts = distinct_layers(preset("resnet18").layers(64))
    context.measurements.keep([measured(config, 0.5, SETTING) for config in list(counts)[1:]], context.tasks)
    context.state.select(ALL_KINDS)
    view = NetworkView(context)
    view.restore({"network": "preset:resnet18", "resolution": 64, "batch_size": 1})
    qtbot.addWidget(view)
    view.show()
    qtbot.waitUntil(lambda: not view.busy() and view.answer is not None, timeout=20_000)
    assert view.answer is not None
    result = view.answer.result(ALL_KINDS[0])
    assert result is not None and len(result.measured_ms) == len(view.answer.prediction.layers)
    assert math.isnan(result.measured_total_ms)  # one layer is missing
    context.state.set_focus(ALL_KINDS[0])
    row = next(row for row in view.panes.layers.rows_model.rows if row.measured_ms == 0.5)
    assert row.error_percent == pytest.approx(100 * (row.answer.time_ms / 0.5 - 1))
    context.measurements.keep([measured(next(iter(counts)), 0.5, SETTING)], context.tasks)
    qtbot.waitUntil(
        lambda: (
            view.answer is not None
            and (found := view.answer.result(ALL_KINDS[0])) is not None
            and found.measured_total_ms == pytest.approx(0.5 * sum(counts.values()))
            and not view.busy()
        ),
        timeout=20_000,
    )
    totals = {one.predictor: one for one in view.panes.totals.rows_model.rows}
    mine = totals[ALL_KINDS[0]]
    assert mine.measured_error_percent == pytest.approx(100 * (mine.total.time_ms / mine.measured_total_ms - 1))
    assert math.isnan(totals[ALL_KINDS[1]].measured_error_percent)
    strips = {strip.item.title.split(" · ", 1)[0]: strip.item.measured for strip in view.chart.strips}
    assert set(strips["CPU"].tolist()) == {0.5}
    assert sum(len(times) for times in strips.values()) == len(strips["CPU"]) == 20
    assert "measured on this machine" in [entry[0] for entry in view.chart.legend.entries]
    marked = [panel.measured_ms for panel in view.sums.panels]
    assert [mark == pytest.approx(mine.measured_total_ms) for mark in marked] == [False, False, True]
    exported = {row[0]: row[-2] for row in view.sums.export_data().rows}
    assert exported[ALL_KINDS[0]] == pytest.approx(mine.measured_total_ms)
