"""The program's log: one rotating file, one line per event."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from cnnpredict_gui.infra.paths import log_dir

ROOT = "cnnpredict_gui"
LOG_NAME = "cnnpredict.log"
MAX_BYTES = 1_000_000
BACKUPS = 3


class OneLineFormatter(logging.Formatter):
    """Formats a record with its traceback on a single line, so that a log can be read and searched line by line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line; line breaks become `` | ``."""
        return " | ".join(line.rstrip() for line in super().format(record).splitlines() if line.strip())


class _LogFile(RotatingFileHandler):
    """Says once that the log cannot be written, e.g. on a full disk, instead of a traceback per event; goes on trying."""

    _told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name of the base class
        """Called for an event that could not be written."""
        if not self._told and sys.stderr is not None:
            self._told = True
            print(f"cnnpredict: the log cannot be written: {sys.exc_info()[1]}", file=sys.stderr)  # noqa: T201


def log_file() -> Path:
    """Path of the current log file (older ones have ``.1`` and so on appended)."""
    return log_dir() / LOG_NAME


def set_up_logging(level: int = logging.INFO, console: bool = False) -> Path | None:
    """Send the records of this project to the log file, and to stderr too if ``console``; calling again replaces the handlers.

    Returns:
        The log file, or None when it cannot be written (then records go to stderr from WARNING on).
    """
    root = logging.getLogger(ROOT)
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    file = _add_file_handler(root)
    if console or file is None:
        stream = logging.StreamHandler(sys.stderr)
        stream.setLevel(level if console else logging.WARNING)
        stream.setFormatter(OneLineFormatter("%(levelname)s %(message)s"))
        root.addHandler(stream)
    return file


def _add_file_handler(root: logging.Logger) -> Path | None:
    file = log_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(file, maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8", errors="backslashreplace")
    except OSError:
        return None
    handler.setFormatter(OneLineFormatter("%(asctime)s %(levelname)s %(name)s %(threadName)s %(message)s"))
    root.addHandler(handler)
    return file
