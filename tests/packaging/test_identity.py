"""One name, one version, one icon everywhere."""

from __future__ import annotations

import plistlib
import re
import struct
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import icons
import linux_deb
import macos_bundle
import manpages
import product
import pytest
import windows_version
from PySide6.QtGui import QImage

import cnnpredict_gui
from cnnpredict_gui.cli.main import main as command_line
from cnnpredict_gui.gui.arguments import parser as window_parser


def test_the_version_has_one_home() -> None:
    assert product.version() == cnnpredict_gui.__version__
    pattern = re.compile(rf"(?<![\d.]){re.escape(product.version())}(?![\d.])")
    scripts = [
        path for path in product.PACKAGING.rglob("*") if path.suffix in {".py", ".sh", ".nsi", ".spec", ".xml", ".desktop"}
    ]
    assert [
        path.name for path in scripts if pattern.search(path.read_text(encoding="utf-8")) and path.name != "product.py"
    ] == []


def test_all_show_the_same_version(capsys: pytest.CaptureFixture[str]) -> None:
    version = product.version()
    for run in (lambda: command_line(["--version"]), lambda: window_parser().parse_args(["--version"])):
        with pytest.raises(SystemExit):
            run()
        assert capsys.readouterr().out.split()[-1] == version
    assert f"Version: {version}\n" in linux_deb.control([], 1)
    plist = macos_bundle.info_plist()
    assert plist["CFBundleShortVersionString"] == plist["CFBundleVersion"] == version
    assert version in windows_version.version_info()
    assert all(f"{product.NAME} {version}" in text for text in manpages.pages().values())


def test_all_show_the_same_name() -> None:
    from cnnpredict_gui.gui.main_window import TITLE

    desktop = (product.PACKAGING / "linux" / "cnnpredict.desktop").read_text(encoding="utf-8")
    assert TITLE == product.NAME == macos_bundle.info_plist()["CFBundleDisplayName"]
    assert f"Name={product.NAME}\n" in desktop and f"StartupWMClass={product.NAME}\n" in desktop
    assert f"Package: {product.NAME}\n" in linux_deb.control([], 1)
    assert f'!define NAME "{product.NAME}"' in (product.PACKAGING / "windows" / "cnnpredict.nsi").read_text(encoding="utf-8")
    metainfo = ElementTree.parse(product.PACKAGING / "linux" / f"{product.IDENTIFIER}.metainfo.xml")
    assert metainfo.findtext("name") == product.NAME and metainfo.findtext("id") == product.IDENTIFIER


def test_a_tag_must_be_the_version() -> None:
    product.check_tag(f"v{product.version()}")
    with pytest.raises(SystemExit, match="the tag is v0"):
        product.check_tag("v0.0.1")


def test_windows_wants_four_numbers() -> None:
    assert windows_version.four_numbers("1.2.3") == (1, 2, 3, 0)
    assert windows_version.four_numbers("1.2.3rc1") == (1, 2, 3, 0)
    compile(windows_version.version_info(), "version_info", "eval")


def test_info_plist_opens_sessions_and_networks() -> None:
    plist = plistlib.loads(plistlib.dumps(macos_bundle.info_plist()))
    kinds = {kind["CFBundleTypeExtensions"][0]: kind["LSHandlerRank"] for kind in plist["CFBundleDocumentTypes"]}
    assert kinds == {"cnnpredict": "Owner", "onnx": "Alternate"}
    assert plist["NSHighResolutionCapable"] is True and plist["LSMinimumSystemVersion"] == "14.0"
    entitlements = plistlib.loads((product.PACKAGING / "macos" / "entitlements.plist").read_bytes())
    assert all(value is True for value in entitlements.values())


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("icons")
    icons.write_icons(folder)
    return folder


def test_icons_of_all_sizes_are_drawn(drawn: Path) -> None:
    for size in icons.SIZES:
        image = QImage(str(drawn / f"cnnpredict-{size}.png"))
        assert (image.width(), image.height()) == (size, size)
        colours = {image.pixel(x, y) for x in range(0, size, max(1, size // 16)) for y in range(0, size, max(1, size // 16))}
        assert len(colours) > 8, f"the icon of {size} pixels is empty"
        assert image.pixelColor(0, 0).alpha() < 128, "the corners are round"


def test_ico_holds_a_picture_of_each_size(drawn: Path) -> None:
    data = (drawn / "cnnpredict.ico").read_bytes()
    kind, count = struct.unpack_from("<HH", data, 2)
    assert (kind, count) == (1, len(icons.ICO_SIZES))
    for index, size in enumerate(icons.ICO_SIZES):
        width, height, _, _, _, bits, length, offset = struct.unpack_from("<BBBBHHII", data, 6 + 16 * index)
        assert (width, height, bits) == (size % 256, size % 256, 32)
        assert QImage.fromData(data[offset : offset + length]).width() == size
    assert QImage(str(drawn / "cnnpredict.ico")).width() in icons.ICO_SIZES


def test_icns_holds_a_picture_of_each_kind(drawn: Path) -> None:
    data = (drawn / "cnnpredict.icns").read_bytes()
    assert data[:4] == b"icns" and struct.unpack_from(">I", data, 4)[0] == len(data)
    place, found = 8, []
    while place < len(data):
        kind, length = data[place : place + 4].decode(), struct.unpack_from(">I", data, place + 4)[0]
        found.append((kind, QImage.fromData(data[place + 8 : place + length]).width()))
        place += length
    assert tuple(found) == icons.ICNS_KINDS
