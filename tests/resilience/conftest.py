"""Places where nothing can be written, and real programs in odd environments."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.gui.conftest import bare_context, context, reports

__all__ = ["bare_context", "context", "reports"]
ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
#: As in a minimal container: letters beyond ASCII cannot be written in names.
ASCII: dict[str, str | None] = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
_SIZES = {"input-channels": 16, "input-height": 28, "input-width": 28, "output-channels": 32, "kernel-size": 3}
#: A layer for the command line.
LAYER = [word for name, size in _SIZES.items() for word in (f"--{name}", str(size))]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 kB of its own."""
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> None:
    """Use up the space of a small disk."""
    with (disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass


def make_read_only(disk: Path) -> None:
    """Forbid writing to a small disk, as to a CD."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


@pytest.fixture
def foreign_folder() -> Iterator[Path]:
    """A folder that :func:`without_rights` may look into but not change."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def without_rights(folder: Path) -> Iterator[None]:
    """Run as somebody who may not write to ``folder``: root's rights are given up, for others the folder's bits say so."""
    if os.name == "nt":
        pytest.skip("permissions of POSIX")
    if os.geteuid() == 0:
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(0)
    else:
        folder.chmod(0o555)
        try:
            yield
        finally:
            folder.chmod(0o755)


def environment(home: Path | None, **changes: str | None) -> dict[str, str]:
    """Environment of a program without a display; None removes a variable."""
    wanted: dict[str, str | None] = {
        "QT_QPA_PLATFORM": "offscreen",
        "PYTHONPATH": str(ROOT),
        "CNNPREDICT_HOME": str(home) if home else None,
        **changes,
    }
    found = {name: value for name, value in os.environ.items() if name not in wanted}
    return found | {name: value for name, value in wanted.items() if value is not None}


def run_program(*command: str, env: dict[str, str], cwd: Path = ROOT, timeout: float = 110) -> subprocess.CompletedProcess[str]:
    """Run ``python -m ...`` and return what it said."""
    words = [sys.executable, *command]
    done = subprocess.run(words, env=env, cwd=cwd, capture_output=True, check=False, timeout=timeout)
    return subprocess.CompletedProcess(
        words, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    )
