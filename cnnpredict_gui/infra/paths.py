"""Where things lie: bundled models and resources, and the user's own folders."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import platformdirs

APP_NAME = "cnnpredict"
#: Puts every folder of the user below one folder: for portable installations and tests.
HOME_VARIABLE = "CNNPREDICT_HOME"
#: Further folders with models, separated like PATH.
MODELS_VARIABLE = "MODELS_DIR"


def _user_folder(kind: str, standard: str) -> Path:
    home = os.environ.get(HOME_VARIABLE)
    return Path(home) / kind if home else Path(standard)


def data_dir() -> Path:
    """Folder of what the user made or imported (may not exist yet)."""
    return _user_folder("data", platformdirs.user_data_dir(APP_NAME, appauthor=False))


def config_dir() -> Path:
    """Folder of the settings (may not exist yet)."""
    return _user_folder("config", platformdirs.user_config_dir(APP_NAME, appauthor=False))


def cache_dir() -> Path:
    """Folder of what can be made again, e.g. converted models (may not exist yet)."""
    return _user_folder("cache", platformdirs.user_cache_dir(APP_NAME, appauthor=False))


def log_dir() -> Path:
    """Folder of the log files (may not exist yet)."""
    return _user_folder("log", platformdirs.user_log_dir(APP_NAME, appauthor=False))


def program_dir() -> Path:
    """Folder that holds ``models/`` and ``resources/``: of the frozen program, the checkout or the installation."""
    frozen = getattr(sys, "_MEIPASS", None)
    if frozen:
        return Path(frozen)
    package = Path(__file__).resolve().parents[1]
    installed = package / "bundled"
    return installed if installed.is_dir() else package.parent


def bundled_models_dir() -> Path:
    """Folder of the models that come with the program."""
    return program_dir() / "models"


def user_models_dir() -> Path:
    """Folder of the models that were made on this computer (may not exist yet)."""
    return data_dir() / "models"


def resources_dir() -> Path:
    """Folder of icons, presets and other data files that come with the program."""
    return program_dir() / "resources"


def model_folders(extra: Iterable[str | os.PathLike[str]] = ()) -> list[Path]:
    """Folders searched for models: the bundled one, the user's own, those in ``MODELS_DIR``, then ``extra``; each one once."""
    listed = [part for part in os.environ.get(MODELS_VARIABLE, "").split(os.pathsep) if part.strip()]
    folders = [bundled_models_dir(), *(Path(part).expanduser() for part in (user_models_dir(), *listed, *extra))]
    unique = {folder.absolute(): None for folder in folders}
    return list(unique)
