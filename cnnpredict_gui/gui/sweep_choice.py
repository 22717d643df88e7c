"""The Sweep view's row of controls: which parameters are varied, over which values."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QToolButton, QVBoxLayout, QWidget

from cnnpredict_gui.gui.fields import FIELD_TEXTS
from cnnpredict_gui.gui.layer_form import header_row

#: Names on screen of what sets several fields at once.
_SHORT_NAMES = {
    "input_size": "Height and width (px)",
    "channels": "Input and output channels",
    "kernel_size": "Kernel height and width (px)",
    "stride": "Stride height and width (px)",
    "padding": "Padding height and width (px)",
    "dilation": "Dilation height and width (px)",
}
#: Offered first, in this order.
_FIRST = ("batch_size", "input_size", "channels", "input_channels", "output_channels", "kernel_size", "stride", "groups")
#: Values to begin with.
_VALUES = {
    "batch_size": "1,2,4,...,256",
    "groups": "1,2,4,...,128",
    "kernel_size": "1,3,5,7,9,11",
    "stride": "1:4",
    "padding": "0:5",
    "dilation": "1:6",
    "channels": "16:512:16",
    "input_channels": "16:512:16",
    "output_channels": "16:512:16",
    "input_size": "8:224:8",
    "input_height": "8:224:8",
    "input_width": "8:224:8",
}
_VALUES_TIP = "Values: a list 1,2,8, a range 16:256:16 (first:last:step), or a series 1,2,4,...,128"


def parameter_name(parameter: str) -> str:
    """Name of a parameter on screen, with its unit."""
    if parameter in _SHORT_NAMES:
        return _SHORT_NAMES[parameter]
    texts = FIELD_TEXTS[parameter]
    return f"{texts.label} ({texts.unit})" if texts.unit == "px" else texts.label


def first_values(parameter: str) -> str:
    """Values to begin with when a parameter is varied."""
    stem = parameter.rsplit("_", 1)[0]
    return _VALUES.get(parameter) or _VALUES.get(f"{stem}_size") or _VALUES[stem]


class SweepChoice(QWidget):
    """Chooses one or two parameters and their values; values typed are kept for each parameter."""

    #: Other parameters are chosen.
    changed = Signal()
    #: Values are being typed.
    typed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._texts: dict[str, str] = {}
        self.parameter, self.second = QComboBox(), QComboBox()
        self.values, self.second_values = QLineEdit(), QLineEdit()
        self._fill()
        self._place()
        self.parameter.activated.connect(self._parameter_chosen)
        self.second.activated.connect(self._second_chosen)
        self.values.textChanged.connect(self._typed)
        self.second_values.textChanged.connect(self._typed)

    @property
    def _pairs(self) -> tuple[tuple[QComboBox, QLineEdit], ...]:
        return (self.parameter, self.values), (self.second, self.second_values)

    def _fill(self) -> None:
        from cnnpredict_gui.studies.sweep import VARIABLES

        known = [*_FIRST, *(name for name in VARIABLES if name not in _FIRST)]
        self.second.addItem("nothing else", "")
        for name in known:
            self.parameter.addItem(parameter_name(name), name)
            self.second.addItem(parameter_name(name), name)
        for combo, name, tip in (
            (self.parameter, "Varied parameter", "The parameter along the x axis"),
            (self.second, "Second varied parameter", "A second parameter makes a heat map"),
        ):
            combo.setAccessibleName(name)
            combo.setToolTip(tip)
            fit(combo)
        for line, name in ((self.values, "Values of the parameter"), (self.second_values, "Values of the second parameter")):
            line.setAccessibleName(name)
            line.setToolTip(_VALUES_TIP)
            line.setPlaceholderText("1,2,4,...,128 or 16:256:16")
            line.setMinimumWidth(110)
        self.values.setText(first_values("batch_size"))
        self.second_values.hide()

    def _place(self) -> None:
        row = header_row(QLabel("Vary"), self.parameter, self.values, QLabel("and"), self.second, self.second_values)
        for place, stretch in ((1, 2), (2, 3), (4, 2), (5, 3)):
            row.setStretch(place, stretch)
        reset = QToolButton()
        reset.setText("Reset")
        reset.setToolTip("Back to the values the parameters start with")
        reset.clicked.connect(self.reset)
        row.addWidget(reset)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)

    # -- choosing -----------------------------------------------------------------------------------------------------

    @property
    def has_second(self) -> bool:
        """Whether a second parameter is varied."""
        return bool(self.second.currentData())

    def varied(self) -> dict[str, list[int]]:
        """Parameters with their values.

        Raises:
            ConfigError: the values typed are none.
        """
        from cnnpredict_gui.studies.sweep import parse_values

        chosen = [(combo.currentData(), line.text()) for combo, line in self._pairs if combo.currentData()]
        return {parameter: parse_values(text, parameter) for parameter, text in chosen}

    def reset(self) -> None:
        """Back to the values the parameters start with."""
        self._texts.clear()
        self._parameter_chosen()
        self._second_chosen()

    def _parameter_chosen(self) -> None:
        self._show_values(self.values, self.parameter.currentData())
        self.changed.emit()

    def _second_chosen(self) -> None:
        if self.has_second:
            self._show_values(self.second_values, self.second.currentData())
        self.second_values.setVisible(self.has_second)
        self.changed.emit()

    def _show_values(self, line: QLineEdit, parameter: str) -> None:
        line.setText(self._texts.get(parameter, first_values(parameter)))
        line.setCursorPosition(0)

    def _typed(self) -> None:
        for combo, line in self._pairs:
            if combo.currentData():
                self._texts[combo.currentData()] = line.text()
        self.typed.emit()

    # -- session ------------------------------------------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        """Parameters and the values typed."""
        return {
            "parameter": self.parameter.currentData(),
            "second": self.second.currentData(),
            "values": dict(self._texts),
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`save` gave."""
        texts = data.get("values")
        if isinstance(texts, dict):
            self._texts = {str(name): str(text) for name, text in texts.items()}
        for combo, key in ((self.parameter, "parameter"), (self.second, "second")):
            combo.setCurrentIndex(max(combo.findData(data.get(key, combo.currentData())), 0))
        self._parameter_chosen()
        self._second_chosen()


def fit(combo: QComboBox, letters: int = 16) -> None:
    """Let a box of long names be narrower than its longest: so many letters wide."""
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(letters)
    combo.setMaxVisibleItems(24)
