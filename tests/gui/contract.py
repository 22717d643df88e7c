"""What every widget must fulfil: derive a test class from :class:`WidgetContract` and implement ``make``."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QHeaderView,
    QLineEdit,
    QPlainTextEdit,
    QTabBar,
    QTextEdit,
    QWidget,
)
from PySide6.QtXml import QDomDocument
from pytestqt.qtbot import QtBot

from cnnpredict_gui.gui.charts import ChartView
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import save
from cnnpredict_gui.gui.painting import PaintedInTurns
from cnnpredict_gui.gui.strip_chart import StripChart
from cnnpredict_gui.gui.tables import TableView
from cnnpredict_gui.gui.theme import DARK, LIGHT

CONTROLS = (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QAbstractItemView,
    QAbstractSlider,
    QPlainTextEdit,
    QTextEdit,
    ChartView,
    StripChart,
)
#: Room a view has in a window of 1024 x 700 beside the docks and below the tabs.
MAXIMUM = QSize(740, 600)


def settle(qtbot: QtBot, context: AppContext, channel: str) -> None:
    """Wait until the answer of a channel is there."""
    qtbot.waitUntil(lambda: not context.predictions.busy(channel), timeout=10_000)


def controls(widget: QWidget) -> list[QWidget]:
    """Controls of ours: those inside other controls (a combo box's line edit, scroll bars) are Qt's own business."""
    found: list[QWidget] = []
    for child in [widget, *widget.findChildren(QWidget)]:
        if not isinstance(child, CONTROLS) or child.objectName().startswith("qt_"):
            continue
        parent = child.parentWidget()
        inner = isinstance(parent, QAbstractSpinBox | QComboBox | QLineEdit | QTabBar | QHeaderView) or isinstance(
            child, QHeaderView
        )
        popup = child.window() is not widget.window() or type(parent).__name__ == "QComboBoxPrivateContainer"
        scroll = type(child).__name__ == "QScrollBar" or (type(child).__name__ == "QTableCornerButton")
        corner = isinstance(child, QAbstractButton) and isinstance(parent, QAbstractItemView)
        if not (inner or popup or scroll or corner):
            found.append(child)
    return found


def spoken_name(widget: QWidget) -> str:
    """What a screen reader says."""
    if widget.accessibleName():
        return widget.accessibleName()
    return widget.text() if isinstance(widget, QAbstractButton) else ""


def picture(widget: QWidget) -> QImage:
    """What a widget looks like; nothing in it waits for another turn to be painted."""
    with PaintedInTurns.at_once():
        return widget.grab().toImage()


class WidgetContract:
    """Tests for every widget. ``make`` builds it with data to show; ``channel`` names its prediction channel, if any."""

    channel = ""
    maximum = MAXIMUM

    def make(self, context: AppContext) -> QWidget:
        """Build the widget."""
        raise NotImplementedError

    def shown(self, qtbot: QtBot, context: AppContext) -> QWidget:
        """The widget on screen, with its data."""
        widget = self.make(context)
        qtbot.addWidget(widget)
        widget.resize(self.maximum)
        with qtbot.waitExposed(widget):
            widget.show()
        if self.channel:
            settle(qtbot, context, self.channel)
        return widget

    def exportables(self, widget: QWidget) -> list[Any]:
        """Charts and tables of the widget that have something to show."""
        children = [widget, *widget.findChildren(QWidget)]
        charts = [child for child in children if isinstance(child, ChartView | StripChart) and not child.is_empty]
        return charts + [child for child in children if isinstance(child, TableView) and child.rows_model.rows]

    def test_every_control_has_an_accessible_name(self, qtbot: QtBot, context: AppContext) -> None:
        widget = self.shown(qtbot, context)
        nameless = [
            f"{type(child).__name__} in {type(child.parent()).__name__}" for child in controls(widget) if not spoken_name(child)
        ]
        assert not nameless

    def test_fits_a_small_window(self, qtbot: QtBot, context: AppContext) -> None:
        least = self.shown(qtbot, context).minimumSizeHint()
        assert least.width() <= self.maximum.width() and least.height() <= self.maximum.height(), least

    def test_light_and_dark(self, qtbot: QtBot, context: AppContext) -> None:
        widget = self.shown(qtbot, context)
        pictures = [_brightness(picture(widget))]
        with qtbot.waitSignal(context.theme.settled):
            context.theme.apply(DARK)
        pictures.append(_brightness(picture(widget)))
        context.theme.apply(LIGHT)
        assert pictures[0] > 160 > 96 > pictures[1]

    def test_every_chart_and_table_exports(self, qtbot: QtBot, context: AppContext, tmp_path: Path) -> None:
        widget = self.shown(qtbot, context)
        for number, source in enumerate(self.exportables(widget)):
            base = tmp_path / f"{number}-{source.export_name()}"
            for scale in (1, 2):
                save(source, base.with_suffix(".png"), DARK, scale)
                image = QImage(str(base.with_suffix(".png")))
                assert image.width() == round(source.export_size().width() * scale) and _colours(image) > 2
                assert _commonest(image) == QColor(DARK.base).rgb(), f"{source.export_name()} has lost its background"
            save(source, base.with_suffix(".svg"), LIGHT)
            assert QDomDocument().setContent(base.with_suffix(".svg").read_bytes())
            save(source, base.with_suffix(".csv"), LIGHT)
            rows = list(csv.DictReader(io.StringIO(base.with_suffix(".csv").read_text(encoding="utf-8"))))
            assert rows and "version" in rows[0] and None not in rows[0]

    def test_can_be_made_twice_and_closed(self, qtbot: QtBot, context: AppContext) -> None:
        for _ in range(2):
            widget = self.make(context)
            widget.show()
            widget.close()
            widget.deleteLater()
            qtbot.wait(1)
        context.state.set_config(context.state.config.model_copy(update={"output_channels": 31}))
        context.state.select(context.state.selection[:1])
        context.theme.apply(DARK)
        context.theme.apply(LIGHT)
        qtbot.wait(1)


def _brightness(image: QImage) -> float:
    small = image.scaled(32, 32)
    return sum(small.pixelColor(x, y).lightness() for x in range(32) for y in range(32)) / 1024


def _commonest(image: QImage) -> int:
    """The colour of most pixels."""
    sample = (image.pixel(x, y) for x in range(0, image.width(), 3) for y in range(0, image.height(), 3))
    return Counter(sample).most_common(1)[0][0]


def _colours(image: QImage) -> int:
    return len({image.pixel(x, y) for x in range(0, image.width(), 3) for y in range(0, image.height(), 3)})
