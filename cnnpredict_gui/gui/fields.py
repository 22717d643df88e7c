"""The parameters as the screen names them: label, unit and explanation, and boxes made from them."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QValidator
from PySide6.QtWidgets import QLabel, QWidget

from cnnpredict_gui.core.config import LIMITS
from cnnpredict_gui.gui.boxes import NumberBox


@dataclass(frozen=True)
class FieldText:
    """How a parameter is called on screen; ``unit`` may be empty."""

    label: str
    unit: str
    tip: str


FIELD_TEXTS: dict[str, FieldText] = {
    "batch_size": FieldText("Batch size", "images", "Images processed at once (N)."),
    "input_channels": FieldText("Input channels", "channels", "Channels of the input (C)."),
    "input_height": FieldText("Input height", "px", "Height of the input (H)."),
    "input_width": FieldText("Input width", "px", "Width of the input (W)."),
    "output_channels": FieldText("Output channels", "channels", "Filters, that is channels of the output (K)."),
    "kernel_height": FieldText("Kernel height", "px", "Height of the filter."),
    "kernel_width": FieldText("Kernel width", "px", "Width of the filter."),
    "stride_height": FieldText("Stride height", "px", "Vertical step of the filter."),
    "stride_width": FieldText("Stride width", "px", "Horizontal step of the filter."),
    "padding_height": FieldText("Padding height", "px", "Zeros added above and below."),
    "padding_width": FieldText("Padding width", "px", "Zeros added left and right."),
    "dilation_height": FieldText("Dilation height", "px", "Vertical distance of filter taps; 1 means none between them."),
    "dilation_width": FieldText("Dilation width", "px", "Horizontal distance of filter taps; 1 means none between them."),
    "groups": FieldText(
        "Groups", "groups", "Independent groups of channels; as many as input channels is a depthwise convolution."
    ),
    "dtype": FieldText("Data type", "", "Element type of input, weights and output."),
    "direction": FieldText("Direction", "", "Forward pass, or one of the two passes of training."),
    "algorithm": FieldText("Algorithm", "", "Algorithm of the library; 'default' is the library's own choice."),
}


def readable(text: str) -> str:
    """A message with the parameters called as on screen."""
    for field, texts in FIELD_TEXTS.items():
        text = text.replace(field, texts.label.lower())
    return text[:1].upper() + text[1:]


class SizeBox(NumberBox):
    """Spin box of one parameter: limits, unit and tooltip from its field; Page Up doubles, Page Down halves.

    A number out of the limits can be typed, so that it can be told; leaving the box makes it the nearest limit.
    """

    #: What is typed is out of the limits, which the text tells; empty when it no longer is.
    strayed = Signal(str)

    def __init__(self, field: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.field = field
        texts, low = FIELD_TEXTS[field], 0 if field.startswith("padding") else 1
        self.setObjectName(field)
        self.limits = f"{low:,} to {LIMITS[field]:,} {texts.unit}".rstrip()
        self._unit = texts.unit
        self.setRange(low, LIMITS[field])
        self.setGroupSeparatorShown(True)
        self.setAccelerated(True)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setAccessibleName(f"{texts.label} in {texts.unit}" if texts.unit else texts.label)
        self.setToolTip(f"{texts.tip} {self.limits}. Page Up doubles, Page Down halves.")
        self._stray = False
        self.lineEdit().textEdited.connect(self._check)
        self.editingFinished.connect(lambda: self._check(self.text()))

    def _number(self, text: str) -> int | None:
        """The whole number in the text of the box, within its limits or not."""
        digits = text.removesuffix(self.suffix()).replace(self.locale().groupSeparator(), "").strip()
        return int(digits) if digits.isdecimal() else None

    def _check(self, text: str) -> None:
        number = self._number(text)
        stray = number is not None and not self.minimum() <= number <= self.maximum()
        if stray or self._stray:
            self._stray = stray
            self.strayed.emit(f"{FIELD_TEXTS[self.field].label}: {self.limits}" if stray else "")

    def validate(self, text: str, position: int) -> object:
        found = super().validate(text, position)
        if isinstance(found, tuple) and found[0] == QValidator.State.Invalid and self._number(text) is not None:
            return QValidator.State.Intermediate, text, position
        return found

    def fixup(self, text: str) -> str:
        number = self._number(text)
        return text if number is None else str(max(self.minimum(), min(number, self.maximum())))

    def show_unit(self) -> None:
        """Show the unit behind the number."""
        self._show_unit(self.value())
        self.valueChanged.connect(self._show_unit)

    def _show_unit(self, value: int) -> None:
        unit = self._unit.removesuffix("s") if value == 1 else self._unit
        if self.suffix() != f" {unit}":
            self.setSuffix(f" {unit}")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_PageUp:
            self.setValue(max(1, self.value() * 2))
        elif event.key() == Qt.Key.Key_PageDown:
            self.setValue(self.value() // 2)
        else:
            super().keyPressEvent(event)


class ScrubLabel(QLabel):
    """Label that changes its box when dragged sideways: 64 pixels double or halve the value."""

    #: factor relative to where the drag began
    dragged = Signal(float)
    drag_began = Signal()

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        self._start: float | None = None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._start = event.globalPosition().x()
            self.drag_began.emit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._start is not None:
            self.dragged.emit(2.0 ** ((event.globalPosition().x() - self._start) / 64))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._start = None
