"""Which column of a file holds which parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from cnnpredict_gui.gui.boxes import ChoiceBox
from cnnpredict_gui.gui.fields import FIELD_TEXTS
from cnnpredict_gui.gui.theme import GRID, set_role

#: Names of columns may be longer than the form is made for them; it is scrolled then.
_MOST_PX = 320


class MappingForm(QScrollArea):
    """A box with the parameters for each column of a file; ``changed`` tells a new mapping."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setAccessibleName("Columns of the file")
        self.boxes: dict[str, QComboBox] = {}
        self._natural: dict[str, str] = {}

    def show_columns(self, columns: Sequence[str], mapping: Mapping[str, str], suggested: Mapping[str, str]) -> None:
        """A row for each column, with what it is mapped to; suggestions are marked as such."""
        from cnnpredict_gui.studies.tabular import PARAMETERS

        self.boxes.clear()
        content = QWidget()
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, GRID, 0)
        grid.setHorizontalSpacing(GRID)
        grid.setVerticalSpacing(GRID // 2)
        grid.setColumnStretch(1, 1)
        self._natural = {name: name.strip().lower().replace(" ", "_").replace("-", "_") for name in columns}
        for row, name in enumerate(columns):
            label = QLabel(name)
            label.setToolTip(f"Column {name!r} of the file")
            box = self.boxes[name] = ChoiceBox()
            box.setAccessibleName(f"Parameter in column {name}")
            box.addItem("not used", "")
            for parameter in PARAMETERS:
                box.addItem(parameter.replace("_", " "), parameter)
                if parameter in FIELD_TEXTS:
                    box.setItemData(box.count() - 1, FIELD_TEXTS[parameter].tip, 3)
            natural = self._natural[name] if self._natural[name] in PARAMETERS else ""
            box.setCurrentIndex(max(box.findData(mapping.get(name, natural)), 0))
            box.setEnabled(not natural)
            box.setToolTip("Named like the parameter it holds" if natural else "Which parameter this column holds")
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(12)
            box.currentIndexChanged.connect(self.changed)
            label.setBuddy(box)
            grid.addWidget(label, row, 0)
            grid.addWidget(box, row, 1)
            if mapping.get(name) and suggested.get(name) == mapping.get(name):
                mark = QLabel("suggested")
                set_role(mark, "muted")
                mark.setToolTip("Going by a common other name of the parameter; change it if it is wrong")
                grid.addWidget(mark, row, 2)
        page = QVBoxLayout(content)
        page.setContentsMargins(0, 0, 0, 0)
        page.addLayout(grid)
        page.addStretch(1)
        with QSignalBlocker(self):
            self.setWidget(content)
        needed = content.minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        self.setMinimumWidth(min(needed, _MOST_PX))

    def mapping(self) -> dict[str, str]:
        """Column to parameter, only where the names differ."""
        return {
            name: box.currentData()
            for name, box in self.boxes.items()
            if box.isEnabled() and box.currentData() and box.currentData() != self._natural[name]
        }
