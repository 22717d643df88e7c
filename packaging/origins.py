"""Only packages that the application's lock files name may be in the frozen program.

The interpreter of a build also holds tools of development (tests, type checkers, Dask). Whatever PyInstaller finds of them
would be in the program without a licence text and without a line in the bill of materials.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import product
import third_party

_DIST_INFO = re.compile(r"(.+?)-[^-]+\.dist-info$")
#: The distribution of the application itself.
OWN = "cnnpredict-gui"


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def allowed_packages() -> frozenset[str]:
    """Normalised names of the packages that may be in the program."""
    return frozenset({OWN, *map(_normalised, third_party.locked_packages())})


def unlocked_modules() -> dict[str, str]:
    """Top-level modules that are installed here but belong to no allowed package: module to package."""
    allowed = allowed_packages()
    found = {}
    for module, packages in packages_distributions().items():
        if module.isidentifier() and not allowed & set(map(_normalised, packages)):
            found[module] = packages[0]
    return found


def is_unlocked_metadata(path: str) -> bool:
    """Whether a path inside the program belongs to the metadata (``*.dist-info``) of a package that is not allowed."""
    found = _DIST_INFO.match(path.replace("\\", "/").partition("/")[0])
    return found is not None and _normalised(found[1]) not in allowed_packages()


def intruders(paths: Iterable[str]) -> list[str]:
    """A line for each package that must not be there, from module names (``a.b``) and paths inside the program (``a/b.so``)."""
    unlocked = unlocked_modules()
    found = set()
    for top in {path.partition("/")[0] for path in paths}:
        module = top.partition(".")[0]
        if is_unlocked_metadata(top):
            found.add(f"{top} (metadata)")
        elif module in unlocked:
            found.add(f"{module} (of {unlocked[module]})")
    return sorted(found)


def demand_locked_packages(folder: Path, modules: Iterable[str]) -> None:
    """Look through a program's folder and the Python modules in its archive.

    Raises:
        SystemExit: something of a package that no lock file of the application names is in it.
    """
    inside = folder / "_internal"
    files = (path.relative_to(inside).as_posix() for path in inside.rglob("*") if path.is_file())
    found = intruders([*modules, *files])
    if found:
        locks = ", ".join(third_party.LOCKS)
        raise SystemExit(f"{product.NAME} holds packages that are in none of {locks}: {', '.join(found)}")
