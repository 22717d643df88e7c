"""Dialog for errors: what is wrong, what to do, and details that can be copied."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QFontDatabase, QGuiApplication, QIcon
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QStyle,
    QVBoxLayout,
    QWidget,
)

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.gui.theme import GRID, set_role
from cnnpredict_gui.infra.paths import log_dir


class ErrorDialog(QDialog):
    """Shows one error. ``report`` is the crash report file, if there is one."""

    def __init__(self, error: CnnPredictError, parent: QWidget | None = None, report: Path | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("cnnpredict: something went wrong")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.error, self.report = error, report
        self.message = QLabel(sentence(error.message))
        self.hint = QLabel(sentence(error.hint))
        self.details = QPlainTextEdit(self._details())
        self.more = QPushButton("&Details")
        self.copy_button = QPushButton("&Copy")
        self.folder_button = QPushButton("Open &log folder")
        self.close_button = QPushButton("Close")
        self._build()

    def _details(self) -> str:
        notes = list(getattr(self.error, "__notes__", []))
        kept = [f"crash report: {self.report}"] if self.report else []
        return "\n".join([*notes, *kept])

    def _build(self) -> None:
        for label in (self.message, self.hint):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setMinimumWidth(420)
        set_role(self.message, "title")
        self.hint.setVisible(bool(self.error.hint))
        self.details.setReadOnly(True)
        self.details.setAccessibleName("Details")
        self.details.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.details.setMinimumHeight(180)
        self.details.hide()
        self.more.setCheckable(True)
        self.more.setVisible(bool(self.details.toPlainText()))
        self.more.toggled.connect(self._show_details)
        self.copy_button.setToolTip("Copy message, hint and details")
        self.copy_button.clicked.connect(self.copy)
        self.folder_button.setVisible(self.report is not None)
        self.folder_button.clicked.connect(open_log_folder)
        self.close_button.setDefault(True)
        self.close_button.clicked.connect(self.accept)
        icon = QLabel()
        icon.setPixmap(self.style().standardIcon(QStyle.StandardPixmap.SP_MessageBoxWarning).pixmap(32, 32))
        texts, top, buttons, layout = QVBoxLayout(), QHBoxLayout(), QHBoxLayout(), QVBoxLayout(self)
        texts.addWidget(self.message)
        texts.addWidget(self.hint)
        texts.addStretch(1)
        top.setSpacing(2 * GRID)
        top.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(texts, 1)
        for button in (self.more, self.copy_button, self.folder_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.setSpacing(2 * GRID)
        layout.addLayout(top)
        layout.addWidget(self.details, 1)
        layout.addLayout(buttons)
        self.close_button.setFocus()

    def _show_details(self, on: bool) -> None:
        self.details.setVisible(on)
        self.resize(max(self.width(), 640) if on else self.minimumSizeHint().width(), self.sizeHint().height())

    def text(self) -> str:
        """Everything as plain text, for a report."""
        return "\n".join(part for part in (self.error.message, self.error.hint, self.details.toPlainText()) if part)

    def copy(self) -> None:
        """Put everything on the clipboard."""
        QGuiApplication.clipboard().setText(self.text())


def sentence(text: str) -> str:
    """The text with a capital first letter, unless it begins with a name such as ``best_model.onnx``."""
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.isalpha() else text


def plain_buttons(box: QDialogButtonBox) -> None:
    """Buttons without pictures; Enter presses OK or Close, never one that clears or copies."""
    for button in box.buttons():
        button.setIcon(QIcon())
        role = box.buttonRole(button)
        leaves = role in (QDialogButtonBox.ButtonRole.AcceptRole, QDialogButtonBox.ButtonRole.RejectRole)
        if isinstance(button, QPushButton):
            button.setAutoDefault(leaves)
    accept = box.button(QDialogButtonBox.StandardButton.Ok) or box.button(QDialogButtonBox.StandardButton.Close)
    if accept is not None:
        accept.setDefault(True)


def open_log_folder() -> None:
    """Show the folder of log and crash reports in the desktop's file manager."""
    log_dir().mkdir(parents=True, exist_ok=True)
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(log_dir())))
