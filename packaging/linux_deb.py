"""The .deb: the program in /usr/lib/cnnpredict, both commands in /usr/bin, menu entry, icons, kinds of files, manual pages.

It needs no scripts at installation (the system's own triggers refresh menus and icons), so that removing it leaves nothing.

    python packaging/linux_deb.py
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import textwrap
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import linux_depends
import linux_tree
import product
import sizes

STAGE = product.BUILD / "deb"
ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
RECOMMENDS = (
    "fonts-dejavu-core | fonts-liberation | fonts-noto-core", "libwayland-cursor0", "libwayland-egl1", "xdg-utils",
    "shared-mime-info", "desktop-file-utils",
)  # fmt: skip
MAINTAINER = "CNNPredict authors <noreply@cnnpredict.invalid>"


def control(depends: list[str], kilobytes: int) -> str:
    """The control file; the size as Debian wants it, in kB installed."""
    return (
        f"Package: {product.NAME}\n"
        f"Version: {product.version()}\n"
        f"Architecture: {ARCHITECTURES[product.architecture()]}\n"
        f"Maintainer: {MAINTAINER}\n"
        f"Installed-Size: {kilobytes}\n"
        f"Depends: {', '.join(depends)}\n"
        f"Recommends: {', '.join(RECOMMENDS)}\n"
        "Section: science\n"
        "Priority: optional\n"
        "Description: predicts times of convolution layers and CNNs on many devices\n"
        f"{textwrap.indent(textwrap.fill(product.SUMMARY + '.', 75), ' ')}\n"
        " .\n"
        " Trained predictors of several kinds answer side by side, for a layer, a\n"
        " network or a table of layers, with error bars. A window (cnnpredict-gui) and\n"
        " a command line (cnnpredict). Everything is in this package: no Python and no\n"
        " connection is needed.\n"
    )


def changelog() -> bytes:
    """Debian's changelog, which must be there: the version and its date."""
    date = format_datetime(datetime.fromtimestamp(product.source_date(), UTC))
    head = f"{product.NAME} ({product.version()}) stable; urgency=medium"
    text = f"{head}\n\n  * See CHANGELOG.md.\n\n -- {MAINTAINER}  {date}\n"
    return gzip.compress(text.encode(), mtime=0)


def stage() -> None:
    """Lay out the file system of the package."""
    shutil.rmtree(STAGE, ignore_errors=True)
    usr = STAGE / "usr"
    linux_tree.copy_program(usr / "lib" / product.NAME)
    linux_tree.write_share(usr / "share")
    (usr / "bin").mkdir()
    for name in (product.CLI, product.GUI):
        (usr / "bin" / name).symlink_to(f"../lib/{product.NAME}/{name}")
    documents = usr / "share" / "doc" / product.NAME
    documents.mkdir(parents=True)
    licence = (product.ROOT / "LICENSE").read_text(encoding="utf-8")
    third = "\n\nWhat it stands on is under licences of its own: /usr/lib/cnnpredict/_internal/licences\n"
    (documents / "copyright").write_text(licence + third, encoding="utf-8")
    (documents / "changelog.gz").write_bytes(changelog())
    for path in STAGE.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


def checksums() -> str:
    """MD5 of every file, as dpkg --verify reads it."""
    files = sorted(path for path in STAGE.rglob("*") if path.is_file() and not path.is_symlink() and "DEBIAN" not in path.parts)
    lines = (f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(STAGE).as_posix()}\n" for path in files)
    return "".join(lines)


def installed_kilobytes() -> int:
    """Size on disk, a file with two names once."""
    sizes_by_inode = {path.lstat().st_ino: path.lstat().st_size for path in STAGE.rglob("*")}
    return sum(sizes_by_inode.values()) // 1024


def main() -> None:
    """Write the package into dist/."""
    stage()
    debian = STAGE / "DEBIAN"
    debian.mkdir(mode=0o755)
    program = STAGE / "usr" / "lib" / product.NAME
    (debian / "control").write_text(control(linux_depends.depends(program), installed_kilobytes()), encoding="utf-8")
    (debian / "md5sums").write_text(checksums(), encoding="utf-8")
    for name in ("control", "md5sums"):
        (debian / name).chmod(0o644)
    target: Path = product.DIST / f"{product.NAME}_{product.version()}_{ARCHITECTURES[product.architecture()]}.deb"
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(product.source_date())}
    command = ["dpkg-deb", "--root-owner-group", "-Zzstd", "-z10", "--build", str(STAGE), str(target)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    print(f"{target.stat().st_size / sizes.MB:8.1f} MB  {target.name}")


if __name__ == "__main__":
    main()
