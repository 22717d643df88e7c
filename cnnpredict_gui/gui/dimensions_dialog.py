"""Asks for the extents that a network file leaves open."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLabel, QSpinBox, QVBoxLayout, QWidget

from cnnpredict_gui.core.errors import OpenDimension
from cnnpredict_gui.gui.theme import GRID

_USUAL = {"batch": 1, "channels": 3, "height": 224, "width": 224}
_UNITS = {"batch": " images", "channels": " channels", "height": " px", "width": " px"}


class DimensionsDialog(QDialog):
    """One box per open extent; :meth:`values` has what was given."""

    def __init__(self, file_name: str, dimensions: Sequence[OpenDimension], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Size of the network's input")
        text = QLabel(f"{file_name} leaves the size of its input open. Which size shall be predicted?")
        text.setWordWrap(True)
        self.boxes: dict[str, QSpinBox] = {}
        form = QFormLayout()
        for one in dimensions:
            box = self.boxes[one.name] = QSpinBox()
            box.setRange(1, 1_048_576)
            box.setValue(_USUAL.get(one.meaning, 1))
            box.setSuffix(_UNITS.get(one.meaning, ""))
            box.setAccessibleName(f"{one.meaning or 'extent'} {one.name}")
            box.setToolTip(f"Extent called {one.name!r} in the file")
            title = f"{one.meaning.capitalize()} ({one.name})" if one.meaning else one.name
            form.addRow(title, box)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.setSpacing(GRID)
        layout.addWidget(text)
        layout.addLayout(form)
        layout.addWidget(buttons)

    def values(self) -> dict[str, int]:
        """Extents by their name in the file."""
        return {name: box.value() for name, box in self.boxes.items()}
