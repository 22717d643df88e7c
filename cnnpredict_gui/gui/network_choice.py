"""The Network view's row of controls: which network, at which size, and how its errors hang together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QProgressBar,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from cnnpredict_gui.core.config import DTYPES, LIMITS
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.network_data import NetworkRequest
from cnnpredict_gui.gui.search_combo import SearchCombo

if TYPE_CHECKING:
    from cnnpredict_gui.serving.predictor import Predictor
    from cnnpredict_gui.studies.network_source import OpenedNetwork
    from cnnpredict_gui.studies.own_presets import OwnPreset
    from cnnpredict_gui.studies.presets import Preset

RHO_TIP = (
    "How much the errors of two layers have in common (ρ): 0 nothing, 1 everything. "
    "With distances d from a layer's time to the end of its interval, that of the sum is √((1 − ρ)·Σd² + ρ·(Σd)²). "
    "Measured sums lie in the 90 % interval at ρ = 0.5 in 98 of 100 cases where layers like these were measured, "
    "in 62 where none of the network was."
)
_DEFAULT = "preset:resnet50"
_BATCH_AS_FILE, _TYPE_AS_FILE = "batch as is", "type as is"
#: What a session keeps of the network, with the type of each.
_KEPT: dict[str, type] = {"network": str, "resolution": int, "batch_size": int, "dtype": str}


class NetworkChoice(QWidget):
    """Chooses a preset, an own preset or the opened file, with resolution, batch size, element type and ρ."""

    #: Something else is chosen.
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.opened: OpenedNetwork | None = None
        self._file_name = ""
        self._presets: dict[str, Preset] = {}
        self._own: dict[str, OwnPreset] = {}
        #: Values of a session that wait for the presets to be read.
        self._wanted: dict[str, Any] = {}
        self.network = SearchCombo("Network to predict", "Network: type to search", letters=14)
        self.resolution, self.batch_size = QSpinBox(), QSpinBox()
        self.dtype, self.rho = QComboBox(), QDoubleSpinBox()
        self.open_button, self.cancel = QToolButton(), QToolButton()
        self.progress = QProgressBar()
        self._build_size()
        self._build_opening()
        self._place()
        self.network.activated.connect(self._network_chosen)
        self.dtype.activated.connect(self.changed)
        for box in (self.resolution, self.batch_size, self.rho):
            box.valueChanged.connect(self.changed)

    # -- building -----------------------------------------------------------------------------------------------------

    def _build_size(self) -> None:
        self.resolution.setRange(1, LIMITS["input_height"])
        self.resolution.setValue(224)
        self.resolution.setSuffix(" px")
        self.resolution.setSingleStep(32)
        self.resolution.setAccessibleName("Resolution of the network's input in px")
        self.batch_size.setRange(1, LIMITS["batch_size"])
        self.batch_size.setPrefix("batch ")
        self.batch_size.setToolTip("Images at once")
        self.batch_size.setAccessibleName("Batch size of the network in images")
        for name in DTYPES:
            self.dtype.addItem(name, name)
        self.dtype.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.dtype.setToolTip("Element type of the convolutions")
        self.dtype.setAccessibleName("Element type of the network")
        self.rho.setRange(0.0, 1.0)
        self.rho.setSingleStep(0.1)
        self.rho.setDecimals(2)
        self.rho.setValue(0.5)
        self.rho.setToolTip(RHO_TIP)
        self.rho.setAccessibleName("Correlation of the layers' errors, 0 to 1")

    def _build_opening(self) -> None:
        self.open_button.setText("Open file…")
        self.open_button.setToolTip(
            "Open an ONNX file, a table of layers (CSV, Parquet) or an exported preset; or drop it here"
        )
        self.progress.setAccessibleName("Progress of opening")
        self.progress.setMaximumWidth(120)
        self.progress.setRange(0, 0)
        self.cancel.setText("Cancel")
        self.cancel.setToolTip("Stop opening the file")
        self.show_opening(False)

    def _place(self) -> None:
        rho_label = QLabel("ρ")
        rho_label.setToolTip(RHO_TIP)
        rho_label.setBuddy(self.rho)
        size = (self.resolution, self.batch_size, self.dtype, rho_label, self.rho)
        row = header_row(self.network, self.open_button, *size, self.progress, self.cancel)
        row.setStretch(0, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)

    # -- showing ------------------------------------------------------------------------------------------------------

    def show_presets(self, presets: list[Preset], own: list[OwnPreset]) -> None:
        """Offer these networks; what was chosen stays chosen."""
        self._presets = {f"preset:{one.name}": one for one in presets}
        self._own = {f"own:{one.name}": one for one in own}
        wanted = self.network.currentData() or self._wanted.pop("network", "") or _DEFAULT
        with QSignalBlocker(self.network):
            self.network.clear()
            if self.opened is not None:
                self._offer_file()
            for key, one in self._own.items():
                self.network.addItem(f"{one.name} (own)", key)
            for key, preset in self._presets.items():
                self.network.addItem(preset.title, key)
            self.network.setCurrentIndex(max(self.network.findData(wanted), 0))
        self._network_chosen()

    def show_file(self, network: OpenedNetwork, name: str) -> None:
        """Offer and choose a network that was read from a file of this name."""
        self.opened, self._file_name = network, name
        with QSignalBlocker(self.network):
            index = self.network.findData("file")
            if index >= 0:
                self.network.removeItem(index)
            self._offer_file()
            self.network.setCurrentIndex(0)
        self._network_chosen()

    def _offer_file(self) -> None:
        self.network.insertItem(0, f"{self._file_name} (file)", "file")

    def show_opening(self, on: bool) -> None:
        """Whether a file is being read."""
        self.progress.setVisible(on)
        self.cancel.setVisible(on)

    def _network_chosen(self) -> None:
        """Fit the boxes to the chosen network: only presets have a choice of resolution."""
        preset = self._presets.get(self.network.currentData() or "")
        wanted, self._wanted = self._wanted, {}
        with QSignalBlocker(self.resolution), QSignalBlocker(self.batch_size):
            self.resolution.setVisible(preset is not None)
            if preset is not None:
                self.resolution.setToolTip(f"Height and width of the network's input, at least {preset.minimum_resolution} px")
                self.resolution.setMinimum(preset.minimum_resolution)
                self.resolution.setValue(int(wanted.get("resolution", preset.default_resolution)))
            self.batch_size.setMinimum(1 if preset else 0)
            self.batch_size.setSpecialValueText("" if preset else _BATCH_AS_FILE)
            self.batch_size.setValue(int(wanted.get("batch_size", self.batch_size.value() if preset else 0)))
        has_choice = self.dtype.findData("") >= 0
        if preset is None and not has_choice:
            self.dtype.insertItem(0, _TYPE_AS_FILE, "")
            self.dtype.setCurrentIndex(0)
        elif preset is not None and has_choice:
            self.dtype.removeItem(self.dtype.findData(""))
        if "dtype" in wanted:
            self.dtype.setCurrentIndex(max(self.dtype.findData(wanted["dtype"]), 0))
        self.changed.emit()

    # -- asking -------------------------------------------------------------------------------------------------------

    def request(self, predictors: tuple[Predictor, ...]) -> NetworkRequest | None:
        """The question these controls make of the predictors; none while no network is there."""
        key = self.network.currentData()
        preset = self._presets.get(key or "")
        source = self.opened if key == "file" else preset.name if preset else (key or "").removeprefix("own:")
        if not source:
            return None
        return NetworkRequest(
            source,
            self.resolution.value() if preset else None,
            self.batch_size.value(),
            self.dtype.currentData() or "",
            self.rho.value(),
            predictors,
        )

    # -- session ------------------------------------------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        """Network and its size."""
        return {
            "network": self.network.currentData() or "",
            "resolution": self.resolution.value(),
            "batch_size": self.batch_size.value(),
            "dtype": self.dtype.currentData() or "",
            "rho": self.rho.value(),
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`save` gave, once the presets are there; a file has to be opened again."""
        self._wanted = {
            key: data[key] for key, kind in _KEPT.items() if key in data and isinstance(data[key], kind) and data[key] != ""
        }
        if self._wanted.get("network") == "file":
            del self._wanted["network"]
        self.rho.setValue(float(data.get("rho", 0.5)))
