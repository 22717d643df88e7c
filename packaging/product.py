"""Name, version and identity of what is packaged: every installer takes them from here, and the version has one home."""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGING = ROOT / "packaging"
BUILD = ROOT / "build" / "packaging"
DIST = ROOT / "dist"

NAME = "cnnpredict"
GUI, CLI = "cnnpredict-gui", "cnnpredict"
#: The folder PyInstaller writes: both programs and everything they share.
FROZEN = DIST / NAME
#: Reverse domain name, as macOS, AppStream and Windows know the application.
IDENTIFIER = "org.cnnpredict.CNNPredict"
SUMMARY = "Predicts how long convolution layers and whole CNNs take on many devices, offline"
PUBLISHER = "CNNPredict authors"
#: A session of the window, and its kind of file.
SESSION_SUFFIX, SESSION_TYPE = "cnnpredict", "application/x-cnnpredict"
ONNX_SUFFIX, ONNX_TYPE = "onnx", "application/x-onnx"


def version() -> str:
    """The version, read from the one place that has it (without importing the package)."""
    text = (ROOT / "cnnpredict_gui" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([0-9]+\.[0-9]+\.[0-9]+[^"]*)"$', text, re.MULTILINE)
    if found is None:
        raise SystemExit('cnnpredict_gui/__init__.py has no line such as __version__ = "1.2.3"')
    return found[1]


def source_date() -> int:
    """Seconds since 1970 that stand for every time in a package: SOURCE_DATE_EPOCH, or the last commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    done = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip() else 0


def architecture() -> str:
    """Architecture in file names: ``x86_64`` or ``arm64``."""
    machine = platform.machine().lower()
    return {"amd64": "x86_64", "aarch64": "arm64"}.get(machine, machine)


def system() -> str:
    """System in file names: ``linux``, ``windows`` or ``macos``."""
    return {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")


def file_name(suffix: str) -> str:
    """Name of a file to download, such as ``cnnpredict-1.0.0-linux-x86_64.run``."""
    return f"{NAME}-{version()}-{system()}-{architecture()}.{suffix}"


def check_tag(tag: str) -> None:
    """A release is tagged with the version it has.

    Raises:
        SystemExit: it is another one.
    """
    if tag != f"v{version()}":
        raise SystemExit(f"the tag is {tag}, the version {version()}: change cnnpredict_gui/__init__.py or tag v{version()}")


def main() -> None:
    """Print the version, or a file name; check a tag."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check-tag", metavar="TAG")
    parser.add_argument("--file-name", metavar="SUFFIX")
    options = parser.parse_args()
    if options.check_tag:
        check_tag(options.check_tag)
    print(file_name(options.file_name) if options.file_name else version())


if __name__ == "__main__":
    main()
