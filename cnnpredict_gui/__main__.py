"""Start of the desktop application: ``python -m cnnpredict_gui`` and ``cnnpredict-gui``."""

from __future__ import annotations

import multiprocessing
import os
import sys


def speak_utf8() -> None:
    """Start again in UTF-8 where the locale has other letters: Qt uses UTF-8 anyway, and both must spell file names alike."""
    if os.name == "posix" and sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | {"PYTHONUTF8": "1"})  # noqa: S606


def main() -> int:
    """Run the desktop application; returns the exit code."""
    multiprocessing.freeze_support()
    speak_utf8()
    from cnnpredict_gui.gui.app import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
