"""What a benchmark shall do: layers per call, calls, warm-up, native libraries."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QLabel, QSpinBox, QToolButton, QWidget

from cnnpredict_gui.bench.sizes import ITERATIONS, MAX_ITERATIONS, MAX_ROWS, MAX_WARM_UP, USUAL_ROWS, WARM_UP
from cnnpredict_gui.gui.boxes import NumberBox
from cnnpredict_gui.gui.layer_form import header_row


class CountBox(NumberBox):
    """A box for a count with thousands separators."""

    def __init__(self, name: str, tip: str, low: int, high: int, value: int) -> None:
        super().__init__()
        self.setRange(low, high)
        self.setValue(value)
        self.setGroupSeparatorShown(True)
        self.setAccelerated(True)
        self.setStepType(QSpinBox.StepType.AdaptiveDecimalStepType)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setAccessibleName(name)
        self.setToolTip(f"{tip} {low:,} to {high:,}.")


class BenchmarkForm(QWidget):
    """The sizes of a run in one row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = CountBox("Layers per call", "Layers that one call predicts.", 1, MAX_ROWS, USUAL_ROWS[0])
        self.iterations = CountBox("Calls", "Timed calls of each predictor.", 1, MAX_ITERATIONS, ITERATIONS)
        self.warm_up = CountBox("Warm-up calls", "Calls before the timed ones.", 0, MAX_WARM_UP, WARM_UP)
        self.native = QCheckBox("Native libraries too")
        self.native.setToolTip(
            "Also time the file that PyTorch, XGBoost or scikit-learn wrote, by that library, where it is there and safe"
        )
        self.usual = [self._usual(number) for number in USUAL_ROWS]
        row = header_row(QLabel("Layers per call"), self.rows, *self.usual, QLabel("Calls"), self.iterations)
        row.addWidget(QLabel("Warm-up"))
        row.addWidget(self.warm_up)
        row.addStretch(1)
        self.setLayout(row)

    def _usual(self, number: int) -> QToolButton:
        button = QToolButton()
        button.setText(f"{number:,}")
        button.setAccessibleName(f"{number:,} layers per call")
        button.setToolTip(f"{number:,} layers per call")
        button.clicked.connect(lambda: self.rows.setValue(number))
        return button

    def save(self) -> dict[str, Any]:
        """The sizes as JSON values."""
        return {
            "rows": self.rows.value(),
            "iterations": self.iterations.value(),
            "warm_up": self.warm_up.value(),
            "native": self.native.isChecked(),
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`save` gave."""
        for name, box in (("rows", self.rows), ("iterations", self.iterations), ("warm_up", self.warm_up)):
            if type(data.get(name)) is int:
                box.setValue(data[name])
        if isinstance(data.get("native"), bool):
            self.native.setChecked(data["native"])
