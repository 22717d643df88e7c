"""The Windows installer: NSIS with the frozen program in it. Runs on Windows and, for a test of the script, on Linux.

python packaging/windows_installer.py [--payload FOLDER] [--out FILE]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import icons
import product
import sizes
import windows_version

SCRIPT = product.PACKAGING / "windows" / "cnnpredict.nsi"
#: Longest path below the folder of installation: with it and C:\Users\<20 letters>\AppData\Local\Programs\cnnpredict\ the 260
#: characters that Windows allows by default are not reached.
LONGEST_PATH = 190
#: Programs of NSIS that the installer is made of: NSIS for Windows has none for 64 bits, and 64-bit wine runs no others.
TARGET = "x86-unicode" if sys.platform == "win32" else "amd64-unicode"


def removals(files: list[str]) -> str:
    """Commands that delete each file (paths with forward slashes) and then each folder that is empty."""
    folders = {parent.as_posix() for name in files for parent in PurePosixPath(name).parents if parent.as_posix() != "."}
    deepest_first = sorted(folders, key=lambda folder: (-folder.count("/"), folder))
    lines = [f'Delete "$INSTDIR\\{_windows(name)}"' for name in sorted(files)]
    lines += [f'RMDir "$INSTDIR\\{_windows(folder)}"' for folder in deepest_first]
    return "\n".join(lines) + "\n"


def _windows(path: str) -> str:
    return path.replace("/", "\\").replace("$", "$$")


def payload_files(payload: Path) -> list[str]:
    """Paths of all files inside the payload.

    Raises:
        SystemExit: there is no program in it, or a path is too long for Windows.
    """
    files = sorted(path.relative_to(payload).as_posix() for path in payload.rglob("*") if path.is_file())
    for name in (f"{product.GUI}.exe", f"{product.CLI}.exe"):
        if name not in files:
            raise SystemExit(f"{payload} has no {name}: run packaging/freeze.py on Windows")
    too_long = [name for name in files if len(name) > LONGEST_PATH]
    if too_long:
        raise SystemExit(f"longer than {LONGEST_PATH} characters, Windows may refuse it: {too_long[0]}")
    return files


def makensis() -> str:
    """The compiler: on the path, or where its installer puts it.

    Raises:
        SystemExit: it is not there.
    """
    standard = Path("C:/Program Files (x86)/NSIS/makensis.exe")
    found = shutil.which("makensis") or (str(standard) if standard.is_file() else None)
    if found is None:
        raise SystemExit("makensis is missing: apt-get install nsis, or choco install nsis")
    return found


def build(payload: Path, target: Path, programs: str = TARGET) -> None:
    """Compile the installer of the program in ``payload`` into the file ``target``; ``programs``: see :data:`TARGET`."""
    work = product.BUILD / "windows"
    work.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not (product.BUILD / "icons" / "cnnpredict.ico").is_file():
        icons.write_icons(product.BUILD / "icons")
    files = payload_files(payload)
    (work / "removals.nsh").write_text(removals(files), encoding="utf-8")
    version = product.version()
    values = {
        "TARGET": programs,
        "VERSION": version,
        "NUMBERS": ".".join(map(str, windows_version.four_numbers(version))),
        "PUBLISHER": product.PUBLISHER,
        "PAYLOAD": str(payload.resolve()),
        "SEPARATOR": "\\" if sys.platform == "win32" else "/",
        "OUTPUT": str(target.resolve()),
        "ICON": str(product.BUILD / "icons" / "cnnpredict.ico"),
        "LICENSE": str(product.ROOT / "LICENSE"),
        "REMOVALS": str(work / "removals.nsh"),
        "KILOBYTES": str(sum((payload / name).stat().st_size for name in files) // 1024),
    }
    # Warnings are errors: a misspelt variable would otherwise be installed as it stands.
    command = [makensis(), "-V2", "-WX", "-INPUTCHARSET", "UTF8", *(f"-D{name}={value}" for name, value in values.items())]
    subprocess.run([*command, str(SCRIPT)], check=True)
    print(f"{target.stat().st_size / sizes.MB:8.1f} MB  {target.name}")


def main() -> None:
    """Compile with the frozen program, or with the folder that is given."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--payload", type=Path, default=product.FROZEN)
    parser.add_argument(
        "--out", type=Path, default=product.DIST / f"{product.NAME}-{product.version()}-windows-x86_64-setup.exe"
    )
    options = parser.parse_args()
    build(options.payload, options.out)


if __name__ == "__main__":
    main()
