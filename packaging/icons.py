"""Draw the icon at all sizes: PNG for Linux, .ico for Windows, .icns for macOS; the containers hold the same PNG files.

python packaging/icons.py [FOLDER]
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import product

ICONS = product.ROOT / "resources" / "icons"
#: Side in pixels; up to the first number the drawing with fewer parts is taken.
SMALL_UP_TO = 24
SIZES = (16, 20, 22, 24, 32, 40, 48, 64, 96, 128, 256, 512, 1024)
#: Sides in a Windows icon (larger ones are scaled from 256 by the system).
ICO_SIZES = (16, 20, 24, 32, 40, 48, 64, 96, 128, 256)
#: Kinds of a macOS icon that hold PNG: four letters and the side in pixels (once for 1x, once for Retina).
ICNS_KINDS = (
    ("icp4", 16), ("icp5", 32), ("ic11", 32), ("ic12", 64), ("ic07", 128), ("ic13", 256), ("ic08", 256), ("ic14", 512),
    ("ic09", 512), ("ic10", 1024),
)  # fmt: skip


def drawing(size: int) -> Path:
    """The SVG file that is drawn at this size."""
    return ICONS / ("cnnpredict-small.svg" if size <= SMALL_UP_TO else "cnnpredict.svg")


def draw(size: int) -> bytes:
    """The icon as PNG, ``size`` by ``size`` pixels, transparent around it."""
    from PySide6.QtCore import QBuffer, QByteArray, QIODevice
    from PySide6.QtGui import QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(0)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    QSvgRenderer(str(drawing(size))).render(painter)
    painter.end()
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not image.save(buffer, "PNG"):  # type: ignore[call-overload]
        raise SystemExit("Qt cannot write PNG")
    return bytes(data.data())


def ico(pictures: dict[int, bytes]) -> bytes:
    """A Windows icon: a table of entries (side, place and length), then the PNG files. Side 256 is written as 0."""
    header = struct.pack("<HHH", 0, 1, len(ICO_SIZES))
    offset = len(header) + 16 * len(ICO_SIZES)
    entries, bodies = b"", b""
    for size in ICO_SIZES:
        picture = pictures[size]
        entries += struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(picture), offset + len(bodies))
        bodies += picture
    return header + entries + bodies


def icns(pictures: dict[int, bytes]) -> bytes:
    """A macOS icon: ``icns``, the whole length, then for each picture its kind, its length with these 8 bytes, and the PNG."""
    body = b"".join(kind.encode() + struct.pack(">I", 8 + len(pictures[size])) + pictures[size] for kind, size in ICNS_KINDS)
    return b"icns" + struct.pack(">I", 8 + len(body)) + body


def write_icons(folder: Path) -> None:
    """Write ``cnnpredict-SIZE.png`` for all sizes, ``cnnpredict.ico`` and ``cnnpredict.icns``."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {size: draw(size) for size in SIZES}
    for size, picture in pictures.items():
        (folder / f"cnnpredict-{size}.png").write_bytes(picture)
    (folder / "cnnpredict.ico").write_bytes(ico(pictures))
    (folder / "cnnpredict.icns").write_bytes(icns(pictures))


if __name__ == "__main__":
    write_icons(Path(sys.argv[1]) if len(sys.argv) > 1 else product.BUILD / "icons")
