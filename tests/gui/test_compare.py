"""The Compare view with small real models."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.gui.compare import CHANNEL, CompareView
from cnnpredict_gui.gui.compare_data import in_short
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import csv
from cnnpredict_gui.studies.comparison import ComparisonRow
from tests.gui.contract import WidgetContract, settle

L40S = [f"{family}_prediction-training-gpul40s" for family in ("nn", "xgb", "rf", "lasso", "consensus")]
BASE = L40S[4]


@pytest.fixture
def view(qtbot: QtBot, context: AppContext) -> CompareView:
    context.state.set_baseline(BASE)
    context.state.set_focus(BASE)
    view = CompareView(context)
    qtbot.addWidget(view)
    view.resize(940, 700)
    with qtbot.waitExposed(view):
        view.show()
    wait(qtbot, view)
    return view


def wait(qtbot: QtBot, view: CompareView) -> None:
    qtbot.waitUntil(lambda: not view.busy(), timeout=10_000)


class TestCompareContract(WidgetContract):
    channel = CHANNEL

    def make(self, context: AppContext) -> QWidget:
        return CompareView(context)


class TestCompareOtherTabsContract(WidgetContract):
    channel = CHANNEL

    def make(self, context: AppContext) -> QWidget:
        context.state.pin()
        view = CompareView(context)
        view.side.setCurrentIndex(1)
        view.bottom.setCurrentIndex(1)
        return view


def test_shows_what_the_predictors_say(view: CompareView, context: AppContext) -> None:
    assert view.result is not None and [row.predictor for row in view.result.rows] == L40S
    for row in view.result.rows:
        assert row.prediction == context.models.predictors[row.predictor].predict_one(context.state.config)
    assert sorted(bar.key for panel in view.times.panels for bar in panel.bars) == sorted(L40S)


def test_every_change_is_answered_live(qtbot: QtBot, view: CompareView, context: AppContext) -> None:
    for channels in (129, 130, 256):
        context.state.set_config(context.state.config.model_copy(update={"output_channels": channels}))
        qtbot.wait(1)
    wait(qtbot, view)
    assert view.result is not None and view.result.config.output_channels == 256
    assert view.times.result is view.result and view.table.result is view.result


def test_table_ratios_and_throughput(qtbot: QtBot, view: CompareView, context: AppContext) -> None:
    context.state.set_config(context.state.config.model_copy(update={"batch_size": 1}))
    context.state.select([*context.state.selection, "consensus_prediction-training-cpu"])
    wait(qtbot, view)
    rows = {row.predictor: row for row in view.table.shown_rows()}
    base = rows[BASE].prediction.time_ms
    assert rows[BASE].ratio == 1.0
    assert rows[L40S[0]].ratio == pytest.approx(rows[L40S[0]].prediction.time_ms / base)
    assert rows[L40S[0]].images_per_s == pytest.approx(1000 / rows[L40S[0]].prediction.time_ms)
    assert math.isnan(rows["consensus_prediction-training-cpu"].ratio)


def test_time_kinds_have_panels_of_their_own(qtbot: QtBot, view: CompareView, context: AppContext) -> None:
    context.state.select(sorted(context.models.predictors))
    wait(qtbot, view)
    assert [len(panel.bars) for panel in view.times.panels] == [5, 5, 5]
    assert len({panel.title for panel in view.times.panels}) == 3
    view.times.group.setCurrentIndex(1)
    assert {bar.group for panel in view.times.panels for bar in panel.bars} == {
        "Neural network",
        "XGBoost",
        "Random forest",
        "Polynomial lasso",
        "Consensus",
    }


def test_extrapolations_are_hatched_and_explained(qtbot: QtBot, view: CompareView, context: AppContext) -> None:
    context.state.set_config(context.state.config.model_copy(update={"batch_size": 8}))
    wait(qtbot, view)
    bars = [bar for panel in view.times.panels for bar in panel.bars]
    assert bars and all(bar.hatched and "batch" in bar.note for bar in bars)
    assert "extrapolating" in view.verdict.text() and ("extrapolated" in [entry[0] for entry in view.times.legend.entries])


def test_reasons_below_the_table_do_not_move_what_is_above(qtbot: QtBot, view: CompareView, context: AppContext) -> None:
    height, config = view.split.height(), context.state.config
    far = {"batch_size": 4096, "kernel_height": 31, "kernel_width": 31, "stride_height": 9, "stride_width": 9}
    context.state.set_config(config.model_copy(update={**far, "padding_height": 15, "padding_width": 15}))
    wait(qtbot, view)
    reason = view.result.rows[0].prediction.reason if view.result else ""
    assert len(reason) > 80 and reason not in view.verdict.text() and "…" in view.verdict.text()
    assert reason in view.verdict.toolTip() and view.split.height() == height


def test_verdicts_in_short(view: CompareView) -> None:
    assert view.result is not None
    one = view.result.rows[0]

    def row(status: Status, reason: str = "") -> ComparisonRow:
        return replace(one, prediction=replace(one.prediction, status=status, reason=reason))

    stretched = [
        row(Status.EXTRAPOLATING, reason) for reason in ("stride 2 never measured (seen 1)", "MACs 2 G > 1 G measured")
    ]
    assert in_short([row(Status.IN_RANGE)] * 3) == "3 in range"
    assert in_short([row(Status.IN_RANGE), stretched[0]]) == "1 in range – 1 extrapolating: stride 2 never measured (seen 1)"
    mixed = in_short([*stretched, stretched[0], row(Status.REFUSED, "dtype bf16 is unknown")], 20)
    assert mixed == "3 extrapolating: stride 2 never … (2×); MACs 2 G > 1 G … (1×) – 1 refused: dtype bf16 is …"
    assert in_short([]) == ""


def test_refused_ones_are_listed_but_not_drawn(qtbot: QtBot, view: CompareView, context: AppContext) -> None:
    context.state.set_config(context.state.config.model_copy(update={"dtype": "int8"}))
    wait(qtbot, view)
    assert view.result is not None
    refused = [row for row in view.result.rows if row.prediction.status == Status.REFUSED]
    assert len(refused) == 5 and len(view.table.shown_rows()) == 5
    assert view.times.is_empty and not view.times.panels
    assert "refused" in view.verdict.text()


def test_linear_and_logarithmic(qtbot: QtBot, view: CompareView) -> None:
    plot = view.times.lanes[0].box
    log_range = plot.viewRange()[0]
    qtbot.mouseClick(view.times.log_switch, Qt.MouseButton.LeftButton)
    linear_range = plot.viewRange()[0]
    assert linear_range[0] == 0 and linear_range != log_range and not view.times.log
    longest = max(bar.high_ms for bar in view.times.panels[0].bars)
    assert longest < linear_range[1] < 2.1 * longest


def test_clicking_a_bar_puts_it_in_focus(qtbot: QtBot, view: CompareView, context: AppContext) -> None:
    chart = view.times
    item = chart.lanes[0].item
    number = next(i for i, bar in enumerate(item.bars) if bar.key == L40S[1])
    box = chart.lanes[0].box
    scene = box.mapViewToScene(type(box.viewRect().center())(item._bounds.center().x(), item.places[number]))
    point = chart.graphics.mapFromScene(scene)
    qtbot.mouseClick(chart.graphics.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(point.x(), point.y()))
    assert context.state.focus == L40S[1]
    wait(qtbot, view)
    assert view.gauge.row is not None and view.gauge.row.predictor == L40S[1] and "XGBoost" in view.gauge.summary()


def test_algorithms_are_compared_and_the_fastest_marked(qtbot: QtBot, view: CompareView, context: AppContext) -> None:
    bars = view.algorithms.panels[0].bars
    assert sorted(bar.key for bar in bars) == ["gemm", "guess", "winograd"]
    assert [bool(bar.mark) for bar in bars] == [True, False, False] or len({bar.time_ms for bar in bars}) == 1
    assert sum(bool(bar.mark) for bar in bars) == 1
    context.state.select(["nn_prediction-training-cpu"])
    wait(qtbot, view)
    assert view.algorithms.is_empty


def test_refused_algorithms_are_not_called_missing(qtbot: QtBot, view: CompareView, context: AppContext) -> None:
    assert not view.algorithms.is_empty
    context.state.set_config(context.state.config.model_copy(update={"dtype": "bf16"}))
    wait(qtbot, view)
    assert view.algorithms.is_empty and view.algorithms._empty.text() == "Every algorithm is refused for this layer."


def test_agreement_shows_the_trained_families(qtbot: QtBot, view: CompareView, context: AppContext) -> None:
    context.state.select([BASE])
    wait(qtbot, view)
    view.side.setCurrentIndex(1)
    assert view.result is not None
    ratios = sorted(one.ratio for one in view.result.agreement)
    assert len(ratios) == 4 and (ratios[1] + ratios[2]) / 2 == pytest.approx(1.0)
    assert len(view.agreement.points.points()) == 4


def test_pinned_layers_side_by_side(qtbot: QtBot, view: CompareView, context: AppContext) -> None:
    context.state.pin()
    context.state.set_config(context.state.config.model_copy(update={"output_channels": 512}))
    context.state.pin()
    view.bottom.setCurrentIndex(1)
    wait(qtbot, view)
    assert view.result is not None and list(view.result.comparison.configs) == ["now", "A", "B"]
    predictor = context.models.predictors[L40S[0]]
    assert view.result.comparison.row(L40S[0], "A").prediction == predictor.predict_one(context.state.pinned[0].config)
    marks = [bar.mark for bar in view.pinned.panels[0].bars if bar.key == L40S[0]]
    assert marks == ["A", "B", "now"]
    view.pin_table.selectRow(0)
    assert {"Make A the current layer", "Unpin A"} <= {action.text() for action in view.pin_table.make_menu().actions()}
    view._unpin()
    wait(qtbot, view)
    assert list(view.result.comparison.configs) == ["now", "B"]


def test_a_double_click_on_a_pin_makes_it_the_layer(qtbot: QtBot, view: CompareView, context: AppContext) -> None:
    pinned = context.state.config
    context.state.pin()
    context.state.set_config(pinned.model_copy(update={"output_channels": 24}))
    view.bottom.setCurrentIndex(1)
    wait(qtbot, view)
    table = view.pin_table
    place = table.visualRect(table.model().index(0, 1)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert context.state.config == pinned


def test_no_predictor_is_an_empty_state(qtbot: QtBot, view: CompareView, context: AppContext) -> None:
    context.state.select([])
    wait(qtbot, view)
    assert view.times.is_empty and view.algorithms.is_empty and view.agreement.is_empty and view.gauge.row is None
    context.state.select(L40S)
    wait(qtbot, view)
    assert not view.times.is_empty


def test_exports_carry_the_configuration(view: CompareView, context: AppContext) -> None:
    for source in (view.times, view.table):
        header, first = csv(source).splitlines()[:2]
        fields = dict(zip(header.split(","), first.split(","), strict=True))
        assert fields["output_channels"] == str(context.state.config.output_channels)
        assert {"predictor", "time_kind", "time_ms", "version", "verdict"} <= set(fields)


def test_a_hidden_view_waits_until_it_is_shown(qtbot: QtBot, view: CompareView, context: AppContext) -> None:
    view.hide()
    other = ConvConfig.parse(
        {"input_channels": 3, "input_height": 32, "input_width": 32, "output_channels": 8, "kernel_size": 3}
    )
    context.state.set_config(other)
    settle(qtbot, context, CHANNEL)
    qtbot.wait(5)
    assert view.result is not None and view.result.config != other
    view.show()
    view.activated()
    wait(qtbot, view)
    assert view.result.config == other


def test_layout_is_kept(qtbot: QtBot, view: CompareView, context: AppContext) -> None:
    view.times.group.setCurrentIndex(1)
    view.times.log_switch.setChecked(False)
    view.bottom.setCurrentIndex(1)
    other = CompareView(context)
    qtbot.addWidget(other)
    other.restore(view.save())
    assert other.save()["group"] == "family" and not other.times.log and other.bottom.currentIndex() == 1
    other.restore({"split": "nonsense", "columns": {}})
    wait(qtbot, other)
