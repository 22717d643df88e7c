"""The panel on the left: architecture, layer, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QMenu, QScrollArea, QToolButton, QVBoxLayout, QWidget

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.gui.architecture_box import ArchitectureBox
from cnnpredict_gui.gui.chrome import copy_config
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.format import scaled, sig3
from cnnpredict_gui.gui.layer_form import LayerForm, header_row
from cnnpredict_gui.gui.state import DEFAULT_CONFIG
from cnnpredict_gui.gui.theme import GRID, set_role


class DerivedValues(QWidget):
    """Output size, MACs, parameters, bytes and arithmetic intensity of the layer."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2 * GRID)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        self.values: dict[str, QLabel] = {}
        rows = (
            ("Output", "Channels × height × width of the output"),
            ("MACs", "Multiply-accumulates of the direct algorithm, whole batch"),
            ("Parameters", "Weights without bias"),
            ("Data moved", "Input, weights and output, each once"),
            ("Intensity", "Floating-point operations (2 per MAC) per byte moved"),
        )
        for row, (name, tip) in enumerate(rows):
            label, value = QLabel(name), QLabel()
            set_role(label, "muted")
            label.setToolTip(tip)
            value.setToolTip(tip)
            value.setAccessibleName(name)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            grid.addWidget(label, row, 0)
            grid.addWidget(value, row, 1)
            self.values[name] = value
        context.state.config_changed.connect(self.show_config)
        self.show_config(context.state.config)

    def show_config(self, config: ConvConfig) -> None:
        """Show what follows from a configuration."""
        self.values["Output"].setText(f"{config.output_channels:,} × {config.output_height:,} × {config.output_width:,}")
        self.values["MACs"].setText(scaled(config.macs).strip())
        self.values["Parameters"].setText(scaled(config.weight_elements).strip())
        self.values["Data moved"].setText(f"{scaled(config.bytes_moved)}B")
        self.values["Intensity"].setText(f"{sig3(config.arithmetic_intensity)} FLOP/byte")


class ParameterPanel(QScrollArea):
    """Content of the dock "Layer"."""

    def __init__(self, context: AppContext, whole: bool = True) -> None:
        super().__init__()
        self.context = context
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Layer")
        if whole:
            for _ in self.pieces():
                pass

    def pieces(self) -> Iterator[None]:
        """Build the content, a few milliseconds at a time."""
        context = self.context
        self.architecture = ArchitectureBox(context)
        yield
        self.form = LayerForm(context)
        yield
        self.derived = DerivedValues(context)
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(GRID, GRID // 2, GRID, GRID)
        layout.setSpacing(GRID)
        layout.addWidget(self.architecture)
        layout.addWidget(_line())
        layout.addWidget(self.form)
        layout.addWidget(_line())
        layout.addWidget(self.derived)
        layout.addLayout(self._buttons(context))
        layout.addStretch(1)
        yield
        self.setWidget(content)

    def _buttons(self, context: AppContext) -> QHBoxLayout:
        state = context.state
        row = header_row()
        for text, tip, slot in (
            ("Undo", "Take back the last change (Ctrl+Z)", state.undo_stack.undo),
            ("Redo", "Do it again (Ctrl+Shift+Z)", state.undo_stack.redo),
            (
                "Reset",
                "Back to the layer the program starts with (Ctrl+R)",
                lambda: state.set_config(DEFAULT_CONFIG, "reset of the layer"),
            ),
            ("Pin", "Keep this layer for comparison (Ctrl+D)", lambda: state.pin()),
        ):
            button = QToolButton()
            button.setText(text)
            button.setToolTip(tip)
            button.clicked.connect(slot)
            row.addWidget(button)
            if text == "Undo":
                state.undo_stack.canUndoChanged.connect(button.setEnabled)
                button.setEnabled(state.undo_stack.canUndo())
            if text == "Redo":
                state.undo_stack.canRedoChanged.connect(button.setEnabled)
                button.setEnabled(state.undo_stack.canRedo())
        copy = QToolButton()
        copy.setText("Copy")
        copy.setToolTip("Copy the layer as JSON, command line or Python")
        copy.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(copy)
        for form, text in (("JSON", "as JSON"), ("CLI", "as command line"), ("Python", "as Python")):
            menu.addAction(text, lambda f=form: copy_config(context, f))
        copy.setMenu(menu)
        row.addWidget(copy)
        row.addStretch(1)
        return row

    def sizeHint(self) -> QSize:
        """Wide enough for the form, as tall as it needs."""
        widget = self.widget()
        least = widget.sizeHint() if widget else QSize(300, 500)
        return QSize(max(least.width() + 2 * GRID, 300), least.height())

    def minimumSizeHint(self) -> QSize:
        """As wide as the form's least width, scrolled vertically."""
        widget = self.widget()
        return QSize((widget.minimumSizeHint().width() if widget else 280) + 2 * GRID, 160)


def _line() -> QFrame:
    line = QFrame()
    line.setFrameShape(QFrame.Shape.HLine)
    line.setFrameShadow(QFrame.Shadow.Sunken)
    return line
