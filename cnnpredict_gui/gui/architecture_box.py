"""Choice of a network, one of its layers and the resolution; own presets are kept, renamed, exported and imported here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QInputDialog,
    QLabel,
    QMenu,
    QToolButton,
    QWidget,
)

from cnnpredict_gui.core.config import LIMITS, ConvConfig
from cnnpredict_gui.core.errors import ConfigError
from cnnpredict_gui.gui.boxes import NumberBox
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.file_dialogs import ask_to_open, ask_to_save
from cnnpredict_gui.gui.search_combo import SearchCombo
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.gui.workers import Cancelled

if TYPE_CHECKING:
    from cnnpredict_gui.studies.layers import NetworkLayer
    from cnnpredict_gui.studies.own_presets import OwnPreset
    from cnnpredict_gui.studies.presets import Preset

_KEPT = "architecture"
_FILTER = "Presets (*.json);;All files (*)"


class ArchitectureBox(QWidget):
    """Sets ``state.config`` to a layer of a network. :meth:`reload` reads the tables in the background."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self._context, self._state = context, context.state
        self._presets: dict[str, Preset] = {}
        self._own: dict[str, OwnPreset] = {}
        self._layers: list[NetworkLayer] = []
        self._then = ""
        self.network = SearchCombo("Network", "Network: type to search", "Choose a network")
        self.layer = SearchCombo("Layer of the network", "Layer of the network: type to search", "own layer")
        self.resolution = NumberBox()
        self.menu_button = QToolButton()
        self.message = QLabel()
        self._build()
        self._state.config_changed.connect(self._follow)

    def _build(self) -> None:
        self.network.activated.connect(lambda _index: self._network_chosen())
        self.layer.activated.connect(lambda _index: self._layer_chosen())
        self.resolution.setRange(1, LIMITS["input_height"])
        self.resolution.setSuffix(" px")
        self.resolution.setValue(224)
        self.resolution.setSingleStep(32)
        self.resolution.setAccessibleName("Resolution of the network's input in px")
        self.resolution.setToolTip("Height and width of the network's input")
        self.resolution.valueChanged.connect(lambda _value: self._resolution_changed())
        self.menu_button.setText("Presets")
        self.menu_button.setToolTip("Keep, rename, export and import own presets")
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.menu_button)
        menu.aboutToShow.connect(lambda: self._fill_menu(menu))
        self.menu_button.setMenu(menu)
        self.message.setWordWrap(True)
        set_role(self.message, "error")
        self.message.hide()
        self._place()

    def _place(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GRID)
        grid.setVerticalSpacing(GRID // 2)
        grid.setColumnStretch(1, 1)
        for row, (text, widget) in enumerate(
            (("Network", self.network), ("Layer", self.layer), ("Resolution", self.resolution))
        ):
            label = QLabel(text)
            label.setBuddy(widget)
            grid.addWidget(label, row, 0)
            grid.addWidget(widget, row, 1, 1, 1 if row == 2 else 2)
        grid.addWidget(self.menu_button, 2, 2)
        grid.addWidget(self.message, 3, 0, 1, 3)

    # -- reading ------------------------------------------------------------------------------------------------------

    def reload(self, then: str = "") -> None:
        """Read the presets again, in the background; then choose ``then``."""

        def work(_cancelled: Cancelled) -> tuple[list[Preset], list[OwnPreset], list[str]]:
            from cnnpredict_gui.studies.own_presets import OwnPresets
            from cnnpredict_gui.studies.presets import list_presets

            own = OwnPresets()
            return list_presets(), own.list(), own.set_aside

        self._then = then
        self._context.predictions.submit("presets", work, self._show_presets, self._context.report)

    def _show_presets(self, found: tuple[list[Preset], list[OwnPreset], list[str]]) -> None:
        (presets, own, aside), then = found, self._then
        self._presets = {f"preset:{one.name}": one for one in presets}
        self._own = {f"own:{one.name}": one for one in own}
        kept = then or self._state.views.get(_KEPT, {}).get("network", "")
        with QSignalBlocker(self.network):
            rows = [(f"{one.name} (own)", key) for key, one in self._own.items()]
            rows += [(preset.title, key) for key, preset in self._presets.items()]
            _fill(self.network, rows)
            if own:
                self.network.insertSeparator(len(own))
            self.network.setCurrentIndex(self.network.findData(kept) if kept else -1)
        for text in aside:
            self._context.say(text)
        if self.network.currentIndex() >= 0:
            resolution = self._state.views.get(_KEPT, {}).get("resolution")
            self._open(self.network.currentData(), resolution if isinstance(resolution, int) and not then else None)
        elif "preset:resnet50" in self._presets and not kept:
            self.network.setCurrentIndex(self.network.findData("preset:resnet50"))
            self._open("preset:resnet50", None)

    def _open(self, key: str, resolution: int | None) -> None:
        preset = self._presets.get(key)
        self.resolution.setEnabled(preset is not None)
        if preset is not None:
            with QSignalBlocker(self.resolution):
                self.resolution.setMinimum(preset.minimum_resolution)
                self.resolution.setValue(resolution or preset.default_resolution)
        self._read_layers()

    def _read_layers(self) -> None:
        key, layers = self.network.currentData(), []
        self.message.hide()
        try:
            if key in self._presets:
                layers = self._presets[key].layers(self.resolution.value(), 1)
            elif key in self._own:
                layers = list(self._own[key].layers)
        except ConfigError as error:
            self.message.setText(str(error))
            self.message.show()
        self._layers = [layer for layer in layers if layer.config is not None]
        with QSignalBlocker(self.layer):
            _fill(self.layer, [(layer_text(layer), layer.name) for layer in self._layers])
        self._follow(self._state.config)
        self._state.views[_KEPT] = {"network": key or "", "resolution": self.resolution.value()}

    # -- choosing -----------------------------------------------------------------------------------------------------

    def _network_chosen(self) -> None:
        self._open(self.network.currentData(), None)
        if self._layers:
            self.layer.setCurrentIndex(0)
            self._layer_chosen()

    def _resolution_changed(self) -> None:
        index = self.layer.currentIndex()
        self._read_layers()
        if 0 <= index < len(self._layers):
            self.layer.setCurrentIndex(index)
            self._apply(index, "resolution")

    def _layer_chosen(self) -> None:
        self._apply(self.layer.currentIndex(), "")

    def _apply(self, index: int, merge: str) -> None:
        if 0 <= index < len(self._layers):
            config = self._layers[index].config
            if config is not None:
                batched = config.model_copy(update={"batch_size": self._state.config.batch_size})
                self._state.set_config(batched, f"choice of layer {self._layers[index].name}", merge)

    def _follow(self, config: ConvConfig) -> None:
        """Show which layer of the network the configuration is, if any."""
        current = self.layer.currentIndex()
        line = self.layer.line()
        if 0 <= current < len(self._layers) and _same_layer(self._layers[current].config, config):
            line.setCursorPosition(0)
            return
        index = next((i for i, layer in enumerate(self._layers) if _same_layer(layer.config, config)), -1)
        with QSignalBlocker(self.layer):
            self.layer.setCurrentIndex(index)
            line.setCursorPosition(0)
            if index < 0:
                line.clear()

    # -- own presets --------------------------------------------------------------------------------------------------

    def _fill_menu(self, menu: QMenu) -> None:
        menu.clear()
        own = self._own.get(self.network.currentData() or "")
        menu.addAction("Keep this layer as preset…", self._keep)
        menu.addAction("Import preset…", self._import)
        menu.addSeparator()
        for text, slot in (("Rename…", self._rename), ("Export…", self._export), ("Delete", self._delete)):
            action = menu.addAction(
                f"{text[:-1]} {own.name}…" if own and text.endswith("…") else f"{text} {own.name}" if own else text, slot
            )
            action.setEnabled(own is not None)

    def _keep(self) -> None:
        name, given = QInputDialog.getText(self, "Keep layer", "Name of the preset:", text=self._state.config.label())
        if given and name.strip():
            self.keep(name)

    def keep(self, name: str) -> None:
        """Keep the current layer under a name."""
        from cnnpredict_gui.studies.layers import conv_layer
        from cnnpredict_gui.studies.own_presets import OwnPresets

        layer = conv_layer("layer", self._state.config)
        self._change(lambda: OwnPresets().save(name, [layer], "kept from the layer panel"))

    def _rename(self) -> None:
        old = self._own[self.network.currentData()].name
        name, given = QInputDialog.getText(self, "Rename preset", "New name:", text=old)
        if given:
            self.rename(old, name)

    def rename(self, old: str, new: str) -> None:
        """Rename an own preset."""
        from cnnpredict_gui.studies.own_presets import OwnPresets

        self._change(lambda: OwnPresets().rename(old, new))

    def _delete(self) -> None:
        self.delete(self._own[self.network.currentData()].name)

    def delete(self, name: str) -> None:
        """Delete an own preset."""
        from cnnpredict_gui.studies.own_presets import OwnPresets

        self._change(lambda: OwnPresets().delete(name), "preset:resnet50")

    def _export(self) -> None:
        from cnnpredict_gui.studies.own_presets import OwnPresets

        name = self._own[self.network.currentData()].name
        path, _ = ask_to_save(self, "Export preset", f"{name}.json", _FILTER)
        if path:
            self._change(lambda: OwnPresets().export(name, path), f"own:{name}")

    def _import(self) -> None:
        path = ask_to_open(self, "Import preset", _FILTER)
        if path:
            self.import_file(Path(path))

    def import_file(self, path: Path) -> None:
        """Import an exported preset."""
        from cnnpredict_gui.studies.own_presets import OwnPresets

        self._change(lambda: OwnPresets().import_file(path))

    def _change(self, action: Callable[[], OwnPreset | None], chosen: str = "") -> None:
        """Do it in the background, report what goes wrong, and choose the preset it gave (or ``chosen``)."""
        self._context.disk.run(action, lambda made: self.reload(f"own:{made.name}" if made else chosen), self._context.report)


def _fill(combo: QComboBox, rows: list[tuple[str, str]]) -> None:
    """Replace the items of a combo box by these texts and data."""
    combo.clear()
    for index, (text, data) in enumerate(rows):
        combo.addItem(text, data)
        combo.setItemData(index, text, Qt.ItemDataRole.ToolTipRole)


def layer_text(layer: NetworkLayer) -> str:
    """Name and shape of a layer for the list."""
    if layer.config is None:
        return layer.name
    times = f" ({layer.count}×)" if layer.count > 1 else ""
    return f"{layer.name}{times}   {layer.config.label().split('×', 1)[1]}"


def _same_layer(one: ConvConfig | None, other: ConvConfig) -> bool:
    return one is not None and one == other.model_copy(update={"batch_size": one.batch_size})
