"""Versions of everything that matters for a report."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from cnnpredict_gui import __version__

PACKAGES = ("PySide6-Essentials", "pyqtgraph", "onnxruntime", "onnx", "numpy", "pyarrow", "pydantic", "psutil", "platformdirs")


def package_version(name: str) -> str:
    """Version of an installed package, or ``not installed``."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def versions() -> dict[str, str]:
    """Name to version: the program, Python, the system and the packages it stands on."""
    found = {"cnnpredict": __version__, "Python": sys.version.split()[0], "System": platform.platform()}
    return found | {name: package_version(name) for name in PACKAGES}
