"""Reports of what went wrong unexpectedly: a text file each in the log folder, never sent anywhere."""

from __future__ import annotations

import faulthandler
import logging
import os
import traceback
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TextIO

from cnnpredict_gui.core.errors import OutputError
from cnnpredict_gui.infra.files import atomic_text
from cnnpredict_gui.infra.logs import log_file
from cnnpredict_gui.infra.paths import log_dir
from cnnpredict_gui.infra.versions import versions

#: Reports kept; older ones are removed.
KEPT = 20
_LOG_BYTES = 8_000
_fault_file: list[TextIO] = []
logger = logging.getLogger(__name__)


def write_crash_report(error: BaseException, where: str = "") -> Path | None:
    """Write traceback, versions and the end of the log to ``crash-<time>.txt``; None if that is impossible.

    Args:
        error: What was raised.
        where: Thread or place, e.g. ``main thread``.
    """
    now = datetime.now().astimezone()
    lines = [f"cnnpredict crash report, {now.isoformat(timespec='seconds')}", f"in: {where or 'unknown'}", ""]
    lines += [f"{name}: {value}" for name, value in versions().items()]
    lines += ["", "".join(traceback.format_exception(error)).rstrip(), "", "End of the log:", _end_of_log()]
    path = log_dir() / f"crash-{now.strftime('%Y%m%d-%H%M%S-%f')}.txt"
    try:
        atomic_text(path, "\n".join(lines) + "\n")
    except OutputError as failure:
        logger.warning("no crash report: %s", failure)
        return None
    _remove_old(path)
    return path


def crash_reports() -> list[Path]:
    """Reports that are there, newest first."""
    return sorted(log_dir().glob("crash-*.txt"), reverse=True)


def watch_for_faults() -> None:
    """Write the Python stack to ``fault.log`` when the interpreter itself is killed (segmentation fault and the like).

    What an earlier run left there becomes a crash report.
    """
    path = log_dir() / "fault.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size:
            when = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
            os.replace(path, path.with_name(f"crash-{when.strftime('%Y%m%d-%H%M%S-%f')}.txt"))
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        logger.warning("faults are not recorded: %s", error)
        return
    faulthandler.enable(file)
    _fault_file[:] = [file]


def _end_of_log() -> str:
    try:
        with log_file().open("rb") as file:
            start = max(0, file.seek(0, 2) - _LOG_BYTES)
            file.seek(start)
            text = file.read().decode("utf-8", "replace")
            return (text.partition("\n")[2] if start else text).rstrip()
    except OSError as error:
        return f"(the log cannot be read: {error})"


def _remove_old(fresh: Path) -> None:
    """Remove all but the latest; after a clock that went back, the fresh one need not be the latest by name."""
    for path in [path for path in crash_reports() if path != fresh][KEPT - 1 :]:
        with suppress(OSError):
            path.unlink(missing_ok=True)
