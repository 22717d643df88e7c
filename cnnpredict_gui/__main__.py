"""Start of the desktop application: ``python -m cnnpredict_gui`` and ``cnnpredict-gui``."""

from __future__ import annotations

import multiprocessing
import sys


def main() -> int:
    """Run the desktop application; returns the exit code."""
    multiprocessing.freeze_support()
    from cnnpredict_gui.gui.app import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
