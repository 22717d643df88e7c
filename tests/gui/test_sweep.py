"""The Sweep view with small real models."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import csv
from cnnpredict_gui.gui.sweep_data import in_words
from cnnpredict_gui.gui.sweep_view import CHANNEL, SweepView
from tests.gui.contract import WidgetContract, settle

L40S = [f"{family}_prediction-training-gpul40s" for family in ("nn", "xgb", "rf", "lasso", "consensus")]


@pytest.fixture
def view(qtbot: QtBot, context: AppContext) -> SweepView:
    view = SweepView(context)
    qtbot.addWidget(view)
    view.resize(940, 700)
    with qtbot.waitExposed(view):
        view.show()
    wait(qtbot, view)
    return view


def wait(qtbot: QtBot, view: SweepView) -> None:
    qtbot.waitUntil(lambda: not view.busy(), timeout=10_000)


def choose(qtbot: QtBot, view: SweepView, parameter: str, values: str) -> None:
    view.choice.parameter.setCurrentIndex(view.choice.parameter.findData(parameter))
    view.choice.parameter.activated.emit(view.choice.parameter.currentIndex())
    view.choice.values.setFocus()
    view.choice.values.selectAll()
    qtbot.keyClicks(view.choice.values, values)
    wait(qtbot, view)


def choose_second(qtbot: QtBot, view: SweepView, parameter: str, values: str) -> None:
    view.choice.second.setCurrentIndex(view.choice.second.findData(parameter))
    view.choice.second.activated.emit(view.choice.second.currentIndex())
    view.choice.second_values.selectAll()
    qtbot.keyClicks(view.choice.second_values, values)
    wait(qtbot, view)


class TestSweepContract(WidgetContract):
    channel = CHANNEL

    def make(self, context: AppContext) -> QWidget:
        return SweepView(context)


class TestHeatMapContract(WidgetContract):
    channel = CHANNEL

    def make(self, context: AppContext) -> QWidget:
        view = SweepView(context)
        view.restore({"parameter": "input_size", "second": "channels", "values": {"input_size": "7,14", "channels": "8,16"}})
        return view


def test_draws_what_the_predictors_say(qtbot: QtBot, view: SweepView, context: AppContext) -> None:
    choose(qtbot, view, "output_channels", "16,32,64")
    assert view.answer is not None and list(view.answer.values) == [16, 32, 64]
    for name in context.state.selection:
        curve = view.answer.curve(name)
        assert curve is not None
        for place, channels in enumerate((16, 32, 64)):
            config = context.state.config.model_copy(update={"output_channels": channels})
            assert curve.time_ms[place] == pytest.approx(context.models.predictors[name].predict_one(config).time_ms, rel=1e-6)
    assert sum(len(item.curves) for item in view.chart.items.values()) == 5
    assert len(view.table.shown_rows()) == 15


def test_follows_the_layer_panel(qtbot: QtBot, view: SweepView, context: AppContext) -> None:
    choose(qtbot, view, "output_channels", "16,32,64")
    before = view.answer.curves[0].time_ms.copy() if view.answer else None
    context.state.set_config(context.state.config.model_copy(update={"input_height": 112, "input_width": 112}))
    wait(qtbot, view)
    assert view.answer is not None and before is not None and (view.answer.curves[0].time_ms > before).all()


def test_time_kinds_have_plots_of_their_own(qtbot: QtBot, view: SweepView, context: AppContext) -> None:
    context.state.select(sorted(context.models.predictors))
    wait(qtbot, view)
    assert len(view.chart.plots) == 3 and len({item.title for item in view.chart.items.values()}) == 3
    assert [len(item.curves) for item in view.chart.items.values()] == [5, 5, 5]


def test_extrapolated_points_are_marked_and_explained(qtbot: QtBot, view: SweepView) -> None:
    choose(qtbot, view, "batch_size", "1,2,4")
    (item,) = view.chart.items.values()
    assert all(list(curve.extrapolating) == [False, True, True] for curve in item.curves)
    assert "extrapolated" in [entry[0] for entry in view.chart.legend.entries]
    assert "batch_size" in view.notes.text() and "2, 4" in view.notes.text()


def test_impossible_points_are_gaps_with_a_reason(qtbot: QtBot, view: SweepView, context: AppContext) -> None:
    choose(qtbot, view, "groups", "1,2,3,4")
    assert view.answer is not None
    assert [math.isnan(time) for time in view.answer.curves[0].time_ms] == [False, False, True, False]
    (item,) = view.chart.items.values()
    assert list(item.missing) == pytest.approx([math.log10(3)])
    assert "groups does not divide" in view.notes.text() and "(at 3)" in view.notes.text()
    refused = [row for row in view.table.shown_rows() if row.prediction.status == Status.REFUSED]
    assert {row.values for row in refused} == {(3,)} and len(refused) == 5


def test_wrong_values_say_what_to_write(qtbot: QtBot, view: SweepView) -> None:
    qtbot.keyClicks(view.choice.values, ",many")
    wait(qtbot, view)
    assert not view.message.isHidden() and "1,2,4,...,128" in view.message.text()
    view.choice.values.setText("1,2")
    wait(qtbot, view)
    assert view.message.isHidden() and view.answer is not None and len(view.answer.values) == 2


def test_too_many_answers_are_refused(qtbot: QtBot, view: SweepView) -> None:
    choose(qtbot, view, "input_height", "1:9000")
    assert "more than" in view.message.text()


def test_crosshair_by_keyboard_reads_out_and_takes_over(qtbot: QtBot, view: SweepView, context: AppContext) -> None:
    choose(qtbot, view, "output_channels", "16,32,64")
    graphics = view.chart.graphics
    graphics.setFocus()
    for key in (Qt.Key.Key_Home, Qt.Key.Key_Right):
        qtbot.keyClick(graphics, key)
    assert view.chart.point == 1 and view.chart.readout.isVisible() and "32" in view.chart.readout.text()
    assert view.chart.readout.text().count("ms") >= 5
    qtbot.keyClick(graphics, Qt.Key.Key_Return)
    assert context.state.config.output_channels == 32
    qtbot.keyClick(graphics, Qt.Key.Key_Escape)
    assert not view.chart.readout.isVisible()


def test_crosshair_keeps_kinds_of_time_apart(qtbot: QtBot, view: SweepView, context: AppContext) -> None:
    context.state.select(sorted(name for name in context.models.predictors if name.startswith("consensus")))
    choose(qtbot, view, "output_channels", "16,32")
    view.chart.graphics.setFocus()
    qtbot.keyClick(view.chart.graphics, Qt.Key.Key_Home)
    text = view.chart.readout.text()
    places = [text.index(title) for title in ("Kernel time (ms)", "Call time (ms)", "Wall-clock time (ms)")]
    assert places == sorted(places)
    context.state.select(L40S)
    wait(qtbot, view)
    assert "Call time" not in view.chart.readout_html(0), "one kind needs no heading"


def test_the_table_names_what_is_varied(qtbot: QtBot, view: SweepView) -> None:
    choose(qtbot, view, "output_channels", "16,32")
    choose_second(qtbot, view, "batch_size", "1,2")
    model = view.table.rows_model
    heads = [model.headerData(section, Qt.Orientation.Horizontal).strip() for section in (0, 1)]
    assert heads == ["output channels", "batch size"]


def test_crosshair_follows_the_mouse(qtbot: QtBot, view: SweepView) -> None:
    choose(qtbot, view, "output_channels", "16,32,64")
    viewport = view.chart.graphics.viewport()
    for x, point in ((viewport.width() - 30, 2), (70, 0)):
        place = QPointF(x, 60)  # an event of our own: the platform's may be followed by one that the mouse is elsewhere
        button, keys = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
        move = QMouseEvent(QEvent.Type.MouseMove, place, viewport.mapToGlobal(place), button, button, keys)
        QApplication.sendEvent(viewport, move)
        assert view.chart.point == point
    assert view.chart.readout.x() >= 0 and view.chart.readout.geometry().right() <= view.chart.graphics.width()


def test_axes_can_be_linear(qtbot: QtBot, view: SweepView) -> None:
    choose(qtbot, view, "output_channels", "16,32,64")
    for switch in (view.chart.log_x, view.chart.log_y, view.chart.bands):
        qtbot.mouseClick(switch, Qt.MouseButton.LeftButton)
    (item,) = view.chart.items.values()
    assert list(item.curves[0].x) == [16, 32, 64] and not item.bands
    assert view.answer is not None and np.array_equal(item.curves[0].y, view.answer.curves[0].time_ms)
    low, high = view.chart.plots[0].viewRange()[1]
    assert low == 0 and high > max(float(curve.y.max()) for curve in item.curves)


def test_padding_from_zero_is_never_logarithmic(qtbot: QtBot, view: SweepView) -> None:
    choose(qtbot, view, "padding", "0:3")
    (item,) = view.chart.items.values()
    assert list(item.curves[0].x) == [0, 1, 2, 3]


def test_second_parameter_makes_a_heat_map(qtbot: QtBot, view: SweepView, context: AppContext) -> None:
    choose(qtbot, view, "input_size", "14,28,56")
    choose_second(qtbot, view, "output_channels", "32,64")
    assert view.stack.currentWidget() is view.heat_map and view.heat_map.shape == (3, 2)
    chosen = view.predictor.currentData()
    update = {"input_height": 28, "input_width": 28, "output_channels": 64}
    wanted = context.models.predictors[chosen].predict_one(context.state.config.model_copy(update=update))
    assert view.heat_map.cells.times[1, 1] == pytest.approx(wanted.time_ms, rel=1e-6)
    graphics = view.heat_map.graphics
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Return):
        qtbot.keyClick(graphics, key)
    assert (context.state.config.input_height, context.state.config.output_channels) == (28, 64)


def test_a_heat_map_takes_over_what_it_shows(qtbot: QtBot, view: SweepView, context: AppContext) -> None:
    """Also while the answer to another question is there already."""
    choose(qtbot, view, "input_size", "14,28,56")
    choose_second(qtbot, view, "output_channels", "32,64")
    shown = view.heat_map.answer
    choose_second(qtbot, view, "", "")
    assert view.answer is not shown and view.heat_map.answer is shown and len(view.answer.values) == 3  # type: ignore[union-attr]
    qtbot.keyClick(view.heat_map.graphics, Qt.Key.Key_Right)
    view.heat_map._pick((2, 1))
    assert (context.state.config.input_height, context.state.config.output_channels) == (56, 64)


def test_heat_map_of_another_predictor(qtbot: QtBot, view: SweepView, context: AppContext) -> None:
    choose(qtbot, view, "input_size", "14,28")
    choose_second(qtbot, view, "groups", "1,3")
    view.predictor.setCurrentIndex(view.predictor.findData(L40S[0]))
    view.predictor.activated.emit(view.predictor.currentIndex())
    wait(qtbot, view)
    assert {row.predictor for row in view.table.shown_rows()} == {L40S[0]}
    assert context.state.focus == L40S[0] and view.heat_map.curve is not None and view.heat_map.curve.predictor == L40S[0]
    assert np.isnan(view.heat_map.cells.times[:, 1]).all() and "groups 3" in view.heat_map.describe((0, 1))


def test_overlapping_parameters_are_refused(qtbot: QtBot, view: SweepView) -> None:
    choose(qtbot, view, "input_size", "14,28")
    choose_second(qtbot, view, "input_height", "14,28")
    assert "overlap" in view.message.text()


def test_no_predictor_is_an_empty_state(qtbot: QtBot, view: SweepView, context: AppContext) -> None:
    context.state.select([])
    wait(qtbot, view)
    assert view.chart.is_empty and not view.table.shown_rows()


def test_exports_carry_what_was_not_varied(qtbot: QtBot, view: SweepView, context: AppContext) -> None:
    choose(qtbot, view, "output_channels", "16,32")
    lines = csv(view.chart).splitlines()
    fields = dict(zip(lines[0].split(","), lines[1].split(","), strict=True))
    assert fields["swept_output_channels"] == "16" and "output_channels" not in fields
    assert fields["input_channels"] == str(context.state.config.input_channels) and len(lines) == 11


def test_settings_are_kept(qtbot: QtBot, view: SweepView, context: AppContext) -> None:
    choose(qtbot, view, "kernel_size", "1,3")
    view.chart.log_y.setChecked(False)
    other = SweepView(context)
    qtbot.addWidget(other)
    other.restore(view.save())
    wait(qtbot, other)
    assert other.choice.varied() == {"kernel_size": [1, 3]} and not other.chart.log_y.isChecked()
    other.restore({"parameter": 7, "values": "nonsense", "split": "nonsense"})


def test_hidden_views_wait(qtbot: QtBot, view: SweepView, context: AppContext) -> None:
    before = view.answer
    view.hide()
    context.state.set_config(context.state.config.model_copy(update={"output_channels": 24}))
    settle(qtbot, context, CHANNEL)
    wait(qtbot, view)
    assert view.answer is before
    view.show()
    view.activated()
    wait(qtbot, view)
    assert view.answer is not before


def test_reasons_that_differ_in_a_number_are_taken_together() -> None:
    reasons = [("macs 2e6 > 1e6 measured", (0,)), ("macs 3e6 > 1e6 measured", (1,)), ("groups", (2,))]
    assert in_words(reasons, [(1,), (2,), (3,)]) == "macs > 1e6 measured (at 1, 2); groups (at 3)"
