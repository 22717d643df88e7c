"""What the Train page asks for: where the measurements come from, the target, the device and the effort."""

from __future__ import annotations

import os
import re
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from cnnpredict_gui.core.errors import ConfigError
from cnnpredict_gui.core.names import TIME_KINDS
from cnnpredict_gui.gui.boxes import ChoiceBox, NumberBox
from cnnpredict_gui.gui.compare_tables import KIND_TEXTS
from cnnpredict_gui.gui.device_form import DeviceForm
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.theme import GRID, set_role

#: Choices of how thoroughly hyperparameters are searched: text and trials.
_EFFORTS = (("as for the predictors that come with the program", None), ("without search, quicker", 0))
_FIGURES = "Peak rates and sizes tell the models what is possible. Rough figures do; those of this machine are typical ones."
_WALL = "framework_wall_clock"
_TARGET = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class TrainForm(QScrollArea):
    """Boxes only; a file is opened by the page."""

    def __init__(self) -> None:
        super().__init__()
        self.here, self.from_file = QRadioButton("Measure layers on this machine"), QRadioButton("Use a file of measurements")
        self.layers, self.rounds, self.threads = NumberBox(), NumberBox(), NumberBox()
        self.open_button, self.file_label = QPushButton("Open…"), QLabel()
        self.target, self.framework = QLineEdit(), QLineEdit()
        self.kind, self.effort = ChoiceBox(), ChoiceBox()
        self.device = DeviceForm()
        self._build_boxes()
        self._name_boxes()
        self._place()
        self.here.toggled.connect(self._source_changed)
        self.here.setChecked(True)

    def _build_boxes(self) -> None:
        self.layers.setRange(30, 50_000)
        self.layers.setSingleStep(100)
        self.layers.setValue(1000)
        self.layers.setSuffix(" layers")
        self.rounds.setRange(2, 20)
        self.rounds.setValue(3)
        self.rounds.setPrefix("rounds ")
        self.threads.setRange(1, os.cpu_count() or 1)
        self.threads.setPrefix("threads ")
        for kind, words in TIME_KINDS.items():
            self.kind.addItem(f"{KIND_TEXTS[kind]}: {words}", kind)
        for text, trials in _EFFORTS:
            self.effort.addItem(f"Search: {text}", trials)
        for box in (self.kind, self.effort):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(12)
        self.target.setPlaceholderText("e.g. rtx-4090")
        self.framework.setPlaceholderText("e.g. PyTorch 2.13 / cuDNN 9")
        self.file_label.setWordWrap(True)

    def _name_boxes(self) -> None:
        names: tuple[tuple[QWidget, str, str], ...] = (
            (self.here, "", "PyTorch on the CPU; interrupted, it goes on where it was"),
            (self.from_file, "", "Measurements of any device, made with any program"),
            (self.open_button, "", "Open a CSV or Parquet file of measurements"),
            (self.layers, "Layers to measure", "About 0.2 s each: 1,000 layers take some minutes, 5,000 half an hour"),
            (self.rounds, "Rounds over all layers", "Layers whose two best rounds differ by more than 10 % are left out"),
            (self.threads, "Threads of PyTorch", f"Threads on the CPU, 1 to {self.threads.maximum()}"),
            (self.target, "Name of the target", "Small letters, digits and dashes; the training folder is named after it"),
            (self.framework, "Framework and library", "What ran the layers, with versions"),
            (self.kind, "Kind of time", "What the times contain; kinds are never compared with each other"),
            (self.effort, "Search for hyperparameters", "Searching takes longer and errs a little less"),
        )
        for widget, name, tip in names:
            if name:
                widget.setAccessibleName(name)
            widget.setToolTip(tip)

    def _place(self) -> None:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, GRID, 0)
        column.setSpacing(GRID // 2)
        self.numbers = row(self.layers, self.rounds, self.threads)
        self.file_row = row(self.open_button, self.file_label)
        form = QFormLayout()
        form.setHorizontalSpacing(GRID)
        form.setVerticalSpacing(GRID // 2)
        for label, widget in (("Name", self.target), ("Framework", self.framework), ("Times are", self.kind)):
            form.addRow(label, widget)
        note = QLabel(_FIGURES)
        note.setWordWrap(True)
        set_role(note, "muted")
        for part in (title("Measurements"), self.here, self.numbers, self.from_file, self.file_row, title("Target")):
            column.addWidget(part)
        column.addLayout(form)
        for part in (title("Device, by its datasheet"), note, self.device, title("Training"), self.effort):
            column.addWidget(part)
        column.addStretch(1)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("What to train")
        self.setWidget(content)
        self.setMinimumWidth(content.minimumSizeHint().width() + 3 * GRID)

    def _source_changed(self) -> None:
        """What is measured here has its framework and kind of time already."""
        here = self.here.isChecked()
        self.numbers.setEnabled(here)
        for widget in (self.file_row, self.kind, self.framework):
            widget.setEnabled(not here)
        if here:
            self.kind.setCurrentIndex(self.kind.findData(_WALL))

    def target_name(self) -> str:
        """The target's name.

        Raises:
            ConfigError: it is missing or cannot name a folder.
        """
        name = self.target.text().strip()
        if not _TARGET.fullmatch(name):
            raise ConfigError("the target has no usable name", "use small letters, digits and dashes, e.g. rtx-4090", "target")
        return name

    def save(self) -> dict[str, Any]:
        """Everything that was filled in."""
        return {
            "target": self.target.text(),
            "framework": self.framework.text(),
            "kind": self.kind.currentData(),
            "device": self.device.save(),
            **{name: getattr(self, name).value() for name in ("layers", "rounds", "threads")},
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`save` gave."""
        for name in ("target", "framework"):
            getattr(self, name).setText(str(data.get(name, "")))
        self.kind.setCurrentIndex(max(self.kind.findData(data.get("kind", _WALL)), 0))
        if isinstance(data.get("device"), dict):
            self.device.restore(data["device"])
        for name in ("layers", "rounds", "threads"):
            if isinstance(data.get(name), int):
                getattr(self, name).setValue(data[name])


def title(text: str) -> QLabel:
    """A heading."""
    label = QLabel(text)
    set_role(label, "title")
    return label


def row(*widgets: QWidget) -> QWidget:
    """Widgets side by side, to the left."""
    box = QWidget()
    layout = header_row(*widgets)
    layout.addStretch(1)
    box.setLayout(layout)
    return box
