"""What a Linux desktop needs besides the program: menu entry, icons, kinds of files, manual pages, description."""

from __future__ import annotations

import gzip
import shutil
from datetime import UTC, datetime
from pathlib import Path

import icons
import manpages
import product

ASSETS = product.PACKAGING / "linux"
ICON_SIZES = (16, 22, 24, 32, 48, 64, 128, 256, 512)
METAINFO = f"{product.IDENTIFIER}.metainfo.xml"


def write_share(share: Path) -> None:
    """Write everything that lies below ``share`` of a prefix (``/usr`` or ``~/.local``)."""
    for source, target in (
        ("cnnpredict.desktop", "applications/cnnpredict.desktop"),
        ("cnnpredict-mime.xml", "mime/packages/cnnpredict.xml"),
    ):
        _copy(ASSETS / source, share / target)
    date = datetime.fromtimestamp(product.source_date(), UTC).strftime("%Y-%m-%d")
    metainfo = (ASSETS / METAINFO).read_text(encoding="utf-8").replace("@VERSION@", product.version()).replace("@DATE@", date)
    _write(share / "metainfo" / METAINFO, metainfo.encode())
    hicolor = share / "icons" / "hicolor"
    drawn = product.BUILD / "icons"
    for size in ICON_SIZES:
        _copy(drawn / f"cnnpredict-{size}.png", hicolor / f"{size}x{size}" / "apps" / "cnnpredict.png")
    _copy(icons.ICONS / "cnnpredict.svg", hicolor / "scalable" / "apps" / "cnnpredict.svg")
    for name, text in manpages.pages().items():
        _write(share / "man" / "man1" / f"{name}.gz", gzip.compress(text.encode(), mtime=0))


def write_portable(folder: Path) -> None:
    """The program with its desktop files and the scripts that install and remove it for one user.

    Raises:
        SystemExit: the program was not built yet.
    """
    copy_program(folder)
    write_share(folder / "share")
    for name in ("install.sh", "uninstall.sh", "refresh.sh"):
        _copy(ASSETS / name, folder / name, 0o755)
    _write(folder / "README.txt", _readme().encode())


def copy_program(folder: Path) -> None:
    """Copy the frozen program; its two names stay one file."""
    if not (product.FROZEN / product.GUI).is_file():
        raise SystemExit(f"{product.FROZEN} has no program: run packaging/freeze.py")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(product.FROZEN, folder, symlinks=True)
    (folder / product.CLI).unlink()
    (folder / product.CLI).hardlink_to(folder / product.GUI)


def _readme() -> str:
    return (
        f"{product.NAME} {product.version()}\n\n{product.SUMMARY}.\n\n"
        "  ./cnnpredict-gui           the window\n"
        "  ./cnnpredict --help        the command line\n"
        "  sh install.sh              puts it into ~/.local with a menu entry (sh install.sh --prefix DIR: elsewhere)\n"
        "  sh uninstall.sh            in the installed folder: removes it\n\n"
        "With CNNPREDICT_HOME=DIR settings, models and logs lie in DIR, e.g. on a memory stick.\n"
        "If the window does not open: it needs libgl1, libegl1, libxkbcommon0 and fonts of the system.\n"
        "Licences: _internal/LICENSE and _internal/licences.\n"
    )


def _copy(source: Path, target: Path, mode: int = 0o644) -> None:
    _write(target, source.read_bytes(), mode)


def _write(target: Path, content: bytes, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    target.chmod(mode)
