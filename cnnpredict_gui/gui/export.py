"""One way out for every chart and table: copy, PNG (1x to 4x), SVG and CSV.

A widget that can be exported implements :class:`Exportable`: it paints itself onto any painter and hands over its numbers.
:func:`export_menu` builds the menu, used as a context menu and under the toolbar button of :func:`export_button`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter, QPicture
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from cnnpredict_gui.core.errors import CnnPredictError, OutputError
from cnnpredict_gui.gui.csv_text import Cell, csv_lines, csv_text
from cnnpredict_gui.gui.file_dialogs import ask_to_save
from cnnpredict_gui.gui.theme import LIGHT, Theme
from cnnpredict_gui.gui.turns import Steps, finished, in_turns
from cnnpredict_gui.infra.files import atomic_text, atomic_write

if TYPE_CHECKING:
    from cnnpredict_gui.gui.context import AppContext

PNG_SCALES = (1, 2, 3, 4)
#: Pixels of a picture that are painted in one turn of the event loop, in some 20 ms.
_BAND_PIXELS = 2_000_000
#: Pixels that something may reach beyond where it is painted.
_MARGIN = 16
#: Lines of a table that are made in one turn, in some 10 ms.
_LINES = 400
Report = Callable[[CnnPredictError], None]


@dataclass
class Preferred:
    """How the user wants pictures: ``scale`` times the pixels of the screen, on white or in the colours of the screen."""

    scale: int = 2
    white: bool = False

    def theme(self, screen: Theme) -> Theme:
        """Colours of a picture."""
        return LIGHT if self.white else screen


PREFERRED = Preferred()


@dataclass(frozen=True)
class Data:
    """The numbers behind a chart or table. Column names carry their unit, e.g. ``time_ms``.

    ``rows`` may be made while they are read, once and in any thread, from what does not change. ``constants`` become further
    columns with the same value in every row: configuration, version and the like.
    """

    columns: tuple[str, ...]
    rows: Iterable[Sequence[Cell]]
    constants: dict[str, Cell] = field(default_factory=dict)


class Exportable(Protocol):
    """What a chart or table offers."""

    @property
    def context(self) -> AppContext:
        """The application's services."""

    def export_name(self) -> str:
        """File name without suffix."""

    def export_size(self) -> QSizeF:
        """Size of the picture in logical pixels."""

    def export_paint(self, painter: QPainter, area: QRectF, theme: Theme) -> Steps[None] | None:
        """Paint the picture into ``area`` in the colours of ``theme``; the background is there already.

        What takes longer than a turn returns the steps to do it in; the picture is nonetheless of how things are now. Each step
        gets a painter as new.
        """

    def export_data(self) -> Data:
        """The numbers, with units, configuration and version."""


def picture(source: Exportable, theme: Theme, scale: int = 1) -> Steps[QImage]:
    """The picture of ``source`` as it is now, on the background of ``theme``, in steps of a few million pixels.

    Raises:
        OutputError: it is empty or would not fit in memory.
    """
    size = source.export_size()
    image = QImage(round(size.width() * scale), round(size.height() * scale), QImage.Format.Format_ARGB32_Premultiplied)
    if image.isNull():
        raise OutputError("the picture is empty or too large", "choose a smaller scale or enlarge the window")
    image.setDevicePixelRatio(scale)
    parts = yield from _recorded(source, size, theme)
    rows = max(_BAND_PIXELS // image.width(), 1)
    for top in range(0, image.height(), rows):
        yield
        _paint_band(image, top, min(rows, image.height() - top), parts, theme)
    return image


def _recorded(source: Exportable, size: QSizeF, theme: Theme) -> Steps[list[QPicture]]:
    """The calls that paint ``source``, in a part for each of its steps: far quicker than its pixels, and safe from what changes
    later.
    """
    parts = [QPicture()]
    painter = QPainter(parts[0])
    try:
        for _ in source.export_paint(painter, QRectF(0, 0, size.width(), size.height()), theme) or ():
            painter.end()
            parts.append(QPicture())
            painter.begin(parts[-1])
            yield
    finally:
        painter.end()
    return parts


def _play(part: QPicture, painter: QPainter) -> None:
    """Paint a part; what it did to the painter ends with it."""
    painter.save()
    part.play(painter)
    painter.restore()


def _near(part: QPicture) -> QRectF:
    """Where a part paints; its own rectangle is that of its points, without the breadth of pens."""
    return QRectF(part.boundingRect()).adjusted(-_MARGIN, -_MARGIN, _MARGIN, _MARGIN)


def _paint_band(image: QImage, top: int, rows: int, parts: list[QPicture], theme: Theme) -> None:
    """Paint some rows of pixels of ``image``."""
    line, scale = image.bytesPerLine(), image.devicePixelRatio()
    band = QImage(image.bits()[top * line : (top + rows) * line], image.width(), rows, line, image.format())
    band.setDevicePixelRatio(scale)
    band.fill(QColor(theme.base))
    painter = QPainter(band)
    try:
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        painter.translate(0, -top / scale)
        shown = QRectF(0, top / scale, image.width() / scale, rows / scale)
        for part in parts:
            if _near(part).intersects(shown):
                _play(part, painter)
    finally:
        painter.end()


def svg(source: Exportable, theme: Theme) -> Steps[bytes]:
    """The picture of ``source`` as it is now, as an SVG document."""
    size, title = source.export_size(), source.export_name()
    parts = yield from _recorded(source, size, theme)
    store = QByteArray()
    buffer = QBuffer(store)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setResolution(96)
    generator.setSize(size.toSize())
    generator.setViewBox(QRectF(0, 0, size.width(), size.height()))
    generator.setTitle(title)
    painter = QPainter(generator)
    try:
        painter.fillRect(QRectF(0, 0, size.width(), size.height()), QColor(theme.base))
        for part in parts:
            yield
            _play(part, painter)
    finally:
        painter.end()
        buffer.close()
    return bytes(store.data())


def csv(source: Exportable) -> str:
    """The numbers of ``source`` as CSV text."""
    data = source.export_data()
    return csv_text(data.columns, data.rows, data.constants)


def prepared(source: Exportable, path: Path, theme: Theme, scale: int = 2) -> Steps[Callable[[], None]]:
    """What writes ``source`` to ``path``; the suffix (.png, .svg, .csv) says how. The file appears whole or not at all.

    What is drawn, and the numbers, are taken in the first step; all steps are for the GUI thread. The function that they return
    may be called in any thread; to pack a large picture takes it a second.

    Raises:
        OutputError: the suffix is unknown, or the picture would not fit in memory; the function: the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix == ".png":
        image = yield from picture(source, theme, scale)
        return lambda: save_png(image, path)
    if suffix == ".svg":
        document = yield from svg(source, theme)
        return lambda: atomic_text(path, document.decode("utf-8"))
    if suffix == ".csv":
        data = source.export_data()
        return lambda: atomic_text(path, csv_text(data.columns, data.rows, data.constants))
    raise OutputError(f"{path.name} has an unknown kind of file name", "end it in .png, .svg or .csv")


def save(source: Exportable, path: Path, theme: Theme, scale: int = 2) -> None:
    """Write ``source`` to ``path`` now.

    Raises:
        OutputError: the suffix is unknown, or the file could not be written.
    """
    finished(prepared(source, path, theme, scale))()


def save_soon(source: Exportable, path: Path, theme: Theme, scale: int, report: Report) -> None:
    """Write ``source`` as it is now to ``path`` in the background, and say so; what goes wrong is reported."""
    context = source.context

    def write(work: Callable[[], None]) -> None:
        task = context.tasks.run(f"Saving {path.name}", lambda _progress, _cancelled: work())
        task.succeeded.connect(lambda _: context.say(f"Saved {path}"))
        task.failed.connect(report)

    in_turns(prepared(source, path, theme, scale), context.tasks, write, report)


def save_png(image: QImage, path: Path) -> None:
    """Write a picture as PNG, whole or not at all. Made in memory first: Qt does not tell why a file cannot be written.

    Raises:
        OutputError: the file cannot be written, or the picture is too large for PNG.
    """
    store = QByteArray()
    buffer = QBuffer(store)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not image.save(buffer, "PNG"):  # type: ignore[call-overload]
        raise OutputError(f"{path.name} could not be made as PNG", "choose a smaller scale")
    buffer.close()
    with atomic_write(path) as part:
        part.write_bytes(store.data())


def copy_picture(source: Exportable, theme: Theme, report: Report) -> None:
    """Put the picture as it is now on the clipboard soon, in the size and colours that the user prefers."""
    steps = picture(source, PREFERRED.theme(theme), PREFERRED.scale)
    in_turns(steps, source.context.tasks, QGuiApplication.clipboard().setImage, report)


def copy_data(source: Exportable, report: Report) -> None:
    """Put the numbers as they are now on the clipboard soon, tab-separated so that spreadsheets take them."""
    in_turns(_tabbed(source), source.context.tasks, QGuiApplication.clipboard().setText, report)


def _tabbed(source: Exportable) -> Steps[str]:
    data, lines = source.export_data(), list[str]()
    for number, line in enumerate(csv_lines(data.columns, data.rows, data.constants, separator="\t")):
        lines.append(line)
        if number % _LINES == 0:
            yield
    return "".join(lines)


def export_menu(source: Exportable, theme: Callable[[], Theme], parent: QWidget, report: Report) -> QMenu:
    """Menu with everything that can be done with ``source``; errors go to ``report``."""
    menu = QMenu("Export", parent)
    fill_export_menu(menu, source, theme, parent, report)
    return menu


def fill_export_menu(menu: QMenu, source: Exportable, theme: Callable[[], Theme], parent: QWidget, report: Report) -> None:
    """Add the entries of :func:`export_menu` to a menu."""
    menu.addAction("Copy picture", lambda: copy_picture(source, theme(), report))
    menu.addAction("Copy data", lambda: copy_data(source, report))
    menu.addSeparator()
    png = menu.addMenu("Save as PNG")
    for scale in PNG_SCALES:
        png.addAction(f"{scale}x, colours of the screen", lambda s=scale: _ask(source, parent, ".png", theme(), report, s))
    png.addSeparator()
    for scale in PNG_SCALES:
        png.addAction(f"{scale}x, white background", lambda s=scale: _ask(source, parent, ".png", LIGHT, report, s))
    menu.addAction("Save as SVG…", lambda: _ask(source, parent, ".svg", LIGHT, report))
    menu.addAction("Save data as CSV…", lambda: _ask(source, parent, ".csv", LIGHT, report))


def export_button(source: Exportable, theme: Callable[[], Theme], parent: QWidget, report: Report) -> QToolButton:
    """Toolbar button that opens the export menu, which is filled when it is first opened."""
    button = QToolButton(parent)
    button.setText("Export")
    button.setAccessibleName(f"Export {source.export_name().replace('-', ' ')}")
    button.setToolTip("Copy, or save as PNG, SVG or CSV")
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
    button.setAutoRaise(True)
    menu = QMenu("Export", button)

    def fill() -> None:
        if menu.isEmpty():
            fill_export_menu(menu, source, theme, button, report)

    menu.aboutToShow.connect(fill)
    button.setMenu(menu)
    return button


def _ask(source: Exportable, parent: QWidget, suffix: str, theme: Theme, report: Report, scale: int = 2) -> None:
    name, _ = ask_to_save(parent, "Export", f"{source.export_name()}{suffix}", f"{suffix[1:].upper()} (*{suffix})")
    if name:
        path = Path(name)
        save_soon(source, path if path.suffix else path.with_suffix(suffix), theme, scale, report)
