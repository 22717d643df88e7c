"""Which libraries of the system the frozen program needs, and which Debian packages hold them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

#: Opened by name while running (plugins of Qt, fonts): no program file names them.
OPENED_BY_NAME = ("libegl1", "libgl1", "libfontconfig1", "libxkbcommon0", "libdbus-1-3")
#: Plugins for desktops that the others do without; what only they need is not demanded.
OPTIONAL = ("libqwayland", "wayland-", "Wayland")
_NEEDED = re.compile(r"\(NEEDED\).*\[(.+)\]")
_GLIBC = re.compile(r"GLIBC_(\d+)\.(\d+)")


def elf_files(folder: Path) -> list[Path]:
    """Programs and libraries below a folder."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    found.append(path)
    return found


def needed_from_system(folder: Path) -> set[str]:
    """Names of shared libraries that files below ``folder`` ask for and that are not among them."""
    own = {path.name for path in folder.rglob("*.so*")}
    needed: set[str] = set()
    for path in elf_files(folder):
        if not any(part in path.as_posix() for part in OPTIONAL):
            text = subprocess.run(["readelf", "-d", str(path)], capture_output=True, text=True, check=True).stdout
            needed |= set(_NEEDED.findall(text))
    return needed - own


def oldest_glibc(files: Iterable[Path]) -> str:
    """The newest version of the C library that any file asks for, hence the oldest one that will do."""
    versions = set()
    for path in files:
        text = subprocess.run(["readelf", "-V", str(path)], capture_output=True, text=True, check=True).stdout
        versions |= {(int(major), int(minor)) for major, minor in _GLIBC.findall(text)}
    major, minor = max(versions)
    return f"{major}.{minor}"


def debian_package(library: str) -> str:
    """The package of this system that holds a library.

    Raises:
        SystemExit: no package has it.
    """
    done = subprocess.run(["dpkg-query", "-S", f"*/{library}"], capture_output=True, text=True, check=False)
    names = sorted({line.partition(":")[0] for line in done.stdout.splitlines() if not line.startswith("diversion")})
    names = [name for name in names if not name.endswith(("-dev", "-i386"))]
    if not names:
        raise SystemExit(f"the program needs {library}, which no installed package has: install it on the build machine")
    return names[0]


def depends(folder: Path) -> list[str]:
    """The packages a .deb has to depend on, sorted; the C library with its version."""
    packages = {debian_package(library) for library in needed_from_system(folder)} | set(OPENED_BY_NAME)
    return [f"libc6 (>= {oldest_glibc(elf_files(folder))})", *sorted(packages - {"libc6"})]
