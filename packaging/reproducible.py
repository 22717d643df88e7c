"""Compare two frozen programs: same files, same content. Prints every difference; the exit code says whether there is one.

python packaging/reproducible.py FOLDER FOLDER        compare
python packaging/reproducible.py --build              build twice from this commit and compare
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import product


def fingerprint(path: Path) -> str:
    """What must not differ: kind, permission to run, and the content or the place a link leads to. Times do not count."""
    if path.is_symlink():
        return f"link {path.readlink()}"
    with path.open("rb") as file:
        return f"{path.stat().st_mode & 0o777:o} {hashlib.file_digest(file, 'sha256').hexdigest()}"


def fingerprints(folder: Path) -> dict[str, str]:
    """Path inside the folder to fingerprint, of all files and links."""
    paths = (path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return {path.relative_to(folder).as_posix(): fingerprint(path) for path in paths}


def inside_programs(first: Path, second: Path) -> list[str]:
    """Python modules that differ between two programs, to find the cause of a difference."""
    from PyInstaller.archive.readers import CArchiveReader

    archives = [CArchiveReader(str(path)).open_embedded_archive("PYZ.pyz") for path in (first, second)]
    names = sorted(set(archives[0].toc) | set(archives[1].toc))
    return [name for name in names if archives[0].extract(name, raw=True) != archives[1].extract(name, raw=True)]


def differences(first: Path, second: Path) -> list[str]:
    """A line for each file that is in one only or differs."""
    here, there = fingerprints(first), fingerprints(second)
    lines = [f"only in {first}: {name}" for name in sorted(here.keys() - there.keys())]
    lines += [f"only in {second}: {name}" for name in sorted(there.keys() - here.keys())]
    for name in sorted(here.keys() & there.keys()):
        if here[name] != there[name]:
            lines.append(f"differs: {name}")
            if name == product.GUI:
                lines += [f"    module {module}" for module in inside_programs(first / name, second / name)]
    return lines


def build_twice() -> tuple[Path, Path]:
    """Two builds from scratch; the folders of both."""
    first = product.BUILD / "first-build"
    freeze = [sys.executable, str(product.PACKAGING / "freeze.py")]
    subprocess.run(freeze, check=True)
    shutil.rmtree(first, ignore_errors=True)
    shutil.move(product.FROZEN, first)
    shutil.rmtree(product.BUILD / "cache", ignore_errors=True)
    subprocess.run(freeze, check=True)
    return first, product.FROZEN


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--build", action="store_true")
    options = parser.parse_args()
    if not options.build and len(options.folders) != 2:
        parser.error("say two folders, or --build")
    first, second = build_twice() if options.build else options.folders
    found = differences(first, second)
    for line in found:
        print(line)
    print(f"{len(fingerprints(second))} files, {len(found)} differences")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
