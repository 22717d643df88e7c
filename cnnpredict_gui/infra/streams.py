"""Standard streams of a process that has none: of a windowed program on Windows, or one whose output was closed."""

from __future__ import annotations

import os
import sys


def open_missing_streams() -> None:
    """Let ``sys.stdout`` and ``sys.stderr`` lead nowhere where there are none; libraries write to them without asking."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  (open until the process ends)
