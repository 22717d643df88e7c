"""The boxes of one convolution layer: live, checked while typing, undoable."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from cnnpredict_gui.core.config import ALGORITHMS, CONFIG_FIELDS, DIRECTIONS, DTYPES, ConvConfig, same_padding
from cnnpredict_gui.core.errors import ConfigError
from cnnpredict_gui.gui.boxes import ChoiceBox
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.fields import FIELD_TEXTS, ScrubLabel, SizeBox, readable
from cnnpredict_gui.gui.theme import GRID, set_role

#: Rows of the form: label, fields (one, or a height and a width), whether it is among the optional ones.
ROWS: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("Batch size", ("batch_size",), False),
    ("Input channels", ("input_channels",), False),
    ("Height × width", ("input_height", "input_width"), False),
    ("Output channels", ("output_channels",), False),
    ("Kernel h × w", ("kernel_height", "kernel_width"), False),
    ("Stride h × w", ("stride_height", "stride_width"), False),
    ("Padding h × w", ("padding_height", "padding_width"), True),
    ("Dilation h × w", ("dilation_height", "dilation_width"), True),
    ("Groups", ("groups",), True),
)
CHOICES = {"dtype": DTYPES, "direction": DIRECTIONS, "algorithm": ALGORITHMS}


class LayerForm(QWidget):
    """Edits ``state.config``.

    An impossible layer stays in the form with a message beside the field; the state keeps the last good one.
    """

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self._state = context.state
        self._showing = False
        self.boxes: dict[str, SizeBox] = {}
        self.choices: dict[str, QComboBox] = {}
        self.links: dict[str, QToolButton] = {}
        self.messages: dict[str, QLabel] = {}
        self.same = QCheckBox("same padding")
        self._drag_start = 0
        self._build()
        self.show_config(self._state.config)
        self._state.config_changed.connect(self.show_config)

    # -- building -----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID // 2)
        self.more = QToolButton()
        self.more.setText("More: padding, dilation, groups, type…")
        self.more.setToolTip("Show or hide the optional parameters")
        self.more.setCheckable(True)
        self.more.setAutoRaise(True)
        self.more.setArrowType(Qt.ArrowType.RightArrow)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.optional = QWidget()
        self.optional.setVisible(False)
        self.more.toggled.connect(self._unfold)
        layout.addLayout(self._grid([row for row in ROWS if not row[2]]))
        layout.addWidget(self.more)
        self.optional.setLayout(self._grid([row for row in ROWS if row[2]], choices=True))
        layout.addWidget(self.optional)

    def _unfold(self, on: bool) -> None:
        self.optional.setVisible(on)
        self.more.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)

    def _grid(self, rows: list[tuple[str, tuple[str, ...], bool]], choices: bool = False) -> QGridLayout:
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GRID)
        grid.setVerticalSpacing(GRID // 2)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        grid.setColumnMinimumWidth(0, max(self.fontMetrics().horizontalAdvance(text) for text, _, _ in ROWS) + 2)
        for text, fields, _ in rows:
            self._add_row(grid, text, fields)
        if choices:
            for field in CHOICES:
                self._add_choice(grid, field)
        return grid

    def _add_row(self, grid: QGridLayout, text: str, fields: tuple[str, ...]) -> None:
        if fields[0] == "padding_height":
            self._add_same(grid)
        row = grid.rowCount()
        label = ScrubLabel(text)
        label.setToolTip(f"{FIELD_TEXTS[fields[0]].tip} Drag sideways to change.")
        grid.addWidget(label, row, 0)
        for column, field in enumerate(fields, 1):
            box = self.boxes[field] = SizeBox(field)
            box.setMinimumWidth(64 if len(fields) == 2 else 112)
            if len(fields) == 1:
                box.show_unit()
            box.valueChanged.connect(lambda _value, f=field: self._edited(f))
            box.strayed.connect(lambda text, f=field: self._strayed(f, text))
            grid.addWidget(box, row, column, 1, 1 if len(fields) == 2 else 2)
        label.setBuddy(self.boxes[fields[0]])
        label.drag_began.connect(lambda f=fields[0]: self._begin_drag(f))
        label.dragged.connect(lambda factor, f=fields[0]: self.boxes[f].setValue(max(1, round(self._drag_start * factor))))
        if len(fields) == 2:
            grid.addWidget(self._link(fields), row, 3)
        message = QLabel()
        message.setWordWrap(True)
        set_role(message, "error")
        message.hide()
        grid.addWidget(message, row + 1, 0, 1, 4)
        for field in fields:
            self.messages[field] = message

    def _add_same(self, grid: QGridLayout) -> None:
        self.same.setToolTip("Padding that keeps the size at stride 1, following kernel and dilation")
        self.same.toggled.connect(lambda _on: self._edited("same"))
        grid.addWidget(self.same, grid.rowCount(), 1, 1, 3)

    def _link(self, fields: tuple[str, ...]) -> QWidget:
        stem = fields[0].rsplit("_", 1)[0]
        link = self.links[fields[0]] = QToolButton()
        link.setText("=")
        link.setCheckable(True)
        link.setAutoRaise(True)
        link.setAccessibleName(f"Keep {stem.replace('_', ' ')} height and width equal")
        link.setToolTip("Keep height and width equal")
        link.toggled.connect(lambda on, f=fields: self._linked(f, on))
        return link

    def _add_choice(self, grid: QGridLayout, field: str) -> None:
        row, texts = grid.rowCount(), FIELD_TEXTS[field]
        label = QLabel(texts.label)
        box = self.choices[field] = ChoiceBox()
        box.setObjectName(field)
        box.setAccessibleName(texts.label)
        box.setToolTip(texts.tip)
        for value in CHOICES[field]:
            box.addItem(value.replace("_", " "), value)
        box.currentIndexChanged.connect(lambda _index, f=field: self._edited(f))
        label.setBuddy(box)
        grid.addWidget(label, row, 0)
        grid.addWidget(box, row, 1, 1, 3)
        message = self.messages[field] = QLabel()
        message.setWordWrap(True)
        set_role(message, "error")
        message.hide()
        grid.addWidget(message, row + 1, 0, 1, 4)

    # -- editing ------------------------------------------------------------------------------------------------------

    def _begin_drag(self, field: str) -> None:
        self._drag_start = max(1, self.boxes[field].value())

    def _linked(self, fields: tuple[str, ...], on: bool) -> None:
        self.boxes[fields[1]].setEnabled(not on)
        self._enable_padding()
        if on and not self._showing:
            self.boxes[fields[1]].setValue(self.boxes[fields[0]].value())

    def _edited(self, field: str) -> None:
        if self._showing:
            return
        self._showing = True
        if field in self.links and self.links[field].isChecked():
            other = field.replace("height", "width")
            self.boxes[other].setValue(self.boxes[field].value())
        if self.same.isChecked():
            self._follow_same()
        self._showing = False
        self._enable_padding()
        self._submit(field)

    def _follow_same(self) -> None:
        for axis in ("height", "width"):
            kernel, dilation = self.boxes[f"kernel_{axis}"].value(), self.boxes[f"dilation_{axis}"].value()
            self.boxes[f"padding_{axis}"].setValue(same_padding(kernel, dilation))

    def _enable_padding(self) -> None:
        own = not self.same.isChecked()
        self.boxes["padding_height"].setEnabled(own)
        self.boxes["padding_width"].setEnabled(own and not self.links["padding_height"].isChecked())
        self.links["padding_height"].setEnabled(own)

    def values(self) -> dict[str, Any]:
        """What the boxes say, valid or not."""
        found: dict[str, Any] = {field: box.value() for field, box in self.boxes.items()}
        return found | {field: box.currentData() for field, box in self.choices.items()}

    def _submit(self, field: str) -> None:
        self.clear_messages()
        try:
            config = ConvConfig.parse(self.values())
        except ConfigError as error:
            self._complain(error)
            return
        text = FIELD_TEXTS[field].label.lower() if field in FIELD_TEXTS else "padding"
        self._state.set_config(config, f"change of {text}", field)

    def _strayed(self, field: str, text: str) -> None:
        """A number out of its limits is told beside its box; the layer is the one before it."""
        self._submit(field)
        if text:
            self.messages[field].setText(text)
            self.messages[field].show()

    def _complain(self, error: ConfigError) -> None:
        message = self.messages.get(error.field) or self.messages["batch_size"]
        message.setText(readable(str(error)))
        message.show()
        if any(error.field in fields for _, fields, optional in ROWS if optional) or error.field in CHOICES:
            self.more.setChecked(True)

    def clear_messages(self) -> None:
        """Forget all complaints."""
        for message in self.messages.values():
            if message.text():
                message.clear()
                message.hide()

    def complaint(self) -> str:
        """The text of the complaint shown; empty when the layer is possible."""
        return next((message.text() for message in self.messages.values() if message.text()), "")

    def show_config(self, config: ConvConfig) -> None:
        """Fill the boxes from a configuration."""
        if all(self.values()[field] == getattr(config, field) for field in CONFIG_FIELDS) and not self.complaint():
            return
        self._showing = True
        for field, box in self.boxes.items():
            box.setValue(getattr(config, field))
        for field, choice in self.choices.items():
            choice.setCurrentIndex(choice.findData(getattr(config, field)))
        for first, link in self.links.items():
            link.setChecked(getattr(config, first) == getattr(config, first.replace("height", "width")))
        self.same.setChecked(_is_same(config))
        self._showing = False
        self._enable_padding()
        self.clear_messages()


def _is_same(config: ConvConfig) -> bool:
    heights = config.padding_height == same_padding(config.kernel_height, config.dilation_height)
    return heights and config.padding_width == same_padding(config.kernel_width, config.dilation_width)


def header_row(*widgets: QWidget) -> QHBoxLayout:
    """Widgets in one row on the grid."""
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(GRID)
    for widget in widgets:
        row.addWidget(widget)
    return row
