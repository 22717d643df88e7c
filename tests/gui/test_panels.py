"""Parameter panel and predictor tree, driven by keyboard and mouse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, QSize, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from cnnpredict_gui.bench.machine import processor_name
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.names import Target
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.fields import FIELD_TEXTS, ScrubLabel
from cnnpredict_gui.gui.layer_form import LayerForm
from cnnpredict_gui.gui.parameter_panel import ParameterPanel
from cnnpredict_gui.gui.predictor_tree import PredictorTree
from cnnpredict_gui.gui.selection import default_selection, matches
from cnnpredict_gui.gui.state import DEFAULT_CONFIG
from tests.gui.conftest import Reports
from tests.gui.contract import WidgetContract


@pytest.fixture
def form(qtbot: QtBot, bare_context: AppContext) -> LayerForm:
    form = LayerForm(bare_context)
    qtbot.addWidget(form)
    with qtbot.waitExposed(form):
        form.show()
    return form


@pytest.fixture
def panel(qtbot: QtBot, bare_context: AppContext) -> ParameterPanel:
    panel = ParameterPanel(bare_context)
    panel.architecture.reload()
    qtbot.addWidget(panel)
    with qtbot.waitExposed(panel):
        panel.show()
    qtbot.waitUntil(lambda: panel.architecture.layer.count() > 0, timeout=10_000)
    return panel


@pytest.fixture
def tree(qtbot: QtBot, context: AppContext) -> PredictorTree:
    tree = PredictorTree(context)
    qtbot.addWidget(tree)
    with qtbot.waitExposed(tree):
        tree.show()
    return tree


class TestParameterPanelContract(WidgetContract):
    channel = "presets"
    maximum = QSize(340, 600)

    def make(self, context: AppContext) -> QWidget:
        panel = ParameterPanel(context)
        panel.architecture.reload()
        return panel


class TestPredictorTreeContract(WidgetContract):
    maximum = QSize(340, 400)

    def make(self, context: AppContext) -> QWidget:
        return PredictorTree(context)


def type_number(qtbot: QtBot, form: LayerForm, field: str, number: int) -> None:
    box = form.boxes[field]
    box.setFocus()
    box.selectAll()
    qtbot.keyClicks(box, str(number))


def test_every_field_has_limits_unit_and_tooltip(form: LayerForm) -> None:
    for field, box in form.boxes.items():
        assert FIELD_TEXTS[field].tip in box.toolTip() and FIELD_TEXTS[field].unit in box.accessibleName()
        assert box.minimum() == (0 if field.startswith("padding") else 1) and box.maximum() > 1000


def test_typing_changes_the_configuration_at_once(qtbot: QtBot, form: LayerForm, bare_context: AppContext) -> None:
    type_number(qtbot, form, "output_channels", 256)
    assert bare_context.state.config.output_channels == 256
    bare_context.state.undo_stack.undo()
    assert form.boxes["output_channels"].value() == DEFAULT_CONFIG.output_channels


def test_a_number_out_of_its_limits_is_told_and_becomes_the_nearest(
    qtbot: QtBot, form: LayerForm, bare_context: AppContext
) -> None:
    box = form.boxes["batch_size"]
    type_number(qtbot, form, "batch_size", 100000)
    assert box.text().startswith("100000") and "1 to 65,536 images" in form.complaint()
    assert form.messages["batch_size"].isVisible()
    qtbot.keyClick(box, Qt.Key.Key_Tab)
    assert bare_context.state.config.batch_size == 65_536 and not form.complaint()
    type_number(qtbot, form, "batch_size", 0)
    assert "1 to 65,536 images" in form.complaint() and bare_context.state.config.batch_size == 65_536
    type_number(qtbot, form, "batch_size", 8)
    assert bare_context.state.config.batch_size == 8 and not form.complaint()
    type_number(qtbot, form, "batch_size", 0)
    qtbot.keyClick(box, Qt.Key.Key_Tab)
    assert bare_context.state.config.batch_size == 1 and not form.complaint()


def test_messages_call_parameters_as_the_form_does(qtbot: QtBot, form: LayerForm) -> None:
    type_number(qtbot, form, "groups", 3)
    assert form.complaint().startswith("Groups 3 does not divide input channels 128")


def test_linked_height_and_width_move_together(qtbot: QtBot, form: LayerForm, bare_context: AppContext) -> None:
    type_number(qtbot, form, "input_height", 112)
    assert (bare_context.state.config.input_height, bare_context.state.config.input_width) == (112, 112)
    qtbot.mouseClick(form.links["input_height"], Qt.MouseButton.LeftButton)
    type_number(qtbot, form, "input_width", 64)
    assert (bare_context.state.config.input_height, bare_context.state.config.input_width) == (112, 64)


def test_same_padding_follows_the_kernel(qtbot: QtBot, form: LayerForm, bare_context: AppContext) -> None:
    type_number(qtbot, form, "kernel_height", 7)
    assert bare_context.state.config.padding_height == 3
    qtbot.mouseClick(form.more, Qt.MouseButton.LeftButton)
    form.same.setFocus()
    qtbot.keyClick(form.same, Qt.Key.Key_Space)
    type_number(qtbot, form, "kernel_height", 5)
    assert bare_context.state.config.padding_height == 3 and not form.same.isChecked()


def test_an_impossible_layer_is_explained_beside_the_field_and_not_predicted(
    qtbot: QtBot, form: LayerForm, bare_context: AppContext
) -> None:
    qtbot.mouseClick(form.more, Qt.MouseButton.LeftButton)
    before = bare_context.state.config
    type_number(qtbot, form, "groups", 3)
    assert bare_context.state.config == before
    assert form.messages["groups"].isVisible() and "does not divide" in form.complaint()
    type_number(qtbot, form, "groups", 4)
    assert bare_context.state.config.groups == 4 and not form.complaint()


def test_a_hidden_field_at_fault_is_unfolded(qtbot: QtBot, form: LayerForm, bare_context: AppContext) -> None:
    bare_context.state.set_config(bare_context.state.config.model_copy(update={"groups": 64}))
    assert not form.more.isChecked()
    type_number(qtbot, form, "output_channels", 100)
    assert form.more.isChecked() and form.messages["groups"].isVisible()


def test_page_keys_double_and_halve(qtbot: QtBot, form: LayerForm, bare_context: AppContext) -> None:
    form.boxes["batch_size"].setFocus()
    for _ in range(5):
        qtbot.keyClick(form.boxes["batch_size"], Qt.Key.Key_PageUp)
    qtbot.keyClick(form.boxes["batch_size"], Qt.Key.Key_PageDown)
    assert bare_context.state.config.batch_size == 16
    assert bare_context.state.undo_stack.count() == 1


def test_dragging_a_label_changes_its_value(qtbot: QtBot, form: LayerForm, bare_context: AppContext) -> None:
    label = next(label for label in form.findChildren(ScrubLabel) if label.buddy() is form.boxes["input_channels"])
    middle = label.rect().center()
    qtbot.mousePress(label, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.mouseMove(label, middle + type(middle)(64, 0))
    qtbot.mouseRelease(label, Qt.MouseButton.LeftButton, pos=middle)
    assert bare_context.state.config.input_channels == 2 * DEFAULT_CONFIG.input_channels


def test_choices_change_the_configuration(form: LayerForm, bare_context: AppContext) -> None:
    form.choices["dtype"].setCurrentIndex(form.choices["dtype"].findData("fp16"))
    form.choices["algorithm"].setCurrentIndex(form.choices["algorithm"].findData("gemm"))
    assert (bare_context.state.config.dtype, bare_context.state.config.algorithm) == ("fp16", "gemm")


def test_scrolling_past_boxes_changes_nothing(qtbot: QtBot, panel: ParameterPanel, bare_context: AppContext) -> None:
    panel.form.more.setChecked(True)
    panel.form.more.setFocus()
    before, network = bare_context.state.config, panel.architecture.network.currentText()
    boxes = [*panel.form.boxes.values(), *panel.form.choices.values()]
    boxes += [panel.architecture.network, panel.architecture.layer, panel.architecture.resolution]
    for box in (one for one in boxes if one.isEnabled()):
        event = QWheelEvent(
            QPointF(5, 5),
            QPointF(box.mapToGlobal(QPoint(5, 5))),
            QPoint(),
            QPoint(0, -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(box, event)
        assert not event.isAccepted(), "left to the panel, which scrolls"
    assert bare_context.state.config == before and panel.architecture.network.currentText() == network
    assert panel.architecture.resolution.value() == 224


def test_derived_values(panel: ParameterPanel) -> None:
    texts = {name: label.text() for name, label in panel.derived.values.items()}
    assert texts == {
        "Output": "128 × 28 × 28",
        "MACs": "116 M",
        "Parameters": "147 k",
        "Data moved": "2.60 MB",
        "Intensity": "89.0 FLOP/byte",
    }


def test_network_layer_resolution_and_batch(qtbot: QtBot, panel: ParameterPanel, bare_context: AppContext) -> None:
    box, state = panel.architecture, bare_context.state
    box.network.setCurrentIndex(box.network.findText("VGG-16"))
    box.network.activated.emit(box.network.currentIndex())
    assert state.config == ConvConfig.parse(
        {"input_channels": 3, "input_height": 224, "input_width": 224, "output_channels": 64, "kernel_size": 3}
    )
    type_number(qtbot, panel.form, "batch_size", 8)
    assert box.layer.currentIndex() == 0
    box.layer.setCurrentIndex(2)
    box.layer.activated.emit(2)
    assert (state.config.batch_size, state.config.input_height) == (8, 112)
    box.resolution.setValue(448)
    assert (state.config.batch_size, state.config.input_height) == (8, 224)


def test_a_changed_layer_is_no_longer_the_networks(qtbot: QtBot, panel: ParameterPanel) -> None:
    assert panel.architecture.layer.currentText().startswith("layer2.0.conv2")
    type_number(qtbot, panel.form, "output_channels", 77)
    assert panel.architecture.layer.currentIndex() == -1


def test_a_network_is_found_by_what_people_type(qtbot: QtBot, panel: ParameterPanel, bare_context: AppContext) -> None:
    box = panel.architecture.network
    for typed, meant in (("resnet101", "ResNet-101"), ("mobilenet v2", "MobileNet V2"), ("vgg16", "VGG-16")):
        box.setFocus()
        box.line().selectAll()
        qtbot.keyClicks(box.line(), typed)
        qtbot.keyClick(box.line(), Qt.Key.Key_Return)
        assert box.currentText() == meant == box.itemText(box.currentIndex())
    assert bare_context.state.config.output_channels == 64 and bare_context.state.config.input_height == 224


def test_a_box_is_not_left_with_a_text_that_is_no_item(qtbot: QtBot, panel: ParameterPanel) -> None:
    panel.activateWindow()
    for box in (panel.architecture.network, panel.architecture.layer):
        before = box.currentText()
        box.setFocus()
        qtbot.waitUntil(box.line().hasFocus, timeout=5_000)
        box.line().selectAll()
        qtbot.keyClicks(box.line(), "zzqq")
        qtbot.keyClick(box.line(), Qt.Key.Key_Tab)
        assert box.currentText() == before != ""


def test_layers_can_be_searched(qtbot: QtBot, panel: ParameterPanel) -> None:
    box = panel.architecture.layer
    box.setFocus()
    box.line().selectAll()
    qtbot.keyClicks(box.line(), "downsample")
    completer = box.completer()
    assert completer is not None and completer.completionModel().rowCount() == 4
    popup = completer.popup()
    assert popup is not None and popup.isVisible()
    popup.hide()


def test_too_small_a_resolution_cannot_be_chosen(panel: ParameterPanel) -> None:
    box = panel.architecture
    box.network.setCurrentIndex(box.network.findText("AlexNet"))
    box.network.activated.emit(box.network.currentIndex())
    box.resolution.setValue(1)
    assert box.resolution.value() == box.resolution.minimum() > 1 and box.layer.count() > 0


def test_own_presets_are_kept_renamed_exported_and_imported(
    qtbot: QtBot, panel: ParameterPanel, bare_context: AppContext, tmp_path: Path
) -> None:
    from cnnpredict_gui.studies.own_presets import OwnPresets

    def chosen(text: str) -> None:
        qtbot.waitUntil(lambda: panel.architecture.network.currentText() == text, timeout=5000)

    type_number(qtbot, panel.form, "output_channels", 200)
    panel.architecture.keep("my layer")
    chosen("my layer (own)")
    panel.architecture.rename("my layer", "renamed")
    chosen("renamed (own)")
    OwnPresets().export("renamed", tmp_path / "out.json")
    panel.architecture.import_file(tmp_path / "out.json")
    chosen("renamed (2) (own)")
    bare_context.state.undo_stack.undo()
    panel.architecture.layer.activated.emit(0)
    assert panel.architecture.layer.count() == 1


def test_a_taken_preset_name_is_reported(qtbot: QtBot, panel: ParameterPanel, reports: Reports) -> None:
    panel.architecture.keep("twice")
    qtbot.waitUntil(lambda: panel.architecture.network.currentText() == "twice (own)")
    panel.architecture.keep("twice")
    qtbot.waitUntil(lambda: len(reports.errors) == 1)
    assert "twice" in reports.errors[0].message


def test_buttons_undo_reset_and_pin(qtbot: QtBot, panel: ParameterPanel, bare_context: AppContext) -> None:
    buttons = {button.text(): button for button in panel.findChildren(QToolButton)}
    assert not buttons["Undo"].isEnabled()
    type_number(qtbot, panel.form, "output_channels", 32)
    qtbot.mouseClick(buttons["Pin"], Qt.MouseButton.LeftButton)
    qtbot.mouseClick(buttons["Reset"], Qt.MouseButton.LeftButton)
    assert bare_context.state.config == DEFAULT_CONFIG and bare_context.state.pinned[0].config.output_channels == 32
    qtbot.mouseClick(buttons["Undo"], Qt.MouseButton.LeftButton)
    assert bare_context.state.config.output_channels == 32


def test_tree_shows_targets_with_their_families(tree: PredictorTree) -> None:
    tops = [tree.tree.topLevelItem(i) for i in range(tree.tree.topLevelItemCount())]
    assert [(top.text(0), top.childCount()) for top in tops if top] == [
        ("NVIDIA V100 · PyTorch / cuDNN", 5),
        ("NVIDIA L40S · cuDNN (ai3)", 5),
        ("CPU · PyTorch", 5),
    ]


def test_checking_a_box_chooses_the_predictor(qtbot: QtBot, tree: PredictorTree, context: AppContext) -> None:
    name = "xgb_prediction-training-cpu"
    tree._items[name].setCheckState(0, Qt.CheckState.Checked)
    qtbot.waitUntil(lambda: name in context.state.selection)
    tree.tree.topLevelItem(1).setCheckState(0, Qt.CheckState.Unchecked)  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: context.state.selection == (name,))
    assert tree.count.text() == "1 of 15 predictors chosen"


def test_sets_of_predictors(tree: PredictorTree, context: AppContext) -> None:
    tree.choose_family("rf")
    assert sorted(context.state.selection) == sorted(f"rf_prediction-training-{t}" for t in ("cpu", "gpul40s", "gpuv100-cudnn"))
    tree.choose_target("cpu")
    assert len(context.state.selection) == 7
    tree.choose_target("cpu", only=True)
    assert len(context.state.selection) == 5
    context.actions["models.none"].trigger()
    assert context.state.selection == ()
    tree.choose_default()
    assert len(context.state.selection) == 7


def test_the_first_selection_takes_the_processor_most_like_this_one(
    tree: PredictorTree, context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert context.models.processor == processor_name()
    monkeypatch.setattr("cnnpredict_gui.gui.selection.OTHER_TARGETS", 1)
    usual = "consensus_prediction-training-cpu"
    first = next(leaf for leaf in tree.shown if leaf.name == usual)
    own = Target(name="cpu-own", title="own", device=processor_name(), framework="PyTorch", time_kind="framework_wall_clock")
    shown = [*tree.shown, replace(first, name="own", target=own)]
    for processor, chosen in ((processor_name(), "own"), ("an abacus", usual)):
        assert {"own", usual} & set(default_selection(shown, processor)) == {chosen}


def test_search_hides_what_does_not_match(qtbot: QtBot, tree: PredictorTree, context: AppContext) -> None:
    context.actions["models.search"].trigger()
    qtbot.keyClicks(tree.search, "v100 forest")
    shown = [leaf.name for leaf in tree.shown if not tree._items[leaf.name].isHidden()]
    assert shown == ["rf_prediction-training-gpuv100-cudnn"]


def test_a_familys_short_name_finds_that_family(qtbot: QtBot, tree: PredictorTree) -> None:
    for typed, families in (
        ("nn", {"nn"}),
        ("v100 nn", {"nn"}),
        ("cudnn lasso", {"lasso"}),
        ("nn_prediction-training-cpu", {"nn"}),
    ):
        found = {leaf.family for leaf in tree.shown if matches(leaf, typed)}
        assert found == families, typed
    qtbot.keyClicks(tree.search, "nn")
    shown = [name for name, item in tree._items.items() if not item.isHidden()]
    assert shown and all(name.startswith("nn_") for name in shown)


def test_predictors_of_another_training_folder_are_told_apart(tree: PredictorTree, context: AppContext) -> None:
    usual = next(leaf for leaf in tree.shown if leaf.name == "nn_prediction-training-gpul40s")
    assert usual.variant == ""
    assert replace(usual, name="nn_prediction-training-mine").variant == "mine"
    assert replace(usual, name="nn_trial").variant == "trial"
    assert replace(usual, name="nn_prediction-training-gpul40s-second").variant == "second"


def test_a_targets_box_takes_only_what_the_search_shows(qtbot: QtBot, tree: PredictorTree, context: AppContext) -> None:
    context.state.select(["nn_prediction-training-cpu"])
    qtbot.keyClicks(tree.search, "gpul40s xgb")
    top = next(tree._top(i) for i in range(tree.tree.topLevelItemCount()) if not tree._top(i).isHidden())
    top.setCheckState(0, Qt.CheckState.Checked)
    expected = {"nn_prediction-training-cpu", "xgb_prediction-training-gpul40s"}
    qtbot.waitUntil(lambda: set(context.state.selection) == expected, timeout=5_000)
    assert top.checkState(0) == Qt.CheckState.PartiallyChecked, "the others are not chosen"


def test_showing_the_library_again_touches_only_what_changed(tree: PredictorTree, context: AppContext) -> None:
    touched: list[tuple[int, int]] = []
    tree.tree.model().dataChanged.connect(lambda index, _to: touched.append((index.parent().row(), index.row())))
    tree.fill()
    assert touched == []
    context.state.set_favourite(tree.shown[0].name, True)
    assert set(touched) == {(0, 0)}


def test_favourites(qtbot: QtBot, tree: PredictorTree, context: AppContext) -> None:
    item = tree._items["nn_prediction-training-cpu"]
    tree.tree.itemClicked.emit(item, 1)
    assert context.state.favourites == {"nn_prediction-training-cpu"} and item.text(1) == "★"
    qtbot.mouseClick(tree.favourites, Qt.MouseButton.LeftButton)
    assert [leaf.name for leaf in tree.shown if not tree._items[leaf.name].isHidden()] == ["nn_prediction-training-cpu"]
    tree.choose_favourites()
    assert context.state.selection == ("nn_prediction-training-cpu",)


def test_selection_of_another_place_is_shown(tree: PredictorTree, context: AppContext) -> None:
    context.state.select(["nn_prediction-training-cpu", "not there"])
    checked = [name for name, item in tree._items.items() if item.checkState(0) == Qt.CheckState.Checked]
    assert checked == ["nn_prediction-training-cpu"]
