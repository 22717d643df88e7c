"""Asks what a native model file does not say of itself, imports it, and tells how well the converted model agrees."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cnnpredict_gui.core.errors import CardError, CnnPredictError
from cnnpredict_gui.core.names import FAMILIES, TIME_KINDS, TRAINED_FAMILIES
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.error_dialog import plain_buttons, sentence
from cnnpredict_gui.gui.file_dialogs import ask_to_open, remember
from cnnpredict_gui.gui.format import sig3
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.gui.workers import Task

if TYPE_CHECKING:
    from cnnpredict_gui.core.card import ModelCard
    from cnnpredict_gui.importing.importer import Imported
    from cnnpredict_gui.importing.mapping import FeatureMapping

_CHOOSE = "Choose…"
#: What has to be said, and how.
_NEEDED = {
    "target": "choose what the times belong to, or take a mapping file that describes it",
    "family": "choose what kind of model it is",
    "output": "choose what its number means",
    "features": "name each column of the model, in its order",
}
#: Files whose weights do not tell what stands between the layers.
_WEIGHTS_ALONE = (".pth", ".pt", ".safetensors")


class ImportDialog(QDialog):
    """One import. ``imported`` tells what was made; the dialog stays open to show how well both models agree."""

    imported = Signal(object)

    def __init__(self, context: AppContext, path: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        from cnnpredict_gui.importing.limits import shown_name
        from cnnpredict_gui.importing.mapping import known_targets

        self._context, self._path = context, path
        self._targets = known_targets(entry.card for entry in context.models.entries if entry.card is not None)
        self._described: dict[str, Any] = {}
        self._card: ModelCard | None = None
        self._task: Task | None = None
        self.setWindowTitle("Import a model")
        self.file_label = QLabel(shown_name(path))
        self.source_label = QLabel()
        self.target, self.family, self.output, self.activation = QComboBox(), QComboBox(), QComboBox(), QComboBox()
        self.features = QPlainTextEdit()
        self.file_button = QPushButton("From &file…")
        self.count_label = QLabel()
        self.progress = QProgressBar()
        self.message = QLabel()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close | QDialogButtonBox.StandardButton.Help)
        self.import_button = QPushButton("&Import")
        self._fill_choices()
        self._build()
        self.describe()

    def _fill_choices(self) -> None:
        from cnnpredict_gui.importing.mapping import ACTIVATIONS, OUTPUTS

        for box in (self.target, self.family, self.output, self.activation):
            box.addItem(_CHOOSE, "")
        for name, card in sorted(self._targets.items(), key=lambda item: item[1].target.title):
            self._add_target(name, card.target.title, card.target.time_kind)
        for name in TRAINED_FAMILIES:
            self.family.addItem(FAMILIES[name], name)
        for name, text in OUTPUTS.items():
            self.output.addItem(text, name)
        for name in ACTIVATIONS:
            self.activation.addItem(name, name)
        self.activation.setEnabled(self._path.suffix.lower() in _WEIGHTS_ALONE)

    def _add_target(self, name: str, title: str, time_kind: str) -> None:
        self.target.addItem(f"{title} ({name})", name)
        self.target.setItemData(self.target.count() - 1, TIME_KINDS[time_kind], Qt.ItemDataRole.ToolTipRole)

    def _build(self) -> None:
        form = QFormLayout()
        rows: tuple[tuple[str, QComboBox, str], ...] = (
            ("&Target", self.target, "Device, framework and kind of time that the model's times belong to"),
            ("F&amily", self.family, "What kind of model it is; colours and symbols go by it"),
            ("&Output", self.output, "What the number means that the model puts out"),
            ("Acti&vation", self.activation, "What stands between the layers; only for files that hold weights alone"),
        )
        form.addRow("File", self.file_label)
        for label, box, tip in rows:
            box.setAccessibleName(label.replace("&", ""))
            box.setToolTip(tip)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(24)
            form.addRow(label, box)
        self.file_label.setToolTip(str(self._path))
        self.source_label.setWordWrap(True)
        set_role(self.source_label, "muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.setSpacing(GRID)
        layout.addWidget(self.source_label)
        layout.addLayout(form)
        layout.addLayout(self._features_row())
        layout.addWidget(self.features, 1)
        layout.addWidget(self.progress)
        layout.addWidget(self.message)
        layout.addWidget(self.buttons)
        self._finish_parts()
        self.resize(560, 560)

    def _features_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        title = QLabel("F&eatures, in the order of the model's columns")
        title.setBuddy(self.features)
        set_role(self.count_label, "muted")
        self.file_button.setToolTip("Take them from a model card, a mapping or a list of names")
        self.file_button.clicked.connect(self._choose_description)
        row.addWidget(title)
        row.addWidget(self.count_label, 1)
        row.addWidget(self.file_button)
        return row

    def _finish_parts(self) -> None:
        self.features.setAccessibleName("Features in the order of the model's columns")
        self.features.setPlaceholderText("One name per line, or separated by commas, e.g. input_channels, input_height, macs")
        self.features.setTabChangesFocus(True)
        self.features.textChanged.connect(self._count)
        self.progress.setAccessibleName("Progress of the import")
        self.progress.hide()
        self.message.setWordWrap(True)
        self.message.setAccessibleName("Result of the import")
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.message.hide()
        self.import_button.setToolTip("Read the file in a process of its own, convert it and compare both")
        self.buttons.addButton(self.import_button, QDialogButtonBox.ButtonRole.ActionRole)
        self.buttons.rejected.connect(self.reject)
        self.buttons.helpRequested.connect(lambda: self._context.show_help("importing-models"))
        self.import_button.clicked.connect(self.start)
        plain_buttons(self.buttons)
        self.import_button.setDefault(True)
        self._count()

    # -- what is said of the model ------------------------------------------------------------------------------------

    def describe(self) -> None:
        """Take over what a card or mapping beside the file says."""
        from cnnpredict_gui.importing.importer import description_beside

        beside = description_beside(self._path)
        if beside is None:
            self.source_label.setText("The file does not say what it predicts and from what. Say it here; nothing is guessed.")
        else:
            self.take_description(beside)

    def _choose_description(self) -> None:
        remember(self._path)
        path = ask_to_open(self, "Card, mapping or list of features", "")
        if path:
            self.take_description(Path(path))

    def take_description(self, path: Path) -> None:
        """Fill in what a card, a mapping or a list of features says."""
        from cnnpredict_gui.importing.importer import said_by
        from cnnpredict_gui.importing.limits import shown_name

        try:
            values, card = said_by(path)
        except CnnPredictError as error:
            self._tell(error)
            return
        self._described, self._card = self._described | values, card
        target = values.get("target")
        name = getattr(target, "name", target.get("name", "") if isinstance(target, dict) else target)
        if name and self.target.findData(name) < 0:
            self._add_target(str(name), str(getattr(target, "title", name)), getattr(target, "time_kind", "kernel"))
        for box, value in ((self.target, name), *((getattr(self, key), values.get(key)) for key in ("family", "output"))):
            box.setCurrentIndex(max(0, box.findData(value))) if value else None
        if values.get("activation"):
            self.activation.setCurrentIndex(max(0, self.activation.findData(values["activation"])))
        self.features.setPlainText("\n".join(values.get("features", ())))
        self.source_label.setText(f"Described by {shown_name(path)}; look it through and change what is wrong.")
        self.message.hide()

    def _count(self) -> None:
        count = len(self.features.toPlainText().replace(",", " ").replace(";", " ").split())
        self.count_label.setText(f"{count} named" if count else "")

    def mapping(self) -> FeatureMapping:
        """What is chosen, checked.

        Raises:
            CnnPredictError: something is missing or wrong.
        """
        from cnnpredict_gui.importing.mapping import make_mapping, parse_features

        values = dict(self._described)
        if self.target.currentData() in self._targets:
            for name in ("target", "device"):
                values.pop(name, None)
            values["target"] = self.target.currentData()
        for name in ("family", "output", "activation"):
            chosen = getattr(self, name).currentData()
            if chosen:
                values[name] = chosen
        if self.features.toPlainText().strip():
            values["features"] = parse_features(self.features.toPlainText())
        for name, what in _NEEDED.items():
            if not values.get(name):
                raise CardError(f"no {name} {'are' if name == 'features' else 'is'} chosen", what)
        return make_mapping(values, self._targets, "the form")

    # -- importing ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Import, unless something is missing."""
        from cnnpredict_gui.importing.importer import fields_of, import_file

        try:
            mapping = self.mapping()
        except CnnPredictError as error:
            self._tell(error)
            return
        card, path = self._card, self._path
        if card is not None and any(getattr(mapping, name) != getattr(card, name) for name in fields_of(card)):
            card = None  # what was changed here is not what the card was made for
        self.message.hide()
        self._show_busy(True)
        task = self._context.tasks.run(
            f"import {path.name}",
            lambda progress, cancelled: import_file(path, mapping, None, card, progress, cancelled),
        )
        task.progress.connect(self._on_progress)
        task.succeeded.connect(self._on_success)
        task.failed.connect(self._tell)
        task.cancelled.connect(self._on_cancelled)
        task.ended.connect(self._on_end)
        self._task = task

    def _show_busy(self, busy: bool) -> None:
        for part in (self.target, self.family, self.output, self.features, self.file_button, self.import_button):
            part.setEnabled(not busy)
        self.activation.setEnabled(not busy and self._path.suffix.lower() in _WEIGHTS_ALONE)
        self.progress.setVisible(busy)
        self.progress.setRange(0, 0)
        close = self.buttons.button(QDialogButtonBox.StandardButton.Close)
        close.setText("Cancel" if busy else "Close")

    def _on_progress(self, done: int, total: int) -> None:
        from cnnpredict_gui.importing.importer import STAGES

        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.progress.setFormat(STAGES[done].capitalize() if done < len(STAGES) else "Done")

    def _on_success(self, made: Imported) -> None:
        low, median, high = map(sig3, made.times_ms)
        lines = [
            f"Imported as {made.card.name}.",
            f"{made.kind}: on {made.rows} sample layers times differ from the native model by at most {made.difference:.1e}.",
            f"They lie between {low} and {high} ms, median {median} ms. If that cannot be, the unit or a feature is wrong.",
            *(f"{sentence(note)}." for note in made.notes[1:]),
        ]
        if made.card.interval is None:
            lines.append("No card came with it: its training range is unknown, and it gives no interval.")
        self._say("\n".join(lines), "good")
        self.imported.emit(made)

    def _on_cancelled(self) -> None:
        self._say("Cancelled; nothing was kept.", "muted")

    def _on_end(self) -> None:
        self._task = None
        self._show_busy(False)

    def _tell(self, error: CnnPredictError) -> None:
        hint = f" {sentence(error.hint)}." if error.hint else ""
        self._say(f"{sentence(error.message)}.{hint}", "error")

    def _say(self, text: str, role: str) -> None:
        set_role(self.message, role)
        self.message.style().polish(self.message)
        self.message.setText(text)
        self.message.show()

    def reject(self) -> None:
        """Cancel a running import; else close."""
        if self._task is not None:
            self._task.cancel()
            return
        super().reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._task is not None:
            self._task.cancel()
        super().closeEvent(event)
