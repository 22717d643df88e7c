"""The user's settings: one versioned JSON file; what is missing or wrong takes its standard value."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from cnnpredict_gui.infra.json_store import Step, read_json, write_json
from cnnpredict_gui.infra.paths import config_dir

#: Number of the format, and what leads to it from format 1; append only.
FORMAT, STEPS = 1, tuple[Step, ...]()
FILE_NAME = "settings.json"
#: Allowed values of the settings that have few.
CHOICES: dict[str, tuple[Any, ...]] = {
    "theme": ("system", "light", "dark"),
    "scale": (0, 100, 125, 150, 175, 200),
    "digits": (2, 3, 4, 5, 6),
    "export_scale": (1, 2, 3, 4),
    "export_background": ("screen", "white"),
    "log_level": ("DEBUG", "INFO", "WARNING", "ERROR"),
}
RECENT_KEPT = 12
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """Everything the user can set. ``scale`` is in percent, 0 follows the system; folders and files are absolute paths."""

    theme: str = "system"
    scale: int = 0
    digits: int = 3
    models_folders: tuple[str, ...] = ()
    export_scale: int = 2
    export_background: str = "screen"
    log_level: str = "INFO"
    restore_session: bool = True
    count_usage: bool = True
    welcomed: bool = False
    recent_files: tuple[str, ...] = ()


def settings_file() -> Path:
    """Where the settings are kept."""
    return config_dir() / FILE_NAME


def read_settings(path: Path | None = None) -> tuple[Settings, str]:
    """The settings, and a problem to tell the user (empty if there is none). Never raises."""
    data, problem = read_json(path or settings_file(), FORMAT, STEPS)
    values, wrong = {}, []
    for field in fields(Settings):
        if field.name in data:
            value = _checked(field.name, data[field.name])
            if value is None:
                wrong.append(field.name)
            else:
                values[field.name] = value
    if wrong:
        problem = f"settings with impossible values were reset: {', '.join(wrong)}"
        logger.warning("%s", problem)
    return Settings(**values), problem


def write_settings(settings: Settings, path: Path | None = None) -> None:
    """Keep the settings.

    Raises:
        OutputError: the file cannot be written.
    """
    write_json(path or settings_file(), asdict(settings), FORMAT)


def _checked(name: str, value: Any) -> Any:
    """The value in its type, or None if it is impossible."""
    standard = getattr(Settings, name)
    if isinstance(standard, tuple):
        ok = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return tuple(value) if ok else None
    if type(value) is not type(standard) or value not in CHOICES.get(name, (value,)):
        return None
    return value
