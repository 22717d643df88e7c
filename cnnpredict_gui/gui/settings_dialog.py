"""The settings dialog; everything holds after OK, the size of everything after the next start."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.error_dialog import plain_buttons
from cnnpredict_gui.gui.file_dialogs import ask_for_folder
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.infra.paths import bundled_models_dir, user_models_dir
from cnnpredict_gui.infra.settings import CHOICES, Settings

_TEXTS: dict[str, dict[Any, str]] = {
    "theme": {"system": "Follow the system", "light": "Light", "dark": "Dark"},
    "scale": {0: "Follow the system"} | {percent: f"{percent} %" for percent in CHOICES["scale"][1:]},
    "digits": {digits: f"{digits} significant digits" for digits in CHOICES["digits"]},
    "export_scale": {scale: f"{scale} × the screen's pixels" for scale in CHOICES["export_scale"]},
    "export_background": {"screen": "Colours of the screen", "white": "White background"},
    "log_level": {level: level.capitalize() for level in CHOICES["log_level"]},
}


class SettingsDialog(QDialog):
    """Edits a copy of the settings; OK takes it over."""

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.setWindowTitle("Settings")
        self.choices: dict[str, QComboBox] = {}
        self.switches: dict[str, QCheckBox] = {}
        self.restart_note = QLabel("Restart cnnpredict to see the new size.")
        self.folders = QListWidget()
        self.add_button = QPushButton("&Add…")
        self.remove_button = QPushButton("&Remove")
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok
            | QDialogButtonBox.StandardButton.Cancel
            | QDialogButtonBox.StandardButton.RestoreDefaults
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.setSpacing(GRID)
        for box in (self._appearance(), self._models(), self._exports(), self._records()):
            layout.addWidget(box)
        layout.addStretch(1)
        layout.addWidget(self.buttons)
        plain_buttons(self.buttons)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        standard = self.buttons.button(QDialogButtonBox.StandardButton.RestoreDefaults)
        standard.setToolTip("Show the standard values; they hold after OK. Model folders stay.")
        standard.clicked.connect(self.show_standard)
        self.show_settings(context.preferences.current)

    def _choice(self, form: QFormLayout, name: str, label: str, tip: str) -> None:
        combo = QComboBox()
        for value, text in _TEXTS[name].items():
            combo.addItem(text, value)
        combo.setAccessibleName(label.replace("&", ""))
        combo.setToolTip(tip)
        form.addRow(label, combo)
        self.choices[name] = combo

    def _switch(self, form: QFormLayout, name: str, text: str, tip: str) -> None:
        box = QCheckBox(text)
        box.setToolTip(tip)
        form.addRow(box)
        self.switches[name] = box

    def _appearance(self) -> QGroupBox:
        box, form = _group("Appearance")
        self._choice(form, "theme", "&Colours", "Light and dark; following the system changes with it at once")
        self._choice(form, "scale", "&Size of everything", "Text, controls and charts; holds after the next start")
        set_role(self.restart_note, "warning")
        self.restart_note.setWordWrap(True)
        form.addRow("", self.restart_note)
        self.choices["scale"].currentIndexChanged.connect(self._show_restart_note)
        self._choice(form, "digits", "&Numbers", "Digits of times on screen; exported files always have all digits")
        self._switch(form, "restore_session", "Go on &where the last session ended", "Window, layer, predictors and pins")
        return box

    def _show_restart_note(self) -> None:
        self.restart_note.setVisible(self.choices["scale"].currentData() != self._context.preferences.current.scale)

    def _models(self) -> QGroupBox:
        box, form = _group("Folders with models")
        self.folders.setAccessibleName("Folders with models")
        self.folders.setMaximumHeight(88)
        self.add_button.setToolTip("Look for models in a further folder")
        self.remove_button.setToolTip("Do not look there any more; no file is deleted")
        self.add_button.clicked.connect(self._choose_folder)
        self.remove_button.clicked.connect(self._remove_folder)
        self.folders.itemSelectionChanged.connect(self._update_buttons)
        note = QLabel(f"Always searched: {bundled_models_dir()} and {user_models_dir()}")
        set_role(note, "muted")
        note.setWordWrap(True)
        row = header_row(self.add_button, self.remove_button)
        row.addStretch(1)
        form.addRow(self.folders)
        form.addRow(row)
        form.addRow(note)
        return box

    def _exports(self) -> QGroupBox:
        box, form = _group("Pictures")
        self._choice(form, "export_scale", "&Pixels", "For copied pictures and the first entry of Save as PNG")
        self._choice(form, "export_background", "&Background", "For copied pictures and the first entry of Save as PNG")
        return box

    def _records(self) -> QGroupBox:
        box, form = _group("Records on this computer")
        self._choice(form, "log_level", "&Log", "How important an event must be to be written to the log")
        self._switch(
            form,
            "count_usage",
            "Count which predictors, layers and networks I &use",
            "Kept on this computer only; see Tools, Usage statistics",
        )
        return box

    def show_settings(self, settings: Settings) -> None:
        """Show these values."""
        for name, combo in self.choices.items():
            combo.setCurrentIndex(combo.findData(getattr(settings, name)))
        for name, box in self.switches.items():
            box.setChecked(getattr(settings, name))
        self._show_restart_note()
        self.folders.clear()
        self.folders.addItems(list(settings.models_folders))
        self._update_buttons()

    def show_standard(self) -> None:
        """Show the standard values; folders stay."""
        kept = {"models_folders": self.values()["models_folders"]}
        self.show_settings(Settings(**kept))

    def values(self) -> dict[str, Any]:
        """What the dialog shows now."""
        chosen = {name: combo.currentData() for name, combo in self.choices.items()}
        switched = {name: box.isChecked() for name, box in self.switches.items()}
        listed = tuple(self.folders.item(row).text() for row in range(self.folders.count()))
        found = chosen | switched | {"models_folders": listed}
        return {field.name: found[field.name] for field in fields(Settings) if field.name in found}

    def accept(self) -> None:
        """Take the values over and keep them."""
        preferences = self._context.preferences
        folders, scale = preferences.current.models_folders, preferences.current.scale
        preferences.update(**self.values())
        if preferences.current.models_folders != folders:
            self._context.models.set_folders(preferences.model_folders())
        if preferences.current.scale != scale:
            self._context.say("The new size holds after the next start")
        super().accept()

    def _choose_folder(self) -> None:
        folder = ask_for_folder(self, "Add a folder with models")
        if folder:
            self.add_folder(folder)

    def add_folder(self, folder: str) -> None:
        """Put a folder into the list, once."""
        path = str(Path(folder).absolute())
        if path not in self.values()["models_folders"]:
            self.folders.addItem(path)

    def _remove_folder(self) -> None:
        for item in self.folders.selectedItems():
            self.folders.takeItem(self.folders.row(item))
        self._update_buttons()

    def _update_buttons(self) -> None:
        self.remove_button.setEnabled(bool(self.folders.selectedItems()))


def _group(title: str) -> tuple[QGroupBox, QFormLayout]:
    box = QGroupBox(title)
    form = QFormLayout(box)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setHorizontalSpacing(2 * GRID)
    form.setVerticalSpacing(GRID // 2)
    return box, form
