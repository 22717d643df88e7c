"""Build the frozen program in dist/cnnpredict: icons, licences, PyInstaller, the last cuts, sizes.

Two builds of one commit are the same (see reproducible.py): hash seed, times and folders are fixed here.

    python packaging/freeze.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import contents
import icons
import origins
import product
import sizes

SPEC = product.PACKAGING / "cnnpredict.spec"
WORK = product.BUILD / "work"


def environment() -> dict[str, str]:
    """Environment of the build: everything that would otherwise differ between two builds."""
    fixed = {
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": str(product.source_date()),
        "PYTHONPATH": str(product.ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYINSTALLER_CONFIG_DIR": str(product.BUILD / "cache"),
        "TZ": "UTC",
    }
    return os.environ | fixed


def saved_by_excluding() -> list[str]:
    """A line for each excluded module that is installed: what its files would add, in MB, and why it stays out."""
    lines = []
    for excluded in contents.EXCLUDED:
        files = [path for path in _files_of(excluded.module) if path.suffix != ".pyc"]
        if files:
            size = sum(path.stat().st_size for path in files) / sizes.MB
            lines.append(f"{size:8.1f} MB excluded: {excluded.module}  ({excluded.why})")
    return sorted(lines, reverse=True)


def _files_of(module: str) -> list[Path]:
    folders = [Path(entry) for entry in sys.path if entry.endswith("site-packages")]
    paths = [folder / module.replace(".", "/") for folder in folders]
    return [file for path in paths if path.is_dir() for file in path.rglob("*") if file.is_file()]


def run_pyinstaller() -> None:
    """Make the folder anew."""
    shutil.rmtree(product.FROZEN, ignore_errors=True)
    shutil.rmtree(WORK, ignore_errors=True)
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
    command += ["--distpath", str(product.DIST), "--workpath", str(WORK), str(SPEC)]
    subprocess.run(command, env=environment(), cwd=product.ROOT, check=True)


def strip_libraries(folder: Path) -> None:
    """Take the symbol tables out of the few big libraries that bear it."""
    for path in sorted(folder.rglob("*.so*")):
        if path.name.startswith(contents.STRIPPED) and not path.is_symlink():
            before = path.stat().st_size
            subprocess.run(["strip", "--strip-unneeded", str(path)], check=True)
            print(f"{(before - path.stat().st_size) / sizes.MB:8.1f} MB stripped: {path.name}")


def link_programs(folder: Path) -> None:
    """One file with two names: the program looks at its own name to know which it is."""
    cli = folder / product.CLI
    cli.unlink(missing_ok=True)
    os.link(folder / product.GUI, cli)


def set_modes(folder: Path) -> None:
    """Programs may be run, everything may be read, nothing depends on the builder's umask."""
    programs = {product.GUI, product.CLI, "torch_shm_manager"}
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.name in programs else 0o644)


def demand_runtime(folder: Path) -> None:
    """On Windows: the libraries of Visual C++ must be in the program, since not every Windows has them.

    Raises:
        SystemExit: one is missing.
    """
    there = {path.name.lower() for path in folder.rglob("*.dll")}
    missing = [name for name in ("vcruntime140.dll", "vcruntime140_1.dll", "msvcp140.dll") if name not in there]
    if missing:
        raise SystemExit(f"the program lacks {', '.join(missing)}")


def main() -> None:
    """Build."""
    icons.write_icons(product.BUILD / "icons")
    if sys.platform == "win32":
        import windows_version

        windows_version.write(product.BUILD / "version_info.txt")
    for line in saved_by_excluding():
        print(line)
    run_pyinstaller()
    if sys.platform == "linux":
        strip_libraries(product.FROZEN)
        link_programs(product.FROZEN)
        set_modes(product.FROZEN)
    if sys.platform == "win32":
        demand_runtime(product.FROZEN)
    program = product.FROZEN / f"{product.GUI}{'.exe' if sys.platform == 'win32' else ''}"
    origins.demand_locked_packages(product.FROZEN, sizes.archived_modules(program))
    sizes.show_parts(product.FROZEN)


if __name__ == "__main__":
    main()
