"""The Network view with small real models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PySide6.QtCore import QMimeData, QPoint, QPointF, QRectF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QPainter, QPicture, QTransform
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QStyleOptionGraphicsItem, QWidget
from pytestqt.qtbot import QtBot

from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.gui import layer_chart
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import csv, picture, svg
from cnnpredict_gui.gui.network_data import open_file
from cnnpredict_gui.gui.network_view import CHANNEL, NetworkView
from cnnpredict_gui.gui.series import predictor_title
from cnnpredict_gui.gui.strip_item import StripItem, tallest_per_pixel
from cnnpredict_gui.gui.theme import DARK, LIGHT, Theme
from cnnpredict_gui.gui.turns import finished
from cnnpredict_gui.studies.network import predict_network
from cnnpredict_gui.studies.presets import preset
from tests.gui.conftest import Reports
from tests.gui.contract import WidgetContract, settle

CONSENSUS = "consensus_prediction-training-gpul40s"


def wait(qtbot: QtBot, view: NetworkView) -> None:
    qtbot.waitUntil(lambda: not view.busy(), timeout=15_000)


@pytest.fixture
def view(qtbot: QtBot, context: AppContext) -> NetworkView:
    context.state.set_focus(CONSENSUS)
    view = NetworkView(context)
    qtbot.addWidget(view)
    view.resize(940, 700)
    with qtbot.waitExposed(view):
        view.show()
    wait(qtbot, view)
    return view


def choose(qtbot: QtBot, view: NetworkView, key: str) -> None:
    view.choice.network.setCurrentIndex(view.choice.network.findData(key))
    view.choice.network.activated.emit(view.choice.network.currentIndex())
    wait(qtbot, view)


def write_network(path: Path, batch: str | int = "N", size: str | int = 32) -> Path:
    """Two convolutions with an activation between them."""
    weights = [
        helper.make_tensor_value_info("w1", TensorProto.FLOAT, [8, 3, 3, 3]),
        helper.make_tensor_value_info("w2", TensorProto.FLOAT, [16, 8, 1, 1]),
    ]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w1"], ["a"], name="first", pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["a"], ["b"], name="between"),
            helper.make_node("Conv", ["b", "w2"], ["y"], name="second"),
        ],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, size, size]), *weights],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


class TestNetworkContract(WidgetContract):
    channel = CHANNEL

    def make(self, context: AppContext) -> QWidget:
        return NetworkView(context)

    def shown(self, qtbot: QtBot, context: AppContext) -> QWidget:
        view = super().shown(qtbot, context)
        assert isinstance(view, NetworkView)
        wait(qtbot, view)
        return view


def test_strips_are_made_once(qtbot: QtBot, view: NetworkView, context: AppContext) -> None:
    made, names = list(view.chart.strips), context.state.selection
    for count in (2, len(names)):
        context.state.select(names[:count])
        qtbot.waitUntil(lambda n=count: len(view.chart.strips) == n and not view.busy(), timeout=20_000)  # type: ignore[misc]
    assert {id(strip) for strip in view.chart.strips} == {id(strip) for strip in made}
    assert [strip.item.scene() for strip in view.chart.strips] == [view.chart.graphics.scene()] * len(names)


def test_shows_what_the_predictors_say_of_the_network(view: NetworkView, context: AppContext) -> None:
    layers = preset("resnet50").layers(224, 1)
    wanted = predict_network(layers, context.models.chosen(context.state.selection))
    assert view.answer is not None and view.answer.network.title == "ResNet-50"
    got = {one.predictor: one.total for one in view.answer.prediction.results}
    for one in wanted.results:
        assert got[one.predictor].time_ms == pytest.approx(one.total.time_ms)
        assert got[one.predictor].high_ms == pytest.approx(one.total.high_ms)
    assert len(view.chart.strips) == 5 and all(len(strip.item.time) == 53 for strip in view.chart.strips)
    assert len(view.panes.layers.shown_rows()) == len(layers)
    bars = {bar.key: bar for panel in view.sums.panels for bar in panel.bars}
    assert bars[CONSENSUS].time_ms == pytest.approx(got[CONSENSUS].time_ms)


def test_what_is_not_predicted_is_always_listed(view: NetworkView) -> None:
    rows = {row.kind: row for row in view.panes.not_predicted.shown_rows()}
    assert rows["normalisation"].count == 53 and rows["linear"].reason
    assert view.panes.not_predicted.isVisible() and "not in the sum" in view.summary.text()
    others = [row for row in view.panes.layers.shown_rows() if row.answer is None]
    assert others and all(row.verdict.startswith("not predicted: ") for row in others)


def test_shares_add_up(view: NetworkView) -> None:
    shares = [row.share * 1.0 for row in view.panes.layers.shown_rows() if row.answer is not None]
    assert sum(shares) == pytest.approx(1.0)


def test_says_how_the_sum_gets_its_interval(qtbot: QtBot, view: NetworkView) -> None:
    assert "ρ = 0.5" in view.help.text() and "neither simply added" in view.help.text() and "√" in view.help.toolTip()
    assert view.answer is not None
    middle = view.answer.prediction.results[0].total
    view.choice.rho.setValue(1.0)
    wait(qtbot, view)
    total = view.answer.prediction.results[0].total
    assert (total.low_ms, total.high_ms) == pytest.approx(middle.dependent) and "ρ = 1" in view.help.text()


def test_resolution_and_batch_size(qtbot: QtBot, view: NetworkView) -> None:
    assert view.answer is not None
    before = view.answer.prediction.results[0].total.time_ms
    view.choice.resolution.setValue(320)
    view.choice.batch_size.setFocus()
    qtbot.keyClick(view.choice.batch_size, Qt.Key.Key_Up)
    wait(qtbot, view)
    config = next(layer.config for layer in view.answer.prediction.layers if layer.config)
    assert (config.batch_size, config.input_height) == (2, 320)
    assert view.answer.prediction.results[0].total.time_ms > before


def test_another_network_by_typing(qtbot: QtBot, view: NetworkView) -> None:
    line = view.choice.network.lineEdit()
    assert line is not None
    line.selectAll()
    qtbot.keyClicks(line, "AlexNet")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    wait(qtbot, view)
    assert view.answer is not None and view.answer.network.title == "AlexNet" and len(view.chart.strips[0].item.time) == 5


def test_extrapolated_layers_are_hatched_and_refused_ones_crossed(qtbot: QtBot, view: NetworkView) -> None:
    view.choice.batch_size.setValue(4)
    wait(qtbot, view)
    assert (view.chart.strips[0].item.status == Status.EXTRAPOLATING).all()
    assert [entry[0] for entry in view.chart.legend.entries] == ["extrapolated"]
    view.choice.dtype.setCurrentIndex(view.choice.dtype.findData("int8"))
    view.choice.dtype.activated.emit(view.choice.dtype.currentIndex())
    wait(qtbot, view)
    assert view.chart.is_empty and view.sums.is_empty
    assert all(row.refused == 53 for row in view.panes.totals.shown_rows())


def test_double_click_puts_a_layer_into_the_panel(qtbot: QtBot, view: NetworkView, context: AppContext) -> None:
    index = view.panes.layers.rows_model.index(0, 1)
    place = view.panes.layers.visualRect(index).center()
    qtbot.mouseClick(view.panes.layers.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(view.panes.layers.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert context.state.config.kernel_height == 7 and context.state.config.output_channels == 64


def test_bars_by_mouse_and_keyboard(qtbot: QtBot, view: NetworkView, context: AppContext) -> None:
    chart = view.chart
    box = chart.strips[0].box
    low, high = chart.strips[0].box.viewRange()[1]
    point = chart.graphics.mapFromScene(box.mapViewToScene(QPointF(0.5, (low + high) / 2)))
    qtbot.mouseClick(chart.graphics.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(point.x(), point.y()))
    assert chart.layer == 0 and view.panes.layers.selected_rows()[0].index == 0
    assert "conv1" in chart.describe(0, 0) and "of the sum" in chart.describe(0, 0)
    for key in (Qt.Key.Key_End, Qt.Key.Key_Left, Qt.Key.Key_Return):
        qtbot.keyClick(chart.graphics, key)
    assert view.answer is not None and chart.layer == chart.convolutions[-2]
    assert context.state.config == view.answer.prediction.layers[chart.convolutions[-2]].config


def test_layers_that_are_not_predicted_stay_out_of_the_panel(view: NetworkView, context: AppContext, reports: Reports) -> None:
    before = context.state.config
    view._take_over(1)
    assert context.state.config == before and "not predicted" in reports.texts[-1]


def test_the_table_follows_the_predictor_in_focus(qtbot: QtBot, view: NetworkView, context: AppContext) -> None:
    first = view.panes.layers.shown_rows()[0].answer
    context.state.set_focus("lasso_prediction-training-gpul40s")
    second = view.panes.layers.shown_rows()[0].answer
    assert first is not None and second is not None and first.time_ms != second.time_ms
    assert "lasso" in view.panes.tabs.tabText(0).lower()


def test_file_with_fixed_shapes(qtbot: QtBot, view: NetworkView, tmp_path: Path) -> None:
    assert view.open_file(str(write_network(tmp_path / "small.onnx", 2, 16)))
    wait(qtbot, view)
    assert view.answer is not None and view.answer.network.title == "small"
    configs = [layer.config for layer in view.answer.prediction.layers if layer.config]
    assert [config.output_channels for config in configs] == [8, 16] and configs[0].batch_size == 2
    assert [row.kind for row in view.panes.not_predicted.shown_rows()] == ["activation"]
    assert view.choice.resolution.isHidden() and view.choice.dtype.currentText() == "type as is"
    view.choice.batch_size.setValue(1)
    wait(qtbot, view)
    assert view.answer.prediction.layers[0].config is not None and view.answer.prediction.layers[0].config.batch_size == 1


def test_equal_layers_of_a_file_share_their_convolution(tmp_path: Path) -> None:
    names = "batch_size,input_channels,input_height,input_width,output_channels,kernel_size"
    (tmp_path / "layers.csv").write_text("\n".join([names, *["1,3,32,32,8,3", "1,8,32,32,8,3"] * 50]))
    configs = [layer.config for layer in open_file(str(tmp_path / "layers.csv"), {}, lambda: False).layers]
    assert len(configs) == 100 and len({id(config) for config in configs}) == len(set(configs)) == 2


def test_open_extents_are_asked_for(qtbot: QtBot, view: NetworkView, tmp_path: Path) -> None:
    view.open_path(str(write_network(tmp_path / "open.onnx", "N", "S")))
    qtbot.waitUntil(lambda: view.opening.dialog is not None, timeout=10_000)
    dialog = view.opening.dialog
    assert dialog is not None and dialog.boxes["N"].value() == 1
    dialog.boxes["N"].setValue(3)
    dialog.boxes["S"].setValue(48)
    button = dialog.findChildren(QDialogButtonBox)[0].button(QDialogButtonBox.StandardButton.Ok)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    wait(qtbot, view)
    assert view.answer is not None
    config = view.answer.prediction.layers[0].config
    assert config is not None and (config.batch_size, config.input_height) == (3, 48)


def test_dropped_table_of_layers(qtbot: QtBot, view: NetworkView, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("name,input_channels,input_height,input_width,output_channels,kernel_size,count\nstem,3,32,32,8,3,2\n")
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    action, button, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(view, QDragEnterEvent(QPoint(5, 5), action, mime, button, none))
    QApplication.sendEvent(view, QDropEvent(QPointF(5, 5), action, mime, button, none))
    qtbot.waitUntil(lambda: view.answer is not None and view.answer.network.title == "mine", timeout=10_000)
    wait(qtbot, view)
    assert view.answer is not None and view.answer.prediction.layers[0].count == 2
    result = view.answer.prediction.results[0]
    assert result.total.time_ms == pytest.approx(2 * float(result.time_ms[0]))


def test_a_broken_file_says_what_to_do(qtbot: QtBot, view: NetworkView, tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"nonsense")
    view.open_path(str(path))
    wait(qtbot, view)
    assert not view.message.isHidden() and "broken.onnx" in view.message.text()
    assert view.answer is not None and view.answer.network.title == "ResNet-50"


def test_opening_can_be_cancelled(qtbot: QtBot, view: NetworkView, tmp_path: Path) -> None:
    view.open_path(str(write_network(tmp_path / "small.onnx", 1, 16)))
    assert view.choice.cancel.isVisible()
    qtbot.mouseClick(view.choice.cancel, Qt.MouseButton.LeftButton)
    assert not view.choice.cancel.isVisible() and not view.choice.progress.isVisible()
    wait(qtbot, view)
    assert view.answer is not None and view.answer.network.title == "ResNet-50"


def test_no_predictor_still_lists_the_layers(qtbot: QtBot, view: NetworkView, context: AppContext) -> None:
    context.state.select([])
    wait(qtbot, view)
    assert view.chart.is_empty and view.sums.is_empty
    assert len(view.panes.layers.shown_rows()) > 100 and view.panes.not_predicted.shown_rows()


def test_exports_name_the_network(view: NetworkView) -> None:
    for source in (view.chart, view.sums, view.panes.layers, view.panes.totals, view.panes.not_predicted):
        lines = csv(source).splitlines()
        fields = dict(zip(lines[0].split(","), lines[1].split(","), strict=False))
        assert "network" in fields and "ResNet-50" in lines[1]


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize("change", ["layer", "colours", "scale", "size", "predictors"])
def test_a_picture_in_steps_is_of_how_things_were(
    qtbot: QtBot, view: NetworkView, context: AppContext, monkeypatch: pytest.MonkeyPatch, theme: Theme, change: str
) -> None:
    monkeypatch.setattr(layer_chart, "_STRIPS", 1)
    view.choice.batch_size.setValue(4)  # where all extrapolate, which the legend says
    wait(qtbot, view)
    before, steps = finished(picture(view.chart, theme)), picture(view.chart, theme)
    for _ in range(3):
        next(steps)
    if change == "layer":
        view.chart.show_layer(view.chart.convolutions[2])
    elif change == "colours":
        view.chart.apply_theme(DARK)
    elif change == "scale":
        view.chart.log.toggle()
    elif change == "size":
        view.resize(900, 760)
        QApplication.processEvents()
    else:
        context.state.select(context.state.selection[:3])
        qtbot.waitUntil(lambda: len(view.chart.strips) == 3 and not view.busy(), timeout=20_000)
    assert finished(steps) == before
    assert (finished(picture(view.chart, theme)) == before) is (change == "colours"), "the change shows in a picture"
    assert not view.chart._exports
    colours, own = {colour for _, colour, _ in view.chart.legend.entries}, view.chart._theme
    assert colours and colours <= {own.muted, own.text, own.error}, "the legend on screen is in the colours of the screen"


def test_a_picture_names_the_axis(view: NetworkView) -> None:
    assert b"layer of the network" in finished(svg(view.chart, DARK))


def test_settings_are_kept(qtbot: QtBot, view: NetworkView, context: AppContext) -> None:
    choose(qtbot, view, "preset:vgg16")
    view.choice.resolution.setValue(256)
    view.chart.log.setChecked(True)
    other = NetworkView(context)
    qtbot.addWidget(other)
    other.restore(view.save())
    wait(qtbot, other)
    assert (
        other.choice.network.currentData() == "preset:vgg16"
        and other.choice.resolution.value() == 256
        and other.chart.log.isChecked()
    )


def test_an_open_file_is_kept(qtbot: QtBot, view: NetworkView, context: AppContext, tmp_path: Path) -> None:
    view.open_path(str(write_network(tmp_path / "open.onnx", "N", 16)), {"N": 2})
    wait(qtbot, view)
    other = NetworkView(context)
    qtbot.addWidget(other)
    other.restore(view.save())
    other.show()
    wait(qtbot, other)
    assert other.choice.network.currentData() == "file"
    assert other.answer is not None and other.answer.network.title == "open"


def test_hidden_views_wait(qtbot: QtBot, view: NetworkView, context: AppContext) -> None:
    before = view.answer
    view.hide()
    context.state.select(context.state.selection[:1])
    settle(qtbot, context, CHANNEL)
    wait(qtbot, view)
    assert view.answer is before
    view.show()
    view.activated()
    wait(qtbot, view)
    assert view.answer is not None and len(view.answer.prediction.results) == 1


def strip_drawing(count: int) -> QPicture:
    """What is drawn of a strip of so many bars, a few of which extrapolate, in 200 pixels."""
    item = StripItem()
    item.time = np.linspace(1.0, 2.0, count)
    item.low, item.high, item.status = item.time * 0.9, item.time * 1.1, np.zeros(count, dtype=np.int64)
    item.status[:5] = Status.EXTRAPOLATING
    item.set_bounds(QRectF(0, 0, count, 3))
    picture = QPicture()
    painter = QPainter(picture)
    painter.setTransform(QTransform(200 / count, 0, 0, -30, 0, 100))
    item.paint(painter, QStyleOptionGraphicsItem())
    painter.end()
    return picture


def test_a_network_of_very_many_layers_is_drawn_by_the_pixel(qapp: QApplication) -> None:
    assert strip_drawing(50_000).size() < 2 * strip_drawing(300).size()


def test_the_highest_bar_of_a_pixel_is_drawn() -> None:
    places, tops = np.array([0.2, 0.7, 1.1, 3.0, 3.9]), np.array([50.0, 20.0, 30.0, 9.0, 10.0])
    left, top, outside = tallest_per_pixel(places, tops, np.array([False, False, True, False, True]))
    assert (left.tolist(), top.tolist(), outside.tolist()) == ([0.0, 1.0, 3.0], [20.0, 30.0, 9.0], [False, True, True])
    assert [len(found) for found in tallest_per_pixel(places[:0], tops[:0], np.array([], dtype=bool))] == [0, 0, 0]


def test_a_picture_does_not_show_what_strips_showed_before(
    qtbot: QtBot, view: NetworkView, context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layer_chart, "_STRIPS", 1)
    before, names = view.answer, context.state.selection
    assert before is not None
    context.state.select(names[-2:])
    qtbot.waitUntil(lambda: len(view.chart.strips) == 2 and not view.busy(), timeout=20_000)
    results = before.prediction.results[::-1]
    view.chart.show_answer(replace(before, prediction=replace(before.prediction, results=results)))
    assert view.chart.busy and view.busy(), "room is made in this turn, the rest is drawn in the next"
    finished(picture(view.chart, LIGHT))
    titles = [strip.item.title for strip in view.chart.strips]
    assert len(titles) == len(names)
    for title, result in zip(titles, results, strict=True):
        assert title.startswith(predictor_title(result.target, result.family))
    qtbot.waitUntil(lambda: not view.busy(), timeout=20_000)
