"""Size of each part of the frozen program, held under the budget in budget.json; a build that is over it fails.

python packaging/sizes.py [FOLDER]
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import contents
import product

BUDGET = product.PACKAGING / "budget.json"
MB = 1_000_000


def archived_modules(program: Path) -> dict[str, int]:
    """Python modules in a program and their compressed bytes."""
    from PyInstaller.archive.readers import CArchiveReader

    archive = CArchiveReader(str(program)).open_embedded_archive("PYZ.pyz")
    return {module: length for module, (_, _, length) in archive.toc.items()}


def inside_archive(program: Path) -> Counter[str]:
    """Bytes of compressed Python modules in a program, by part."""
    sizes: Counter[str] = Counter()
    for module, length in archived_modules(program).items():
        sizes[contents.part_of(module)] += length
    return sizes


def measure(folder: Path) -> Counter[str]:
    """Bytes of each part of a frozen program; a file with two names counts once.

    Raises:
        SystemExit: the folder holds no program.
    """
    sizes: Counter[str] = Counter()
    seen: set[int] = set()
    programs = [path for name in (product.CLI, product.GUI) for path in folder.glob(f"{name}*") if path.is_file()]
    if not programs:
        raise SystemExit(f"there is no program in {folder}: run make package")
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        if path.is_symlink() or not path.is_file() or status.st_ino in seen:
            continue
        seen.add(status.st_ino)
        if path in programs:
            modules = inside_archive(path)
            sizes.update(modules)
            sizes["python"] += status.st_size - modules.total()
        else:
            sizes[contents.part_of(path.relative_to(folder).as_posix())] += status.st_size
    return sizes


def over_budget(sizes: Mapping[str, int], budget: Mapping[str, int]) -> list[str]:
    """A line for each size that is larger than its budget in MB, or has none."""
    lines = []
    for name, size in sizes.items():
        if name not in budget:
            lines.append(f"{name} has {size / MB:.1f} MB and no budget")
        elif size > budget[name] * MB:
            lines.append(f"{name} has {size / MB:.1f} MB, {budget[name]} MB are allowed")
    return lines


def read_budget() -> dict[str, dict[str, int]]:
    """Budget in MB of the parts (by system) and of the files to download."""
    found: dict[str, dict[str, int]] = json.loads(BUDGET.read_text(encoding="utf-8"))
    return found


def downloads(folder: Path) -> dict[str, int]:
    """Bytes of the files to download, by kind (``.deb``, ``.run``, ...)."""
    kinds = read_budget()["downloads"]
    found = {kind: [path.stat().st_size for path in folder.glob(f"*{kind}")] for kind in kinds}
    return {kind: max(sizes) for kind, sizes in found.items() if sizes}


def show(sizes: Mapping[str, int], budget: Mapping[str, int]) -> None:
    """Print the sizes.

    Raises:
        SystemExit: one is over its budget.
    """
    for name, size in sizes.items():
        allowed = f"of {budget[name]} MB" if name in budget else ""
        print(f"{size / MB:8.1f} MB  {name:<12} {allowed}")
    problems = over_budget(sizes, budget) if budget else []
    if problems:
        raise SystemExit("over the budget of packaging/budget.json: " + "; ".join(problems))


def show_parts(folder: Path) -> None:
    """Print the parts of a frozen program; those of a system without a budget are only printed."""
    sizes = measure(folder)
    show({**dict(sizes.most_common()), "total": sizes.total()}, read_budget().get(product.system(), {}))


def main() -> None:
    """Print the parts of a program, or the files to download."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="default: dist/cnnpredict, or dist")
    parser.add_argument("--downloads", action="store_true", help="the files to download instead of the parts")
    options = parser.parse_args()
    if options.downloads:
        show(downloads(options.folder or product.DIST), read_budget()["downloads"])
    else:
        show_parts(options.folder or product.FROZEN)


if __name__ == "__main__":
    main()
