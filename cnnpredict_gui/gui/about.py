"""About: what this is, and the versions of everything, to copy into a report."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.error_dialog import plain_buttons
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.infra.paths import config_dir, data_dir, log_dir
from cnnpredict_gui.infra.versions import versions


class AboutDialog(QDialog):
    """Name, licence, versions and folders."""

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.setWindowTitle("About cnnpredict")
        self.facts = versions() | {
            "Models": f"{len(context.models.predictors)} ready",
            "Settings": str(config_dir()),
            "Data": str(data_dir()),
            "Log": str(log_dir()),
        }
        title = QLabel(f"cnnpredict {self.facts['cnnpredict']}")
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.5)
        title.setFont(font)
        about = QLabel(
            "Predicts how long convolution layers and whole networks take on many devices, offline. MIT licence. "
            "Qt for Python is used under the LGPL."
        )
        about.setWordWrap(True)
        about.setMinimumWidth(440)
        form = QFormLayout()
        form.setHorizontalSpacing(2 * GRID)
        form.setVerticalSpacing(GRID // 4)
        for name, value in self.facts.items():
            label, text = QLabel(name), QLabel(value)
            set_role(label, "muted")
            text.setWordWrap(True)
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            form.addRow(label, text)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy_button = buttons.addButton("&Copy", QDialogButtonBox.ButtonRole.ActionRole)
        self.copy_button.setToolTip("Copy the versions, for a report")
        self.copy_button.clicked.connect(self.copy)
        buttons.rejected.connect(self.reject)
        plain_buttons(buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.setSpacing(GRID)
        layout.addWidget(title)
        layout.addWidget(about)
        layout.addLayout(form)
        layout.addWidget(buttons)

    def copy(self) -> None:
        """Put the versions on the clipboard."""
        QGuiApplication.clipboard().setText("\n".join(f"{name}: {value}" for name, value in self.facts.items()))
        self._context.say("Versions copied")
