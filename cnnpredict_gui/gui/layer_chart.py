"""Times of a network's layers as upright bars along the network, a strip for each predictor."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QTransform
from PySide6.QtWidgets import QToolTip

from cnnpredict_gui import __version__
from cnnpredict_gui.core.names import FAMILIES, TIME_KINDS
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.gui.axes import colour_axis
from cnnpredict_gui.gui.charts import ChartView
from cnnpredict_gui.gui.compare_tables import KIND_TEXTS
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.csv_text import Cell
from cnnpredict_gui.gui.curves import ValueAxis
from cnnpredict_gui.gui.export import Data
from cnnpredict_gui.gui.format import interval_words, percent, sig3
from cnnpredict_gui.gui.network_data import NetworkAnswer
from cnnpredict_gui.gui.series import predictor_title
from cnnpredict_gui.gui.strip_item import Strip, paint_item
from cnnpredict_gui.gui.switch import LogSwitch, Switch
from cnnpredict_gui.gui.theme import Theme
from cnnpredict_gui.gui.turns import Steps, Turns, finished

_STRIP_PX = 96
#: Strips that are made, or painted for a file, in one turn of the event loop, in some 10 to 25 ms.
_STRIPS = 8


class LayerChart(ChartView):
    """Strips of bars along the network, one per predictor.

    A click (or Left, Right, Home, End) chooses a layer, a double click (or Return) hands it to ``picked``.
    """

    def __init__(self, context: AppContext, chosen: Callable[[int], None], picked: Callable[[int], None]) -> None:
        self.answer: NetworkAnswer | None = None
        self.strips: list[Strip] = []
        #: Strips that stand ready for more predictors.
        self._spare: list[Strip] = []
        self._turns = Turns(self)
        #: Pictures for files that are being painted.
        self._exports: list[Steps[None]] = []
        self.convolutions: list[int] = []
        self.layer = -1
        super().__init__(
            context, "Time of each layer", "Choose predictors in the list on the left to see their times.", scrollable=True
        )
        self._chosen, self._picked = chosen, picked
        self.log = LogSwitch(self._switched, on=False)
        self.same = Switch("same scale", "Same scale", "One scale for all predictors of a time kind", self._switched)
        for tool in (self.same, self.log):
            self.add_tool(tool)
        self.numbers = ValueAxis("bottom")
        self.numbers.setLabel("layer of the network")
        colour_axis(self.numbers, context.theme.current)
        self.graphics.ci.layout.setVerticalSpacing(6)
        self.graphics.ci.layout.setHorizontalSpacing(0)
        self.graphics.ci.layout.setColumnStretchFactor(1, 1)
        self.graphics.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.graphics.installEventFilter(self)
        self.graphics.viewport().setMouseTracking(True)
        self.graphics.viewport().installEventFilter(self)

    # -- drawing ------------------------------------------------------------------------------------------------------

    def show_answer(self, answer: NetworkAnswer) -> None:
        """Draw an answer."""
        self.answer = answer
        self.convolutions = [i for i, layer in enumerate(answer.prediction.layers) if layer.predicted]
        self._redraw()

    @property
    def busy(self) -> bool:
        """Whether the drawing goes on in another turn."""
        return self._turns.waiting

    def _switched(self, _on: bool) -> None:
        self._redraw()

    def _redraw(self) -> None:
        self._finish_exports()
        answer = self.answer
        results = [one for one in answer.prediction.results if np.isfinite(one.time_ms).any()] if answer else []
        if answer is not None and not self.convolutions:
            self.set_empty(True, "This network has no convolution that could be predicted.")
            return
        if answer is not None and answer.prediction.results and not results:
            self.set_empty(True, "Every chosen predictor refuses every layer; the table says why.")
            return
        self.set_empty(not results, "Choose predictors in the list on the left to see their times.")
        if answer is None or not results:
            return
        if self._make_room(len(results)):
            self._turns.start(self._redraw)
            return
        self.numbers.set_marks([(i + 0.5, str(number + 1)) for i, number in enumerate(self.convolutions)])
        there = np.array(self.convolutions)
        counts = np.array([layer.count for layer in answer.prediction.layers])[there]
        for strip, result in zip(self.strips, results, strict=True):
            item = strip.item
            item.time, item.low, item.high = (v[there] * counts for v in (result.time_ms, result.low_ms, result.high_ms))
            item.status = result.status[there]
            item.measured = np.array(result.measured_ms)[there] * counts if result.measured_ms else np.array([])
            item.log, item.family = self.log.isChecked(), result.family
            kind = KIND_TEXTS[result.target.time_kind]
            item.title = f"{predictor_title(result.target, result.family)} · {kind} (ms)"
        self._scale([result.target.time_kind for result in results])
        self._show_legend(self._theme)
        self.show_layer(self.layer)
        self.settle()

    def _show_legend(self, theme: Theme) -> None:
        items = [strip.item for strip in self.strips]
        hatched = any((item.status == Status.EXTRAPOLATING).any() for item in items)
        marked = any((item.measured > 0).any() for item in items)
        crossed = any(np.isnan(item.time).any() for item in items)
        entries = [("extrapolated", theme.muted, "hatch")] if hatched else []
        entries += [("measured on this machine", theme.text, "line")] if marked else []
        self.legend.set_entries(entries + ([("no prediction", theme.error, "x")] if crossed else []))
        self.legend.setVisible(not self.is_empty and bool(self.legend.entries))

    def _make_room(self, count: int) -> bool:
        """As many strips as there are predictors; whether that goes on in another turn, or has taken most of this one."""
        missing, change = count - len(self.strips) - len(self._spare), abs(count - len(self.strips))
        self._spare += [Strip(self._theme) for _ in range(min(missing, _STRIPS))]
        if missing > _STRIPS:
            return True
        if change:
            self._arrange(count)
        return change > _STRIPS

    def _arrange(self, count: int) -> None:
        """So many strips below each other, the layers' numbers below the last."""
        if self.strips:
            self.graphics.removeItem(self.numbers)
        while len(self.strips) > count:
            self._spare.append(self.strips.pop())
            self._spare[-1].take(self.graphics)
        while len(self.strips) < count:
            self.strips.append(self._spare.pop())
            self.strips[-1].put(self.graphics, len(self.strips) - 1)
        self.graphics.addItem(self.numbers, count, 1)
        self.numbers.linkToView(self.strips[0].box)
        self.graphics.setMinimumHeight(count * _STRIP_PX + 40)

    def _scale(self, kinds: list[str]) -> None:
        items = [strip.item for strip in self.strips]
        tops = [float(np.nanmax(np.concatenate((item.time, item.high, item.measured)))) for item in items]
        bottoms = [float(np.nanmin(np.concatenate((item.time, item.low, item.measured)))) for item in items]
        for number, strip in enumerate(self.strips):
            alike = [i for i, kind in enumerate(kinds) if kind == kinds[number]] if self.same.isChecked() else [number]
            strip.scale(len(self.convolutions), min(bottoms[i] for i in alike), max(tops[i] for i in alike))

    def reset_zoom(self) -> None:
        self._redraw()

    def apply_theme(self, theme: Theme) -> None:
        self._finish_exports()
        super().apply_theme(theme)

    def recolour(self, theme: Theme) -> None:
        if self.answer is not None:
            for strip in (*self.strips, *self._spare):
                strip.recolour(theme)
            colour_axis(self.numbers, theme)
            self._show_legend(theme)

    def show_layer(self, layer: int) -> None:
        """Mark a layer (index into all layers; -1 for none)."""
        self._finish_exports()
        self.layer = layer
        number = self.convolutions.index(layer) if layer in self.convolutions else -1
        for strip in self.strips:
            strip.item.cursor = number
            strip.item.update()

    # -- mouse and keys -----------------------------------------------------------------------------------------------

    def bar_at(self, position: QPointF) -> tuple[int, int] | None:
        """Strip and convolution under a place of the drawing (viewport pixels)."""
        scene = self.graphics.mapToScene(position.toPoint())
        for place, strip in enumerate(self.strips):
            if strip.box.sceneBoundingRect().contains(scene):
                number = math.floor(strip.box.mapSceneToView(scene).x())
                return (place, number) if 0 <= number < len(self.convolutions) else None
        return None

    def describe(self, strip: int, number: int) -> str:
        """What hovering over a bar says."""
        if self.answer is None:
            return ""
        results = [one for one in self.answer.prediction.results if np.isfinite(one.time_ms).any()]
        result, index = results[strip], self.convolutions[number]
        layer = self.answer.prediction.layers[index]
        found = result.prediction(index)
        label = layer.config.label() if layer.config else ""
        lines = [f"{index + 1}: {layer.name}" + (f" ({layer.count}×)" if layer.count > 1 else ""), label]
        if found is not None and found.status != Status.REFUSED:
            each = " each" if layer.count > 1 else ""
            lines.append(f"{sig3(found.time_ms)} ms{each}, {interval_words(found.low_ms, found.high_ms)}")
            lines.append(f"{percent(100 * float(result.share[index]))} of the sum")
        measured = result.measured_ms[index] if result.measured_ms else math.nan
        if found is not None and measured > 0:
            error = percent(100 * (found.time_ms / measured - 1), signed=True)
            lines.append(f"measured on this machine {sig3(measured)} ms, error {error}")
        return "\n".join([*lines, result.verdict(index)])

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if self.answer is None or self.is_empty:
            return super().eventFilter(watched, event)
        if event.type() == QEvent.Type.Resize:
            self._finish_exports()
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            bar = self.bar_at(QPointF(event.pos()))
            if bar is not None:
                QToolTip.showText(event.globalPos(), self.describe(*bar), self)
            return True
        if isinstance(event, QMouseEvent) and event.type() in (
            QEvent.Type.MouseButtonRelease,
            QEvent.Type.MouseButtonDblClick,
        ):
            bar = self.bar_at(event.position())
            if bar is not None and event.button() == Qt.MouseButton.LeftButton:
                slot = self._chosen if event.type() == QEvent.Type.MouseButtonRelease else self._picked
                slot(self.convolutions[bar[1]])
                return True
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and watched is self.graphics:
            return self._key(event.key())
        return super().eventFilter(watched, event)

    def _key(self, key: int) -> bool:
        last = len(self.convolutions) - 1
        number = self.convolutions.index(self.layer) if self.layer in self.convolutions else -1
        moves = {
            Qt.Key.Key_Left: max(number - 1, 0),
            Qt.Key.Key_Right: min(number + 1, last),
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }
        if key in moves:
            self._chosen(self.convolutions[moves[Qt.Key(key)]])
            return True
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and number >= 0:
            self._picked(self.layer)
            return True
        return False

    # -- export -------------------------------------------------------------------------------------------------------

    def export_paint(self, painter: QPainter, area: QRectF, theme: Theme) -> Steps[None]:
        """Paint title, legend and strips in the colours of ``theme``, some strips in each step."""
        if self.busy:  # strips that stand may still show what was before
            self._redraw()
        steps = self._paint_strips(painter, area, theme)
        self._exports.append(steps)
        try:
            yield from steps
        finally:
            self._exports.remove(steps)

    def _finish_exports(self) -> None:
        """Paint what is being painted for files to its end, before anything changes."""
        for steps in self._exports:
            finished(steps)

    def _paint_strips(self, painter: QPainter, area: QRectF, theme: Theme) -> Steps[None]:
        view = QRectF(self.graphics.viewRect())
        with self._coloured(self._show_legend, theme):
            below = self._paint_head(painter, area, theme)
        scale = min(below.width() / view.width(), below.height() / view.height())
        to_area = QTransform.fromTranslate(below.left(), below.top()).scale(scale, scale).translate(-view.left(), -view.top())
        self.settle()
        with self._coloured(lambda colours: colour_axis(self.numbers, colours), theme):
            paint_item(painter, self.numbers, to_area)
        for number, strip in enumerate(self.strips, 1):
            with self._coloured(strip.recolour, theme):
                paint_item(painter, strip.axis, to_area)
                paint_item(painter, strip.item, to_area)
            if number % _STRIPS == 0:
                yield

    def export_data(self) -> Data:
        """Every layer for every predictor, those that are not predicted too."""
        if self.answer is None:
            return Data((), [])
        return Data(LAYER_COLUMNS, _cells(self.answer), network_constants(self.answer))


def _cells(answer: NetworkAnswer) -> Iterator[tuple[Cell, ...]]:
    for result in answer.prediction.results:
        head = (result.predictor, FAMILIES[result.family], result.target.name, TIME_KINDS[result.target.time_kind])
        for row in answer.rows(result.predictor):
            layer, found = row.layer, row.answer
            times = (found.time_ms, found.low_ms, found.high_ms) if found else (math.nan,) * 3
            label = layer.config.label() if layer.config else ""
            yield row.index + 1, layer.name, layer.kind, label, layer.count, *head, *times, row.share, row.verdict


LAYER_COLUMNS = (
    "number",
    "layer",
    "kind",
    "configuration",
    "count",
    "predictor",
    "family",
    "target",
    "time_kind",
    "time_ms",
    "low_90_ms",
    "high_90_ms",
    "share",
    "verdict",
)


def network_constants(answer: NetworkAnswer) -> dict[str, Cell]:
    """The network and how it was asked for, as constant columns of an export."""
    request = answer.request
    return {
        "network": answer.network.title,
        "source": answer.network.source,
        "batch_size": request.batch_size,
        "resolution_px": request.resolution,
        "dtype": request.dtype,
        "rho": request.rho,
        "version": __version__,
    }
