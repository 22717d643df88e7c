"""Progress of long commands on stderr: one line that renews itself, silent where stderr is no terminal."""

from __future__ import annotations

import sys
from time import monotonic
from types import TracebackType
from typing import Self


class Progress:
    """A callable ``progress(done, total)`` and context manager; ``unit`` names what is counted."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._begin = monotonic()
        self._shown = 0.0
        self._is_terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def __call__(self, done: int, total: int) -> None:
        """Show how far it is, at most ten times a second."""
        now = monotonic()
        if not self._is_terminal or now - self._shown < 0.1:
            return
        self._shown = now
        left = (now - self._begin) * (total - done) / done if done else 0.0
        share = 100 * done / total if total else 0.0
        text = f"{done:,} of {total:,} {self._unit}, {share:.0f} %, {left:.0f} s left"
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
