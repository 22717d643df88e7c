"""``cnnpredict doctor``: versions, folders, what is loaded and what is wrong."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnpredict_gui import __version__
from cnnpredict_gui.cli import usage
from cnnpredict_gui.cli.models import entry_json

if TYPE_CHECKING:
    from cnnpredict_gui.cli.main import Parser

NEEDED = ("numpy", "pydantic", "onnxruntime", "onnx", "pyarrow", "platformdirs", "psutil")
WINDOW = ("PySide6-Essentials", "pyqtgraph")
TRAINING = ("torch", "scikit-learn", "xgboost-cpu", "optuna", "skl2onnx", "onnxmltools")


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Describe the command."""
    usage.add_command(
        subparsers,
        "doctor",
        "versions, folders, what is loaded, what is wrong",
        "Checks the installation. Exit code 1 if something is wrong.",
        ["cnnpredict doctor", "cnnpredict doctor --json"],
        run,
    )


def run(options: argparse.Namespace) -> int:
    """Check and print."""
    library = usage.open_library(options)
    entries = library.load_all()
    failed = [entry for entry in entries if entry.status != "loaded"]
    wrong = [*library.problems, *(f"model {entry.full_name}: {entry.reason} [{entry.path}]" for entry in failed)]
    if len(failed) == len(entries):
        wrong.append("no predictor is loaded; give a folder with models by --models-dir or MODELS_DIR")
    wrong += _missing_packages() + _unwritable(_folders())
    report: dict[str, Any] = {
        "status": "error" if wrong else "success",
        "version": __version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in (*NEEDED, *WINDOW, *TRAINING)},
        "folders": {name: str(path) for name, path in _folders().items()},
        "models_folders": [str(folder) for folder in library.folders],
        "models_loaded": len(entries) - len(failed),
        "models_failed": len(failed),
        "models": [{key: value for key, value in entry_json(entry).items() if key != "metrics"} for entry in entries],
        "problems": wrong,
    }
    if options.json:
        usage.print_json(report)
    else:
        _print_text(report)
    return 1 if wrong else 0


def _folders() -> dict[str, Path]:
    from cnnpredict_gui.infra import paths

    return {
        "program": paths.program_dir(),
        "data": paths.data_dir(),
        "settings": paths.config_dir(),
        "cache": paths.cache_dir(),
        "log": paths.log_dir(),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return version("xgboost") if name == "xgboost-cpu" and _has("xgboost") else None


def _has(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _missing_packages() -> list[str]:
    """Packages that predicting needs; a frozen program carries its libraries without their metadata."""
    if getattr(sys, "frozen", False):
        return []
    return [f"the package {name} is missing; install it with pip" for name in NEEDED if _version(name) is None]


def _unwritable(folders: dict[str, Path]) -> list[str]:
    wrong = []
    for name, path in folders.items():
        nearest = next((parent for parent in (path, *path.parents) if parent.exists()), path)
        if name != "program" and not (nearest.is_dir() and os.access(nearest, os.W_OK)):
            wrong.append(f"the {name} folder {path} cannot be written; change its permissions or set CNNPREDICT_HOME")
    return wrong


def _print_text(report: dict[str, Any]) -> None:
    print(f"cnnpredict {report['version']}, Python {report['python']}, {report['platform']}")
    print("\npackages")
    for name, found in report["packages"].items():
        print(f"  {name:20} {found or 'not installed' + ('' if name in NEEDED else _purpose(name))}")
    print("\nfolders")
    for name, path in report["folders"].items():
        print(f"  {name:20} {path}")
    for folder in report["models_folders"]:
        print(f"  {'models':20} {folder}")
    print(f"\nmodels: {report['models_loaded']} loaded, {report['models_failed']} failed")
    if report["problems"]:
        print("\nwhat is wrong")
        for problem in report["problems"]:
            print(f"  {problem}")
    else:
        print("nothing is wrong")


def _purpose(name: str) -> str:
    return " (only the window needs it)" if name in WINDOW else " (only training and measuring need it)"
