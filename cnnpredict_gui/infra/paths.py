"""Where things lie: bundled models and resources, and the user's own folders."""

from __future__ import annotations

import getpass
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import platformdirs

APP_NAME = "cnnpredict"
#: Puts every folder of the user below one folder: for portable installations and tests.
HOME_VARIABLE = "CNNPREDICT_HOME"
#: Further folders with models, separated like PATH.
MODELS_VARIABLE = "MODELS_DIR"


def _user_folder(kind: str, standard: Callable[..., str]) -> Path:
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home) / kind
    try:
        found = Path(standard(APP_NAME, appauthor=False))
    except RuntimeError:  # nobody knows where this user is at home
        return _homeless() / kind
    return found if found.is_absolute() else _homeless() / kind


@cache
def _homeless() -> Path:
    """A folder for a user without a home: kept until the system tidies up, and nobody else's."""
    folder = Path(tempfile.gettempdir(), f"{APP_NAME}-{user_name()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        facts = folder.lstat()
        if stat.S_ISDIR(facts.st_mode) and (os.name == "nt" or facts.st_uid == os.getuid()):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix=f"{APP_NAME}-"))


def user_name() -> str:
    """Name of the user, or the number where the system has no name for it (as in many containers)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return str(os.getuid()) if os.name != "nt" else "user"


def without_tilde(path: str | os.PathLike[str]) -> Path:
    """The path with a leading ``~`` resolved, if the user has a home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def data_dir() -> Path:
    """Folder of what the user made or imported (may not exist yet)."""
    return _user_folder("data", platformdirs.user_data_dir)


def config_dir() -> Path:
    """Folder of the settings (may not exist yet)."""
    return _user_folder("config", platformdirs.user_config_dir)


def cache_dir() -> Path:
    """Folder of what can be made again, e.g. converted models (may not exist yet)."""
    return _user_folder("cache", platformdirs.user_cache_dir)


def log_dir() -> Path:
    """Folder of the log files (may not exist yet)."""
    return _user_folder("log", platformdirs.user_log_dir)


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
    """Folder of the models that were made on this computer or imported (may not exist yet)."""
    return data_dir() / "models"


def resources_dir() -> Path:
    """Folder of icons, presets and other data files that come with the program."""
    return program_dir() / "resources"


def model_folders(extra: Iterable[str | os.PathLike[str]] = ()) -> list[Path]:
    """Folders searched for models: the bundled one, the user's own, those in ``MODELS_DIR``, then ``extra``; each one once."""
    listed = [part for part in os.environ.get(MODELS_VARIABLE, "").split(os.pathsep) if part.strip()]
    folders = [bundled_models_dir(), *(without_tilde(part) for part in (user_models_dir(), *listed, *extra))]
    unique = {folder.absolute(): None for folder in folders}
    return list(unique)
