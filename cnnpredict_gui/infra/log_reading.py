"""Reads the log back as it grows, also across the moment when a full file is put away and a new one begun."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from cnnpredict_gui.infra.logs import log_file

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) ([A-Z]+) (\S+) (Thread-\d+ \([^)]*\)|\S+) ?(.*)")
#: Bytes read at most at once; of a longer log only the end.
MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class LogLine:
    """One event. ``number`` counts lines since reading began; ``level`` is one of :data:`LEVELS`."""

    number: int
    time: str
    level: str
    source: str
    thread: str
    message: str


class LogReader:
    """Gives what was written to a log since the last look.

    Args:
        path: The log file; default: this program's.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or log_file()
        self._offset = 0
        self._inode = 0
        self._rest = b""
        self._numbers = count(1)

    def read(self) -> list[LogLine]:
        """New complete lines; an unreadable or missing file gives none."""
        try:
            stat = self.path.stat()
            fresh = b""
            if stat.st_ino != self._inode or stat.st_size < self._offset:
                fresh = self._end_of_old_file()
                self._inode, self._offset = stat.st_ino, max(0, stat.st_size - MAX_BYTES)
            with self.path.open("rb") as file:
                file.seek(self._offset)
                now = file.read(MAX_BYTES)
        except OSError:
            return []
        self._offset += len(now)
        *whole, self._rest = (self._rest + fresh + now).split(b"\n")
        return [self._parsed(line.decode("utf-8", "replace").rstrip("\r")) for line in whole if line.strip()]

    def _end_of_old_file(self) -> bytes:
        """What was written to the file that was put away, after the last look at it."""
        old = self.path.with_name(f"{self.path.name}.1")
        try:
            if self._inode and old.stat().st_ino == self._inode:
                with old.open("rb") as file:
                    file.seek(self._offset)
                    return file.read(MAX_BYTES)
        except OSError:
            pass
        self._rest = b""
        return b""

    def _parsed(self, text: str) -> LogLine:
        found = _LINE.fullmatch(text)
        if found is None or found[2] not in LEVELS:
            return LogLine(next(self._numbers), "", "INFO", "", "", text)
        return LogLine(next(self._numbers), found[1], found[2], found[3], found[4], found[5])
