"""Collect the licence texts of everything that goes into the frozen program, and a list of what is there.

Python packages bring their texts themselves (in their metadata or beside their code), system libraries on Debian have them in
/usr/share/doc, and a few wheels bring none: for those the text that their licence names is taken.

    python packaging/third_party.py [FOLDER]
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import product

LOCKS = ("requirements.lock", "requirements-torch.lock")
_TEXT = re.compile(r"(licen[cs]e|copying|notice|third.?party|authors)", re.IGNORECASE)
_CODE = (".py", ".pyc", ".h", ".hpp", ".json", ".so", ".pyi")
#: Wheels without a text of their own: which of packaging/licences/ holds for them.
STANDARD_TEXTS = {
    "pyside6-essentials": "LGPL-3.0-only.txt",
    "shiboken6": "LGPL-3.0-only.txt",
    "xgboost-cpu": "Apache-2.0.txt",
    "xgboost": "Apache-2.0.txt",
    "flatbuffers": "Apache-2.0.txt",
    "nvidia-ml-py": "BSD-3-Clause-NVIDIA.txt",
}
TEXTS = product.PACKAGING / "licences"


def locked_packages() -> list[str]:
    """Names of all packages in the lock files of the application, also those for other systems."""
    texts = [(product.ROOT / lock).read_text(encoding="utf-8") for lock in LOCKS]
    return sorted({found[1] for text in texts for found in re.finditer(r"^([a-z0-9._-]+)==", text, re.MULTILINE)})


def own_texts(package: Distribution) -> list[Path]:
    """Licence files that a package brings: those in its metadata, else those beside its code."""
    files = [path for path in package.files or [] if _TEXT.search(path.name) and path.suffix not in _CODE]
    files += [path for path in package.files or [] if ".dist-info/licenses/" in path.as_posix() and path not in files]
    metadata = [path for path in files if ".dist-info/" in path.as_posix()]
    return [Path(str(package.locate_file(path))) for path in metadata or files]


def collect_packages(folder: Path) -> list[str]:
    """Copy the texts of the Python packages that are installed; returns a line for each.

    Raises:
        SystemExit: a package has no text and none is known for it.
    """
    sys.path.insert(0, str(product.ROOT))
    from tools.licences import licence_of

    lines, missing = [], []
    for name in locked_packages():
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        texts = own_texts(package)
        if not texts and name in STANDARD_TEXTS:
            texts = [TEXTS / STANDARD_TEXTS[name]]
        if not texts:
            missing.append(name)
        _copy(texts, folder / f"{name}-{package.version}")
        lines.append(f"{name:<24} {package.version:<14} {licence_of(name, package)}")
    if missing:
        raise SystemExit(f"no licence text of {', '.join(missing)}: add it to packaging/licences and STANDARD_TEXTS")
    return lines


def _copy(texts: Iterable[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for text in texts:
        inside = text.as_posix().rpartition("/licenses/")[2] if "/licenses/" in text.as_posix() else text.name
        shutil.copyfile(text, folder / inside.replace("/", "__"))


def collect_python(folder: Path) -> str:
    """Copy the text of Python itself."""
    version = sys.version.split()[0]
    places = [Path(sys.base_prefix, "LICENSE.txt"), *Path(sys.base_prefix, "lib").glob("python3*/LICENSE.txt")]
    places += [Path("/usr/share/doc/python3/copyright")]
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        raise SystemExit("the licence of Python was not found beside it")
    _copy([found], folder / f"python-{version}")
    return f"{'python':<24} {version:<14} PSF-2.0"


def collect_system_libraries(libraries: Iterable[str], folder: Path) -> list[str]:
    """Copy the texts of Debian packages that libraries came from; returns a line for each package."""
    if not shutil.which("dpkg-query"):
        return []
    packages: dict[str, str] = {}
    for library in libraries:
        for path in (library, library.removeprefix("/usr"), str(Path(library).resolve())):
            done = subprocess.run(["dpkg-query", "-S", path], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                packages.setdefault(done.stdout.partition(":")[0], path)
                break
    lines = []
    for name in sorted(packages):
        text = Path("/usr/share/doc", name, "copyright")
        if text.is_file():
            _copy([text.resolve()], folder / f"debian-{name}")
        version = subprocess.run(["dpkg-query", "-W", "-f=${Version}", name], capture_output=True, text=True, check=True).stdout
        lines.append(f"{name:<24} {version:<14} see its file copyright")
    return lines


def write_licences(folder: Path, libraries: Iterable[str] = ()) -> None:
    """Write all texts and the list ``README.txt`` into ``folder``, which is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    lines = [collect_python(folder), *collect_packages(folder)]
    system = collect_system_libraries(libraries, folder)
    head = [f"{product.NAME} {product.version()} is under the MIT licence (LICENSE). It stands on:", ""]
    tail = ["", "and on these libraries of the system it was built on:", "", *system] if system else []
    note = [
        "",
        "Qt for Python (PySide6, Shiboken and the Qt libraries) is under the LGPL 3: its libraries are files of their own in",
        "this program's folder and may be exchanged. Their source is at https://code.qt.io and https://download.qt.io.",
    ]
    (folder / "README.txt").write_text("\n".join([*head, *lines, *tail, *note]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_licences(Path(sys.argv[1]) if len(sys.argv) > 1 else product.BUILD / "licences")
