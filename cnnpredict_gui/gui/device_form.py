"""The datasheet figures of a device, to be filled in or taken over from a known one."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QLineEdit, QSpinBox, QWidget

from cnnpredict_gui.core.card import Device
from cnnpredict_gui.core.errors import ConfigError
from cnnpredict_gui.gui.boxes import ChoiceBox, NumberBox
from cnnpredict_gui.gui.theme import GRID

#: Field: label, unit, largest value, decimals, explanation.
_FIGURES: dict[str, tuple[str, str, float, int, str]] = {
    "compute_units": ("Compute units", "", 100_000, 0, "Streaming multiprocessors, compute units or cores; 1 for one thread"),
    "boost_clock_mhz": ("Boost clock", "MHz", 20_000, 0, "Highest clock frequency"),
    "fp32_tflops": ("fp32 peak", "TFLOP/s", 100_000, 3, "Peak rate of 32-bit floating point, without tensor cores"),
    "fp16_tflops": (
        "fp16 peak",
        "TFLOP/s",
        100_000,
        3,
        "Peak rate of 16-bit floating point, dense; that of fp32 if not faster",
    ),
    "memory_bandwidth_gbs": ("Memory", "GB/s", 100_000, 1, "Bandwidth of the device's memory"),
    "l2_mb": ("Last-level cache", "MB", 10_000, 2, "Size of the last-level cache (L2 of a GPU, L3 of a processor)"),
    "host_copy_gbs": ("Host copies", "GB/s", 10_000, 1, "Bandwidth between host and device; matters for times with copies"),
}
_OWN = "own figures"


class DeviceForm(QWidget):
    """Name and figures of a device; a figure of 0 is missing."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, Device] = {}
        self.choice, self.name = ChoiceBox(), QLineEdit()
        self.boxes: dict[str, QSpinBox | QDoubleSpinBox] = {}
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(GRID)
        form.setVerticalSpacing(GRID // 2)
        self.choice.addItem(_OWN, "")
        self.choice.setAccessibleName("Take figures of a known device")
        self.choice.setToolTip("Fill in the figures of a device that comes with the program")
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.setMinimumContentsLength(14)
        self.choice.activated.connect(self._take_over)
        self.name.setAccessibleName("Name of the device")
        self.name.setPlaceholderText("e.g. NVIDIA RTX 4090")
        self.name.setToolTip("What the device is called in the list of predictors")
        self.name.setMaxLength(80)
        self.name.textChanged.connect(self.changed)
        form.addRow("Figures of", self.choice)
        form.addRow("Device", self.name)
        for field, (label, unit, high, decimals, tip) in _FIGURES.items():
            box = self.boxes[field] = QDoubleSpinBox() if decimals else NumberBox()
            if isinstance(box, QDoubleSpinBox):
                box.setDecimals(decimals)
                box.setRange(0.0, high)
            else:
                box.setRange(0, int(high))
            box.setGroupSeparatorShown(True)
            box.setSpecialValueText("missing")
            box.setSuffix(f" {unit}" if unit else "")
            box.setAccessibleName(f"{label} in {unit}" if unit else label)
            box.setToolTip(f"{tip}. From the datasheet.")
            box.valueChanged.connect(self.changed)
            form.addRow(label, box)

    def show_known(self, devices: dict[str, Device]) -> None:
        """Offer these devices by their keys."""
        self.known = devices
        for key, device in sorted(devices.items(), key=lambda item: item[1].name):
            self.choice.addItem(device.name, key)

    def _take_over(self) -> None:
        device = self.known.get(self.choice.currentData() or "")
        if device is not None:
            self.show_device(device)

    def show_device(self, device: Device) -> None:
        """Fill in a device."""
        with QSignalBlocker(self):
            self.name.setText(device.name)
            for field, box in self.boxes.items():
                _set(box, getattr(device, field))
        self.changed.emit()

    def device(self) -> Device:
        """The device.

        Raises:
            ConfigError: its name or a figure is missing.
        """
        missing = [_FIGURES[field][0] for field, box in self.boxes.items() if not box.value()]
        if not self.name.text().strip():
            missing.insert(0, "name")
        if missing:
            hint = "look them up in the datasheet, or take over those of a similar device"
            raise ConfigError(f"figures of the device are missing: {', '.join(missing).lower()}", hint, "device")
        base = self.known.get(self.choice.currentData() or "")
        known = {"vendor": base.vendor, "architecture": base.architecture} if base and base.name == self.name.text() else {}
        return Device(name=self.name.text().strip(), **known, **{field: box.value() for field, box in self.boxes.items()})

    def save(self) -> dict[str, Any]:
        """Name and figures."""
        return {"name": self.name.text(), **{field: box.value() for field, box in self.boxes.items()}}

    def restore(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`save` gave."""
        self.name.setText(str(data.get("name", "")))
        for field, box in self.boxes.items():
            value = data.get(field)
            if isinstance(value, int | float) and not isinstance(value, bool):
                _set(box, value)


def _set(box: QSpinBox | QDoubleSpinBox, value: float) -> None:
    if isinstance(box, QSpinBox):
        box.setValue(round(value))
    else:
        box.setValue(value)
