"""Write the lock files: every package this project needs, directly or not, at its exact version, with the hashes of its files.

The versions are those installed in ``.venv`` (where they were tested); what only another system or Python needs is resolved
from the index. One lock serves all of :data:`PYTHONS` and :data:`SYSTEMS`. Needs the index that pip is configured for.

Run ``make lock`` after installing new versions into ``.venv`` and testing them there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import distribution, distributions
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cnnpredict_gui.infra.files import atomic_text

ROOT = Path(__file__).resolve().parents[1]
APPLICATION = ROOT / "requirements.lock"
TORCH = ROOT / "requirements-torch.lock"
DEVELOPMENT = ROOT / "requirements-dev.lock"
PYTHONS = ("3.11", "3.12", "3.13")
#: Oldest systems that the locked packages are published for: glibc 2.34, macOS 14 on Apple silicon, Windows.
SYSTEMS = ("x86_64-manylinux_2_34", "aarch64-apple-darwin", "x86_64-pc-windows-msvc")
_MACOS = "14.0"
#: Extras that only developers install, and that for clusters; all others belong to the application.
DEVELOPERS = ("test", "packaging", "lock", "cluster")
#: Published as different files per kind of processor (CPU, CUDA, ROCm) under one version: users choose, so no hash is locked.
BY_PROCESSOR = ("torch", "torchvision")
#: Libraries that those bring along for one kind of processor.
_PROCESSOR_LIBRARIES = ("nvidia-", "cuda-", "triton")


def main() -> None:
    """Write the three lock files."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras: dict[str, list[str]] = project["project"]["optional-dependencies"]
    runtime = [text for extra, texts in extras.items() if extra not in DEVELOPERS for text in texts]
    wanted = [*project["project"]["dependencies"], *runtime, *project["build-system"]["requires"]]
    by_processor = [Requirement(text).name for text in wanted if Requirement(text).name in BY_PROCESSOR]
    wanted = [text for text in wanted if Requirement(text).name not in BY_PROCESSOR]
    wanted += [text for name in by_processor for text in _needed_by(name)]
    installed = installed_versions()
    application = resolved(wanted, installed)
    both = resolved([text for extra in DEVELOPERS for text in extras.get(extra, [])], installed | locked_versions(application))
    known = locked_versions(application)
    rest = [line for line in both if canonicalize_name(line.partition("==")[0]) not in known]
    check_files([*application, *rest])
    _write(APPLICATION, "The application with training and measuring, but for PyTorch.", application)
    _write(
        TORCH,
        "PyTorch alone, without hashes: its file differs per kind of processor, and pip checks all hashes of a run or none.",
        [f"{name}=={installed[name]}" for name in by_processor],
    )
    _write(DEVELOPMENT, "What tests and packaging need besides.", rest)


def installed_versions() -> dict[str, str]:
    """Name to version of what is installed here; a local build such as 1.2.3+cpu counts as 1.2.3."""
    return {canonicalize_name(one.name): re.sub(r"\+.*", "", one.version) for one in distributions()}


def locked_versions(entries: Iterable[str]) -> dict[str, str]:
    """Name to version of the entries of a lock file."""
    found = (re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", entry) for entry in entries)
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def resolved(requirements: Iterable[str], versions: dict[str, str]) -> list[str]:
    """Entries of a lock file (several lines each: version, marker, hashes) that ``requirements`` lead to, sorted by name."""
    with TemporaryDirectory() as folder:
        wanted, constraints = Path(folder, "wanted.txt"), Path(folder, "constraints.txt")
        wanted.write_text("\n".join(requirements), encoding="utf-8")
        constraints.write_text("\n".join(f"{name}=={version}" for name, version in versions.items()), encoding="utf-8")
        command = ["compile", "--quiet", "--universal", "--generate-hashes", "--no-annotate", "--no-header"]
        text = _uv(*command, "--python-version", PYTHONS[0], "--constraints", str(constraints), str(wanted))
    return [entry for entry in re.split(r"\n(?=\S)", text.strip()) if entry and not entry.startswith("#")]


def check_files(entries: Iterable[str]) -> None:
    """Make sure that every entry has a built file, with its hash, for each of the systems and Pythons; installs nothing."""
    with TemporaryDirectory() as folder:
        lock = Path(folder, "all.lock")
        lock.write_text("\n".join(entries), encoding="utf-8")
        for system, python in product(SYSTEMS, PYTHONS):
            command = ["install", "--dry-run", "--require-hashes", "--only-binary", ":all:", "--target", folder]
            _uv(*command, "--python-platform", system, "--python-version", python, "--requirement", str(lock))


def _uv(*words: str) -> str:
    command = [sys.executable, "-m", "uv", "pip", words[0], "--no-config", *words[1:]]
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
    if done.returncode:
        raise SystemExit(f"the lock files stay as they are; uv {' '.join(words)} says:\n{done.stderr.strip()}")
    return done.stdout


def _needed_by(name: str) -> list[str]:
    """What an installed package needs on every kind of processor."""
    needed = [Requirement(text) for text in distribution(name).requires or []]
    return [
        str(one)
        for one in needed
        if not one.name.startswith(_PROCESSOR_LIBRARIES)
        and one.name not in BY_PROCESSOR
        and (one.marker is None or one.marker.evaluate({"extra": ""}))
    ]


@cache
def _environment() -> dict[str, str]:
    """The environment, with what pip is configured for said to uv: the index and the certificates."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    pip = dict(re.findall(r"(?:global|site|user|:env:)\.([a-z-]+)='(.*)'", listed))
    known = {"UV_DEFAULT_INDEX": pip.get("index-url"), "SSL_CERT_FILE": pip.get("cert"), "MACOSX_DEPLOYMENT_TARGET": _MACOS}
    return {name: value for name, value in known.items() if value} | dict(os.environ)


def _write(path: Path, title: str, entries: Iterable[str]) -> None:
    atomic_text(path, "\n".join([f"# {title} Written by tools/make_lock.py; do not edit.", *entries]) + "\n")


if __name__ == "__main__":
    main()
